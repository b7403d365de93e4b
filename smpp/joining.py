"""Long texts on the way in: joined when all their parts have come, or when time is up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from smpp.address import Address
from smpp.alphabets import codec_for
from smpp.errors import SmppError
from smpp.gsm0338 import decode_octets
from smpp.parts import Part, StoredPart, read_part
from smpp.style import PLAIN, TextStyle

__all__ = ["Joiner", "JoinerFull", "Part", "StoredPart", "Whole", "read_part"]

_GAP = "[…]"


class JoinerFull(SmppError):
    """So many parts wait for others that this one is not taken: let the SMSC repeat it later."""


@dataclass(slots=True)
class Whole:
    """A text that is complete, or as much of it as came in time."""

    source: Address
    destination: Address
    reference: int
    total: int
    since: float
    parts: dict[int, Part] = field(repr=False)
    style: TextStyle = PLAIN

    @property
    def complete(self) -> bool:
        """Whether no part is missing."""
        return len(self.parts) == self.total

    @property
    def ports(self) -> tuple[int, int] | None:
        """Where it goes if it is for a program on the handset, and so no text."""
        return next((part.ports for part in self.parts.values() if part.ports), None)

    @property
    def octets(self) -> bytes:
        """Of all parts that came, in order, without headers."""
        return b"".join(self.parts[number].octets for number in sorted(self.parts))

    @property
    def text(self) -> str:
        """The parts in order; a gap is shown as […], so that nobody takes the rest for all.

        Neighbours are read together, because handsets do cut escapes and surrogate pairs.
        Empty for what has `ports`: nobody wrote that.
        """
        if self.ports is not None:
            return ""
        found: list[str] = []
        run: list[Part] = []
        for number in range(1, self.total + 1):
            part = self.parts.get(number)
            if run and (part is None or not self._continues(run[-1], part)):
                found.append(self._read(run))
                run = []
            if part is not None:
                run.append(part)
            elif not found or found[-1] != _GAP:
                found.append(_GAP)
        if run:
            found.append(self._read(run))
        return "".join(found)

    def _continues(self, before: Part, part: Part) -> bool:
        # Half a UTF-16 unit at the end of one part must not shift all that follow.
        even = len(before.octets) % 2 == 0 or codec_for(part.data_coding, self.style) != "utf-16-be"
        return even and (before.data_coding, before.shift) == (part.data_coding, part.shift)

    def _read(self, run: list[Part]) -> str:
        octets = b"".join(part.octets for part in run)
        return decode_octets(octets, codec_for(run[0].data_coding, self.style), run[0].shift)


@dataclass(frozen=True, slots=True)
class _Key:
    source: Address
    destination: Address
    reference: int
    total: int


@dataclass(frozen=True, slots=True)
class _Settled:
    """What is still known of a text that is stored: enough to know its parts again."""

    since: float
    parts: dict[int, int]  # number: hash


class Joiner:
    """Holds the parts of long texts until they are whole; bounded in number, octets and time.

    A text that was returned stays here until `settled`, so that a part which is delivered again,
    because nobody could store the whole, completes it again. All times are seconds of one clock
    of the caller's; one that outlives a restart if parts are restored.
    """

    def __init__(
        self,
        *,
        patience: float = 300.0,
        most: int = 1000,
        most_octets: int = 4 * 1024 * 1024,
        style: TextStyle = PLAIN,
    ) -> None:
        """`most` texts and `most_octets` of them may wait; what is beyond is `overdue`.

        Up to twice as much is held, for as long as it cannot be settled.
        """
        self._patience = patience
        self._most = most
        self._most_octets = most_octets
        self._style = style
        self._held = 0  # octets
        self._open: OrderedDict[_Key, Whole] = OrderedDict()
        self._settled: OrderedDict[_Key, _Settled] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, source: Address, destination: Address, part: Part, now: float) -> Whole | None:
        """The whole text if this part completes it, else None (also for a repeated part).

        JoinerFull if it is one too many; it is not held then.
        """
        if part.total == 1:
            return Whole(source, destination, 0, 1, now, {1: part}, self._style)
        self._forget_settled(now)
        key = _Key(source, destination, part.reference, part.total)
        if self._is_settled(key, part):
            return None
        many = key not in self._open and len(self._open) >= 2 * self._most
        if many or self._held + len(part.octets) > 2 * self._most_octets:
            raise JoinerFull(f"{len(self._open)} texts wait for their missing parts")
        return self._put(key, part, now)

    def restore(self, parts: Iterable[StoredPart]) -> list[Whole]:
        """Take up, before the first `add`, what a store has kept; the texts that are whole.

        They are many if the process ended between storing a last part and storing its text.
        """
        whole: dict[int, Whole] = {}
        for stored in sorted(parts, key=lambda stored: stored.at):
            key = _Key(stored.source, stored.destination, stored.reference, stored.total)
            found = self._put(key, stored.part, stored.at)
            if found is not None:
                whole[id(found)] = found
        return list(whole.values())

    def settled(self, whole: Whole) -> None:
        """The text is stored: forget it, but know its parts again if they are repeated."""
        if whole.total == 1:
            return
        key = _Key(whole.source, whole.destination, whole.reference, whole.total)
        if self._open.get(key) is whole:
            del self._open[key]
            self._held -= sum(len(part.octets) for part in whole.parts.values())
        self._settled[key] = _Settled(
            whole.since, {number: hash(part) for number, part in whole.parts.items()}
        )
        if len(self._settled) > self._most:
            self._settled.popitem(last=False)

    def overdue(self, now: float) -> list[Whole]:
        """Texts whose missing parts are waited for no longer: too old, or too many.

        They stay until `settled`.
        """
        too_many = len(self._open) - self._most
        held = self._held
        found: list[Whole] = []
        for place, whole in enumerate(self._open.values()):
            beyond = place < too_many or held > self._most_octets
            if beyond or now - whole.since >= self._patience:
                found.append(whole)
                held -= sum(len(part.octets) for part in whole.parts.values())
        return found

    def next_deadline(self) -> float | None:
        """When `overdue` has something to say."""
        first = next(iter(self._open.values()), None)
        return None if first is None else first.since + self._patience

    def _put(self, key: _Key, part: Part, now: float) -> Whole | None:
        whole = self._open.get(key)
        if whole is None:
            whole = Whole(
                key.source, key.destination, key.reference, key.total, now, {}, self._style
            )
            self._open[key] = whole
        before = whole.parts.get(part.number)
        self._held += len(part.octets) - (len(before.octets) if before else 0)
        whole.parts[part.number] = part
        return whole if whole.complete else None

    def _is_settled(self, key: _Key, part: Part) -> bool:
        before = self._settled.get(key)
        if before is None:
            return False
        if before.parts.get(part.number) == hash(part):
            return True
        del self._settled[key]  # the reference has come round
        return False

    def _forget_settled(self, now: float) -> None:
        while self._settled:
            key, settled = next(iter(self._settled.items()))
            if now - settled.since < self._patience:
                return
            del self._settled[key]
