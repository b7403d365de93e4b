"""Holds the log against its chains, its seals and the checkpoints that are kept elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ari_app.errors import SegueError
from ari_app.ledger import checkpoint, merkle
from ari_app.ledger.canonical import StoredEvent, event_hash
from ari_app.ledger.chain import Break, ChainCheck, Fault
from ari_app.ledger.checkpoint import Checkpoint
from ari_app.ledger.merkle import TILE, Tree
from ari_app.ledger.note import VerifierKey
from ari_app.ledger.proof import write_proof
from ari_app.privacy.hands import Unsound
from ari_app.privacy.hands import leaves as shared
from ari_app.privacy.ports import Seal, SealedLog, Tile
from ari_app.privacy.sealing import split

# Larger pages are slower: they leave the cache of the CPU.
_PAGE = 4 * TILE
# As large as its way from process to process is worth; whole tiles.
_PART = 80 * TILE


class NotProven(SegueError):
    """There is no proof of this event; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written."""

    fault: str  # of `Fault`, or `added`, `seal`, `tile`, `checkpoint`
    text: str
    event: str | None = None
    stream: str | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found."""

    events: int
    sealed: int
    seals: int
    checkpoints: int
    erased: int
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@dataclass(frozen=True, slots=True)
class _Claim:
    """What somebody signed: the log had this root at this size."""

    who: str
    signed: Checkpoint
    elsewhere: bool


@dataclass(frozen=True, slots=True)
class _Row:
    """Who stands at a place of the log."""

    leaf: bytes
    position: int
    id: str
    stream: str
    sequence: int

    def __str__(self) -> str:
        return f"event {self.sequence} of stream {self.stream} ({self.id})"


def verify(
    log: SealedLog,
    key: VerifierKey | None,
    notes: Iterable[tuple[str, str]] = (),
    progress: Callable[[int], None] = lambda _: None,
    *,
    hands: int = 1,
) -> Report:
    """The report. `notes` are (where from, signed note); without a key nothing signed is read.

    Two passes at the most: the second, to say what exactly differs, only if something does. With
    more `hands` than one the first pass is made by so many processes, which are forked.
    """
    notes = list(notes)
    parts = log.parts(_PART) if hands > 1 else []
    if len(parts) > 1:
        try:
            return _verify(log, key, notes, progress, _Shared(log, parts, hands))
        except Unsound:
            pass  # the other way says what it is
    return _verify(log, key, notes, progress, _Alone(log))


class _Leaves(Protocol):
    """The leaves of the log, in order and in whole tiles, and what their chains say."""

    @property
    def events(self) -> int: ...

    @property
    def erased(self) -> int: ...

    def __iter__(self) -> Iterator[list[bytes]]: ...

    def finish(self) -> list[Break]: ...


class _Alone:
    """In one piece: says where a chain breaks."""

    def __init__(self, log: SealedLog) -> None:
        self._log = log
        self._check = ChainCheck(known=log.heads())

    @property
    def events(self) -> int:
        return self._check.events

    @property
    def erased(self) -> int:
        return self._check.erased

    def __iter__(self) -> Iterator[list[bytes]]:
        for _, rows in self._log.pages(_PAGE):
            yield self._check.feed(rows)

    def finish(self) -> list[Break]:
        return self._check.finish()


class _Shared:
    """By several processes: Unsound if a chain breaks anywhere."""

    def __init__(self, log: SealedLog, parts: Sequence[tuple[int, int]], hands: int) -> None:
        self._log = log
        self._parts = parts
        self._hands = hands
        self.events = 0
        self.erased = 0

    def __iter__(self) -> Iterator[list[bytes]]:
        known = self._log.heads()
        waiting: list[bytes] = []
        for found, erased in shared(self._log.again, self._parts, known, self._hands):
            self.events += len(found)
            self.erased += erased
            waiting += found
            whole = len(waiting) - len(waiting) % TILE  # a place more or less is no event
            yield waiting[:whole]
            del waiting[:whole]
        yield waiting

    def finish(self) -> list[Break]:
        return []


