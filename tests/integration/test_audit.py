"""The sealed log on real SQLite files, and everything that somebody might do to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from ari_app.backends.anchor_file import AnchorFile
from ari_app.cli import app
from ari_app.conversation.events import CallAnswered
from ari_app.errors import StoreUnavailable
from ari_app.ledger import checkpoint, merkle
from ari_app.ledger.canonical import event_hash, payload_hash
from ari_app.ledger.chain import genesis, link
from ari_app.ledger.checkpoint import Checkpoint
from ari_app.ledger.merkle import Tree
from ari_app.ledger.note import VerifierKey
from ari_app.privacy import audit, hands
from ari_app.privacy.audit import NotProven, Report, notes_in
from ari_app.privacy.sealing import Sealer, split
from ari_app.store.seals import AuditedDatabase
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore
from tests.support.clock import FakeClock
from tests.support.faults import fault
from tests.support.killing import killed_at
from tests.support.store import opened
from tests.unit.ledger import independent

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VERIFIER = VerifierKey.of("segue-test", SIGNER)
LINKED = "id, stream, sequence, at, actor, cause, name, version, payload"


def sealer(store: EventStore, *anchors: AnchorFile) -> Sealer:
    return Sealer(store.seals(), "segue-test", SIGNER, FakeClock(), anchors)


async def append(store: EventStore, stream: str, count: int) -> None:
    await store.append(stream, [CallAnswered(call=f"call_{n}") for n in range(count)])


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Three streams, 312 events, two seals and an anchor: a full tile and one that is not."""
    async with opened(tmp_path) as store:
        sealing = sealer(store, AnchorFile(tmp_path / "anchor"))
        await append(store, "conv_1", 300)
        await append(store, "conv_2", 6)
        await sealing.run_once()
        await append(store, "conv_3", 6)
        await sealing.run_once()
    return tmp_path


def tamper(folder: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / "segue.db")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def audited(folder: Path, *checkpoints: Path) -> Report:
    notes = [(str(file), note) for file in checkpoints for note in notes_in(file.read_text())]
    with contextlib.closing(AuditedDatabase(SqliteEngine(folder / "segue.db", FakeClock()))) as log:
        report = audit.verify(log, VERIFIER, notes)
        # Several processes find the same, also of a log that is small.
        with mock.patch.object(audit, "_PART", 100):
            assert audit.verify(log, VERIFIER, notes, hands=2) == report
        return report


def said(folder: Path, *checkpoints: Path) -> str:
    report = audited(folder, *checkpoints)
    assert not report.sound
    return "\n".join(finding.text for finding in report.findings)


def proof(folder: Path, event: str) -> str:
    with contextlib.closing(AuditedDatabase(SqliteEngine(folder / "segue.db", FakeClock()))) as log:
        return audit.prove(log, event)


def event_id(folder: Path, stream: str, sequence: int) -> str:
    query = "SELECT id FROM event WHERE stream = ? AND sequence = ?"
    with contextlib.closing(sqlite3.connect(folder / "segue.db")) as database:
        return str(database.execute(query, (stream, sequence)).fetchone()[0])


async def test_a_sealed_log_verifies_with_its_anchor(folder: Path) -> None:
    report = audited(folder, folder / "anchor")
    assert report == Report(312, 312, 2, 2, 0, ())


async def test_nothing_new_is_not_sealed_again(folder: Path) -> None:
    async with opened(folder) as store:
        assert await sealer(store).run_once() is None


@fault("a changed page or row", "`segue audit verify` finds it and says which event", "sqlite")
@pytest.mark.parametrize("column", ["payload", "actor", "name", "id"])
async def test_a_changed_column_is_found_and_named(folder: Path, column: str) -> None:
    tamper(folder, f"UPDATE event SET {column} = '{{}}' WHERE stream='conv_1' AND sequence=7")
    assert "event 7 of stream conv_1 was changed" in said(folder)


