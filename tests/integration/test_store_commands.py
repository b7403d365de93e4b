"""`segue store` on a whole installation: keys, erasures and the database, on both engines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer
from typer.testing import CliRunner, Result

from ari_app.bootstrap.premises import Premises, Privacy, sealer, subject_key
from ari_app.cli.store_app import store_app
from ari_app.config import Settings, load
from ari_app.conversation.events import CallerSpoke, ConversationOpened, Event, TextPromised
from ari_app.conversation.identity import E164
from ari_app.errors import SettingsError, StoreUnavailable
from ari_app.ports import Effect
from ari_app.privacy.ports import Mode, Reason
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

NUMBER = E164("+12025550147")
OTHER = E164("+12025550148")
WORDS = "the quick brown heron"
BODY = "Your table is under the willow."
ROOT = Path(__file__).parents[2]
KEYS = ("keys.db", "kek", "subject.key", "seal.key", "seal.pub")


class Site:
    """An installation in a folder; with `url` its database is a PostgreSQL."""

    def __init__(self, folder: Path, url: str = "") -> None:
        folder.mkdir()
        self.folder = folder
        self.url = url
        self.config = folder / "segue.toml"
        self.config.write_text(f'[store]\npath = "{folder / "segue.db"}"\nurl = "{url}"\n')

    @property
    def settings(self) -> Settings:
        return load(self.config)

    def premises(self) -> Premises:
        return Premises(self.settings, SystemClock(), PrometheusMeter())

    async def live(self) -> None:
        """One conversation of each of two people, sealed; a text for each is promised."""
        premises = self.premises()
        await premises.open()
        for number in (NUMBER, OTHER):
            stream, to = f"conv_{number.value[-4:]}", number.value
            await premises.store.append(
                stream,
                [
                    ConversationOpened(
                        channel="voice", did="1", language="en", number=number.value
                    ),
                    CallerSpoke(call="c", text=WORDS, words=(), confidence=1.0, endpoint_ms=1),
                    TextPromised(message=f"msg_{stream}", template="t", to=to, body=BODY),
                ],
                effects=[Effect("sms", f"msg_{stream}", 0, {"to": to, "body": BODY})],
                subject=number.subject(subject_key(self.settings)),
            )
        await sealer(self.settings, premises.store, SystemClock()).run_once()
        await premises.aclose()

    def erase(self, number: E164, mode: Mode) -> None:
        privacy = Privacy(self.settings, SystemClock())
        privacy.open()
        subject = number.subject(subject_key(self.settings))
        privacy.erasure.erase(subject, mode, Reason.REQUEST)
        privacy.close()

    def words(self, number: E164) -> list[str]:
        """What the log says that the person said."""

        async def read() -> list[Event]:
            premises = self.premises()
            await premises.open()
            found = await premises.store.read(f"conv_{number.value[-4:]}")
            await premises.aclose()
            return [e.event for e in found]

        return [e.text for e in asyncio.run(read()) if isinstance(e, CallerSpoke)]

    def traces(self, text: str) -> list[str]:
        """Where these bytes stand: in any file, or in any table of the server."""
        found = [f.name for f in self.folder.rglob("*") if f.is_file() and _has(f, text)]
        if self.url:
            with contextlib.closing(psycopg.connect(self.url)) as server:
                names = server.execute("SELECT tablename FROM pg_tables WHERE schemaname='segue'")
                for (name,) in names.fetchall():
                    rows = server.execute(f"SELECT r::text FROM segue.{name} r")
                    found += [name for (row,) in rows if text in row]
        return found

    def run(self, *arguments: str) -> Result:
        done = CliRunner().invoke(store_app, [*arguments, "--config", str(self.config)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def said(self, *arguments: str) -> dict[str, Any]:
        """What the command says as JSON; it has to succeed."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def _has(file: Path, text: str) -> bool:
    return text.encode() in file.read_bytes()


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """An installation that has lived, on each engine."""
    url = request.getfixturevalue("database") if request.param == "postgres" else ""
    site = Site(tmp_path / "site", url)
    asyncio.run(site.live())
    return site


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the backup goes: not beside the keys."""
    return tmp_path / "backup.segue"


def test_a_backup_says_what_it_has_and_which_files_it_has_not(site: Site, file: Path) -> None:
    said = site.said("backup", str(file))
    assert (said["events"], said["sealed"]) == (6, 6)
    assert {Path(path).name for path in said["apart"]} == {
        "keys.db",
        "kek",
        "subject.key",
        "seal.key",
        "erasures.jsonl",
    }
    content = file.read_bytes()
    for text in (NUMBER.value, WORDS, BODY):
        assert text.encode() not in content
    for name in KEYS[1:4]:
        assert (site.folder / name).read_bytes() not in content
    shown = site.run("backup", str(file), "--force").output
    assert "It has no keys" in shown
    assert str(site.folder / "kek") in shown


@pytest.mark.parametrize("mode", list(Mode))
def test_after_a_restore_of_yesterday_the_erased_stay_erased(
    site: Site, file: Path, mode: Mode
) -> None:
    site.said("backup", str(file))
    shutil.copy(site.folder / "keys.db", file.parent / "keys-of-yesterday")
    assert site.words(NUMBER) == [WORDS]
    site.erase(NUMBER, mode)
    # The worst that can happen: the keys of yesterday are restored as well.
    for old in site.folder.glob("keys.db*"):
        old.unlink()
    shutil.copy(file.parent / "keys-of-yesterday", site.folder / "keys.db")

    said = site.said("restore", str(file), "--force", "--verify")

    assert said["verified"]["sound"]
    assert said["verified"]["unreadable"] == 0
    # A tombstone takes the sealed texts away as well, though they could not be read any more.
    assert said["verified"]["report"]["erased"] == (3 if mode is Mode.TOMBSTONE else 0)
    assert site.words(NUMBER) == ([] if mode is Mode.TOMBSTONE else ["[erased]"])
    assert site.words(OTHER) == [WORDS]
    for text in (NUMBER.value, WORDS, BODY):
        assert site.traces(text) == []


def test_a_site_moves_from_sqlite_to_postgresql_and_back(
    tmp_path: Path, file: Path, database: str
) -> None:
    first = Site(tmp_path / "first")
    asyncio.run(first.live())
    first.said("backup", str(file))
    second, third = Site(tmp_path / "second", database), Site(tmp_path / "third")
    for site in (second, third):
        for name in KEYS:
            shutil.copy(first.folder / name, site.folder / name)

    said = second.said("restore", str(file), "--verify")
    assert said["held"] == {"sms": 2}
    assert said["verified"]["report"]["sealed"] == 6
    assert second.words(NUMBER) == [WORDS]

    back = file.with_name("back")
    second.said("backup", str(back))
    third.said("restore", str(back), "--verify")
    assert third.words(OTHER) == [WORDS]
    assert third.said("release") == {"released": 2}


def test_nothing_is_restored_without_the_subject_key_and_none_is_made(
    site: Site, file: Path, tmp_path: Path
) -> None:
    site.said("backup", str(file))
    empty = Site(tmp_path / "empty")
    with pytest.raises(SettingsError, match="there is no subject key in .*: put the keys of"):
        empty.run("restore", str(file))
    assert [f.name for f in empty.folder.iterdir()] == ["segue.toml"]
    (empty.folder / "subject.key").write_text("e" * 64)
    with pytest.raises(StoreUnavailable, match="of another installation"):
        empty.run("restore", str(file))


def test_a_backup_can_be_verified_by_itself_and_with_checkpoints(site: Site, file: Path) -> None:
    site.said("backup", str(file))
    said = site.said("backup", str(file), "--verify")
    assert (said["verified"]["sound"], said["verified"]["conversations"]) == (True, 2)

    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE event SET actor = 'forger' WHERE position = 2")
        database.commit()
    done = site.run("backup", str(file), "--verify")
    assert done.exit_code == 1
    assert "event 2 of stream conv_0147 was changed" in done.output
    assert "it is not what was written" in done.output


def test_what_a_migration_would_do_is_said_before_it_is_done(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    (site.folder / "segue.db").touch(mode=0o600)
    said = site.said("migrate", "--dry-run")
    assert (said["current"], said["done"]) == ("", [])
    assert len(said["pending"]) >= 2
    assert site.said("migrate")["done"] == said["pending"]
    assert site.said("migrate", "--dry-run")["pending"] == []


def test_the_doctor_finds_a_site_well(site: Site, file: Path) -> None:
    site.said("backup", str(file))
    (site.folder / "erasures.jsonl").touch(mode=0o600)
    said = site.said("doctor", "--backups", str(file.parent))
    failing = [check for check in said["checks"] if check["state"] == "fail"]
    assert failing == []
    names = {check["name"] for check in said["checks"]}
    assert {"database", "schema", "fsync", "clock", "leases", "held", "backups"} <= names


def test_the_doctor_ends_with_1_and_says_what_to_do(site: Site) -> None:
    (site.folder / "seal.key").chmod(0o644)
    done = site.run("doctor")
    assert done.exit_code == 1
    assert f"chmod go= {site.folder / 'seal.key'}" in done.output


def test_the_commands_are_part_of_segue(tmp_path: Path) -> None:
    site, file = Site(tmp_path / "site"), tmp_path / "backup"
    asyncio.run(site.live())

    def segue(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ari_app", "store", *arguments, "-c", str(site.config)]
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=False
        )

    assert segue("backup", str(file)).returncode == 0
    again = segue("backup", str(file))
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.strip() == f"segue: {file} exists: name another file, or say --force"
    site.config.write_text("[nonsense]\n")
    assert segue("doctor").returncode == 2


def test_every_command_can_speak_json() -> None:
    commands = typer.main.get_command(store_app)
    for name, command in commands.commands.items():  # type: ignore[attr-defined]  # a group
        assert "--json" in [option for p in command.params for option in p.opts], name
