"""Live calls between fakes at every port but the store, and a caller who is told what to do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from ari_app.agent.turn import Agent
from ari_app.calls.admission import Admission, Caps
from ari_app.calls.instruments import Instruments
from ari_app.calls.registry import Calls
from ari_app.conversation.events import Envelope, Event
from ari_app.errors import AriRefused, AsrLost, StoreUnavailable, Unavailable, VoiceUnavailable
from ari_app.media.quality import with_trunk
from ari_app.policy.bundle import Bundle
from ari_app.ports import (
    AS_USUAL,
    AudioSink,
    AudioWatch,
    Delivery,
    EchoWatch,
    Effect,
    Exit,
    Expectation,
    Fence,
    IncomingCall,
    Prompt,
    RecordingLabel,
    Tape,
    TapeEnd,
    Timer,
    TurnSign,
    Utterance,
    Word,
)
from ari_app.projections.persons import Persons
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore
from ari_app.telemetry.meter import PrometheusMeter
from ari_app.understanding.intents import Intents

PATIENCE = 30.0  # seconds; only a failing test ever waits so long
NO_INPUT = 6.0
CALLER = "+12025550123"
CHANNEL = "caller-1"

_STARTS, _RESTS, _ENDS = b"a voice", b"a short pause", b"a pause"
_SIGNS = {_STARTS: TurnSign.STARTED, _RESTS: TurnSign.PAUSED, _ENDS: TurnSign.ENDED}


class FakeClock:
    """Stands still until it is moved; knows how often it was looked at."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.ahead = 100_000.0  # of the wall clock
        self.looks = 0

    def now(self) -> int:
        return int((self.time + self.ahead) * 1e6)

    def monotonic(self) -> float:
        self.looks += 1
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock anew."""
        self.ahead += seconds


class Gates:
    """Every call at a port passes here: it is counted, can be kept waiting, and can be fateful."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self._fates: dict[int, Callable[[], None]] = {}
        self._open = asyncio.Event()
        self._open.set()

    def at(self, nth: int, fate: Callable[[], None]) -> None:
        """Let this happen while the nth call at a port is under way."""
        self._fates[nth] = fate

    def close(self) -> None:
        """Let nothing that is asked of a port be answered."""
        self._open.clear()

    @property
    def closed(self) -> bool:
        """Whether nothing is answered now."""
        return not self._open.is_set()

    def open(self) -> None:
        """Answer again."""
        self._open.set()

    async def through(self, name: str) -> None:
        self.passed.append(name)
        fate = self._fates.get(len(self.passed))
        await asyncio.sleep(0)
        if fate is not None:
            fate()
        await self._open.wait()


class FakeTelephone:
    """An Asterisk that does as it is told, for channels that are there."""

    def __init__(self, gates: Gates) -> None:
        self._gates = gates
        self.requests: list[tuple[str, ...]] = []
        self.left: dict[str, tuple[Exit, dict[str, str]]] = {}
        self.marked: dict[str, tuple[str, str]] = {}
        self.gone: set[str] = set()
        self.refuses: set[str] = set()
        self.topics: dict[str, str] = {}
        self.rung: list[tuple[str, str, str]] = []  # channel, endpoint, caller shown
        self.joined: dict[str, tuple[str, str]] = {}

    async def topic(self, channel: str) -> str:
        await self._gates.through("telephone.topic")
        return self.topics.get(channel, "")

    async def ring(self, channel: str, endpoint: str, caller: str, seconds: int) -> None:
        await self._asked("ring", channel)
        if endpoint in self.refuses:
            raise AriRefused(500, "originate", "Allocation failed")
        self.rung.append((channel, endpoint, caller))

    async def join(self, call: str, caller: str, person: str) -> None:
        await self._asked("join", person)
        self.joined[call] = caller, person

    async def part(self, call: str) -> None:
        await self._asked("part", call)
        self.joined.pop(call, None)

    async def answer(self, channel: str) -> None:
        await self._asked("answer", channel)

    async def trunk_audio(self, channel: str) -> dict[str, object]:
        with contextlib.suppress(AriRefused, Unavailable):
            await self._asked("trunk_audio", channel)
        return {"rxcount": 100, "rxploss": 1}

    async def mark(self, channel: str, conversation: str, call: str) -> None:
        await self._asked("mark", channel)
        self.marked[channel] = conversation, call

    async def connect_media(
        self,
        channel: str,
        call: str,
        host: str,
        port: int,
        media_format: str,
        connect: Callable[[tuple[str, int]], None] | None = None,
    ) -> tuple[str, int]:
        await self._asked("connect_media", channel)
        if connect is not None:
            connect(("127.0.0.1", 12000))
        return "127.0.0.1", 12000

    async def leave(self, channel: str, exit: Exit, variables: dict[str, str]) -> None:
        await self._asked("leave", channel)
        self.left[channel] = exit, variables
        self.gone.add(channel)

    async def hang_up(self, channel: str) -> None:
        await self._asked("hang_up", channel)

    async def release(self, call: str) -> None:
        await self._gates.through("telephone.release")
        self.requests.append(("release", call))

    async def _asked(self, request: str, channel: str) -> None:
        await self._gates.through(f"telephone.{request}")
        self.requests.append((request, channel))
        if channel in self.gone:
            raise AriRefused(404, request, "Channel not found")
        if request in self.refuses:
            raise AriRefused(500, request, "Allocation failed")


