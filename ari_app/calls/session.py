"""One live call: begins, or is taken over; goes on until it ends; and leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence

from ari_app.calls.adoption import Course
from ari_app.calls.callbacks import Attempt
from ari_app.calls.closing import Ending, close, count, give_back
from ari_app.calls.dialogue import Phase, Signal
from ari_app.calls.ear import Ear
from ari_app.calls.inbox import Inbox
from ari_app.calls.instruments import Instruments
from ari_app.calls.journal import Journal
from ari_app.calls.leg import Leg
from ari_app.calls.mouth import Mouth
from ari_app.calls.nobody import Nobody
from ari_app.calls.people import People
from ari_app.calls.reaching import Reaching
from ari_app.calls.recording import CallRecording, RecordingEvent
from ari_app.calls.returning import Return
from ari_app.calls.signals import CallerGone, Evicted, OfPhone, PhoneGone, PhoneKey, Sign, Told
from ari_app.calls.talk import Talk
from ari_app.conversation.events import (
    AudioMissing,
    CallAnswered,
    CallReceived,
    ConversationOpened,
    Event,
    HearingBack,
    HearingLost,
    KeyPressed,
)
from ari_app.conversation.identity import E164, new_id
from ari_app.errors import SegueError
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
        self._inbox = Inbox()
        self._recording = CallRecording(self.id, stream, tools, self._inbox.put)
        self._journal = Journal(tools.store, stream, self._recording.follow)
        self._found = found is not None
        self._closed = self._found  # whether the log is not ours to write
        self._nothing_left = False  # to be done when it is over
        self._back = Return(back, tools, self._journal) if back else None
        self._exit: Exit | None = None  # to the dialplan, if not as it was decided
        self._leg = Leg(self.id, self.channel, tools)
        self._reaching = Reaching(
            self.id,
            self.channel,
            tools,
            self._journal,
            self._leg,
            found.person if found else "",
            self._inbox.put,
        )
        self._mouth = Mouth(self.id, tools, self._inbox.put, on_listening=self._recording.listening)
        self._ear = Ear(
            self.id,
            tools.recognisers,
            on_words=self._partial,
            on_lost=lambda: self._inbox.put(HearingLost(call=self.id)),
            on_back=lambda: self._inbox.put(HearingBack(call=self.id)),
        )
        self._talk = Talk(self.id, tools, detector, self._journal, self._mouth, self._ear)

    # -- what others tell us --------------------------------------------------------------------

    def key_pressed(self, key: str) -> None:
        """A DTMF key."""
        self._inbox.put(KeyPressed(call=self.id, key=key))

    def caller_gone(self, cause: str) -> None:
        """The channel is not ours any more."""
        self._inbox.caller_gone(cause)

    def evict(self, exit: Exit, reason: str) -> None:
        """Give the call to the dialplan now."""
        self._inbox.evict(exit, reason)

    @property
    def phone(self) -> str:
        """The id of the phone that rings for the caller, or that they talk with; "" if none."""
        return self._reaching.phone if self.is_up else self.id

    @property
    def is_up(self) -> bool:
        """Whether somebody is on the line: else they are being called."""
        return self._back is None or self._back.answered

    def phone_answered(self) -> None:
        """The phone was picked up."""
        self._inbox.put(OfPhone(self.phone, Sign.ANSWERED))

    def phone_gone(self, cause: int, status: int) -> None:
        """The phone is there no more."""
        self._inbox.put(OfPhone(self.phone, PhoneGone(cause, status)))

    def phone_key(self, key: str) -> None:
        """The person pressed a key."""
        self._inbox.put(OfPhone(self.phone, PhoneKey(key)))

    def media_gone(self) -> None:
        """The leg has ended by itself: neither side hears the other."""
        self._inbox.put(Sign.MEDIA_GONE)

    def heard(self, pcm: bytes, at: float) -> None:
        """Audio of the caller (port AudioSink)."""
        if self._waits is not None:
            return  # nobody listens for words now
        if self._talk.silent_line:
            self._talk.silent_line = False
            if self._ear.hears:
                self._inbox.put(HearingBack(call=self.id))
        if not self._ear.hears:
            return
        self._ear.feed(pcm)
        self._talk.follow_sign(self._detector.heard(pcm, at))

    def no_audio(self, at: float) -> None:
        """Nothing has come from the caller's phone (port AudioWatch)."""
        self._talk.silent_line = True
        self._inbox.put(AudioMissing(call=self.id))

    def sent(self, pcm: bytes, at: float) -> None:
        """What the caller hears of us (port EchoWatch)."""
        self._detector.played(pcm)

    def prompt_ended(self, at: float) -> None:
        """A segment has been sent in full (port AudioSink)."""
        if self._waits is None:
            self._mouth.ended(at)
        elif self._unconfirmed or self._reaching.caller_heard(at):
            self._inbox.put(Sign.SPOKEN)

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
            cause = self._inbox.gone or "gone"
        except Evicted:
            assert self._inbox.evicted is not None, "only an eviction raises it"
            exit, self._talk.reason = self._inbox.evicted
            if self._reaching.begun:  # the record for people has been made
                self._exit = exit
            else:
                self._talk.exit = exit
        except asyncio.CancelledError:
            cause = self._fail("cancelled")
        except SegueError as error:
            cause = self._fail("error")
            if self._inbox.gone is None:
                logger.error("call %s goes to the dialplan: %s", self.id, error)
            else:
                cause = self._inbox.gone
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
            self._inbox.gone = self._inbox.gone or "not confirmed"
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
        if self._reaching.met:
            self._talk.exit, self._talk.reason = Exit.HANDOFF, plan.people or ""
            await self._reaching.go_on(self._talk.reason, self._next)
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
        """What has happened next and is for the talk, or who waits; CallerGone, Evicted."""
        while True:
            happening = await self._inbox.next()
            if isinstance(happening, OfPhone):
                if happening.phone == self.phone:  # else of one that is not waited for any more
                    return happening.told
            elif isinstance(happening, RecordingEvent):
                await self._journal.append([happening])
            elif happening is Sign.MEDIA_GONE and self._waits is not None:
                if not self._reaching.joined:
                    await self._leg.connect_again()
            else:
                return happening

    async def _to_people(self) -> None:
        """Where the policy names phones of people, bring the caller to one, or fall back."""
        if self._talk.exit is not Exit.HANDOFF or not self._tools.agent.bundle.reach.agents:
            return
        self._recording.stop("people")
        await self._ear.aclose()  # who waits is heard by keys
        await self._reaching.bring(self._talk.reason, self._next)
        await asyncio.sleep(_LINGER)

    async def _finish(self, cause: str) -> None:
        """Free everything, tell the dialplan, and write the hand-off record."""
        self._recording.stop("people" if self._talk.exit is Exit.HANDOFF else "call_ended")
        if self._nothing_left or self._reaching.left_alone:
            await self._free()
            return
        gone = self._inbox.gone is not None
        statistics = await self._leg.statistics(gone=gone)
        await self._leg.release()
        exit = self._exit or self._reaching.exit or self._talk.exit or Exit.ERROR
        tools, journal, reason = self._tools, self._journal, self._talk.reason
        left = not gone and await give_back(tools, journal, self.id, self.channel, exit, reason)
        await self._free()
        end = Ending(
            call=self.id,
            cause=cause,
            reason=reason,
            exit=self._talk.exit,
            left=exit if left else None,
            statistics=statistics,
            seconds=tools.clock.monotonic() - self._began,
        )
        count(tools, end)
        if not self._closed:
            await close(tools, journal, end, self._inbox.untold())

    async def _free(self) -> None:
        """Our side of everything ends."""
        await self._talk.aclose()
        await self._ear.aclose()
        await self._leg.aclose()
        await self._recording.aclose()

    @property
    def _unconfirmed(self) -> Return | None:
        """Whoever picked up the phone that we let ring has not said yet that it is them."""
        return self._back if self._back and not self._back.confirmed else None

    @property
    def _waits(self) -> Nobody | People | Return | None:
        """Who has a sense of time of their own now."""
        return self._reaching.waits or self._unconfirmed

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            now = self._tools.clock.monotonic()
            if self._ear.hears:
                self._talk.follow_sign(self._detector.poll(now))
            self._mouth.follow(self._mouth.dialogue.tick(now))
            if waits := self._waits:
                if waits.due(now):
                    self._inbox.put(Sign.DUE)
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
