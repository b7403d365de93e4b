"""Brings one caller to a person: lets phones ring, whispers, joins the two, or falls back."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ari_app.calls.instruments import Instruments
from ari_app.calls.journal import Journal
from ari_app.calls.leg import Leg
from ari_app.calls.ringing import Do, Missed, Phase, Ring, Ringing, Step
from ari_app.calls.signals import CallerGone, Next, PhoneGone, PhoneKey, Sign, Told
from ari_app.conversation.events import (
    Event,
    HandoffAcknowledged,
    KeyPressed,
    PeopleAnswered,
    PeopleMissed,
    PeopleParted,
    PeopleRung,
)
from ari_app.conversation.identity import new_id
from ari_app.errors import AriRefused, Unavailable
from ari_app.policy.people import Agent, Fallback
from ari_app.ports import Line

logger = logging.getLogger(__name__)

#: The hand-off's route that a person is who takes the caller.
ROUTE = "people"


class _Whisper:
    """The person's own audio: we speak, and hear nothing but keys."""

    def __init__(self, leg: Leg, ended: Callable[[], None]) -> None:
        self.leg = leg
        self._ended = ended

    def heard(self, pcm: bytes, at: float) -> None:
        """See the port AudioSink."""

    def no_audio(self, at: float) -> None:
        """See the port AudioWatch; who cannot be heard can still press a key."""

    def prompt_ended(self, at: float) -> None:
        """See the port AudioSink."""
        self._ended()

    async def aclose(self) -> None:
        """Both sides of it end."""
        await self.leg.release()
        await self.leg.aclose()


