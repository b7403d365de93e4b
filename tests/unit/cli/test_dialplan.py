"""A site's dialplan: what an admin may say, what becomes of it, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.cli import dialplan
from ari_app.cli.site_dialplan import (
    SITE_FILES,
    Entry,
    Nobody,
    files,
    include_lines,
    read_date,
    read_hours,
    read_site,
    snippet,
)
from ari_app.errors import SettingsError
from asterisk.configuration import DIALPLAN

SITE = read_site(
    dids=["+33123456789", "1000"],
    entry=Entry.BY_HOURS,
    hours=["mon-fri 08:00-18:00", "sat 09:00-12:00"],
    closed=["25 dec"],
    zone="Europe/Paris",
    queue="desk",
    agi="10.0.0.5:4573",
    nobody=Nobody.VOICEMAIL,
    mailbox="600@default",
)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("mon-fri 08:00-18:00", "08:00-17:59,mon-fri,*,*"),
        ("Sat 09:30-12:00", "09:30-11:59,sat,*,*"),
        ("00:00-24:00", "00:00-23:59,*,*,*"),
        ("fri-mon 10:00-10:01", "10:00-10:00,fri-mon,*,*"),
    ],
)
def test_hours_end_one_minute_before_they_are_over(said: str, written: str) -> None:
    assert read_hours(said) == written


@pytest.mark.parametrize(
    "said",
    [
        "",
        "always",
        "monday 08:00-18:00",
        "mon-fri 8-18",
        "18:00-08:00",
        "08:00-08:00",
        "08:00-24:01",
        "25:00-26:00",
        "08:00-18:00\n",
        "mon-fri 08:00-18:00,*,*?x",
    ],
)
def test_hours_that_are_none_are_refused(said: str) -> None:
    with pytest.raises(SettingsError, match="--hours"):
        read_hours(said)


@pytest.mark.parametrize(
    ("said", "written"), [("25 dec", "*,*,25,dec"), ("24-26 DEC", "*,*,24-26,dec")]
)
def test_a_date_is_a_day_of_a_month(said: str, written: str) -> None:
    assert read_date(said) == written


@pytest.mark.parametrize(
    "said", ["", "dec 25", "32 dec", "0 jan", "26-24 dec", "25 dez", "25 dec\n"]
)
def test_a_date_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(SettingsError, match="--closed"):
        read_date(said)


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ({"dids": ["+33 1 23"]}, "--did"),
        ({"dids": ["1000,1,Hangup()"]}, "--did"),
        ({"dids": ["12"]}, "--did"),
        ({"dids": ["1000\n"]}, "--did"),
        ({"dids": ["1000", "1000"]}, "given twice"),
        ({"entry": Entry.STATIC_MENU}, "--entry"),
        ({"queue": "people,r"}, "--queue"),
        ({"queue": "people\nSEGUE_APP = evil"}, "--queue"),
        ({"app": "segue)"}, "--app"),
        ({"agi": "10.0.0.5"}, "--agi"),
        ({"agi": "10.0.0.5:0"}, "--agi"),
        ({"agi": "10.0.0.5:4573/x"}, "--agi"),
        ({"zone": "Mars/Olympus"}, "--zone"),
        ({"zone": "../../etc/passwd"}, "--zone"),
        ({"nobody": Nobody.VOICEMAIL}, "--mailbox"),
        ({"mailbox": "600"}, "--mailbox"),
        ({"nobody": Nobody.VOICEMAIL, "mailbox": "600,s"}, "--mailbox"),
    ],
)
def test_what_cannot_stand_in_a_dialplan_is_refused(said: dict[str, object], option: str) -> None:
    with pytest.raises(SettingsError, match=option):
        read_site(**said)  # type: ignore[arg-type]  # each of its own type


@given(st.text(max_size=40))
def test_no_text_at_all_gets_out_of_its_line(said: str) -> None:
    for option in ("queue", "app", "agi", "zone"):
        try:
            site = read_site(**{option: said})  # type: ignore[arg-type]
        except SettingsError:
            continue
        plain = snippet(read_site(), "segue").splitlines()
        # A setting is one line more, and nothing else.
        assert len(snippet(site, "segue").splitlines()) == len(plain) + bool(site.settings)


def test_the_snippet_says_what_the_admin_said() -> None:
    text = snippet(SITE, "segue")
    assert "exten = +33123456789,1,Goto(by-hours,${EXTEN},1)" in text
    assert "exten = 1000,1,Goto(by-hours,${EXTEN},1)" in text
    assert "context = segue-numbers" in text
    assert "SEGUE_QUEUE = desk" in text
    paris = "Europe/Paris"
    assert f"SEGUE_HOURS = 08:00-17:59,mon-fri,*,*,{paris}&09:00-11:59,sat,*,*,{paris}" in text
    assert f"SEGUE_CLOSED = *,*,25,dec,{paris}" in text
    # The command that made it makes it again.
    assert "segue dialplan --did +33123456789 --did 1000 --entry by-hours --hours" in text


def test_without_numbers_the_trunk_begins_where_all_are_let_in() -> None:
    text = snippet(read_site(), "segue")
    assert "context = from-carrier" in text
    assert "exten =" not in text


def test_every_file_but_that_of_tests_is_written_and_all_settings_are_known() -> None:
    made = files(SITE, "segue")
    assert made.keys() == {p.name for p in DIALPLAN.glob("*.conf")} - {"test.conf"} | {*SITE_FILES}
    known = set(re.findall(r"(?m)^(SEGUE_\w+) =", made["globals.conf"]))
    assert set(re.findall(r"(?m)^(SEGUE_\w+) =", made["site-globals.conf"])) <= known
    assert len(SITE.settings) == 6


def test_the_folder_may_have_another_name() -> None:
    made = files(SITE, "voice")
    included = [n for t in (*made.values(), include_lines("voice")) for n in _includes(t)]
    assert {n.partition("/")[0] for n in included} == {"voice"}
    assert sorted(n.partition("/")[2] for n in included) == sorted(made)


def _includes(text: str) -> list[str]:
    return re.findall(r'(?m)^#include "(\S+)"', text)


# -- writing and comparing --------------------------------------------------------------------


def test_what_was_written_is_the_same_until_somebody_changes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "segue"
    assert dialplan.write(SITE, folder, force=False) == 0
    assert capsys.readouterr().out == include_lines("segue")
    assert dialplan.check(SITE, folder) == 0
    assert dialplan.check(None, folder) == 0
    assert dialplan.write(SITE, folder, force=False) == 0  # again, over the same
    capsys.readouterr()

    changed = folder / "inbound.conf"
    changed.write_text(changed.read_text() + "exten = _X.,1,Hangup()\n")
    (folder / "hours.conf").unlink()
    (folder / "mine.conf").write_text("")
    assert dialplan.check(SITE, folder) == 1
    said = capsys.readouterr().out
    assert "-exten = _X.,1,Hangup()" in said
    assert "hours.conf: missing" in said
    assert "mine.conf: not written by segue dialplan" in said


def test_what_somebody_has_changed_is_not_lost(tmp_path: Path) -> None:
    folder = tmp_path / "segue"
    dialplan.write(SITE, folder, force=False)
    site = folder / "site.conf"
    site.write_text("; mine\n")
    with pytest.raises(SettingsError, match=r"site\.conf would change"):
        dialplan.write(SITE, folder, force=False)
    assert site.read_text() == "; mine\n"
    assert dialplan.write(SITE, folder, force=True) == 0
    assert "segue-numbers" in site.read_text()
    assert not list(folder.glob("*.part"))


def test_a_site_of_its_own_is_compared_only_when_it_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "segue"
    dialplan.write(SITE, folder, force=False)
    other = read_site(dids=["2000"])
    assert dialplan.check(None, folder) == 0
    assert dialplan.check(other, folder) == 1


def test_a_folder_that_is_not_there_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no folder"):
        dialplan.check(None, tmp_path / "segue")
