"""Reads a whole database as an auditor and as the service would: would it serve?"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ari_app.conversation.events import Envelope, from_payload
from ari_app.conversation.state import fold
from ari_app.errors import SegueError
from ari_app.ledger import checkpoint
from ari_app.ledger.note import VerifierKey
from ari_app.privacy import audit
from ari_app.privacy.audit import Report
from ari_app.privacy.payloads import Payloads
from ari_app.privacy.vault import Vault
from ari_app.store.backup_file import PATIENT
from ari_app.store.engine import Engine, Row
from ari_app.store.postgres import PostgresLink
from ari_app.store.seals import AuditedDatabase

_BATCH = 5000
_ROWS = """
    SELECT stream, sequence, id, at, actor, cause, name, version, payload FROM event
    ORDER BY stream, sequence"""
# What a row that is not ours makes of our code.
_UNREADABLE = (SegueError, ValueError, TypeError, AttributeError, KeyError)


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found."""

    report: Report
    #: Checkpoints from elsewhere that are of more events than there are: signed later.
    newer: int
    conversations: int  # streams
    #: Events that nothing can be made of, though they were not erased.
    unreadable: int
    #: The first of them: `event 7 of stream conv_1 (evt_…): why`.
    examples: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether it is what was written, and serves."""
        return self.report.sound and not self.unreadable


def verify(
    engine: Engine,
    key: VerifierKey | None,
    notes: Iterable[tuple[str, str]] = (),
    vault: Vault | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Verified:
    """Hold the log against chains, seals and `notes` (where from, signed note); fold every stream.

    `engine` has been opened. Without a vault what is sealed counts as readable. A checkpoint of
    more events than there are was signed after the backup was taken: it says nothing of this one.
    `progress` hears of each event twice. StoreUnavailable if the database cannot be read.
    """
    with contextlib.closing(AuditedDatabase(engine)) as log:
        events, notes = log.count(), list(notes)
        usable = [(where, note) for where, note in notes if not _newer(note, key, events)]
        report = audit.verify(log, key, usable, progress)
    newer = len(notes) - len(usable)
    return _folded(engine, report, newer, Payloads(vault), progress)


def _newer(note: str, key: VerifierKey | None, events: int) -> bool:
    if key is None:
        return False
    try:
        return checkpoint.verify(note, key).size > events
    except ValueError:
        return False  # the audit says what is wrong with it


def _folded(
    engine: Engine,
    report: Report,
    newer: int,
    payloads: Payloads,
    progress: Callable[[int], None],
) -> Verified:
    streams = unreadable = 0
    examples: list[str] = []
    for stream, rows in itertools.groupby(_rows(engine), key=lambda row: row[0]):
        streams += 1
        envelopes = []
        count = 0
        for row in rows:
            count += 1
            try:
                envelopes.append(_envelope(payloads, row))
            except _UNREADABLE as error:
                if row[8] is not None:  # else it was erased
                    unreadable += 1
                    examples.append(f"event {row[1]} of stream {stream} ({row[2]}): {error}")
        try:
            fold(envelopes)
        except _UNREADABLE as error:
            unreadable += 1
            examples.append(f"stream {stream} cannot be folded: {error}")
        del examples[10:]
        progress(count)
    return Verified(report, newer, streams, unreadable, tuple(examples))


def _rows(engine: Engine) -> Iterator[Row]:
    try:
        with contextlib.closing(engine.connect()) as link:
            link.begin(read_only=True)
            if isinstance(link, PostgresLink):
                for statement in PATIENT:
                    link.run(statement)
            yield from link.stream(_ROWS, size=_BATCH)
            link.rollback()
    except engine.Error as error:
        raise engine.unavailable(error) from error


def _envelope(payloads: Payloads, row: Row) -> Envelope:
    stream, sequence, id, at, actor, cause, name, version, payload = row
    read = payloads.read(stream, sequence, name, version, payload)
    return Envelope(id, stream, sequence, at, actor, cause, from_payload(name, version, read))