def _verify(
    log: SealedLog,
    key: VerifierKey | None,
    notes: Sequence[tuple[str, str]],
    progress: Callable[[int], None],
    pages: _Leaves,
) -> Report:
    findings: list[Finding] = []
    seals = log.seals()
    claims = _claims(seals, key, findings) + _kept(notes, key, findings)
    sizes = sorted({claim.signed.size for claim in claims})
    roots = {0: Tree().root}
    tree = Tree()
    differs = False
    sealed = max((claim.signed.size for claim in claims if not claim.elsewhere), default=0)
    for leaves in pages:
        start, end = tree.size, tree.size + len(leaves)
        while sizes and sizes[0] <= end:
            size = sizes.pop(0)
            tree = tree.extended(leaves[tree.size - start : size - start])
            roots[size] = tree.root
        tree = tree.extended(leaves[tree.size - start :])
        differs = differs or not _as_sealed(log, leaves, start, min(end, sealed))
        progress(len(leaves))
    breaks = pages.finish()
    wrong = [claim for claim in claims if roots.get(claim.signed.size) != claim.signed.root]
    first = min((claim.signed.size for claim in wrong), default=tree.size + 1)
    good = max((claim.signed.size for claim in claims if claim.signed.size < first), default=0)
    named = _Names(log, claims, seals)
    findings += named.of_breaks(breaks)
    if wrong:
        # What was sealed is known leaf by leaf if the tiles give a root that was signed.
        findings += named.of_leaves(findings) or [_range(first, good, tree.size)]
        findings += [_denied(claim, tree.size) for claim in wrong if claim.elsewhere][:1]
    elif differs or (good > sealed and seals):
        findings.append(Finding("seal", "the last seals or the sealed leaves were changed"))
    elif good > sealed:
        findings.append(Finding("seal", "the seals were removed"))
    return Report(pages.events, good, len(seals), len(notes), pages.erased, tuple(findings))


