"""What a carrier brings us by deliver_sm: stored first, answered then."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

from ari_app.errors import StoreUnavailable
from ari_app.ports import (
    Arrival,
    Clock,
    IncomingText,
    Meter,
    Receipt,
    SmsArrivals,
    SmsInbox,
    failpoint,
)
from ari_app.sms.dedupe import DedupeKeys
from ari_app.sms.kinds import Kind, as_it_came, kind_of
from ari_app.sms.parts import Parts
from smpp import receipt as receipts
from smpp.constants import Status, Tag
from smpp.ids import IdRule
from smpp.pdu import DeliverSm
from smpp.segmentation import PLAIN, TextStyle, Whole

logger = logging.getLogger(__name__)

_STORE_AGAIN = 5.0  # seconds, after the store was away
_LOOK_AGAIN = 2.5  # seconds: the text of a receipt may have been stored at the same moment
_UNREADABLE, _BEGUN = "unreadable", "begun"
_UNREADABLE_FOR = 30 * 24 * 3600.0  # seconds
_FORGET_EVERY = 100
_SECOND = 1_000_000

#: Carrier, sender, recipient and body of a text.
_Content: TypeAlias = tuple[str, str, str, str]


class Inbound:
    """Hands in receipts and texts; what it has taken is on disk, so the SMSC may be answered."""

    def __init__(
        self,
        *,
        carrier: str,
        inbox: SmsInbox,
        clock: Clock,
        meter: Meter,
        secret: bytes,
        link: Callable[[], int],
        arrivals: SmsArrivals | None = None,
        id_rule: IdRule | None = None,
        part_patience: float = 300.0,
        style: TextStyle = PLAIN,
    ) -> None:
        """`link` is the number of the present connection: another one after each reconnection.

        With `arrivals` receipts are stored many at once, and parts of long texts outlive a restart.
        `secret` keys the hash of dedupe keys and must outlive a restart.
        """
        self._carrier = carrier
        self._inbox = inbox
        self._arrivals = arrivals
        self._clock = clock
        self._meter = meter
        self._link = link
        self._id_rule = id_rule
        self._dedupe = DedupeKeys(secret)
        self._parts = Parts(
            carrier, arrivals, clock, self._dedupe, patience=part_patience, style=style
        )
        self._begun = 0
        self._restored = False
        self._restoring = asyncio.Lock()
        self._sweep_at: asyncio.TimerHandle | None = None
        self._look_at: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking_up: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take up what a restart, or another worker, has left, as soon as the store can say it."""
        self._restored = False
        self._taking_up = self._spawn(self._take_up())

    async def aclose(self) -> None:
        """Let what is being stored come to its end."""
        for timer in (self._sweep_at, self._look_at):
            if timer is not None:
                timer.cancel()
        if self._taking_up is not None:
            self._taking_up.cancel()  # all of it may be done again
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def take_all(self, pdus: Sequence[DeliverSm]) -> Sequence[int]:
        """Store what one read has brought, receipts in one transaction.

        The status of each, in order: ESME_ROK, or ESME_RX_T_APPN for what is not stored. If it is
        cancelled none is answered, and all may come again.
        """
        await self._ready()
        statuses = [int(Status.ESME_ROK)] * len(pdus)
        found: list[tuple[int, receipts.Receipt]] = []
        others: dict[str, list[tuple[int, DeliverSm, Kind]]] = {}
        stored: list[_Content] = []
        for n, pdu in enumerate(pdus):
            kind = kind_of(pdu)
            if isinstance(kind, receipts.Receipt):
                found.append((n, kind))
            else:
                others.setdefault(pdu.source.digits, []).append((n, pdu, kind))

        async def attempt(numbers: Sequence[int], work: Coroutine[Any, Any, None]) -> None:
            try:
                await work
            except Exception as error:  # noqa: BLE001  # whatever it was, it is not stored
                # The type only: the text of a foreign exception may quote the message.
                logger.warning("not stored (%s): to be repeated", type(error).__name__)
                for n in numbers:
                    statuses[n] = Status.ESME_RX_T_APPN

        async def in_order(mine: Sequence[tuple[int, DeliverSm, Kind]]) -> None:
            # Two texts of one person must not overtake each other.
            for n, pdu, kind in mine:
                await attempt([n], self._take_other(pdu, kind, stored))

        works = [in_order(mine) for mine in others.values()]
        if found:
            numbers = [n for n, _ in found]
            works.append(attempt(numbers, self._take_receipts([one for _, one in found])))
        try:
            await asyncio.gather(*works)
        except asyncio.CancelledError:
            for content in stored:
                self._dedupe.unanswered(content)
            raise
        return statuses

    # -- receipts -----------------------------------------------------------------------------

    async def _take_receipts(self, found: Sequence[receipts.Receipt]) -> None:
        ours = [Receipt(self._carrier, one.id, one.state, one.error) for one in found]
        if self._arrivals is None:
            for receipt in ours:
                await self._inbox.receipt(receipt)
        else:
            known = await self._arrivals.receipts(ours)
            failpoint("sms.after_receipt")
            for word, there in (("true", True), ("false", False)):
                if count := known.count(there):
                    self._meter.count("segue_sms_receipts_total", count, known=word)
            if not all(known):
                self._plan_look()
        self._received("receipt", len(ours))
        for receipt in ours:
            logger.debug("receipt for %s: %s", receipt.id, receipt.state)

    def _plan_look(self) -> None:
        if self._look_at is None:
            loop = asyncio.get_running_loop()
            self._look_at = loop.call_later(_LOOK_AGAIN, self._start_look)

    def _start_look(self) -> None:
        self._look_at = None
        self._spawn(self._look())

    async def _look(self) -> None:
        assert self._arrivals is not None
        try:
            await self._arrivals.receipts([])
        except Exception as error:  # noqa: BLE001  # nobody above; the next receipts do it
            logger.warning("early receipts are looked for later: %s", type(error).__name__)

    async def _take_unreadable(self, pdu: DeliverSm) -> None:
        # Answered as stored: the SMSC would only repeat what nobody can read.
        if self._arrivals is not None:
            await self._arrivals.keep([self._raw(pdu)])
        self._received("unreadable_receipt")
        logger.error("a receipt of %s is unreadable; it is kept as it came", self._carrier)

    def _raw(self, pdu: DeliverSm) -> Arrival:
        payload = as_it_came(pdu)
        octets = hashlib.sha256(repr(payload).encode()).hexdigest()
        id = self._dedupe.of(_UNREADABLE, self._carrier, octets)
        return Arrival(id, self._carrier, _UNREADABLE, self._clock.now(), payload)

    # -- texts --------------------------------------------------------------------------------

    async def _take_other(self, pdu: DeliverSm, kind: Kind, stored: list[_Content]) -> None:
        match kind:
            case Kind.TEXT:
                await self._take_text(pdu, stored)
            case Kind.UNREADABLE:
                await self._take_unreadable(pdu)
            case Kind.ACKNOWLEDGEMENT:
                self._received("acknowledgement")

    async def _take_text(self, pdu: DeliverSm, stored: list[_Content]) -> None:
        whole = await self._parts.add(pdu)
        failpoint("sms.after_part")
        if whole is None:
            self._received("part")
            self._plan_sweep()
            return
        id = pdu.tlv(Tag.RECEIPTED_MESSAGE_ID)
        stored.append(_content(self._carrier, whole))
        await self._store(whole, id.rstrip(b"\0").hex() if id else "")
        self._plan_sweep()

    async def _store(self, whole: Whole, id: str = "") -> None:
        if whole.ports is not None:
            # TS 23.040 §9.2.3.24.4: for a program on the handset.
            await self._parts.settled(whole)
            self._received("data")
            return
        content = _content(self._carrier, whole)
        if whole.total > 1:
            dedupe = self._parts.key(whole)
        elif id:
            dedupe = self._dedupe.of_id(self._carrier, id)
        else:
            dedupe = await self._begin(content)
        await self._inbox.text(IncomingText(*content, dedupe))
        self._dedupe.stored(content)
        await self._parts.settled(whole)
        self._received("text" if whole.complete else "text_with_gaps")
        logger.info("text from %s in %d parts", whole.source.masked, len(whole.parts))

    async def _begin(self, content: _Content) -> str:
        """The dedupe key of a text without an id; that it came is known after a restart."""
        now = self._clock.now()
        key = self._dedupe.begin(
            content, link=self._link(), now=self._clock.monotonic(), wall=now / _SECOND
        )
        if self._arrivals is not None:
            trace = self._dedupe.trace(content)
            await self._arrivals.keep([Arrival(key, self._carrier, _BEGUN, now, trace)])
            self._begun += 1
            if self._begun % _FORGET_EVERY == 0:
                await self._forget(_BEGUN, self._dedupe.span)
        return key

    def _plan_sweep(self, after: float = 0.0) -> None:
        deadline = self._parts.next_deadline()
        if self._sweep_at is None and deadline is not None:
            wait = max(after, deadline - self._clock.monotonic())
            self._sweep_at = asyncio.get_running_loop().call_later(wait, self._start_sweep)

    def _start_sweep(self) -> None:
        self._sweep_at = None
        self._spawn(self._sweep())

    async def _sweep(self) -> None:
        """Store what has come of texts whose other parts are waited for no longer."""
        after = 0.0
        works = [self._store(whole) for whole in self._parts.overdue()]
        for work in (*works, self._parts.tidy()):
            try:
                await work
            except Exception as error:  # noqa: BLE001  # nobody above; it is kept and tried again
                logger.warning("an incomplete text is not stored yet: %s", type(error).__name__)
                after = _STORE_AGAIN
        self._plan_sweep(after)

    # -- after a restart ----------------------------------------------------------------------

    async def _ready(self) -> None:
        if self._restored:
            return
        async with self._restoring:
            if not self._restored:
                await self._restore()

    async def _restore(self) -> None:
        if self._arrivals is not None:
            await self._arrivals.give_id_rule(self._carrier, self._id_rule)
            await self._arrivals.receipts([])
            await self._forget(_UNREADABLE, _UNREADABLE_FOR)
            await self._forget(_BEGUN, self._dedupe.span)
            for row in await self._arrivals.kept(self._carrier):
                if row.kind == _BEGUN and row.payload:
                    at = self._clock.monotonic() - (self._clock.now() - row.at) / _SECOND
                    self._dedupe.restore(row.id, row.payload, at=at)
        for whole in await self._parts.restore():
            await self._store(whole)
        self._restored = True
        self._plan_sweep()

    async def _take_up(self) -> None:
        while not self._restored:
            try:
                await self._ready()
            except StoreUnavailable as error:
                logger.warning("what came before the restart waits: %s", error)
                await asyncio.sleep(_STORE_AGAIN)

    # -- inside -------------------------------------------------------------------------------

    async def _forget(self, kind: str, after: float) -> None:
        assert self._arrivals is not None
        before = self._clock.now() - round(after * _SECOND)
        await self._arrivals.forget(self._carrier, kind, before)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _received(self, kind: str, count: int = 1) -> None:
        self._meter.count("segue_smpp_received_total", count, carrier=self._carrier, kind=kind)


def _content(carrier: str, whole: Whole) -> _Content:
    return carrier, whole.source.written, whole.destination.written, whole.text
