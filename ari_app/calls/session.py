"""One live call: answers, listens, speaks, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ari_app.agent.turn import Heard, Spoken, Turn
from ari_app.calls.adoption import Adoption, Course, asked_again, open_question
from ari_app.calls.closing import close, variables
from ari_app.calls.dialogue import Dialogue, Phase, Play, Signal, Stop
from ari_app.calls.ear import Ear
from ari_app.calls.instruments import Instruments
from ari_app.calls.journal import Journal
from ari_app.conversation.events import (
    AgentSpoke,
    AudioMissing,
    CallAnswered,
    CallEnded,
    CallerSilent,
    CallerSpoke,
    CallLeft,
    CallReceived,
    ConversationOpened,
    DisclosurePlayed,
    Event,
    HearingBack,
    HearingLost,
    KeyPressed,
    PromptInterrupted,
)
from ari_app.conversation.identity import E164, new_id
from ari_app.errors import (
    AriRefused,
    AsrLost,
    Conflict,
    LeaseLost,
    PbxUnavailable,
    SegueError,
    Unavailable,
)
from ari_app.ports import (
    Exit,
    FoundCall,
    IncomingCall,
    Line,
    TurnDetector,
    TurnSign,
    failpoint,
)

logger = logging.getLogger(__name__)

_TICK = 0.1
#: Stands for a key of a code.
_SECRET_KEY = "•"

# After the last packet of a goodbye: Asterisk must pass it on before its leg is deleted.
_LINGER = 0.1

# Seconds after the first word about it for which nothing may come from a caller's phone.
_NO_AUDIO = 10.0
_MOST_LEGS = 3  # media legs that a call may lose before it is given up


@dataclass(frozen=True, slots=True)
class _Segment:
    """A prompt that is ready to be played."""

    spoken: Spoken
    audio: bytes
    disclosure: bool = False


class _Gone(Exception):
    """The caller has hung up, or the call was taken from us."""


class _MediaGone(Enum):
    """A signal of its own: the leg must be made anew."""

    GONE = "gone"


class CallSession:
    """Runs one call. All of its life is in `run`; the rest only brings signals."""

    def __init__(
        self,
        call: IncomingCall,
        tools: Instruments,
        detector: TurnDetector,
        found: FoundCall | None = None,
    ) -> None:
        """`found`: the call was another worker's, and its conversation goes on."""
        now = tools.clock.now()
        self.id = found.call if found else new_id("call", now, os.urandom(10))
        self.channel = call.channel
        self._began = tools.clock.monotonic()
        self._incoming = call
        self._tools = tools
        self._detector = detector
        stream = found.conversation if found else new_id("conv", now, os.urandom(10))
        self._journal = Journal(tools.store, stream)
        self._found = found is not None
        self._closed = self._found  # whether the log is not ours to write
        self._dialogue: Dialogue[_Segment] = Dialogue(tools.no_input)
        # What has happened waits here as the event that it will be; None: the call is over.
        self._signals: asyncio.Queue[Signal | Event | _MediaGone | None] = asyncio.Queue()
        self._gone: str | None = None
        self._line: Line | None = None
        self._ear = Ear(
            self.id,
            tools.recognisers,
            on_words=self._partial,
            on_lost=lambda: self._signals.put_nowait(HearingLost(call=self.id)),
            on_back=lambda: self._signals.put_nowait(HearingBack(call=self.id)),
        )
        self._no_audio_until: float | None = None  # by then something must come from the phone
        self._silent_line = False  # nothing has come
        self._legs_lost = 0
        self._playing: _Segment | None = None
        self._speech_ended: float | None = None
        self._exit: Exit | None = None
        self._reason = ""
        self._evicted: tuple[Exit, str] | None = None
        self._keys_explained = False
        self._digits = ""  # keys of an answer that has several

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

    def media_gone(self) -> None:
        """The leg has ended by itself: neither side hears the other."""
        self._signals.put_nowait(_MediaGone.GONE)

    def heard(self, pcm: bytes, at: float) -> None:
        """Audio of the caller (port AudioSink)."""
        if self._silent_line:
            self._silent_line = False
            if self._ear.hears:
                self._signals.put_nowait(HearingBack(call=self.id))
        if not self._ear.hears:
            return
        self._ear.feed(pcm)
        self._follow_sign(self._detector.heard(pcm, at))

    def no_audio(self, at: float) -> None:
        """Nothing has come from the caller's phone (port AudioWatch)."""
        self._silent_line = True
        self._signals.put_nowait(AudioMissing(call=self.id))

    def _follow_sign(self, sign: TurnSign | None) -> None:
        match sign:
            case TurnSign.STARTED:
                self._dialogue.speech_started()
            case TurnSign.ENDED:
                self._speech_ended = self._detector.speech_ended_at
                self._follow(self._dialogue.speech_ended())
            case None:
                pass

    def prompt_ended(self, at: float) -> None:
        """A segment has been sent in full (port AudioSink)."""
        segment, self._playing = self._playing, None
        if segment is not None and segment.disclosure:
            wording = self._tools.agent.bundle.hash
            prompt = segment.spoken.prompt
            played = DisclosurePlayed(call=self.id, prompt=prompt, wording=wording)
            self._signals.put_nowait(played)
        self._follow(self._dialogue.segment_ended(at))

    def _partial(self, text: str) -> None:
        self._detector.partial(text, self._tools.clock.monotonic())
        if text:
            self._follow(self._dialogue.words(self._tools.clock.monotonic()))

    @property
    def _hearing(self) -> bool:
        return self._ear.hears and not self._silent_line

    # -- the life of a call ---------------------------------------------------------------------

    async def run(self) -> None:
        """From the first ring to the hand-off record; never raises."""
        cause = "done"
        ticker = asyncio.create_task(self._tick(), name=f"tick {self.id}")
        ticker.add_done_callback(self._tick_ended)
        try:
            await (self._resume() if self._found else self._begin())
            await self._talk()
        except _Gone:
            cause = self._gone or "gone"
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
            ],
            subject=subject,
            held=True,
        )
        failpoint("call.after_received")
        await self._tools.telephone.mark(self.channel, self._journal.stream, self.id)
        await self._greet(await self._connect(answered=False))

    async def _connect(self, *, answered: bool) -> list[Event]:
        """Audio both ways; the events of it that are not written yet."""
        self._line = await self._tools.lines.open(self, self._media_format)
        await self._ear.open()
        events: list[Event] = []
        if not answered:
            await self._tools.telephone.answer(self.channel)
            events.append(CallAnswered(call=self.id))
        await self._connect_media()
        if not self._ear.hears:
            events.append(HearingLost(call=self.id))
        return events

    @property
    def _media_format(self) -> str:
        return "slin16" if self._tools.recognisers.rate == 16000 else "ulaw"

    async def _connect_media(self) -> None:
        assert self._line is not None
        await self._tools.telephone.connect_media(
            self.channel,
            self.id,
            self._line.host,
            self._line.port,
            self._media_format,
            self._line.connect,
        )

    async def _greet(self, events: Sequence[Event]) -> None:
        await self._journal.append([*events, self._tools.agent.open_question()])
        failpoint("call.after_answered")
        disclosure, question = self._tools.agent.greeting()
        first = await self._segment(disclosure, disclosure=True)
        self._say([(first, False), (await self._segment(question), True)], leave=False)

    # -- a call that another worker had -----------------------------------------------------------

    async def _resume(self) -> None:
        """Go on where the log ends; the caller has heard nothing since."""
        plan = await self._journal.adopt(self.id)
        self._tools.meter.count("segue_calls_adopted_total", how=plan.course.value)
        self._closed = plan.course is Course.CLOSED
        if self._closed:
            self._evicted = Exit.ERROR, "the call was over"
            self._signals.put_nowait(None)
            return
        logger.warning("call %s of a worker that is gone goes on here", self.id)
        events = await self._connect(answered=plan.answered)
        match plan.course:
            case Course.GREET:
                await self._greet(events)
            case Course.LEAVE:
                await self._journal.append(events)
                await self._say_goodbye(plan)
            case _:
                await self._journal.append(events)
                await self._ask_again()

    async def _say_goodbye(self, plan: Adoption) -> None:
        self._exit = Exit.HANDOFF if plan.people else Exit.DONE
        self._reason = plan.people or "decided before"
        self._say([(await self._segment(s), True) for s in plan.say], leave=True)

    async def _ask_again(self) -> None:
        """Nobody knows what the caller has heard last: the open question, once more."""
        bundle, state = self._tools.agent.bundle, self._journal.state
        if open_question(bundle, state) is None:
            await self._journal.append([self._tools.agent.open_question()])
        if not self._hearing:
            await self._explain_keys()
            return
        spoken = asked_again(bundle, self._journal.state)
        question = bundle.questions[self._journal.state.question or bundle.opening]
        self._detector.expect(question.profile)
        self._say([(await self._segment(s), True) for s in spoken], leave=False)
        await self._journal.append(
            [AgentSpoke(call=self.id, prompt=s.prompt, text=s.text) for s in spoken]
        )

    async def _new_leg(self) -> None:
        self._legs_lost += 1
        if self._legs_lost > _MOST_LEGS:
            raise PbxUnavailable("Asterisk ends the media leg again and again")
        logger.warning("call %s has lost its media leg: it gets another", self.id)
        await self._connect_media()
        if not self._dialogue.must_be_heard:
            self._interrupt(self._dialogue.key())
            await self._ask_again()

    def _fail(self, cause: str) -> str:
        """The dialplan apologises and finds people, unless they expect the caller already."""
        if self._exit is not Exit.HANDOFF:
            self._exit = Exit.ERROR
        return cause

    async def _talk(self) -> None:
        while self._dialogue.phase is not Phase.OVER:
            signal = await self._signals.get()
            if self._gone is not None:
                raise _Gone
            if self._evicted is not None:
                self._exit, self._reason = self._evicted
                return
            if signal is not None:
                await self._take(signal)
        await asyncio.sleep(_LINGER)

    async def _take(self, signal: Signal | Event | _MediaGone) -> None:
        match signal:
            case Signal.TAKE_WORDS:
                await self._take_words()
            case Signal.TAKE_SILENCE if self._dialogue.phase is Phase.THINKING:
                self._speech_ended = None
                if self._digits:
                    await self._take_digits()
                else:
                    await self._journal.append([CallerSilent(call=self.id)])
                    await self._decide(Heard("voice", "silence"))
            case Signal():
                pass
            case HearingLost() | AudioMissing():
                self._dialogue.deaf()
                await self._journal.append([signal])
                if isinstance(signal, AudioMissing):
                    self._no_audio_until = self._tools.clock.monotonic() + _NO_AUDIO
                await self._explain_keys()
            case HearingBack():
                self._keys_explained = False
                await self._journal.append([signal])
            case _MediaGone():
                await self._new_leg()
            case DisclosurePlayed():
                await self._journal.append([signal])
                if not self._hearing:
                    await self._explain_keys()
            case KeyPressed(key=key):
                self._no_audio_until = None  # whoever presses keys hears us
                if self._dialogue.takes_keys:
                    await self._take_key(key)
            case _:
                await self._journal.append([signal])

    async def _take_key(self, key: str) -> None:
        wanted = self._tools.agent.keys_of_an_answer(self._journal.state)
        if wanted == 1 or (not self._digits and not key.isdecimal()):
            stopped = self._interrupt(self._dialogue.key())
            await self._journal.append([*stopped, KeyPressed(call=self.id, key=key)])
            self._speech_ended = self._tools.clock.monotonic()
            await self._decide(Heard("voice", "key", key))
            return
        if key.isdecimal():
            self._digits += key
        stopped = self._interrupt(self._dialogue.digit(self._tools.clock.monotonic()))
        # What proves who somebody is stands in no log.
        await self._journal.append([*stopped, KeyPressed(call=self.id, key=_SECRET_KEY)])
        if key == "#" or len(self._digits) >= wanted:
            self._dialogue.key()
            await self._take_digits()

    async def _take_digits(self) -> None:
        """The keys that came are the answer, as many as they are."""
        given, self._digits = self._digits, ""
        self._speech_ended = self._tools.clock.monotonic()
        await self._decide(Heard("voice", "key", given))

    async def _explain_keys(self) -> None:
        """Once, without cutting off what must be heard."""
        if self._keys_explained or self._dialogue.must_be_heard:
            return
        self._keys_explained = True
        if stopped := self._interrupt(self._dialogue.key()):
            await self._journal.append(stopped)
        await self._decide(Heard("voice", "hearing_lost"))

    async def _take_words(self) -> None:
        # A key that came first has made the turn: then the words are a fact, but no turn.
        turn = self._dialogue.phase is Phase.THINKING
        try:
            utterance = await self._ear.finish()
        except AsrLost:
            return  # on_lost has queued what follows
        now = self._tools.clock.monotonic()
        if not utterance.text:
            self._follow(self._dialogue.nothing_said(now))
            return
        ended = self._speech_ended or now
        self._tools.meter.observe("segue_endpointing_delay_seconds", now - ended)
        self._tools.meter.observe("segue_asr_confidence", utterance.confidence)
        await self._journal.append(
            [
                CallerSpoke(
                    call=self.id,
                    text=utterance.text,
                    words=tuple((w.text, w.start, w.end, w.confidence) for w in utterance.words),
                    confidence=round(utterance.confidence, 4),
                    endpoint_ms=round((now - ended) * 1000),
                )
            ]
        )
        if turn:
            self._digits = ""  # they say it instead
            await self._decide(Heard("voice", "speech", utterance.text, utterance.confidence))

    async def _decide(self, heard: Heard) -> None:
        while True:
            turn = self._tools.agent.take_turn(self._journal.stream, self._journal.state, heard)
            try:
                await self._journal.append(
                    turn.events, decision=True, effects=turn.effects, timers=turn.timers
                )
                break
            except Conflict:
                await self._journal.catch_up()
        failpoint("call.after_decision")
        self._tools.meter.count("segue_decisions_total", action=turn.decision.rule)
        await self._speak(turn)

    async def _speak(self, turn: Turn) -> None:
        leave = turn.end or turn.people is not None
        if leave:
            self._exit = Exit.HANDOFF if turn.people else Exit.DONE
            self._reason = turn.people or turn.decision.rule
        segments = [(await self._segment(s), True) for s in turn.speech]
        self._detector.expect(turn.profile)
        self._say(segments, leave=leave)
        if self._playing is not None:
            # Only the first prompt answers the caller; it is on the wire at the next 20 ms.
            now = self._tools.clock.monotonic()
            waited = None if self._speech_ended is None else now - self._speech_ended
            if waited is not None:
                self._tools.meter.observe("segue_turn_response_seconds", waited)
            self._speech_ended = None
            answer_ms = None if waited is None else round(waited * 1000)
            spoke = [
                AgentSpoke(
                    call=self.id,
                    prompt=s.spoken.prompt,
                    text=s.spoken.text,
                    answer_ms=answer_ms if i == 0 else None,
                )
                for i, (s, _) in enumerate(segments)
            ]
            await self._journal.append(spoke)

    async def _finish(self, cause: str) -> None:
        """Free everything, tell the dialplan, and write the hand-off record."""
        statistics: dict[str, int] = {}
        if self._line is not None:
            trunk = {} if self._gone else await self._tools.telephone.trunk_audio(self.channel)
            statistics = self._tools.with_trunk(self._line.statistics(), trunk)
        with contextlib.suppress(AriRefused, Unavailable):
            await self._tools.telephone.release(self.id)
        exit = self._exit or Exit.ERROR
        left = False
        if self._gone is None:
            try:
                await self._tools.telephone.leave(
                    self.channel, exit, variables(self._journal, self._reason)
                )
                left = True
            except (AriRefused, Unavailable) as error:
                logger.warning("call %s could not be given back: %s", self.id, error)
        await self._ear.aclose()
        if self._line is not None:
            await self._line.aclose()
        last: list[Event] = []
        if left:
            last.append(CallLeft(call=self.id, exit=exit.value, reason=self._reason or cause))
        last.append(CallEnded(call=self.id, cause=cause, statistics=statistics))
        duration = self._tools.clock.monotonic() - self._began
        self._tools.meter.observe("segue_call_duration_seconds", duration)
        self._tools.meter.count("segue_calls_total", outcome=exit.value if left else "hangup")
        if self._closed:
            return
        try:
            await close(self._journal, self._tools.agent, self._exit, self._reason, last)
        except (Unavailable, LeaseLost) as error:
            logger.error("the end of call %s could not be stored: %s", self.id, error)

    # -- speaking -------------------------------------------------------------------------------

    async def _segment(self, spoken: Spoken, *, disclosure: bool = False) -> _Segment:
        audio = await self._tools.voice.speak(spoken.text, self._journal.state.language)
        return _Segment(spoken, audio, disclosure)

    def _say(self, segments: Sequence[tuple[_Segment, bool]], *, leave: bool) -> None:
        now = self._tools.clock.monotonic()
        self._follow(self._dialogue.say(segments, now, leave=leave))

    def _follow(self, steps: Sequence[Play[_Segment] | Stop[_Segment] | Signal]) -> None:
        for step in steps:
            match step:
                case Play(segment=segment):
                    self._playing = segment
                    if self._line is not None:
                        self._line.play(segment.audio)
                case Stop():
                    for cut in self._interrupt([step]):
                        self._signals.put_nowait(cut)
                case Signal.LISTEN:
                    pass
                case Signal():
                    self._signals.put_nowait(step)

    def _interrupt(self, stops: Sequence[Stop[_Segment]]) -> list[PromptInterrupted]:
        cuts = []
        for stop in stops:
            after = self._line.stop() if self._line else 0
            self._playing = None
            prompt = stop.segment.spoken.prompt
            cuts.append(PromptInterrupted(call=self.id, prompt=prompt, after_ms=after))
            self._tools.meter.count("segue_barge_in_total")
        return cuts

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            now = self._tools.clock.monotonic()
            if self._ear.hears:
                self._follow_sign(self._detector.poll(now))
            self._follow(self._dialogue.tick(now))
            if self._silent_line and self._no_audio_until and now >= self._no_audio_until:
                self._no_audio_until = None
                self.evict(Exit.ERROR, "no audio comes from the phone")

    def _tick_ended(self, ticker: asyncio.Task[None]) -> None:
        """Without a sense of time a silent caller would wait for ever."""
        if not ticker.cancelled() and (error := ticker.exception()) is not None:
            logger.error("call %s lost its sense of time", self.id, exc_info=error)
            self.evict(Exit.ERROR, "a fault of ours")
