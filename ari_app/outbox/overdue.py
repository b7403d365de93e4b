"""Notices texts whose receipt does not come."""

from __future__ import annotations

import logging

from ari_app.conversation.events import ReceiptOverdue
from ari_app.ports import Clock, Fence, Meter, Store, Timer

logger = logging.getLogger(__name__)

#: The kind of our timers; the id is `receipt:<message>`.
KIND = "receipt"


def receipt_timer(message: str, stream: str, due: int) -> Timer:
    """To be stored with the promise of the text."""
    return Timer(id=f"{KIND}:{message}", stream=stream, kind=KIND, due=due)


class Overdue:
    """Fires due timers; a text without a final state gets a `receipt.overdue` event, once."""

    def __init__(self, store: Store, clock: Clock, meter: Meter) -> None:
        self._store = store
        self._clock = clock
        self._meter = meter

    async def run_once(self, fence: Fence | None = None) -> None:
        """Look at what is due now; with several workers, under a lease."""
        for timer in await self._store.due_timers(self._clock.now()):
            if timer.kind != KIND:
                continue
            id = timer.id.removeprefix(f"{KIND}:")
            message = (await self._store.state(timer.stream)).messages.get(id)
            if message is not None and not message.state.final:
                self._meter.count("segue_sms_receipts_overdue_total")
                logger.warning("message %s is %s: no receipt came", id, message.state.value)
                overdue = ReceiptOverdue(message=id, state=message.state.value)
                await self._store.append(timer.stream, [overdue], dedupe=timer.id, fence=fence)
            await self._store.drop_timer(timer.id)
