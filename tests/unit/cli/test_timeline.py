"""A conversation as a table."""

from __future__ import annotations

import dataclasses
from io import StringIO
from typing import Any, get_args

import pytest
from rich.console import Console

from ari_app.cli.timeline import row, table
from ari_app.conversation.events import (
    AgentSpoke,
    CallAnswered,
    CallerSpoke,
    Envelope,
    Event,
    from_payload,
    name_of,
)

_SAMPLES: dict[str, Any] = {
    "str": "word",
    "str | None": "word",
    "int": 3,
    "int | None": None,
    "float": 0.5,
    "tuple[str, ...]": ("a", "b"),
    "tuple[str, ...] | None": ("a", "b"),
    "tuple[tuple[str, float], ...]": (("a", 0.5),),
    "tuple[tuple[str, float, float, float], ...]": (("a", 0.0, 0.5, 1.0),),
    "dict[str, int]": {"received": 7},
    "dict[str, Any]": {"outcome": "to people", "topic": None},
}


def sample(kind: type[Any]) -> Event:
    """An event of this class with some value in every field."""
    event: Event = kind(**{f.name: _SAMPLES[str(f.type)] for f in dataclasses.fields(kind)})
    return event


def envelope(sequence: int, at: int, event: Event) -> Envelope:
    return Envelope(f"evt_{sequence}", "conv_1", sequence, at, "test", None, event)


@pytest.mark.parametrize("kind", get_args(Event))
def test_every_event_says_who_did_what(kind: type[Any]) -> None:
    who, what, _ = row(sample(kind))
    assert who in {"caller", "agent", "policy", "carrier", "hand-off", "call", "people"}
    assert what.strip()


def test_an_event_of_a_newer_program_still_shows_its_name() -> None:
    _, what, detail = row(from_payload("moon.landed", 9, {"crew": 3}))
    assert (what, "9" in detail) == ("moon.landed", True)


def test_the_table_counts_milliseconds_between_steps() -> None:
    events = [
        envelope(1, 1_000_000, CallAnswered(call="call_1")),
        envelope(
            2,
            2_250_000,
            CallerSpoke(call="c", text="hi", words=(), confidence=1.0, endpoint_ms=550),
        ),
        envelope(3, 2_255_000, AgentSpoke(call="c", prompt="hello", text="Hello.", answer_ms=560)),
    ]
    screen = Console(file=StringIO(), width=160)
    screen.print(table(events))
    lines = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]  # it is a StringIO
    assert any("1.25" in line and "1250" in line and "“hi”" in line for line in lines)
    assert any("5 │" in line and "Hello." in line and "560 ms" in line for line in lines)


def test_the_sample_of_every_event_can_be_stored() -> None:
    assert all(name_of(sample(kind))[0] for kind in get_args(Event))
