"""Each stream's chain of hashes: every event stands on all that came before it in its stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import NamedTuple, TypeAlias

from ari_app.ledger.canonical import leaf_bytes

# After a break no row fits any more: no link is made from this.
_BROKEN = b""
_NOWHERE = (0, _BROKEN)

#: The columns of `StoredEvent`, then the link that is stored with the event.
LinkedRow: TypeAlias = tuple[
    str, str, int, int, str, str | None, str, int, str | bytes, bytes | None
]

#: The hash of a row that is no event at all; no event has it.
NO_EVENT = bytes(32)


class Head(NamedTuple):
    """The last event of a stream: its sequence, and its link."""

    sequence: int
    link: bytes


class Fault(Enum):
    """What is wrong where a chain breaks."""

    #: The event, or its link, is not what was written.
    CHANGED = "changed"
    #: The event is not there, but a later one is.
    REMOVED = "removed"
    #: The event is there, but not in its place.
    REORDERED = "reordered"
    #: The event and all after it are not there, but the head says that they were.
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the chain of a stream does not hold."""

    stream: str
    sequence: int
    fault: Fault

    def __str__(self) -> str:
        return f"event {self.sequence} of stream {self.stream} was {self.fault.value}"


def genesis(stream: str) -> bytes:
    """What the first event of the stream is linked to."""
    # 0x02 and 0x03, as RFC 9162 has 0x00 for leaves and 0x01 for nodes: no hash of one kind can
    # be passed off as one of another.
    return sha256(b"\3segue.chain.v1\n" + stream.encode()).digest()


def link(previous: bytes, event_hash: bytes) -> bytes:
    """The link of an event, from the link before it: SHA-256(0x02 || previous || event hash)."""
    return sha256(b"\2" + previous + event_hash).digest()


class ChainCheck:
    """Holds rows against their links, for all streams in one pass.

    Feed it rows in the order of the log, or stream by stream: only the order within a stream
    counts. One head for each stream is kept in memory.

        check = ChainCheck(known={stream: Head(sequence, link), ...})
        for rows in pages:
            tree = tree.extended(check.feed(rows))
        check.finish()     # -> [Break(...), ...], the first of each broken stream
    """

    def __init__(self, known: Mapping[str, Head] | None = None) -> None:
        """`known` are heads kept elsewhere; they may be older than the rows."""
        self.events = 0
        #: So many events have no payload any more; whether they should is not for the chain to say.
        self.erased = 0
        self._known = dict(known or {})
        self._heads: dict[str, tuple[int, bytes]] = {}
        self._breaks: dict[str, Break] = {}

    def feed(self, rows: Iterable[LinkedRow]) -> list[bytes]:
        """The hash of each event in turn (the leaves of the Merkle tree); breaks are noted."""
        hashes: list[bytes] = []
        heads = self._heads
        known = self._known
        for row in rows:
            stream, sequence, stored = row[1], row[2], row[9]
            try:
                found = sha256(leaf_bytes(row[:9])).digest()  # event_hash(), without the call
                last, previous = heads.get(stream) or (0, genesis(stream))
            except (AttributeError, TypeError, ValueError):  # SQLite takes any type in any column
                self._note(str(stream), heads.get(stream, _NOWHERE)[0] + 1, Fault.CHANGED)
                hashes.append(NO_EVENT)
                continue
            hashes.append(found)
            linked = sha256(b"\2" + previous + found).digest()  # link(), without the call
            if linked != stored or sequence != last + 1:
                self._broken(stream, sequence, last + 1)
                heads[stream] = last, _BROKEN
                continue
            heads[stream] = sequence, linked
            if stream in known and known[stream] == (sequence, linked):
                del known[stream]
            if isinstance(row[8], bytes):
                self.erased += 1
        self.events += len(hashes)
        return hashes

    def finish(self) -> list[Break]:
        """The first break of each broken stream, in the order found; cut ends come last."""
        for stream, head in self._known.items():
            last, _ = self._heads.get(stream, _NOWHERE)
            if last < head.sequence:
                self._note(stream, last + 1, Fault.TRUNCATED)
            else:  # somebody wrote the stream anew, links and all
                self._note(stream, head.sequence, Fault.CHANGED)
        return list(self._breaks.values())

    def _broken(self, stream: str, sequence: int, expected: int) -> None:
        first = self._breaks.get(stream)
        if first is not None:
            if first == Break(stream, sequence, Fault.REMOVED):  # it was only further back
                self._breaks[stream] = Break(stream, sequence, Fault.REORDERED)
        elif type(sequence) is not int or sequence == expected:
            self._note(stream, expected, Fault.CHANGED)
        elif sequence > expected:
            self._note(stream, expected, Fault.REMOVED)
        else:
            self._note(stream, sequence, Fault.REORDERED)

    def _note(self, stream: str, sequence: int, fault: Fault) -> None:
        self._breaks.setdefault(stream, Break(stream, sequence, fault))
