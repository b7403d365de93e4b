"""Closes the calls of workers that are gone: their records, unless somebody goes on with them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from ari_app.agent.turn import Agent
from ari_app.conversation.events import CallEnded, Event
from ari_app.errors import Conflict
from ari_app.ports import Clock, Effect, Meter, Store

logger = logging.getLogger(__name__)


class Orphans:
    """A call that was live in a worker that died ends with a hand-off record like any other.

    Its caller may still be on the line, and a worker that finds them there goes on with the call:
    for that the record waits.
    """

    def __init__(
        self,
        bury: Callable[[], Awaitable[Sequence[str]]],
        store: Store,
        agent: Agent,
        meter: Meter,
        clock: Clock | None = None,
        patience: float = 0.0,
    ) -> None:
        """`bury` takes over what the dead had in hand, and names the streams of their calls.

        `patience`: seconds, by `clock`, after which nobody will go on with a call any more.
        """
        self._bury = bury
        self._store = store
        self._agent = agent
        self._meter = meter
        self._clock = clock
        self._patience = patience
        self._since: dict[str, float] = {}  # when each stream was found

    async def run_once(self) -> None:
        """Look for the dead now."""
        orphaned = await self._bury()
        now = self._clock.monotonic() if self._clock else 0.0
        self._since = {stream: self._since.get(stream, now) for stream in orphaned}
        for stream, since in self._since.items():
            if now - since >= self._patience:
                await self._close(stream)

    async def _close(self, stream: str) -> None:
        state = await self._store.state(stream)
        # Whoever went on with the call before the state was read has the stream now; who does it
        # from here on is in conflict with us.
        if stream not in await self._bury():
            return
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
            return  # if it is still an orphan, the next look finds it again
        if written:
            logger.warning("a call of a worker that is gone was closed in %s", stream)
            self._meter.count("segue_orphans_total")
