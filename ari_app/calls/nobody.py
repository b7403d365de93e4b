"""What becomes of a caller whom no person takes: a call-back, a message, the dialplan's people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from ari_app.agent.turn import Spoken
from ari_app.calls.instruments import Instruments
from ari_app.calls.journal import Journal
from ari_app.calls.promising import promise
from ari_app.calls.signals import Next, Sign
from ari_app.conversation.events import AgentSpoke, DecisionMade, KeyPressed
from ari_app.conversation.identity import E164
from ari_app.policy.people import Fallback
from ari_app.ports import Exit, Line

_YES = "1"
_MINUTE = 60_000_000
_WHY = "nobody_there"


class Nobody:
    """Each step is a decision in the log, by the section `reach` of the bundle."""

    def __init__(
        self, call: str, tools: Instruments, journal: Journal, line: Line, reason: str
    ) -> None:
        """`reason` is why the caller went to people."""
        self._call = call
        self._tools = tools
        self._journal = journal
        self._line = line
        self._reason = reason
        self._reach = tools.agent.bundle.reach
        self._deadline: float | None = None

    def due(self, now: float) -> bool:
        """Whether the caller has had the time for an answer; told once."""
        if self._deadline is None or now < self._deadline:
            return False
        self._deadline = None
        return True

    async def fall_back(
        self, chosen: Fallback | None, missed: Mapping[str, str], next: Next
    ) -> Exit:
        """How the call leaves; `chosen` is what the caller wants, `missed` the outcomes by name."""
        tried: set[Fallback] = set()
        while True:
            number = self._number()
            fallback = chosen or self._reach.fallback(tried=tried, can_call=number is not None)
            await self._decided(fallback, missed, by="caller" if chosen else "policy")
            match fallback:
                case Fallback.DIALPLAN:
                    return Exit.HANDOFF
                case Fallback.VOICEMAIL:
                    return Exit.VOICEMAIL
                case Fallback.CALLBACK:
                    if number and (chosen or await self._wants_it(next)):
                        await self._promise(number, next)
                        return Exit.DONE
                case _:
                    assert_never(fallback)
            tried.add(fallback)
            chosen = None

    def _number(self) -> E164 | None:
        state = self._journal.state
        number = E164.read(state.number or "", None)
        return number if number and self._tools.may_be_called(number) else None

    async def _decided(self, fallback: Fallback, missed: Mapping[str, str], by: str) -> None:
        state = self._journal.state
        because = {
            "caller": "the caller did not want to wait for a person",
            "policy": "no person took the call",
        }[by]
        decision = DecisionMade(
            bundle=self._tools.agent.bundle.hash,
            rule=f"reach_{fallback.value}",
            reason=because,
            # A worker that goes on with the call begins with the people again.
            actions=(f"people {self._reason}", f"fallback {fallback.value}"),
            inputs={"channel": "voice", "by": by, "people": dict(missed), "hearing": state.hearing},
            intent=None,
            confidence=1.0,
            alternatives=(),
            topic=state.topic,
            question=state.question,
        )
        await self._journal.append([decision])
        self._tools.meter.count("segue_decisions_total", action=decision.rule)

    async def _wants_it(self, next: Next) -> bool:
        """Offer it; key 1 says yes, anything else, and saying nothing, no."""
        assert self._reach.offer is not None, "the bundle was checked"
        await self._say(self._reach.offer)
        while True:
            match await next():
                case KeyPressed(key=key) as pressed:
                    self._line.stop()
                    self._deadline = None
                    await self._journal.append([pressed])
                    return key == _YES
                case Sign.SPOKEN:
                    self._deadline = self._tools.clock.monotonic() + self._tools.no_input
                case Sign.DUE:
                    return False
                case _:
                    pass

    async def _promise(self, number: E164, next: Next) -> None:
        clock, state = self._tools.clock, self._journal.state
        if not state.callbacks:  # one is enough
            stream = self._journal.stream
            due = clock.now() + self._tools.agent.bundle.callbacks.after * _MINUTE
            wanted, timer = promise(clock, stream, number, state.did, due, _WHY)
            await self._journal.append([wanted], timers=[timer])
        assert self._reach.promised is not None, "the bundle was checked"
        await self._say(self._reach.promised)
        while await next() is not Sign.SPOKEN:
            pass

    async def _say(self, prompt: str) -> None:
        language = self._journal.state.language
        spoken = Spoken(prompt, self._tools.agent.speaking(language).prompt(prompt))
        audio = await self._tools.voice.speak(spoken.text, language)
        self._line.play(audio)
        await self._journal.append([AgentSpoke(call=self._call, prompt=prompt, text=spoken.text)])
