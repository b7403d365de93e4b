"""The pages of docs/ that are made from the code are those of this code."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from ari_app.cli import app
from ari_app.cli.pages import pages

_DOCS = Path(__file__).parents[3] / "docs"
_PAGES = pages(typer.main.get_command(app))


@pytest.mark.parametrize("name", sorted(_PAGES))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (_DOCS / name).read_text(encoding="utf-8") == _PAGES[name], "run `make docs`"


def test_every_command_a_person_may_use_has_its_paragraph() -> None:
    page = _PAGES["cli.md"]
    for command in ("run", "pbx", "smsc", "call", "demo", "config check", "conversation show"):
        assert f"## segue {command}\n" in page
    assert "## segue docs" not in page