class Sink(AudioSink, AudioWatch, EchoWatch, Protocol):
    """What a call is to its line."""


class FakeLine:
    """Plays nothing: the caller says when a prompt has been heard."""

    host, port = "127.0.0.1", 4000

    def __init__(self, sink: AudioSink) -> None:
        assert isinstance(sink, AudioWatch)
        self.sink = cast(Sink, sink)
        self.playing: str | None = None
        self.paused: str | None = None
        self.played: list[str] = []
        self.resumed: list[int | None] = []
        self.peer: tuple[str, int] | None = None
        self.counts = {"received": 1}
        self.closed = False
        self.tape: Tape | None = None

    def connect(self, peer: tuple[str, int]) -> None:
        self.peer = peer

    def play(self, ulaw: bytes) -> None:
        self.playing = ulaw.decode()
        self.played.append(self.playing)

    def pause(self) -> int:
        self.playing, self.paused = None, self.playing
        return 120

    def resume(self, at_ms: int | None = None) -> None:
        self.playing, self.paused = self.paused, None
        self.resumed.append(at_ms)

    def stop(self) -> int:
        self.playing = self.paused = None
        return 120

    def record(self, tape: Tape | None) -> None:
        self.tape = tape

    def statistics(self) -> dict[str, int]:
        return self.counts

    async def aclose(self) -> None:
        self.closed = True


class FakeTape:
    """Says what it is told; a tape that jams never ends."""

    began = 0.0

    def __init__(self, label: RecordingLabel, told: Callable[[TapeEnd], None]) -> None:
        self.id = label.recording
        self.label = label
        self.jams = False
        self._told: Callable[[TapeEnd], None] | None = told

    def write(self, at: int, audio: bytes) -> None:
        pass

    def end(self, why: str) -> None:
        if self._told and not self.jams:
            told, self._told = self._told, None
            told(TapeEnd(why, 1.5, 100))


class FakeRecordings:
    def __init__(self) -> None:
        self.tapes: list[FakeTape] = []

    def start(self, label: RecordingLabel, told: Callable[[TapeEnd], None]) -> FakeTape:
        self.tapes.append(FakeTape(label, told))
        return self.tapes[-1]


class FakeLines:
    def __init__(self, gates: Gates) -> None:
        self._gates = gates
        self.opened: list[FakeLine] = []
        self.none_free = False

    async def open(self, sink: AudioSink, media_format: str) -> FakeLine:
        await self._gates.through("lines.open")
        if self.none_free:
            raise Unavailable("no free RTP port")
        self.opened.append(FakeLine(sink))
        return self.opened[-1]


class FakeRecogniser:
    """Understands what it is told to."""

    def __init__(
        self, gates: Gates, on_partial: Callable[[str], None], on_lost: Callable[[], None]
    ) -> None:
        self._gates = gates
        self.on_partial = on_partial
        self.on_lost = on_lost
        self.understood = Utterance("", ())
        self.dead = False
        self.closed = False

    def feed(self, pcm: bytes) -> None:
        assert not self.closed

    async def finish(self) -> Utterance:
        await self._gates.through("recogniser.finish")
        if self.dead:
            raise AsrLost("the worker died")
        understood, self.understood = self.understood, Utterance("", ())
        return understood

    async def aclose(self) -> None:
        self.closed = True

    def dies(self) -> None:
        self.dead = True
        self.on_lost()


class FakeRecognisers:
    rate = 8000

    def __init__(self, gates: Gates) -> None:
        self._gates = gates
        self.opened: list[FakeRecogniser] = []
        self.none_alive = False

    async def open(
        self, on_partial: Callable[[str], None], on_lost: Callable[[], None]
    ) -> FakeRecogniser:
        await self._gates.through("recognisers.open")
        if self.none_alive:
            raise AsrLost("No ASR worker is alive.")
        self.opened.append(FakeRecogniser(self._gates, on_partial, on_lost))
        return self.opened[-1]


