"""Notices texts of which nothing more is heard: a receipt, or a fate, that does not come."""

from __future__ import annotations

import logging

from ari_app.conversation.events import ReceiptOverdue, TextSightLost
from ari_app.conversation.message import MessageState
from ari_app.ports import Clock, Fence, Inquiries, Job, Meter, Store, Timer

logger = logging.getLogger(__name__)

#: The kind of our timers; the id is `receipt:<message>`.
KIND = "receipt"
#: Of texts of the class `reconcile`; the id is `reconcile:<message>:<attempts>`.
RECONCILE = "reconcile"
_PAGE = 200


def receipt_timer(message: str, stream: str, due: int) -> Timer:
    """To be stored with the promise of the text."""
    return Timer(id=f"{KIND}:{message}", stream=stream, kind=KIND, due=due)


def reconcile_timer(job: Job, due: int) -> Timer:
    """To be stored when the fate of the text was lost."""
    id = f"{RECONCILE}:{job.id}:{job.attempts}"
    return Timer(id=id, stream=job.stream, kind=RECONCILE, due=due)


class Overdue:
    """Fires due timers; a text without a final state gets a `receipt.overdue` event, once.

    Of a text to be reconciled the carrier is asked first, if it can be and ids are known.
    """

    def __init__(
        self, store: Store, clock: Clock, meter: Meter, inquiries: Inquiries | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._meter = meter
        self._inquiries = inquiries

    async def run_once(self, fence: Fence | None = None) -> None:
        """Look for receipts that are due now; with several workers, under a lease."""
        await self._run(KIND, fence)

    async def reconcile(self, fence: Fence | None = None) -> None:
        """Look for unknown fates that have waited long enough, where carriers can be asked."""
        await self._run(RECONCILE, fence)

    async def _run(self, kind: str, fence: Fence | None) -> None:
        while True:
            timers = await self._store.due_timers(self._clock.now(), _PAGE, kind=kind)
            for timer in timers:
                await self._fire(timer, fence)
            if len(timers) < _PAGE:
                break

    async def _fire(self, timer: Timer, fence: Fence | None) -> None:
        id = timer.id.split(":")[1]
        message = (await self._store.state(timer.stream)).messages.get(id)
        state = message.state if message is not None else None
        if timer.kind == RECONCILE:
            if state is MessageState.UNKNOWN and await self._inquire(timer.stream, id):
                message = (await self._store.state(timer.stream)).messages[id]
                state = message.state
            told = state is not MessageState.UNKNOWN
        else:
            told = state is None or state.final
        if state is not None and not told:
            self._meter.count("segue_sms_receipts_overdue_total")
            logger.warning("message %s is %s: no receipt came", id, state.value)
            overdue = ReceiptOverdue(message=id, state=state.value)
            await self._store.append(timer.stream, [overdue], dedupe=timer.id, fence=fence)
        await self._store.drop_timer(timer.id)

    async def _inquire(self, stream: str, message: str) -> bool:
        """Ask the carrier for each segment that it certainly took; whether it said anything."""
        if self._inquiries is None:
            return False
        said = False
        for lost in [e.event for e in await self._store.read(stream)]:
            if not isinstance(lost, TextSightLost) or lost.message != message:
                continue
            for id in lost.ids or ():
                receipt = await self._inquiries.inquire(lost.carrier or "", id)
                if receipt is not None:
                    said = True
                    await self._store.receipt(receipt)
        return said