@fault("a changed page or row", "`segue audit verify` finds it and says which event", "sqlite")
async def test_every_changed_event_of_a_stream_is_named(folder: Path) -> None:
    tamper(folder, "UPDATE event SET at = 1 WHERE stream = 'conv_1' AND sequence IN (7, 290)")
    first, second = event_id(folder, "conv_1", 7), event_id(folder, "conv_1", 290)
    found = audited(folder).findings
    assert [(f.fault, f.event) for f in found] == [("changed", first), ("changed", second)]


@fault("a changed page or row", "`segue audit verify` finds it and says which event", "sqlite")
async def test_a_text_that_is_no_text_any_more_is_a_finding(folder: Path) -> None:
    tamper(folder, "UPDATE event SET payload = CAST(x'ff' AS TEXT) WHERE position = 302")
    assert "event 2 of stream conv_2 was changed" in said(folder)


@fault("a changed page or row", "`segue audit verify` finds it and says which event", "sqlite")
async def test_a_removed_event_is_found_and_named(folder: Path) -> None:
    tamper(folder, "DELETE FROM event WHERE stream = 'conv_2' AND sequence = 3")
    assert "event 3 of stream conv_2 was removed" in said(folder)
    assert "1 event sealed at place 302" in said(folder)


@fault("a changed page or row", "`segue audit verify` finds it and says which event", "sqlite")
async def test_two_swapped_events_of_different_streams_are_named(folder: Path) -> None:
    tamper(
        folder,
        "UPDATE event SET position = 9999 WHERE position = 4",
        "UPDATE event SET position = 4 WHERE position = 310",
        "UPDATE event SET position = 310 WHERE position = 9999",
    )
    assert "was reordered: it was sealed at place 309" in said(folder)


@fault("a changed page or row", "`segue audit verify` finds it and says which event", "sqlite")
async def test_two_swapped_events_of_one_stream_are_found(folder: Path) -> None:
    tamper(
        folder,
        "UPDATE event SET sequence = 9999 WHERE stream = 'conv_1' AND sequence = 4",
        "UPDATE event SET sequence = 4 WHERE stream = 'conv_1' AND sequence = 5",
        "UPDATE event SET sequence = 5 WHERE stream = 'conv_1' AND sequence = 9999",
    )
    assert "of stream conv_1 was" in said(folder)


CUT = ("DELETE FROM event WHERE stream = 'conv_3'", "DELETE FROM stream WHERE stream = 'conv_3'")


@fault("a changed page or row", "`segue audit verify` finds it and says which event", "sqlite")
async def test_a_cut_end_is_found_by_the_seal(folder: Path) -> None:
    tamper(folder, *CUT)
    assert "6 events sealed at places 306 to 311" in said(folder)
    assert "cut off the end of the log" in said(folder)


@fault("a changed page or row", "`segue audit verify` finds it and says which event", "sqlite")
async def test_a_cut_end_with_its_seal_is_found_by_the_anchor(folder: Path) -> None:
    tiles = f"UPDATE tile SET leaves = substr(leaves, 1, {50 * 32}) WHERE number = 1"
    tamper(folder, *CUT, "DELETE FROM seal WHERE number = 2", tiles)
    assert audited(folder).sound
    assert "says 312 events, the log has 306: it was truncated" in said(folder, folder / "anchor")


def rewrite(folder: Path) -> list[bytes]:
    """A whole stream, links and head; returns the leaves of the forged log."""
    with contextlib.closing(sqlite3.connect(folder / "segue.db")) as database:
        database.execute("UPDATE event SET actor = 'forger' WHERE stream = 'conv_2'")
        previous = genesis("conv_2")
        query = f"SELECT {LINKED}, position FROM event WHERE stream = 'conv_2' ORDER BY sequence"
        for *row, position in database.execute(query).fetchall():
            previous = link(previous, event_hash(tuple(row)))
            database.execute("UPDATE event SET link=? WHERE position=?", (previous, position))
        database.execute("UPDATE stream SET link = ? WHERE stream = 'conv_2'", (previous,))
        database.commit()
        rows = database.execute(f"SELECT {LINKED} FROM event ORDER BY position").fetchall()
    return [event_hash(row) for row in rows]


