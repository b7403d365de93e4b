"""One attempt to call somebody back: it rings, they say that it is them, the talk goes on."""

from __future__ import annotations

import contextlib

from ari_app.agent.turn import Spoken
from ari_app.calls.callbacks import CHANNEL, Attempt
from ari_app.calls.instruments import Instruments
from ari_app.calls.journal import Journal
from ari_app.calls.signals import CallerGone, Evicted, Next, PhoneGone, Sign
from ari_app.conversation.events import (
    AgentSpoke,
    CallAnswered,
    CallbackReached,
    CallReceived,
    DisclosurePlayed,
    KeyPressed,
)
from ari_app.errors import AriRefused, Unavailable
from ari_app.policy.people import Outcome, missed
from ari_app.ports import Line

_YES = "1"
_ROUNDS = 3  # of who we are and what they are asked


class Return:
    """`ring` first; then, with audio, `confirm`. What became of it is in the log."""

    def __init__(self, attempt: Attempt, tools: Instruments, journal: Journal) -> None:
        self._attempt = attempt
        self._tools = tools
        self._journal = journal
        self._channel = CHANNEL + attempt.call
        self._deadline: float | None = None
        self.answered = False
        self.confirmed = False

    def due(self, now: float) -> bool:
        """Whether the phone has rung, or the person thought, for long enough; told once."""
        if self._deadline is None or now < self._deadline:
            return False
        self._deadline = None
        return True

    async def ring(self, next: Next) -> bool:
        """Whether the phone was picked up."""
        rules, telephone = self._tools.agent.bundle.callbacks, self._tools.telephone
        attempt = self._attempt
        await self._journal.catch_up()
        try:
            await telephone.ring(self._channel, attempt.endpoint, attempt.did, rules.ring)
        except (AriRefused, Unavailable):
            return await self._miss(Outcome.UNREACHABLE)
        self._deadline = self._tools.clock.monotonic() + rules.ring
        try:
            return await self._until_picked_up(next)
        except Evicted:  # we are stopping: the timer of the next attempt is set
            await self._hang_up()
            return False

    async def _until_picked_up(self, next: Next) -> bool:
        while True:
            match await next():
                case Sign.ANSWERED:
                    self._deadline = None
                    self.answered = True
                    await self._note_answered()
                    return True
                case PhoneGone(cause=cause, status=status):
                    return await self._miss(missed(cause, status), cause, status)
                case Sign.DUE:
                    await self._hang_up()
                    return await self._miss(Outcome.NO_ANSWER)
                case _:
                    pass

    async def _note_answered(self) -> None:
        attempt = self._attempt
        received = CallReceived(call=attempt.call, channel=self._channel, did=attempt.did)
        await self._journal.append([received, CallAnswered(call=attempt.call)], held=True)
        await self._tools.telephone.mark(self._channel, attempt.stream, attempt.call)

    async def confirm(self, line: Line, next: Next) -> bool:
        """Say who we are and ask for a key: a machine, or anybody else, has none for us."""
        bundle = self._tools.agent.bundle
        assert bundle.callbacks.confirm is not None, "else nobody is called"
        try:
            await self._disclose(line, next)
            for _ in range(_ROUNDS):
                if await self._asked(line, bundle.callbacks.confirm, next):
                    return await self._reached()
        except CallerGone:
            await self._miss(Outcome.SILENT)
            raise
        await self._hang_up()
        return await self._miss(Outcome.SILENT)

    async def _disclose(self, line: Line, next: Next) -> None:
        bundle, call = self._tools.agent.speaking(self._journal.state.language), self._attempt.call
        await self._say(line, bundle.disclosure)
        while await next() is not Sign.SPOKEN:
            pass
        await self._journal.append(
            [DisclosurePlayed(call=call, prompt=bundle.disclosure, wording=bundle.hash)]
        )

    async def _asked(self, line: Line, prompt: str, next: Next) -> bool:
        await self._say(line, prompt)
        while True:
            match await next():
                case KeyPressed(key=key) if key == _YES:
                    line.stop()
                    return True
                case Sign.SPOKEN:
                    self._deadline = self._tools.clock.monotonic() + self._tools.no_input
                case Sign.DUE:
                    return False
                case _:
                    pass

    async def _say(self, line: Line, prompt: str) -> None:
        text = self._tools.agent.speaking(self._journal.state.language).prompt(prompt)
        line.play(await self._tools.voice.speak(text, self._journal.state.language))
        spoke = AgentSpoke(call=self._attempt.call, prompt=prompt, text=text)
        await self._journal.append([spoke])

    async def _reached(self) -> bool:
        self._deadline = None
        self.confirmed = True
        self._tools.meter.count("segue_callbacks_total", outcome="reached")
        attempt = self._attempt
        await self._journal.append([CallbackReached(callback=attempt.callback, call=attempt.call)])
        return True

    def about(self) -> tuple[Spoken, ...]:
        """What they wanted to be called about, if we know, and the policy has words for it."""
        bundle, topic = (
            self._tools.agent.speaking(self._journal.state.language),
            self._journal.state.topic,
        )
        prompt = bundle.callbacks.about
        if prompt is None or topic is None:
            return ()
        return (Spoken(prompt, bundle.prompt(prompt, topic=topic.replace("_", " "))),)

    async def _miss(self, outcome: Outcome, cause: int = 0, status: int = 0) -> bool:
        self._tools.meter.count("segue_callbacks_total", outcome=outcome.value)
        await self._journal.append([self._attempt.missed(outcome, cause, status)])
        return False

    async def _hang_up(self) -> None:
        with contextlib.suppress(AriRefused, Unavailable):
            await self._tools.telephone.hang_up(self._channel)