class People:
    """One caller's way to a person; `find` and `talk` are called once each, in this order."""

    def __init__(
        self,
        call: str,
        channel: str,
        tools: Instruments,
        journal: Journal,
        leg: Leg,
        reason: str,
        tell: Callable[[Told], None],
    ) -> None:
        """`leg` is the caller's audio, `reason` why they go to people; `tell` never blocks."""
        self._call = call
        self._channel = channel
        self._tools = tools
        self._journal = journal
        self._leg = leg
        self._reason = reason
        self._tell = tell
        self._reach = tools.agent.bundle.reach
        self._ringing = Ringing(self._reach)
        self._whisper: _Whisper | None = None
        self._missed: dict[str, str] = {}  # outcome by name
        self._waiting: bytes | None = None
        self._say_at = 0.0
        self._comforting = False
        self._joined_at = tools.clock.monotonic()
        self.phone = ""  # the id of the phone that rings, or is talked on
        self._who = ""

    @property
    def _now(self) -> float:
        return self._tools.clock.monotonic()

    @property
    def joined(self) -> bool:
        """Whether the caller talks with a person: nothing of ours may come between them."""
        return self._ringing.phase is Phase.JOINED

    # -- what others tell us; none of these blocks ----------------------------------------------

    def caller_heard(self, at: float) -> None:
        """The caller has heard what was played to its end."""
        if self._comforting:
            self._comfort(at)

    def due(self, now: float) -> bool:
        """Whether a phone has rung, or a person thought, for long enough."""
        return self._ringing.due(now)

    def _comfort(self, now: float) -> None:
        """Words now and then, and a tone between them: the line is not dead."""
        words = self._waiting
        if words is not None and now >= self._say_at:
            self._say_at = now + self._reach.every
            self._line.play(words)
        else:
            self._line.play(self._tools.hold)

    async def _begin_comfort(self) -> None:
        prompt, language = self._reach.waiting, self._journal.state.language
        if prompt is not None:
            text = self._tools.agent.speaking(language).prompt(prompt)
            self._waiting = await self._tools.voice.speak(text, language)
        self._say_at = self._now + self._reach.every
        self._comforting = True
        self._comfort(self._now)

    @property
    def _line(self) -> Line:
        assert self._leg.line is not None, "a caller who talked with us has a line"
        return self._leg.line

    @property
    def missed(self) -> Mapping[str, str]:
        """What became of each phone that rang, by its name."""
        return self._missed

    # -- finding a person -----------------------------------------------------------------------

    async def find(self, next: Next) -> Fallback | None:
        """Return when a person has taken the caller (`joined`) or nobody does.

        What is returned is what the caller wants instead of waiting, by a key of the policy.
        """
        chosen: Fallback | None = None
        try:
            await self._begin_comfort()
            await self._follow(self._ringing.start(self._now))
            while chosen is None and self._ringing.phase not in (Phase.JOINED, Phase.OVER):
                chosen = await self._take(await next())
        finally:
            self._comforting = False
            if not self.joined:
                await self._follow(self._ringing.caller_gone())
        return chosen

    async def _take(self, signal: object) -> Fallback | None:
        match signal:
            case KeyPressed(key=key):
                await self._journal.append([signal])
                return self._reach.keys.get(key)
            case PhoneKey(key=key):
                await self._follow(self._ringing.key(key, self._now))
            case PhoneGone(cause=cause, status=status):
                await self._follow(self._ringing.gone(cause, status, self._now))
            case Sign.ANSWERED:
                await self._follow(self._ringing.picked_up(self._now))
            case Sign.WHISPERED:
                await self._follow(self._ringing.whispered(self._now))
            case Sign.DUE:
                await self._follow(self._ringing.tick(self._now))
            case _:
                pass  # words of a caller who waits are nobody's
        return None

    async def _follow(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case Ring(agent=agent):
                    await self._ring(agent)
                case Missed():
                    await self._miss(step)
                case Do.WHISPER:
                    await self._or_unreachable(self._speak_to_the_person)
                case Do.JOIN:
                    await self._or_unreachable(self._join)
                case Do.NOBODY:
                    pass

    async def _or_unreachable(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except (AriRefused, Unavailable) as error:
            logger.warning("call %s: %s cannot be reached: %s", self._call, self._who, error)
            await self._follow(self._ringing.unreachable(self._now))

    async def _ring(self, agent: Agent) -> None:
        self.phone = new_id("leg", self._tools.clock.now(), os.urandom(10))
        self._who = agent.name
        rung = PeopleRung(call=self._call, leg=self.phone, who=agent.name)
        await self._journal.append([rung])
        caller = self._journal.state.number or ""

        async def ring() -> None:
            telephone = self._tools.telephone
            await telephone.ring(f"ag-{self.phone}", agent.endpoint, caller, agent.ring)

        await self._or_unreachable(ring)

    async def _miss(self, step: Missed) -> None:
        missed = PeopleMissed(
            call=self._call,
            leg=self.phone,
            who=step.agent.name,
            outcome=step.outcome.value,
            cause=step.cause,
            status=step.status,
        )
        self._missed[step.agent.name] = step.outcome.value
        self._tools.meter.count("segue_people_total", outcome=step.outcome.value)
        phone, self.phone = self.phone, ""
        await self._end_whisper()
        if step.hang_up:
            with contextlib.suppress(AriRefused, Unavailable):
                await self._tools.telephone.hang_up(f"ag-{phone}")
        await self._journal.append([missed])

    async def _speak_to_the_person(self) -> None:
        state, bundle = self._journal.state, self._tools.agent.bundle
        text = bundle.render(
            self._reach.whisper,
            topic=(state.topic or "").replace("_", " "),
            reason=self._reason,
            slots=", ".join(state.choices.values()),
        )
        # The person speaks our language, whatever the caller's is.
        audio = await self._tools.voice.speak(text, bundle.language)
        if self._whisper is None:
            leg = Leg(self.phone, f"ag-{self.phone}", self._tools)
            self._whisper = _Whisper(leg, lambda: self._tell(Sign.WHISPERED))
            await leg.open(self._whisper)
            await leg.connect()
        assert self._whisper.leg.line is not None
        self._whisper.leg.line.play(audio)

    async def _end_whisper(self) -> None:
        whisper, self._whisper = self._whisper, None
        if whisper is not None:
            await whisper.aclose()

    async def _join(self) -> None:
        self._comforting = False
        self._line.stop()
        try:
            await self._tools.telephone.join(self._call, self._channel, f"ag-{self.phone}")
        except (AriRefused, Unavailable):
            self._comforting = True
            self._comfort(self._now)
            raise
        self._joined_at = self._now
        self._tools.meter.count("segue_people_total", outcome="answered")
        await self.note_joined()
        await self._end_whisper()
        await self._leg.release()
        await self._leg.aclose()

    # -- the two talk ---------------------------------------------------------------------------

    def found(self, phone: str) -> None:
        """The two were joined by a worker that is gone; by whom is in the log, if at all."""
        self._ringing.phase = Phase.JOINED
        self.phone = phone

    async def note_joined(self) -> None:
        """Say in the log that they talk, unless it does; their talk does not end for the log."""
        if self._journal.state.person == self.phone:
            return
        state = self._journal.state
        told: list[Event] = [PeopleAnswered(call=self._call, leg=self.phone, who=self._who)]
        told += [
            HandoffAcknowledged(handoff=handoff, route=ROUTE, receipt=self._who or self.phone)
            for handoff in list(state.handoffs)[-1:]
        ]
        try:
            await self._journal.append(told)
        except Unavailable as error:
            logger.error("call %s: that a person took it is not stored: %s", self._call, error)

    async def talk(self, next: Next) -> None:
        """Return when the person has hung up; when the caller has, `next` raises."""
        try:
            while not isinstance(await next(), PhoneGone):
                pass
        except CallerGone:
            await self.part("caller")
            raise
        # When we are stopped instead they go on talking, and the next start finds them.
        await self.part("person")

    async def part(self, by: str) -> None:
        """The person's phone and the bridge end, and the log says who ended the talk."""
        phone = self.phone
        for act in (
            self._tools.telephone.hang_up(f"ag-{phone}"),
            self._tools.telephone.part(self._call),
        ):
            with contextlib.suppress(AriRefused, Unavailable):
                await act
        seconds = round(self._now - self._joined_at)
        parted = PeopleParted(call=self._call, leg=phone, by=by, seconds=seconds)
        await self._journal.append([parted])