async def test_a_stream_rewritten_with_sound_links_is_named_event_by_event(folder: Path) -> None:
    rewrite(folder)
    found = audited(folder).findings
    assert [(f.fault, f.stream, f.sequence) for f in found] == [
        ("changed", "conv_2", n) for n in range(1, 7)
    ]


async def test_a_log_rewritten_with_seals_by_the_stolen_key_is_denied_by_the_anchor(
    folder: Path,
) -> None:
    leaves = rewrite(folder)
    with contextlib.closing(sqlite3.connect(folder / "segue.db")) as database:
        for number, size in ((1, 306), (2, 312)):
            tree = Tree().extended(leaves[:size])
            note = checkpoint.sign(Checkpoint("segue-test", size, tree.root), SIGNER)
            values = (tree.to_bytes(), note, number)
            database.execute("UPDATE seal SET tree = ?, note = ? WHERE number = ?", values)
        for number, run in enumerate((leaves[:256], leaves[256:])):
            values2 = (b"".join(run), number)
            database.execute("UPDATE tile SET leaves = ? WHERE number = ?", values2)
        database.commit()
    assert audited(folder).sound
    assert "says another root for the first 306 events" in said(folder, folder / "anchor")


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE seal SET note = replace(note, 'segue', 'sague') WHERE number = 1", "seal 1 was"),
        ("UPDATE seal SET size = 5 WHERE number = 1", "seal 1 was changed"),
        ("UPDATE seal SET tree = x'00' WHERE number = 2", "seal 2 was changed"),
        ("DELETE FROM seal WHERE number = 1", "seals 1 to 1 were removed"),
        ("DELETE FROM seal WHERE number = 2", "the last seals"),
        ("DELETE FROM seal", "the seals were removed"),
        ("UPDATE tile SET leaves = zeroblob(8192) WHERE number = 0", "the sealed leaves"),
    ],
)
async def test_a_changed_seal_is_found(folder: Path, statement: str, finding: str) -> None:
    tamper(folder, statement)
    assert finding in said(folder, folder / "anchor")


async def test_without_believable_leaves_the_range_is_named(folder: Path) -> None:
    tamper(folder, "DELETE FROM tile")
    rewrite(folder)
    assert "places 1 to 306 of the log are not as signed" in said(folder)


async def test_erased_payloads_verify_and_are_counted(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "segue.db")) as database:
        database.create_function("sha", 1, payload_hash)
        change = "UPDATE event SET payload_hash = sha(payload), payload = NULL WHERE sequence = 2"
        database.execute(change)
        database.commit()
    report = audited(folder, folder / "anchor")
    assert (report.sound, report.erased) == (True, 3)
    independent.check(proof(folder, event_id(folder, "conv_1", 2)), str(VERIFIER))


async def test_an_independent_verifier_accepts_the_proofs(folder: Path) -> None:
    for stream, sequence in (("conv_1", 1), ("conv_1", 256), ("conv_1", 257), ("conv_3", 6)):
        independent.check(proof(folder, event_id(folder, stream, sequence)), str(VERIFIER))


async def test_no_proof_is_given_of_what_is_not_sealed_or_not_there(folder: Path) -> None:
    async with opened(folder) as store:
        await append(store, "conv_4", 1)
    with pytest.raises(NotProven, match="not sealed yet"):
        proof(folder, event_id(folder, "conv_4", 1))
    with pytest.raises(NotProven, match="there is no event evt_no"):
        proof(folder, "evt_no")
    tamper(folder, "UPDATE event SET actor = 'forger' WHERE position = 5")
    with pytest.raises(NotProven, match="is not what was sealed"):
        proof(folder, event_id(folder, "conv_1", 5))


