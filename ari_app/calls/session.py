"""One live call: answers, listens, speaks, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

from ari_app.agent.turn import Agent, Heard, Spoken, Turn
from ari_app.calls.dialogue import Dialogue, Phase, Play, Signal, Stop
from ari_app.calls.journal import Journal
from ari_app.conversation.events import (
    AgentSpoke,
    CallAnswered,
    CallEnded,
    CallerSilent,
    CallerSpoke,
    CallLeft,
    CallReceived,
    ConversationOpened,
    DisclosurePlayed,
    Event,
    HearingLost,
    KeyPressed,
    PromptInterrupted,
)
from ari_app.conversation.identity import E164, new_id
from ari_app.errors import AriRefused, AsrLost, Conflict, LeaseLost, SegueError, Unavailable
from ari_app.ports import (
    Clock,
    Effect,
    Exit,
    IncomingCall,
    Line,
    Lines,
    Meter,
    Recogniser,
    Recognisers,
    Store,
    Telephone,
    TurnDetector,
    TurnSign,
    Utterance,
    Voice,
    failpoint,
)
from ari_app.projections.persons import Persons

logger = logging.getLogger(__name__)

_TICK = 0.1
#: Stands for a key of a code.
_SECRET_KEY = "•"

# After the last packet of a goodbye: Asterisk must pass it on before its leg is deleted.
_LINGER = 0.1


@dataclass(frozen=True, slots=True)
class Instruments:
    """What every call works with."""

    telephone: Telephone
    lines: Lines
    recognisers: Recognisers
    voice: Voice
    agent: Agent
    store: Store
    persons: Persons
    clock: Clock
    meter: Meter
    subject_key: bytes
    region: str | None  # how national numbers of callers are read
    no_input: float  # seconds of silence that are an answer


@dataclass(frozen=True, slots=True)
class _Segment:
    """A prompt that is ready to be played."""

    spoken: Spoken
    audio: bytes
    disclosure: bool = False


class _Gone(Exception):
    """The caller has hung up, or the call was taken from us."""


class CallSession:
    """Runs one call. All of its life is in `run`; the rest only brings signals."""

    def __init__(self, call: IncomingCall, tools: Instruments, detector: TurnDetector) -> None:
        now = tools.clock.now()
        self.id = new_id("call", now, os.urandom(10))
        self.channel = call.channel
        self._began = tools.clock.monotonic()
        self._incoming = call
        self._tools = tools
        self._detector = detector
        self._journal = Journal(tools.store, new_id("conv", now, os.urandom(10)))
        self._dialogue: Dialogue[_Segment] = Dialogue(tools.no_input)
        # What has happened waits here as the event that it will be; None: the call is over.
        self._signals: asyncio.Queue[Signal | Event | None] = asyncio.Queue()
        self._gone: str | None = None
        self._line: Line | None = None
        self._recogniser: Recogniser | None = None
        self._hearing = False
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

    def heard(self, pcm: bytes, at: float) -> None:
        """Audio of the caller (port AudioSink)."""
        if self._recogniser is None or not self._hearing:
            return
        self._recogniser.feed(pcm)
        self._follow_sign(self._detector.heard(pcm, at))

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

    def _asr_lost(self) -> None:
        if self._hearing:
            self._hearing = False
            self._signals.put_nowait(HearingLost(call=self.id))

    # -- the life of a call ---------------------------------------------------------------------

    async def run(self) -> None:
        """From the first ring to the hand-off record; never raises."""
        cause = "done"
        ticker = asyncio.create_task(self._tick(), name=f"tick {self.id}")
        ticker.add_done_callback(self._tick_ended)
        try:
            await self._begin()
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
        wide = self._tools.recognisers.rate == 16000
        media_format = "slin16" if wide else "ulaw"
        self._line = await self._tools.lines.open(self, media_format)
        try:
            self._recogniser = await self._tools.recognisers.open(self._partial, self._asr_lost)
            self._hearing = True
        except AsrLost as error:
            logger.error("call %s starts without speech recognition: %s", self.id, error)
        await self._tools.telephone.answer(self.channel)
        peer = await self._tools.telephone.connect_media(
            self.channel, self.id, self._line.host, self._line.port, media_format
        )
        self._line.connect(peer)
        lost = [HearingLost(call=self.id)] if self._recogniser is None else []
        opening = self._tools.agent.open_question()
        await self._journal.append([CallAnswered(call=self.id), *lost, opening])
        failpoint("call.after_answered")
        disclosure, question = self._tools.agent.greeting()
        first = await self._segment(disclosure, disclosure=True)
        self._say([(first, False), (await self._segment(question), True)], leave=False)

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

    async def _take(self, signal: Signal | Event) -> None:
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
            case HearingLost():
                self._dialogue.deaf()
                await self._journal.append([signal])
                await self._explain_keys()
            case DisclosurePlayed():
                await self._journal.append([signal])
                if not self._hearing:
                    await self._explain_keys()
            case KeyPressed(key=key):
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
            utterance = await self._finish_utterance()
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

    async def _finish_utterance(self) -> Utterance:
        if self._recogniser is None:
            raise AsrLost("there is no recogniser")
        return await self._recogniser.finish()

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
        statistics = self._line.statistics() if self._line else {}
        with contextlib.suppress(AriRefused, Unavailable):
            await self._tools.telephone.release(self.id)
        exit = self._exit or Exit.ERROR
        left = False
        if self._gone is None:
            try:
                await self._tools.telephone.leave(self.channel, exit, self._variables())
                left = True
            except (AriRefused, Unavailable) as error:
                logger.warning("call %s could not be given back: %s", self.id, error)
        if self._recogniser is not None:
            await self._recogniser.aclose()
        if self._line is not None:
            await self._line.aclose()
        last: list[Event] = []
        if left:
            last.append(CallLeft(call=self.id, exit=exit.value, reason=self._reason or cause))
        last.append(CallEnded(call=self.id, cause=cause, statistics=statistics))
        duration = self._tools.clock.monotonic() - self._began
        self._tools.meter.observe("segue_call_duration_seconds", duration)
        self._tools.meter.count("segue_calls_total", outcome=exit.value if left else "hangup")
        try:
            await self._close(last)
        except (Unavailable, LeaseLost) as error:
            logger.error("the end of call %s could not be stored: %s", self.id, error)

    async def _close(self, last: list[Event]) -> None:
        """The end and its hand-off record in one append; one record has been made for people."""
        await self._journal.catch_up()
        effects: list[Effect] = []
        if self._exit is not Exit.HANDOFF:
            outcome = "text promised" if self._journal.state.messages else "ended without a text"
            recorded, effect = self._tools.agent.hand_off(
                self._journal.stream,
                self._journal.state,
                outcome,
                self._reason or "the call is over",
            )
            last.append(recorded)
            effects.append(effect)
        await self._journal.append(last, effects=effects, held=False)
        failpoint("call.after_ended")

    def _variables(self) -> dict[str, str]:
        """What the dialplan and the person who takes the call may see: no words of the caller."""
        brief = " ".join(filter(None, (self._journal.state.topic, self._reason)))
        return {"SEGUE_CONVERSATION": self._journal.stream, "SEGUE_BRIEF": brief[:200]}

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
            if self._hearing:
                self._follow_sign(self._detector.poll(now))
            self._follow(self._dialogue.tick(now))

    def _tick_ended(self, ticker: asyncio.Task[None]) -> None:
        """Without a sense of time a silent caller would wait for ever."""
        if not ticker.cancelled() and (error := ticker.exception()) is not None:
            logger.error("call %s lost its sense of time", self.id, exc_info=error)
            self.evict(Exit.ERROR, "a fault of ours")
