"""The parts of long texts: each is durable before it is answered, until its text is stored."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ari_app.ports import Arrival, Clock, SmsArrivals
from ari_app.sms.dedupe import DedupeKeys
from smpp.address import Address
from smpp.pdu import DeliverSm
from smpp.segmentation import PLAIN, Joiner, Part, StoredPart, TextStyle, Whole, read_part

_PART, _JOINED = "part", "joined"
_SECOND = 1_000_000
_MOST_JOINED = 10_000  # texts whose parts are known again


@dataclass(frozen=True, slots=True)
class _Place:
    """Which text a part is of: TS 23.040 §9.2.3.24.1, and who writes to whom."""

    source: Address
    destination: Address
    reference: int
    total: int


@dataclass(slots=True)
class _Text:
    """What is known of a text in parts."""

    began: int  # UTC microseconds
    ids: list[str] = field(default_factory=list)  # of its parts, as they are kept
    joined: bool = False
    # Two binds may bring two parts at once: what is moved when it is joined must be there by then.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Parts:
    """A Joiner that outlives a restart.

    Of a text that is stored the parts stay for as long as others are waited for: the SMSC may
    repeat one of them, if our answer did not reach it. Bounded as the Joiner and the port are.
    """

    def __init__(
        self,
        carrier: str,
        arrivals: SmsArrivals | None,
        clock: Clock,
        keys: DedupeKeys,
        *,
        patience: float,
        style: TextStyle = PLAIN,
    ) -> None:
        """`patience` is how many seconds missing parts are waited for.

        Without `arrivals` all is in memory only.
        """
        self._carrier = carrier
        self._arrivals = arrivals
        self._clock = clock
        self._keys = keys
        self._patience = patience
        self._style = style
        self._joiner = Joiner(patience=patience, style=style)
        self._texts: OrderedDict[_Place, _Text] = OrderedDict()
        self._tidy_at: float | None = None

    async def restore(self) -> list[Whole]:
        """Take up what was there before a restart; the texts that are whole, and perhaps stored."""
        if self._arrivals is None:
            return []
        found = await self._arrivals.kept(self._carrier)
        joiner, texts = Joiner(patience=self._patience, style=self._style), self._texts
        texts.clear()
        joined = [row for row in found if row.kind == _JOINED]
        for row, part in self._stored(joined):
            self._know(row, part, joined=True)
            joiner.restore([part])
        # Nothing else is open yet, so these are they, also those that were stored with a gap.
        for whole in joiner.overdue(math.inf):
            joiner.settled(whole)
        complete = []
        for row, part in self._stored([row for row in found if row.kind == _PART]):
            self._know(row, part, joined=False)
            complete += joiner.restore([part])
        self._joiner = joiner
        if joined:
            self._tidy_at = self._clock.monotonic()
        return complete

    async def add(self, pdu: DeliverSm) -> Whole | None:
        """The whole text if this part completes it, else None (also for a repeated part).

        When it returns, the part is durable. StoreUnavailable or JoinerFull: it is not taken.
        """
        part = read_part(pdu, self._style)
        place = _Place(pdu.source, pdu.destination, part.reference, part.total)
        if part.total == 1:
            return self._joiner.add(place.source, place.destination, part, self._now())
        text = self._texts.get(place)
        if text is not None and text.joined:
            if self._id(place, part, text.began) in text.ids:
                return None
            text = None  # the reference has come round
        text = text or _Text(self._clock.now())
        whole = self._joiner.add(place.source, place.destination, part, self._now())
        id = self._id(place, part, text.began)
        # In front of the disk, where another part of the same text may overtake this one.
        self._texts[place] = text
        if id not in text.ids:
            text.ids.append(id)
        if self._arrivals is not None:
            stored = StoredPart.of(place.source, place.destination, part, text.began / _SECOND)
            payload: dict[str, object] = {"part": stored.to_json()}
            arrival = Arrival(id, self._carrier, _PART, text.began, payload)
            async with text.lock:
                await self._arrivals.keep([arrival])
        return whole

    def key(self, whole: Whole) -> str:
        """The dedupe key of a text in parts: the same after a restart."""
        text = self._texts.get(_of(whole))
        began = text.began if text else round(whole.since * _SECOND)
        return self._keys.of("parts", self._carrier, repr(_of(whole)), str(began))

    async def settled(self, whole: Whole) -> None:
        """The text is stored; its parts are only known again if they are repeated."""
        text = self._texts.get(_of(whole))
        if text is not None:
            async with text.lock:
                if self._arrivals is not None:
                    await self._arrivals.move(text.ids, _JOINED, text.began)
            text.joined = True
            self._bound()
            if self._tidy_at is None:
                self._tidy_at = self._now() + self._patience
        self._joiner.settled(whole)

    def overdue(self) -> list[Whole]:
        """Texts whose missing parts are waited for no longer; until they are settled."""
        return self._joiner.overdue(self._now())

    def next_deadline(self) -> float | None:
        """When `overdue` or `tidy` has something to do, in monotonic seconds."""
        times = (self._joiner.next_deadline(), self._tidy_at)
        return min((time for time in times if time is not None), default=None)

    async def tidy(self) -> None:
        """Forget the parts of texts that were stored so long ago that nobody repeats them."""
        if self._tidy_at is None or self._tidy_at > self._now():
            return
        before = self._clock.now() - round(self._patience * _SECOND)
        if self._arrivals is not None:
            await self._arrivals.forget(self._carrier, _JOINED, before)
        for place in [p for p, text in self._texts.items() if text.joined and text.began < before]:
            del self._texts[place]
        later = any(text.joined for text in self._texts.values())
        self._tidy_at = self._now() + self._patience if later else None

    # -- inside -------------------------------------------------------------------------------

    def _bound(self) -> None:
        if len(self._texts) > _MOST_JOINED:
            oldest = next(place for place, text in self._texts.items() if text.joined)
            del self._texts[oldest]

    def _now(self) -> float:
        return self._clock.monotonic()

    def _stored(self, rows: Sequence[Arrival]) -> list[tuple[Arrival, StoredPart]]:
        """Those that can still be read, in the time of this process."""
        found = []
        for row in rows:
            written = row.payload.get("part")
            if isinstance(written, str):
                age = max(0.0, (self._clock.now() - row.at) / _SECOND)
                part = replace(StoredPart.from_json(written), at=self._now() - age)
                found.append((row, part))
        return found

    def _know(self, row: Arrival, part: StoredPart, *, joined: bool) -> None:
        place = _Place(part.source, part.destination, part.reference, part.total)
        text = self._texts.get(place)
        if text is None or text.began != row.at:
            text = self._texts[place] = _Text(row.at, joined=joined)
        text.ids.append(row.id)

    def _id(self, place: _Place, part: Part, began: int) -> str:
        octets = hashlib.sha256(part.octets).hexdigest()
        numbers = f"{began} {part.number} {part.data_coding}"
        return self._keys.of("part", self._carrier, repr(place), numbers, octets)


def _of(whole: Whole) -> _Place:
    return _Place(whole.source, whole.destination, whole.reference, whole.total)