async def test_a_reopened_log_goes_on_and_every_seal_continues_the_one_before(
    folder: Path,
) -> None:
    async with opened(folder) as store:
        await append(store, "conv_4", 500)
        assert await sealer(store).run_once() is not None
    with contextlib.closing(AuditedDatabase(SqliteEngine(folder / "segue.db", FakeClock()))) as log:
        trees = [Tree.from_bytes(seal.tree) for seal in log.seals()]
        leaves = split(b"".join(tile.leaves for tile in log.tiles(0, 99)))
    assert [tree.size for tree in trees] == [306, 312, 812]
    for old, new in zip(trees, trees[1:], strict=False):
        path = merkle.consistency_path(old.size, new.size, lambda a, b: leaves[a:b])
        assert merkle.is_consistent(old.size, new.size, old.root, new.root, path)
    assert audited(folder, folder / "anchor").sound


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE seal SET tree = x'0000' WHERE number = 2",
        "UPDATE seal SET note = replace(note, '312', '311')",
        "DELETE FROM tile WHERE number = 1",
    ],
)
async def test_nothing_is_signed_on_top_of_a_changed_seal(folder: Path, statement: str) -> None:
    tamper(folder, statement)
    async with opened(folder) as store:
        with pytest.raises(StoreUnavailable, match="seal 2 of the log is not what was written"):
            await sealer(store).run_once()


async def test_an_anchor_that_fails_does_not_stop_sealing(tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.touch()
    async with opened(tmp_path) as store:
        sealing = sealer(store, AnchorFile(away / "anchor"))
        await append(store, "conv_1", 1)
        assert await sealing.run_once() is not None
        away.unlink()
        await append(store, "conv_1", 1)
        assert await sealing.run_once() is not None
    (note,) = notes_in((away / "anchor").read_text())
    assert checkpoint.verify(note, VERIFIER).size == 2


def test_half_a_note_is_left_out() -> None:
    note = checkpoint.sign(Checkpoint("segue-test", 0, Tree().root), SIGNER)
    halves: list[Callable[[str], str]] = [lambda n: n[:7], lambda n: n[: n.index("—")]]
    for half in halves:
        assert notes_in(f"\n\n{half(note)}\n\n{note}\n\n{note}") == [note, note]


@fault("kill -9 of the sealer", "sealing goes on, and no seal contradicts another", "sqlite")
@pytest.mark.parametrize("place", ["sealing.after_sign", "sealing.after_keep"])
async def test_sealing_goes_on_after_a_kill(folder: Path, place: str) -> None:
    async with opened(folder) as store:
        await append(store, "conv_4", 3)
    program = f"""
import asyncio
from pathlib import Path
from tests.integration.test_audit import opened, sealer

async def main():
    async with opened(Path({str(folder)!r})) as store:
        await sealer(store).run_once()

asyncio.run(main())
"""
    killed_at(place, "-c", program)
    async with opened(folder) as store:
        sealing = sealer(store, AnchorFile(folder / "anchor"))
        await sealing.run_once()
        await append(store, "conv_4", 3)
        await sealing.run_once()
    report = audited(folder, folder / "anchor")
    assert (report.sound, report.sealed, report.seals) == (True, 318, 4)


def test_the_command_names_the_event_and_ends_with_1(folder: Path) -> None:
    (folder / "seal.pub").write_text(f"{VERIFIER}\n")
    settings = folder / "segue.toml"
    settings.write_text(f'[store]\npath = "{folder}/segue.db"\n')
    verify = ["audit", "verify", "-c", str(settings), "--checkpoint", str(folder / "anchor")]
    sound = CliRunner().invoke(app, verify)
    assert (sound.exit_code, "the log is what was written" in sound.output) == (0, True)
    tamper(folder, "UPDATE event SET actor = 'forger' WHERE position = 5")
    broken = CliRunner().invoke(app, [*verify, "--json"])
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["findings"][0]["sequence"] == 5


async def test_an_audit_whose_process_is_killed_is_made_in_one_piece(folder: Path) -> None:
    def killed(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with (
        contextlib.closing(AuditedDatabase(SqliteEngine(folder / "segue.db", FakeClock()))) as log,
        mock.patch.object(audit, "_PART", 100),
        mock.patch.object(hands, "_hold", killed),
    ):
        assert audit.verify(log, VERIFIER, hands=2) == Report(312, 312, 2, 0, 0, ())