class FakeVoice:
    """A prompt's audio is its text."""

    def __init__(self, gates: Gates) -> None:
        self._gates = gates
        self.speechless: set[str] = set()
        self.boundaries: tuple[int, ...] = ()

    async def speak(self, text: str, language: str, delivery: Delivery = AS_USUAL) -> bytes:
        await self._gates.through("voice.speak")
        if text in self.speechless:
            raise VoiceUnavailable("espeak-ng is not there")
        return text.encode()

    async def prompt(self, text: str, language: str, delivery: Delivery = AS_USUAL) -> Prompt:
        return Prompt(await self.speak(text, language, delivery), self.boundaries)


class FakeDetector:
    """Takes the signs from the audio itself."""

    speech_ended_at = 1000.0
    broken = False

    def __init__(self) -> None:
        self.expected: list[Expectation] = []
        self.pieces: list[str] = []
        self.echoes: list[bytes] = []
        self.voice_near = True

    def expect(self, expectation: Expectation) -> None:
        self.expected.append(expectation)

    def heard(self, pcm: bytes, at: float) -> TurnSign | None:
        return _SIGNS.get(pcm)

    def played(self, pcm: bytes) -> None:
        self.echoes.append(pcm)

    def near(self, now: float) -> bool:
        return self.voice_near

    def partial(self, text: str, at: float) -> None:
        pass

    def piece(self, said: Utterance, at: float) -> None:
        self.pieces.append(said.believed)

    def poll(self, now: float) -> TurnSign | None:
        if self.broken:
            raise RuntimeError("a bug")
        return None


class GatedStore(EventStore):
    """The real store behind the gates; it can break, and somebody else can be faster."""

    gates: Gates
    broken = False
    faster: Sequence[Event] = ()  # what another appends just before the next decision

    async def append(
        self,
        stream: str,
        events: Sequence[Event],
        *,
        expected: int | None = None,
        effects: Sequence[Effect] = (),
        timers: Sequence[Timer] = (),
        subject: str | None = None,
        cause: str | None = None,
        dedupe: str | None = None,
        fence: Fence | None = None,
        held: bool | None = None,
    ) -> list[Envelope]:
        await self.gates.through("store.append")
        if self.broken:
            raise StoreUnavailable("the database cannot be used")
        if self.faster and expected is not None:
            others, self.faster = self.faster, ()
            await super().append(stream, others)
        return await super().append(
            stream,
            events,
            expected=expected,
            effects=effects,
            timers=timers,
            subject=subject,
            cause=cause,
            dedupe=dedupe,
            fence=fence,
            held=held,
        )

    async def read(self, stream: str, after: int = 0) -> list[Envelope]:
        await self.gates.through("store.read")
        if self.broken:
            raise StoreUnavailable("the database cannot be used")
        return await super().read(stream, after)


