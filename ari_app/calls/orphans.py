"""Closes the calls of workers that are gone: their records, since their callers have left us."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from ari_app.agent.turn import Agent
from ari_app.conversation.events import CallEnded, Event
from ari_app.errors import Conflict
from ari_app.ports import Effect, Meter, Store

logger = logging.getLogger(__name__)


class Orphans:
    """A call that was live in a worker that died ends with a hand-off record like any other."""

    def __init__(
        self,
        bury: Callable[[], Awaitable[Sequence[str]]],
        store: Store,
        agent: Agent,
        meter: Meter,
    ) -> None:
        """`bury` takes over what the dead had in hand, and names the streams of their calls."""
        self._bury = bury
        self._store = store
        self._agent = agent
        self._meter = meter

    async def run_once(self) -> None:
        """Look for the dead now."""
        for stream in await self._bury():
            await self._close(stream)

    async def _close(self, stream: str) -> None:
        while True:
            state = await self._store.state(stream)
            call = state.calls[-1] if state.calls else ""
            events: list[Event] = [CallEnded(call=call, cause="lost", statistics={})]
            effects: list[Effect] = []
            if not state.handoffs:
                recorded, effect = self._agent.hand_off(
                    stream, state, "the call was lost", "the worker that had it is gone"
                )
                events.append(recorded)
                effects.append(effect)
            try:
                # Another worker may have found it too: what it wrote is not written again.
                written = await self._store.append(
                    stream,
                    events,
                    expected=state.sequence,
                    effects=effects,
                    dedupe=f"lost:{call}",
                    held=False,
                )
            except Conflict:
                continue
            if written:
                logger.warning("a call of a worker that is gone was closed in %s", stream)
                self._meter.count("segue_orphans_total")
            return