def prove(log: SealedLog, event: str) -> str:
    """The proof, as JSON, that the event is in the log; NotProven says why there is none."""
    seals = log.seals()
    found = log.find(event)
    if found is None:
        raise NotProven(f"there is no event {event} in the log")
    index, row = found
    if not seals or index >= seals[-1].size:
        raise NotProven(f"event {event} is not sealed yet: the next seal covers it")
    seal = seals[-1]

    def leaves(start: int, end: int) -> Sequence[bytes]:
        first = start // TILE
        runs = log.tiles(first, -(-end // TILE))
        joined = split(b"".join(tile.leaves for tile in runs))
        return joined[start - first * TILE : end - first * TILE]

    def roots(start: int, end: int) -> Sequence[bytes]:
        return [tile.root for tile in log.tiles(start, end) if tile.root is not None]

    differs = NotProven(f"event {event} is not what was sealed: run `segue audit verify`")
    try:
        stored = StoredEvent(*row[:9])
        path = merkle.inclusion_path(index, seal.size, leaves, roots)
        root = Tree.from_bytes(seal.tree).root
        if not merkle.is_included(event_hash(stored), index, seal.size, path, root):
            raise differs
    except ValueError:
        raise differs from None
    return write_proof(stored, index, path, seal.note)


def notes_in(text: str) -> list[str]:
    """The signed notes of a file that anchors wrote; what a crash cut short is left out."""
    notes: list[str] = []
    lines: list[str] = []
    for line in text.split("\n"):
        signed = line.startswith("— ")
        if lines and lines[-1].startswith("— ") and not signed:
            notes.append(_whole(lines))
            lines = []
        if line or lines:
            lines.append(line)
    return [note for note in notes if note]


def _whole(lines: list[str]) -> str:
    # Two empty lines never stand in a checkpoint: what is before them is half a note.
    text = "\n".join(lines) + "\n"
    body, empty, signatures = text.rpartition("\n\n")
    return body.rpartition("\n\n")[2] + empty + signatures


def _claims(seals: Sequence[Seal], key: VerifierKey | None, into: list[Finding]) -> list[_Claim]:
    """What the seals claim; those that are not what was written are noted."""
    claims = []
    expected, before = 1, 0
    for seal in seals:
        who = f"seal {seal.number}"
        if seal.number != expected:
            text = f"seals {expected} to {seal.number - 1} were removed"
            into.append(Finding("seal", text))
        expected = seal.number + 1
        if key is None:
            continue
        try:
            signed = checkpoint.verify(seal.note, key)
            tree = Tree.from_bytes(seal.tree)
        except (ValueError, TypeError) as error:
            into.append(Finding("seal", f"{who} was changed: {error}"))
            continue
        if (signed.size, signed.size, signed.root) != (seal.size, tree.size, tree.root):
            into.append(Finding("seal", f"{who} was changed: its tree is not what was signed"))
        if signed.size <= before:
            into.append(Finding("seal", f"{who} was changed: the one before is as large"))
        before = signed.size
        claims.append(_Claim(who, signed, elsewhere=False))
    return claims


def _kept(
    notes: Iterable[tuple[str, str]], key: VerifierKey | None, into: list[Finding]
) -> list[_Claim]:
    claims = []
    for place, note in notes:
        if key is None:
            continue
        try:
            signed = checkpoint.verify(note, key)
            claims.append(_Claim(f"a checkpoint in {place}", signed, elsewhere=True))
        except ValueError as error:
            into.append(Finding("checkpoint", f"a checkpoint in {place} does not count: {error}"))
    return claims


def _as_sealed(log: SealedLog, leaves: Sequence[bytes], start: int, end: int) -> bool:
    """Whether the leaves from `start` are those of the stored tiles, up to `end`."""
    if end <= start:
        return True
    kept = b"".join(tile.leaves for tile in log.tiles(start // TILE, -(-end // TILE)))
    return kept == b"".join(leaves[: end - start])


def _range(first: int, good: int, size: int) -> Finding:
    if size < first:
        text = f"the log was truncated: {first} events were signed, {size} are there"
        return Finding(Fault.TRUNCATED.value, text)
    text = f"one or more of the events at places {good + 1} to {first} of the log are not as signed"
    return Finding(Fault.CHANGED.value, text)


def _denied(claim: _Claim, size: int) -> Finding:
    if size < claim.signed.size:
        text = f"{claim.who} says {claim.signed.size} events, the log has {size}: it was truncated"
        return Finding(Fault.TRUNCATED.value, text)
    text = f"{claim.who} says another root for the first {claim.signed.size} events: rewritten"
    return Finding("checkpoint", text)


class _Names:
    """Gives names to what differs, from the rows and from the sealed leaves."""

    def __init__(self, log: SealedLog, claims: Sequence[_Claim], seals: Sequence[Seal]) -> None:
        self._log = log
        self._claims = claims
        self._seals = seals

    def of_breaks(self, breaks: Sequence[Break]) -> list[Finding]:
        """The breaks of chains, with the id of each event that is there."""
        if not breaks:
            return []
        wanted = {(b.stream, b.sequence) for b in breaks}
        ids: dict[tuple[str, int], str] = {}
        for _, rows in self._log.pages(_PAGE):
            ids.update(((r[1], r[2]), r[0]) for r in rows if (r[1], r[2]) in wanted)
        findings = []
        for b in breaks:
            id = ids.get((b.stream, b.sequence))
            text = str(b) if id is None else f"{b} ({id})"
            findings.append(Finding(b.fault.value, text, id, b.stream, b.sequence))
        return findings

    def of_leaves(self, known: Sequence[Finding]) -> list[Finding]:
        """What differs from the sealed leaves; [] if those cannot be believed themselves."""
        sealed = self._sealed()
        if not sealed or not self._seals:
            return []
        said = {(f.stream, f.sequence) for f in known if f.sequence is not None}
        place = {leaf: number for number, leaf in enumerate(sealed)}
        last = self._seals[-1].position
        check = ChainCheck()
        rows: list[_Row] = []
        for positions, page in self._log.pages(_PAGE):
            hashes = check.feed(page)
            rows += [
                _Row(leaf, position, str(r[0]), str(r[1]), r[2])
                for leaf, position, r in zip(hashes, positions, page, strict=True)
                if position <= last or leaf in place
            ]
        found: list[Finding] = []

        def note(fault: str, row: _Row, how: str) -> None:
            if (row.stream, row.sequence) not in said:
                text = f"{row} {how}"
                found.append(Finding(fault, text, row.id, row.stream, row.sequence))

        missing = set(range(len(sealed))) - {place[r.leaf] for r in rows if r.leaf in place}
        order = sorted(place[r.leaf] for r in rows if r.leaf in place)
        in_order = iter(order)
        before = -1
        for row in rows:
            at = place.get(row.leaf)
            if at is None:
                if before + 1 in missing:
                    before += 1
                    missing.remove(before)
                    note(Fault.CHANGED.value, row, f"was changed after it was sealed at {before}")
                else:
                    note("added", row, "was added among events that were sealed")
                continue
            if at != next(in_order):
                note(Fault.REORDERED.value, row, f"was reordered: it was sealed at place {at}")
            before = at
        end = order[-1] if order else -1
        return found + _missing(missing, end, {place.get(r.leaf): r for r in rows})

    def _sealed(self) -> list[bytes]:
        """All sealed leaves, if a signed checkpoint says that they are."""
        tiles: list[Tile] = self._log.tiles(0, 1 << 62)
        if [t.number for t in tiles] != list(range(len(tiles))):
            return []
        leaves = split(b"".join(t.leaves for t in tiles))
        if any(len(leaf) != 32 for leaf in leaves):
            return []
        signed = Tree().extended(leaves)
        claims = {(c.signed.size, c.signed.root) for c in self._claims}
        return leaves if (signed.size, signed.root) in claims else []


def _missing(places: set[int], end: int, rows: dict[int | None, _Row]) -> list[Finding]:
    """Runs of sealed events that are nowhere in the log any more."""
    found = []
    # Places that follow each other have the same difference to their rank.
    runs = itertools.groupby(enumerate(sorted(places)), lambda pair: pair[1] - pair[0])
    for _, run in runs:
        numbers = [number for _, number in run]
        first, count = numbers[0], len(numbers)
        cut = first > end
        what = "1 event" if count == 1 else f"{count} events"
        where = f"place {first}" if count == 1 else f"places {first} to {numbers[-1]}"
        after = rows.get(first - 1)
        behind = f" (after {after})" if after else ""
        fault = Fault.TRUNCATED if cut else Fault.REMOVED
        verb = "cut off the end of the log" if cut else "removed"
        was = "was" if count == 1 else "were"
        found.append(Finding(fault.value, f"{what} sealed at {where}{behind} {was} {verb}"))
    return found
