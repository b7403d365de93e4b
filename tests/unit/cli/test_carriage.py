"""What a text costs and who would carry it, asked without sending anything."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ari_app.cli import carriage, settings
from ari_app.errors import SettingsError

NORTH = 'name = "north"\nhosts = ["north.example:2775"]\n'
SOUTH = 'name = "south"\nhosts = ["south.example:2775"]\n[text]\nnational = ["turkish"]\n'


class Desk:
    """An operator at a site with two carriers."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        (folder / "secret").write_text("pass")
        (folder / "secret").chmod(0o600)
        (folder / "north.toml").write_text(NORTH)
        (folder / "south.toml").write_text(SOUTH)
        self.settings = self.file(self._of("north", '"+33" = 0.050, "" = 0.1'), self._south())

    def file(self, *tables: str) -> Path:
        path = self.folder / "segue.toml"
        path.write_text('[calls]\nregion = "FR"\n[sms]\nsource = "36200"\n' + "".join(tables))
        return path

    def _of(self, name: str, costs: str) -> str:
        return (
            f'[[sms.carriers]]\nprofile = "{self.folder}/{name}.toml"\nsystem_id = "acme"\n'
            f'password_file = "{self.folder}/secret"\ncosts = {{ {costs} }}\n'
        )

    def _south(self) -> str:
        return self._of("south", '"+336" = 0.07')

    def only_south(self) -> None:
        self.file(self._south())

    def preview(self, text: str, carrier: str = "") -> str:
        carriage.preview(self.settings, text, carrier, as_json=False)
        return self._capsys.readouterr().out

    def preview_json(self, text: str, carrier: str = "") -> dict[str, Any]:
        carriage.preview(self.settings, text, carrier, as_json=True)
        found: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return found

    def route(self, number: str) -> str:
        carriage.route(self.settings, number, as_json=False)
        return self._capsys.readouterr().out

    def route_json(self, number: str) -> list[dict[str, Any]]:
        carriage.route(self.settings, number, as_json=True)
        rows: list[dict[str, Any]] = json.loads(self._capsys.readouterr().out)
        return rows


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


# -- preview ----------------------------------------------------------------------------------


def test_a_short_text_is_one_segment(desk: Desk) -> None:
    assert desk.preview("hello") == "GSM-7: 1 segment, 155 characters left in the last\n"


def test_the_character_that_makes_a_text_dear_is_shown_with_what_to_write_instead(
    desk: Desk,
) -> None:
    lines = desk.preview("a" * 80 + "’").splitlines()
    assert lines[0].startswith("UCS-2: 2 segments")
    assert lines[1] == "'’' at place 81 does not fit the carrier's plain alphabet"
    assert lines[2] == "Write ' for ’: 1 segment instead of 2."


def test_a_text_is_written_as_its_carrier_wants_it(desk: Desk) -> None:
    turkish = "ş" * 100
    assert desk.preview_json(turkish)["encoding"] == "UCS-2"
    assert desk.preview_json(turkish, "north")["segments"] == 2
    assert desk.preview_json(turkish, "south")["segments"] == 1


def test_programs_get_all_of_it_as_json(desk: Desk) -> None:
    found = desk.preview_json("ж")
    assert (found["text"], found["segments"], found["forced_by"]) == ("ж", 1, ["ж", 0])


def test_what_a_terminal_cannot_write_is_no_error(desk: Desk) -> None:
    assert desk.preview_json("\udcff")["forced_by"] == ["\udcff", 0]
    assert "place 1" in desk.preview("\udcff")


def test_without_a_carrier_the_plain_alphabet_is_taken(desk: Desk) -> None:
    desk.file()
    assert desk.preview("hello").startswith("GSM-7: 1 segment")


def test_a_text_that_no_carrier_takes_is_one_sentence(desk: Desk) -> None:
    with pytest.raises(SettingsError, match="at most 255 segments"):
        desk.preview("a" * 40_000)


def test_a_carrier_that_is_not_there_is_named_with_those_that_are(desk: Desk) -> None:
    with pytest.raises(SettingsError, match="no carrier is called 'est': north, south"):
        desk.preview("hello", "est")
    desk.file()
    with pytest.raises(SettingsError, match="no carrier is called 'est': none is set"):
        desk.preview("hello", "est")


# -- route ------------------------------------------------------------------------------------


def test_who_is_asked_is_shown_in_order_with_prefix_and_price(desk: Desk) -> None:
    lines = desk.route("+33612345678").splitlines()
    rows = [[cell.strip() for cell in line.strip("│┃").split("│")] for line in lines if "│" in line]
    assert rows == [["1", "south", "+336", "0.07"], ["2", "north", "+33", "0.05"]]


def test_a_number_may_be_written_as_at_home(desk: Desk) -> None:
    assert [row["carrier"] for row in desk.route_json("06 12 34 56 78")] == ["south", "north"]


def test_programs_get_the_rows_as_json(desk: Desk) -> None:
    assert desk.route_json("+4930123456") == [
        {"carrier": "north", "prefix": "", "cost": "0.1", "place": 1}
    ]
    assert "any" in desk.route("+4930123456")


def test_what_is_no_number_is_one_sentence(desk: Desk) -> None:
    with pytest.raises(SettingsError, match="'hello' is no phone number: write it like"):
        desk.route("hello")


def test_that_nobody_offers_to_carry_it_is_one_sentence_without_the_number(desk: Desk) -> None:
    desk.only_south()
    with pytest.raises(SettingsError, match="no carrier has an offer for") as error:
        desk.route("+4930123456")
    assert "4930123456" not in str(error.value)


def test_that_no_carrier_is_set_is_one_sentence(desk: Desk) -> None:
    desk.file()
    with pytest.raises(SettingsError, match="no carrier is set"):
        desk.route("+33612345678")


# -- config check -----------------------------------------------------------------------------


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A speech model is a download of its own, and nothing that is asked for here."""
    found = SimpleNamespace(is_mini=True, path=Path("model"), rate=8000)
    monkeypatch.setattr(settings, "load_model", lambda of: found)


def test_the_check_names_every_carrier_and_its_hosts(
    desk: Desk, model: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk.folder / "north.toml").write_text(
        'name = "north"\nhosts = ["[fe80::1]:2775", "north.example:2776"]\n'
    )
    settings.check(desk.settings)
    out = capsys.readouterr().out
    assert "carrier  north at [fe80::1]:2775, north.example:2776\n" in out
    assert "carrier  south at south.example:2775\n" in out
    assert out.endswith("settings are good\n")


def test_the_check_finds_what_the_service_would_stumble_over(desk: Desk, model: None) -> None:
    (desk.folder / "south.toml").write_text('name = "south"\n')
    with pytest.raises(SettingsError, match="the profile south has no hosts"):
        settings.check(desk.settings)