class CallStory:
    """Given a service that takes at most two calls, and callers."""

    def __init__(self, folder: Path, bundle: Bundle, intents: Intents) -> None:
        self.bundle = bundle
        self.clock = FakeClock()
        self.meter = PrometheusMeter(strict=True)
        self.gates = Gates()
        self.telephone = FakeTelephone(self.gates)
        self.lines = FakeLines(self.gates)
        self.recognisers = FakeRecognisers(self.gates)
        self.recordings = FakeRecordings()
        self.voice = FakeVoice(self.gates)
        self.store = GatedStore(
            SqliteEngine(folder / "segue.db", self.clock), self.clock, self.meter
        )
        self.store.gates = self.gates
        self.carrier_up = True
        self.rang: list[str] = []
        self.detectors: list[FakeDetector] = []
        self.calls = Calls(self._detector, Admission(Caps(2)))
        self.calls.use(
            Instruments(
                telephone=self.telephone,
                lines=self.lines,
                recognisers=self.recognisers,
                voice=self.voice,
                agent=Agent(bundle, intents, self.clock, lambda: self.carrier_up),
                store=self.store,
                persons=Persons(self.store, self.clock),
                recordings=self.recordings,
                clock=self.clock,
                meter=self.meter,
                subject_key=b"k" * 32,
                region="US",
                no_input=NO_INPUT,
                with_trunk=with_trunk,
                hold=b"hold tone",
            )
        )

    def _detector(self) -> FakeDetector:
        self.detectors.append(FakeDetector())
        return self.detectors[-1]

    # -- the caller -----------------------------------------------------------------------------

    def rings(self, channel: str = CHANNEL, caller: str = CALLER) -> None:
        self.rang.append(channel)
        self.calls.call_entered(IncomingCall(channel, "+15550100", caller))

    async def hears(self, prompt: str, *, again: int = 0, line: int = 0) -> None:
        """Return when this prompt has begun."""
        text = self.bundle.prompt(prompt, again)
        await self.eventually(
            lambda: len(self.lines.opened) > line and self.lines.opened[line].playing == text
        )

    async def hears_out(self, *prompts: str, again: int = 0, line: int = 0) -> None:
        """Return when these prompts have been heard, one after the other."""
        for prompt in prompts:
            await self.hears(prompt, again=again, line=line)
            self.hears_the_end(line)

    def hears_the_end(self, line: int = 0) -> None:
        """The running prompt is over."""
        self.lines.opened[line].playing = None
        self.lines.opened[line].sink.prompt_ended(self.clock.monotonic())

    def speaks(self, line: int = 0) -> None:
        """There is a voice on the line."""
        self.lines.opened[line].sink.heard(_STARTS, self.clock.monotonic())

    def is_understood(
        self, text: str, confidence: float = 1.0, line: int = 0, recogniser: int | None = None
    ) -> None:
        """Words of what the caller is saying."""
        ear = self.recognisers.opened[line if recogniser is None else recogniser]
        ear.understood = Utterance(text, (Word(text, 0.0, 1.0, confidence),))
        ear.on_partial(text)

    def hesitates(self, line: int = 0) -> None:
        """The caller is quiet, and may go on."""
        self.lines.opened[line].sink.heard(_RESTS, self.clock.monotonic())

    def pauses(self, line: int = 0) -> None:
        """The caller has finished."""
        self.lines.opened[line].sink.heard(_ENDS, self.clock.monotonic())

    def says(
        self, text: str, confidence: float = 1.0, line: int = 0, recogniser: int | None = None
    ) -> None:
        self.speaks(line)
        self.is_understood(text, confidence, line, recogniser)
        self.pauses(line)

    def presses(self, key: str, channel: str = CHANNEL) -> None:
        self.calls.key_pressed(channel, key)

    def is_silent(self) -> None:
        """As long as counts for an answer; the session notices with its next tick."""
        self.clock.advance(NO_INPUT)

    def hangs_up(self, channel: str = CHANNEL) -> None:
        self.telephone.gone.add(channel)
        self.calls.caller_gone(channel, "hangup")

    def hearing_is_lost(self) -> None:
        self.recognisers.opened[0].dies()

    # -- afterwards -----------------------------------------------------------------------------

    async def is_over(self, *, meanwhile: Coroutine[Any, Any, None] | None = None) -> None:
        """Return when no call is live; what the caller would still do is not done any more."""
        caller = asyncio.create_task(meanwhile) if meanwhile is not None else None
        if caller is not None:
            await self.eventually(lambda: self.calls.live)
        await self.eventually(lambda: not self.calls.live)
        if caller is not None:
            caller.cancel()
            await asyncio.gather(caller, return_exceptions=True)

    async def log(self) -> list[Event]:
        """What the only conversation, or the newest, says."""
        (stream, _), *_others = await self.store.recent(1)
        return [e.event for e in await EventStore.read(self.store, stream)]

    async def logged(self, kind: str) -> None:
        """Return when an event of this class is in the log."""
        async with asyncio.timeout(PATIENCE):
            while kind not in kinds(await self.log()):  # noqa: ASYNC110 - a database has no Event
                await asyncio.sleep(0.002)

    async def a_tick_passes(self) -> None:
        """Return when the session has certainly looked at the time, though it does nothing."""
        looks = self.clock.looks
        await self.eventually(lambda: self.clock.looks >= looks + 2)

    async def no_task_is_left(self) -> None:
        await self.eventually(lambda: asyncio.all_tasks() == {asyncio.current_task()})

    def nothing_is_left_open(self) -> bool:
        closed = [line.closed for line in self.lines.opened]
        closed += [recogniser.closed for recogniser in self.recognisers.opened]
        return all(closed)

    @staticmethod
    async def eventually(condition: Callable[[], object]) -> None:
        """Return as soon as the condition holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - what is waited for knows no Event
                await asyncio.sleep(0.002)


def kinds(events: Sequence[Event]) -> list[str]:
    """Their classes, to be read."""
    return [type(event).__name__ for event in events]
