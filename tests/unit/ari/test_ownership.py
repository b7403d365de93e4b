"""Whose an application is, by the mark in its filter."""

from __future__ import annotations

from typing import Any

import pytest

from ari_app.ari.ownership import Owner, mark, owner


def application(*types: str) -> dict[str, Any]:
    return {"name": "segue", "events_allowed": [{"type": type} for type in types]}


def test_our_mark_is_ours() -> None:
    assert owner(application("StasisStart", mark("a")), "a") is Owner.WE


def test_the_mark_of_another_process_is_anothers() -> None:
    assert owner(application("StasisStart", mark("b")), "a") is Owner.ANOTHER


@pytest.mark.parametrize(
    "description",
    [
        application("StasisStart"),
        application(),
        {},
        None,
        [],
        {"events_allowed": None},
        {"events_allowed": ["StasisStart", {"type": 7}, {}]},
    ],
)
def test_a_filter_without_a_mark_is_nobodys(description: Any) -> None:
    assert owner(description, "a") is Owner.NOBODY
