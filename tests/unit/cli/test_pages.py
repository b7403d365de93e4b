"""The pages of docs/ that are made from the code are those of this code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from ari_app.cli import app
from ari_app.cli.pages import pages
from ari_app.conversation.upcast import UPCASTERS
from tests.support.published import COMMAND, frozen_schemas

_DOCS = Path(__file__).parents[3] / "docs"
_PAGES = pages(typer.main.get_command(app))


@pytest.mark.parametrize("name", sorted(_PAGES))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (_DOCS / name).read_text(encoding="utf-8") == _PAGES[name], "run `make docs`"


def test_a_published_schema_is_kept_for_ever_and_leads_to_a_class() -> None:
    made = {Path(name).stem for name in _PAGES if name.startswith("schemas/")}
    replaced = {f"{name}.v{version}" for name, version in UPCASTERS}
    there = {path.stem for path in (_DOCS / "schemas").iterdir()}
    assert there == made | replaced, "a schema without its class needs an upcaster to a newer one"
    frozen = frozen_schemas()
    assert there == frozen.keys(), COMMAND
    for title in replaced:  # nothing makes these files again
        page = (_DOCS / "schemas" / f"{title}.json").read_text(encoding="utf-8")
        assert json.loads(page) == frozen[title]


def test_every_command_a_person_may_use_has_its_paragraph() -> None:
    page = _PAGES["cli.md"]
    for command in ("run", "pbx", "smsc", "call", "demo", "config check", "conversation show"):
        assert f"## segue {command}\n" in page
    assert "## segue docs" not in page
