"""One live call: begins, or is taken over; goes on until it ends; and leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence

from ari_app.calls.adoption import Adoption, Course
from ari_app.calls.callbacks import Attempt
from ari_app.calls.closing import close, variables
from ari_app.calls.dialogue import Phase, Signal
from ari_app.calls.ear import Ear
from ari_app.calls.instruments import Instruments
from ari_app.calls.journal import Journal
from ari_app.calls.leg import Leg
from ari_app.calls.mouth import Mouth
from ari_app.calls.nobody import Nobody
from ari_app.calls.people import People
from ari_app.calls.recording import CallRecording, RecordingEvent
from ari_app.calls.returning import Return
from ari_app.calls.signals import CallerGone, Evicted, OfPhone, PhoneGone, PhoneKey, Sign, Told
from ari_app.calls.talk import Talk
from ari_app.conversation.events import (
    AudioMissing,
    CallAnswered,
    CallEnded,
    CallLeft,
    CallReceived,
    ConversationOpened,
    Event,
    HearingBack,
    HearingLost,
    KeyPressed,
)
from ari_app.conversation.identity import E164, new_id
from ari_app.errors import AriRefused, LeaseLost, SegueError, Unavailable
from ari_app.ports import Exit, FoundCall, IncomingCall, TurnDetector, failpoint

logger = logging.getLogger(__name__)

_TICK = 0.1

# After the last packet of a goodbye: Asterisk must pass it on before its leg is deleted.
_LINGER = 0.1


class CallSession:
    """Runs one call. All of its life is in `run`; the rest only brings signals."""

    def __init__(
        self,
        call: IncomingCall,
        tools: Instruments,
        detector: TurnDetector,
        found: FoundCall | None = None,
        back: Attempt | None = None,
    ) -> None:
        """`found`: the call was another worker's, and its conversation goes on.

        `back`: nobody is on the line yet; somebody is called, and their conversation goes on.
        """
        now = tools.clock.now()
        known = found or back
        self.id = known.call if known else new_id("call", now, os.urandom(10))
        self.channel = call.channel
        self._began = tools.clock.monotonic()
        self._incoming = call
        self._tools = tools
        self._detector = detector
        stream = found.conversation if found else back.stream if back else ""
        stream = stream or new_id("conv", now, os.urandom(10))
        # What has happened waits here as the event that it will be; None: the call is over.
        self._signals: asyncio.Queue[Signal | Event | Told | OfPhone | None] = asyncio.Queue()
        self._recording = CallRecording(self.id, stream, tools, self._signals.put_nowait)
        self._journal = Journal(tools.store, stream, self._recording.follow)
        self._found = found is not None
        self._closed = self._found  # whether the log is not ours to write
        self._gone: str | None = None
        self._evicted: tuple[Exit, str] | None = None
        self._nothing_left = False  # to be done when it is over
        self._back = Return(back, tools, self._journal) if back else None
        self._exit: Exit | None = None  # to the dialplan, if not as it was decided
        self._people: People | None = None
        self._nobody: Nobody | None = None
        self._person = found.person if found else ""
        self._leg = Leg(self.id, self.channel, tools)
        self._mouth = Mouth(
            self.id, tools, self._signals.put_nowait, on_listening=self._recording.listening
        )
        self._ear = Ear(
            self.id,
            tools.recognisers,
            on_words=self._partial,
            on_lost=lambda: self._signals.put_nowait(HearingLost(call=self.id)),
            on_back=lambda: self._signals.put_nowait(HearingBack(call=self.id)),
        )
        self._talk = Talk(self.id, tools, detector, self._journal, self._mouth, self._ear)

    # -- what others tell us --------------------------------------------------------------------

    def key_pressed(self, key: str) -> None:
        """A DTMF key."""
        self._signals.put_nowait(KeyPressed(call=self.id, key=key))

    def caller_gone(self, cause: str) -> None:
        """The channel is not ours any more."""
        if self._gone is None:
            self._gone = cause
            self._signals.put_nowait(None)

    def evict(self, exit: Exit, reason: str) -> None:
        """Give the call to the dialplan now."""
        self._evicted = exit, reason
        self._signals.put_nowait(None)

    @property
    def phone(self) -> str:
        """The id of the phone that rings for the caller, or that they talk with; "" if none."""
        if not self.is_up:
            return self.id
        return self._people.phone if self._people else self._person.partition("-")[2]

    @property
    def is_up(self) -> bool:
        """Whether somebody is on the line: else they are being called."""
        return self._back is None or self._back.answered

    def phone_answered(self) -> None:
        """The phone was picked up."""
        self._signals.put_nowait(OfPhone(self.phone, Sign.ANSWERED))

    def phone_gone(self, cause: int, status: int) -> None:
        """The phone is there no more."""
        self._signals.put_nowait(OfPhone(self.phone, PhoneGone(cause, status)))

    def phone_key(self, key: str) -> None:
        """The person pressed a key."""
        self._signals.put_nowait(OfPhone(self.phone, PhoneKey(key)))

    def media_gone(self) -> None:
        """The leg has ended by itself: neither side hears the other."""
        self._signals.put_nowait(Sign.MEDIA_GONE)

    def heard(self, pcm: bytes, at: float) -> None:
        """Audio of the caller (port AudioSink)."""
        if self._waits is not None:
            return  # nobody listens for words now
        if self._talk.silent_line:
            self._talk.silent_line = False
            if self._ear.hears:
                self._signals.put_nowait(HearingBack(call=self.id))
        if not self._ear.hears:
            return
        self._ear.feed(pcm)
        self._talk.follow_sign(self._detector.heard(pcm, at))

    def no_audio(self, at: float) -> None:
        """Nothing has come from the caller's phone (port AudioWatch)."""
        self._talk.silent_line = True
        self._signals.put_nowait(AudioMissing(call=self.id))

    def prompt_ended(self, at: float) -> None:
        """A segment has been sent in full (port AudioSink)."""
        if self._nobody is not None or (self._back is not None and not self._back.confirmed):
            self._signals.put_nowait(Sign.SPOKEN)
        elif self._people is not None:
            self._people.caller_heard(at)
        else:
            self._mouth.ended(at)

    def _partial(self, text: str) -> None:
        self._detector.partial(text, self._tools.clock.monotonic())
        self._talk.understood(text)

    # -- the life of a call ---------------------------------------------------------------------

    async def run(self) -> None:
        """From the first ring to the hand-off record; never raises."""
        cause = "done"
        ticker = asyncio.create_task(self._tick(), name=f"tick {self.id}")
        ticker.add_done_callback(self._tick_ended)
        try:
            if self._back is not None:
                if not await self._call_back(self._back):
                    return
            elif not self._found:
                await self._begin()
            elif not await self._resume():
                return
            await self._go_on()
            await self._to_people()
        except CallerGone:
            cause = self._gone or "gone"
        except Evicted:
            assert self._evicted is not None, "only an eviction raises it"
            exit, self._talk.reason = self._evicted
            if self._people is None:
                self._talk.exit = exit
            else:  # the record for people has been made
                self._exit = exit
        except asyncio.CancelledError:
            cause = self._fail("cancelled")
        except SegueError as error:
            cause = self._fail("error")
            if self._gone is None:
                logger.error("call %s goes to the dialplan: %s", self.id, error)
            else:
                cause = self._gone
        except Exception:  # outermost of a call: its caller still gets a way out
            cause = self._fail("error")
            logger.exception("call %s failed", self.id)
        finally:
            ticker.cancel()
            await self._finish(cause)

    def _fail(self, cause: str) -> str:
        """The dialplan apologises and finds people, unless they expect the caller already."""
        if self._talk.exit is not Exit.HANDOFF:
            self._talk.exit = Exit.ERROR
        return cause

    async def _begin(self) -> None:
        number = E164.read(self._incoming.caller, self._tools.region)
        subject = number.subject(self._tools.subject_key) if number else None
        brought: Sequence[Event] = ()
        if subject is not None:
            highest = self._tools.agent.bundle.proofs.carry
            brought = await self._tools.persons.brings(subject, highest)
        await self._journal.append(
            [
                ConversationOpened(
                    channel="voice",
                    did=self._incoming.did,
                    language=self._tools.agent.bundle.language,
                    number=number.value if number else None,
                ),
                CallReceived(call=self.id, channel=self.channel, did=self._incoming.did),
                *brought,
                *self._tools.agent.first_language(self._incoming.did, brought),
            ],
            subject=subject,
            held=True,
        )
        failpoint("call.after_received")
        await self._tools.telephone.mark(self.channel, self._journal.stream, self.id)
        topic = await self._tools.telephone.topic(self.channel)
        await self._talk.greet(await self._connect(answered=False), topic)

    async def _call_back(self, back: Return) -> bool:
        """Ring, and go on when they have said that it is them; False: it is over."""
        self._talk.exit = Exit.HANDOFF  # a call of which people need no record, if it ends now
        self._exit = Exit.DONE
        self._nothing_left = True
        try:
            if not await back.ring(self._next):
                return False
        finally:  # whoever has picked up is on the line, also if we have failed since
            self._nothing_left = not back.answered
        events = await self._connect(answered=True)
        await self._journal.append(events)
        assert self._leg.line is not None, "it was connected"
        if not await back.confirm(self._leg.line, self._next):
            self._gone = self._gone or "not confirmed"
            return False
        self._talk.exit = self._exit = None
        await self._talk.ask_again(back.about())
        return True

    async def _connect(self, *, answered: bool) -> list[Event]:
        """Audio both ways; the events of it that are not written yet."""
        self._mouth.line = await self._leg.open(self)
        self._recording.use(self._mouth.line)
        await self._ear.open()
        events: list[Event] = []
        if not answered:
            await self._tools.telephone.answer(self.channel)
            events.append(CallAnswered(call=self.id))
        await self._leg.connect()
        if not self._ear.hears:
            events.append(HearingLost(call=self.id))
        return events

    async def _resume(self) -> bool:
        """Go on where the log ends; the caller has heard nothing since. False: it is over now."""
        plan = await self._journal.adopt(self.id)
        self._tools.meter.count("segue_calls_adopted_total", how=plan.course.value)
        self._closed = plan.course is Course.CLOSED
        if self._closed:
            self._talk.exit, self._talk.reason = Exit.ERROR, "the call was over"
            return False
        logger.warning("call %s of a worker that is gone goes on here", self.id)
        if self._person or self._journal.state.person:
            await self._resume_with_a_person(plan)
            return False
        events = await self._connect(answered=plan.answered)
        match plan.course:
            case Course.GREET:
                await self._talk.greet(events)
            case Course.LEAVE:
                await self._journal.append(events)
                exit = Exit.HANDOFF if plan.people else Exit.DONE
                await self._talk.say_goodbye(exit, plan.people or "decided before", plan.say)
            case _:
                await self._journal.append(events)
                await self._talk.ask_again()
        return True

    async def _go_on(self) -> None:
        """Take signals until all has been said."""
        while self._mouth.dialogue.phase is not Phase.OVER:
            signal = await self._next()
            if signal is Sign.MEDIA_GONE:
                await self._leg.connect_again()
                await self._talk.after_a_gap()
            elif isinstance(signal, Signal | Event):
                await self._talk.take(signal)
                await self._leg.look()
        await asyncio.sleep(_LINGER)

    async def _next(self) -> Signal | Event | Told:
        """What has happened next; CallerGone and Evicted go before all else."""
        while True:
            signal = await self._signals.get()
            if self._gone is not None:
                raise CallerGone
            if self._evicted is not None:
                raise Evicted
            if isinstance(signal, OfPhone):
                if signal.phone == self.phone:  # else of one that is not waited for any more
                    return signal.told
            elif isinstance(signal, RecordingEvent):
                await self._journal.append([signal])
            elif signal is Sign.MEDIA_GONE and self._waits is not None:
                if not (self._people and self._people.joined):
                    await self._leg.connect_again()
            elif signal is not None:
                return signal

    # -- people ---------------------------------------------------------------------------------

    async def _to_people(self) -> None:
        """Where the policy names phones of people, bring the caller to one, or fall back."""
        reach = self._tools.agent.bundle.reach
        if self._talk.exit is not Exit.HANDOFF or not reach.agents:
            return
        self._recording.stop("people")
        await self._ear.aclose()  # who waits is heard by keys
        people = self._people = self._people_of(self._talk.reason)
        chosen = await people.find(self._next)
        if people.joined:
            await self._talk_with_a_person(people)
            return
        assert self._leg.line is not None, "a caller who talked with us has a line"
        self._nobody = Nobody(
            self.id, self._tools, self._journal, self._leg.line, self._talk.reason
        )
        self._exit = await self._nobody.fall_back(chosen, people.missed, self._next)
        await asyncio.sleep(_LINGER)

    async def _resume_with_a_person(self, plan: Adoption) -> None:
        """The two have been talking all the while; or one of them has hung up meanwhile."""
        self._talk.exit, self._talk.reason = Exit.HANDOFF, plan.people or ""
        people = self._people = self._people_of(self._talk.reason)
        people.found(self.phone or self._journal.state.person or "")
        await self._leg.release()
        if self._person:
            await people.note_joined()
            await self._talk_with_a_person(people)
        else:
            self._exit = Exit.DONE
            await people.part("lost")

    async def _talk_with_a_person(self, people: People) -> None:
        self._exit = Exit.DONE
        try:
            await people.talk(self._next)
        except (Evicted, asyncio.CancelledError):
            self._nothing_left = True
            logger.warning("call %s goes on with a person, without us", self.id)
            raise

    def _people_of(self, reason: str) -> People:
        return People(
            self.id,
            self.channel,
            self._tools,
            self._journal,
            self._leg,
            reason,
            self._signals.put_nowait,
        )

    async def _finish(self, cause: str) -> None:
        """Free everything, tell the dialplan, and write the hand-off record."""
        self._recording.stop("people" if self._talk.exit is Exit.HANDOFF else "call_ended")
        if self._nothing_left:
            await self._ear.aclose()
            await self._leg.aclose()
            return
        statistics = await self._leg.statistics(gone=self._gone is not None)
        await self._leg.release()
        exit, reason = self._exit or self._talk.exit or Exit.ERROR, self._talk.reason
        left = False
        if self._gone is None:
            try:
                await self._tools.telephone.leave(
                    self.channel, exit, variables(self._journal, reason)
                )
                left = True
            except (AriRefused, Unavailable) as error:
                logger.warning("call %s could not be given back: %s", self.id, error)
        await self._talk.aclose()
        await self._ear.aclose()
        await self._leg.aclose()
        await self._recording.aclose()
        last: list[Event] = self._untold()
        if left:
            last.append(CallLeft(call=self.id, exit=exit.value, reason=reason or cause))
        last.append(CallEnded(call=self.id, cause=cause, statistics=statistics))
        duration = self._tools.clock.monotonic() - self._began
        self._tools.meter.observe("segue_call_duration_seconds", duration)
        self._tools.meter.count("segue_calls_total", outcome=exit.value if left else "hangup")
        if self._closed:
            return
        try:
            await close(self._journal, self._tools.agent, self._talk.exit, reason, last)
        except (Unavailable, LeaseLost) as error:
            logger.error("the end of call %s could not be stored: %s", self.id, error)

    def _untold(self) -> list[Event]:
        """What the recording told after the last signal was taken."""
        waiting = [self._signals.get_nowait() for _ in range(self._signals.qsize())]
        return [signal for signal in waiting if isinstance(signal, RecordingEvent)]

    @property
    def _waits(self) -> Nobody | People | Return | None:
        """Who has a sense of time of their own now."""
        unconfirmed = self._back if self._back and not self._back.confirmed else None
        return self._nobody or self._people or unconfirmed

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            now = self._tools.clock.monotonic()
            if self._ear.hears:
                self._talk.follow_sign(self._detector.poll(now))
            self._mouth.follow(self._mouth.dialogue.tick(now))
            if waits := self._waits:
                if waits.due(now):
                    self._signals.put_nowait(Sign.DUE)
                continue
            self._mouth.comfort(now)
            until = self._talk.no_audio_until
            if self._talk.silent_line and until and now >= until:
                self._talk.no_audio_until = None
                self.evict(Exit.ERROR, "no audio comes from the phone")

    def _tick_ended(self, ticker: asyncio.Task[None]) -> None:
        """Without a sense of time a silent caller would wait for ever."""
        if not ticker.cancelled() and (error := ticker.exception()) is not None:
            logger.error("call %s lost its sense of time", self.id, exc_info=error)
            self.evict(Exit.ERROR, "a fault of ours")
