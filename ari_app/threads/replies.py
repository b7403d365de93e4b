"""Answers texts: every TextReceived in the log gets its turn, once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from ari_app.agent.turn import Agent, Heard
from ari_app.conversation.events import DecisionMade, Envelope, TextReceived
from ari_app.conversation.state import fold
from ari_app.errors import Conflict, LeaseLost, StoreUnavailable
from ari_app.ports import Clock, Fence, Meter, Position, Store, failpoint
from ari_app.threads.keywords import ANSWERED

logger = logging.getLogger(__name__)

_POLL = 0.5
_CONSUMER = "threads"


class Replies:
    """A consumer of the log with a checkpoint; a crash repeats a turn, never doubles its effect."""

    def __init__(
        self,
        store: Store,
        agent: Agent,
        clock: Clock,
        meter: Meter,
        lease: Callable[[], Awaitable[Fence | None]] | None = None,
    ) -> None:
        """`lease` gives the lease that it runs under, None while another worker has it."""
        self._lease = lease
        self._store = store
        self._agent = agent
        self._clock = clock
        self._meter = meter
        self._stopping = False

    async def run(self) -> None:
        """Until stopped."""
        seen = 0
        while not self._stopping:
            try:
                fence = await self._lease() if self._lease else None
                ours = self._lease is None or fence is not None
                if not ours or not await self.run_once(fence):
                    seen = await self._store.changed(seen, _POLL)
            except LeaseLost as error:
                logger.warning("replies are another worker's now: %s", error)
                await asyncio.sleep(_POLL)
            except StoreUnavailable as error:
                logger.error("replies wait: %s", error)
                await asyncio.sleep(_POLL)

    async def run_once(self, fence: Fence | None = None) -> int:
        """Answer what is new; the number of events that were looked at."""
        batch = await self._store.tail(_CONSUMER)
        for item in batch:
            if isinstance(item.envelope.event, TextReceived):
                await self._answer(item, item.envelope.event, fence)
        if batch:
            failpoint("threads.before_advance")
            await self._store.advance(_CONSUMER, batch[-1].position, fence)
        return len(batch)

    def stop(self) -> None:
        """End after the batch in hand."""
        self._stopping = True

    async def _answer(self, item: Position, received: TextReceived, fence: Fence | None) -> None:
        stream, cause = item.envelope.stream, item.envelope.id
        heard = Heard(channel="sms", by="text", text=received.body)
        while True:
            envelopes = await self._store.read(stream)
            if any(e.cause == cause and isinstance(e.event, DecisionMade) for e in envelopes):
                return
            if _was_keyword(envelopes, item.envelope.sequence):
                return
            state = fold(envelopes)
            turn = self._agent.take_turn(stream, state, heard)
            try:
                await self._store.append(
                    stream,
                    turn.events,
                    expected=state.sequence,
                    effects=turn.effects,
                    timers=turn.timers,
                    cause=cause,
                    dedupe=f"reply:{cause}",
                    fence=fence,
                )
            except Conflict:
                continue  # a receipt or another text came in between: decide again
            self._meter.count("segue_decisions_total", action=turn.decision.rule)
            return


def _was_keyword(envelopes: Sequence[Envelope], sequence: int) -> bool:
    """Whether the text at this place was answered when it came: see keywords.py."""
    return any(e.sequence == sequence + 1 and isinstance(e.event, ANSWERED) for e in envelopes)
