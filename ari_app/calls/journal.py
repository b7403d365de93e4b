"""One call's hold on its conversation: what it writes, and the state that follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ari_app.calls.adoption import Adoption, Course, adoption
from ari_app.conversation.events import CallResumed, Envelope, Event
from ari_app.conversation.state import Conversation, fold
from ari_app.errors import Conflict
from ari_app.ports import Effect, Store, Timer


class Journal:
    """Appends to one stream and keeps its state, also when others append to it meanwhile."""

    def __init__(
        self, store: Store, stream: str, follow: Callable[[Conversation], None] | None = None
    ) -> None:
        """`follow` is told the state after every change of it."""
        self._store = store
        self._follow = follow
        self.stream = stream
        self.state = Conversation()

    async def append(
        self,
        events: Sequence[Event],
        *,
        decision: bool = False,
        effects: Sequence[Effect] = (),
        timers: Sequence[Timer] = (),
        subject: str | None = None,
        held: bool | None = None,
    ) -> None:
        """Observations are facts wherever the stream is; decisions hold only where it was.

        Conflict if a decision came too late: catch up, and decide again.
        """
        written = await self._store.append(
            self.stream,
            events,
            expected=self.state.sequence if decision else None,
            effects=effects,
            timers=timers,
            subject=subject,
            held=held,
        )
        if written and written[0].sequence != self.state.sequence + 1:
            await self.catch_up()
        else:
            self._fold(written)

    async def catch_up(self) -> None:
        """Take in what others have appended."""
        self._fold(await self._store.read(self.stream, self.state.sequence))

    async def adopt(self, call: str) -> Adoption:
        """Take the call over from the worker that had it, unless it is closed; and how to go on.

        Either this or the closing of an orphan is written, never both.
        """
        while True:
            await self.catch_up()
            plan = adoption(await self._store.read(self.stream), call)
            if plan.course is Course.CLOSED:
                return plan
            try:
                await self.append([CallResumed(call=call)], decision=True, held=True)
            except Conflict:
                continue  # somebody was faster: with a text, or by closing the call
            return plan

    def _fold(self, envelopes: Sequence[Envelope]) -> None:
        self.state = fold(envelopes, self.state)
        if self._follow is not None:
            self._follow(self.state)
