"""What is said on a call: takes what happened in its order, decides, and speaks."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from ari_app.agent.turn import Heard, Spoken, Turn
from ari_app.calls.adoption import asked_again, open_question
from ari_app.calls.dialogue import Phase, Signal
from ari_app.calls.ear import Ear
from ari_app.calls.instruments import Instruments
from ari_app.calls.journal import Journal
from ari_app.calls.mouth import Mouth, Segment
from ari_app.calls.pieces import Pieces
from ari_app.calls.speculation import Speculation
from ari_app.conversation.events import (
    AgentSpoke,
    AudioMissing,
    CallerSilent,
    CallerSpoke,
    DisclosurePlayed,
    Event,
    HearingBack,
    HearingLost,
    KeyPressed,
)
from ari_app.errors import AsrLost, Conflict
from ari_app.ports import Delivery, Exit, Expectation, TurnDetector, TurnSign, Utterance, failpoint
from ari_app.understanding.completeness import is_back_channel
from ari_app.understanding.words import normalise

#: Stands for a key of a code.
_SECRET_KEY = "•"

# Words of a partial result: so many are neither a noise nor "mm-hm".
_SURE = 3

# Seconds after the first word about it for which nothing may come from a caller's phone.
_NO_AUDIO = 10.0


class Talk:
    """One conversation by voice; how the call begins and ends is not its business."""

    def __init__(
        self,
        call: str,
        tools: Instruments,
        detector: TurnDetector,
        journal: Journal,
        mouth: Mouth,
        ear: Ear,
    ) -> None:
        self._call = call
        self._tools = tools
        self._detector = detector
        self._journal = journal
        self._mouth = mouth
        self._dialogue = mouth.dialogue
        self._ear = ear
        self._pieces = Pieces(ear, self._piece)
        self._phrases: dict[str, frozenset[str]] = {}  # whole answers, by language
        self._speculation = Speculation(tools.agent, self._prepare, tools.meter)
        self._agreed: deque[Utterance] = deque()  # what was said, and is no turn
        self._unsaid: tuple[Spoken, ...] = ()  # a prompt that waits until the caller is quiet
        self.silent_line = False  # nothing comes from the caller's phone
        self.no_audio_until: float | None = None  # by then something must come from it
        self._speech_ended: float | None = None
        self._keys_explained = False
        self._digits = ""  # keys of an answer that has several
        self._packets = (0, 0)  # of the caller's audio: lost and received, up to the last turn
        self.exit: Exit | None = None  # how the call ends, once that is decided
        self.reason = ""

    @property
    def _hearing(self) -> bool:
        return self._ear.hears and not self.silent_line

    # -- what we say ----------------------------------------------------------------------------

    async def greet(self, events: Sequence[Event], topic: str = "") -> None:
        """Say who is speaking, and ask the first question; `events` led here.

        Where the dialplan knows the `topic`, and the policy too, that is not asked any more.
        """
        agent, language = self._tools.agent, self._journal.state.language
        known = topic in agent.bundle.intents
        opening = [] if known else [agent.open_question(language)]
        await self._journal.append([*events, *opening])
        failpoint("call.after_answered")
        disclosure, *others = agent.greeting(language)
        first = await self._mouth.segment(disclosure, language, disclosure=True)
        if known:
            await self._decide(Heard("voice", "topic", topic), before=first)
            return
        asked = [(await self._mouth.segment(s, language), True) for s in others]
        bundle = agent.speaking(language)
        await self._expect(bundle.questions[bundle.opening].profile)
        self._mouth.say([(first, False), *asked], leave=False)

    async def say_goodbye(self, exit: Exit, reason: str, say: Sequence[Spoken]) -> None:
        """Say this, and let the call end so."""
        self.exit, self.reason = exit, reason
        language = self._journal.state.language
        segments = [(await self._mouth.segment(s, language), True) for s in say]
        self._mouth.say(segments, leave=True)

    async def ask_again(self, before: Sequence[Spoken] | None = None) -> None:
        """Nobody knows what the caller has heard last: the open question, once more.

        `before` it something else is said than that we are sorry.
        """
        state = self._journal.state
        bundle = self._tools.agent.speaking(state.language)
        if open_question(bundle, state) is None:
            await self._journal.append([self._tools.agent.open_question(state.language)])
        if not self._hearing:
            await self.explain_keys()
            return
        spoken = asked_again(bundle, self._journal.state, before)
        question = bundle.questions[self._journal.state.question or bundle.opening]
        await self._expect(question.profile)
        segments = [(await self._mouth.segment(s, state.language), True) for s in spoken]
        self._mouth.say(segments, leave=False)
        await self._journal.append(
            [AgentSpoke(call=self._call, prompt=s.prompt, text=s.text) for s in spoken]
        )

    async def after_a_gap(self) -> None:
        """Neither side has heard the other for a moment: ask again, unless we say goodbye."""
        if not self._dialogue.must_be_heard:
            self._mouth.interrupt(self._dialogue.key())
            await self.ask_again()

    async def explain_keys(self) -> None:
        """Once, without cutting off what must be heard."""
        if self._keys_explained or self._dialogue.must_be_heard:
            return
        self._keys_explained = True
        if stopped := self._mouth.interrupt(self._dialogue.key()):
            await self._journal.append(stopped)
        await self._decide(Heard("voice", "hearing_lost"))

    # -- what we are told -----------------------------------------------------------------------

    def follow_sign(self, sign: TurnSign | None) -> None:
        """What the audio, or time without it, told about the caller's turn; never blocks."""
        match sign:
            case TurnSign.STARTED | TurnSign.RESUMED:
                now = self._tools.clock.monotonic()
                self._mouth.follow(self._dialogue.speech_started(now))
            case TurnSign.PAUSED:
                self._pieces.ask()
            case TurnSign.ENDED:
                self._speech_ended = self._detector.speech_ended_at
                now = self._tools.clock.monotonic()
                self._mouth.follow(self._dialogue.speech_ended(now))
            case None:
                pass

    def understood(self, text: str) -> None:
        """Words of what the caller is saying; never blocks."""
        now = self._tools.clock.monotonic()
        phase = self._dialogue.phase
        if phase is not Phase.LISTENING and not self._detector.near(now):
            # It makes words of a noise too, and of our own echo: they are no part of what comes.
            if text and phase is Phase.SPEAKING:
                self._pieces.forget()
            return
        # In a pause there is no hurry: of a single word the recogniser first has to be sure.
        sure = phase is not Phase.PAUSED or len(text.split()) >= _SURE
        if text and sure and not self._is_agreement(text):
            self._mouth.follow(self._dialogue.words(now))

    def _piece(self, piece: Utterance, so_far: Utterance) -> None:
        """The caller is quiet, maybe for good."""
        now = self._tools.clock.monotonic()
        self._detector.piece(piece, now)
        paused = self._dialogue.phase is Phase.PAUSED
        said = so_far.believed and self._detector.near(now) if paused else so_far.text
        if not said:
            if paused:
                self._pieces.drop()  # a noise: it is no word of what comes
            self._mouth.follow(self._dialogue.quiet(now))
        elif self._is_agreement(so_far.text):
            # It answers no later question.
            self._agreed.append(self._pieces.drop())
            self._mouth.follow([Signal.AGREED, *self._dialogue.quiet(now)])
        else:
            self._mouth.follow(self._dialogue.words(now))
        if so_far.text and self._dialogue.phase is Phase.LISTENING:
            heard = self._weigh(so_far)
            if heard.text:
                self._speculation.think(self._journal.stream, self._journal.state, heard)

    def _is_agreement(self, text: str) -> bool:
        """Whether the caller only says that they follow what is being explained."""
        return self._dialogue.explains and is_back_channel(text, self._journal.state.language)

    async def take(self, signal: Signal | Event) -> None:
        """One thing that has happened."""
        match signal:
            case Signal.TAKE_WORDS:
                await self._take_words()
            case Signal.TAKE_SILENCE if self._dialogue.phase is Phase.THINKING:
                self._speech_ended = None
                if self._digits:
                    await self._take_digits()
                else:
                    await self._journal.append([CallerSilent(call=self._call)])
                    await self._decide(Heard("voice", "silence"))
            case Signal.AGREED:
                await self._keep(self._weigh(self._agreed.popleft()))
            case Signal.BEGUN:
                await self._write_spoken(self._unsaid)
            case Signal():
                pass
            case HearingLost() | AudioMissing():
                self._mouth.follow(self._dialogue.deaf(self._tools.clock.monotonic()))
                await self._keep(self._weigh(self._pieces.drop()))
                await self._journal.append([signal])
                if isinstance(signal, AudioMissing):
                    self.no_audio_until = self._tools.clock.monotonic() + _NO_AUDIO
                await self.explain_keys()
            case HearingBack():
                self._keys_explained = False
                await self._journal.append([signal])
            case DisclosurePlayed():
                await self._journal.append([signal])
                if not self._hearing:
                    await self.explain_keys()
            case KeyPressed(key=key):
                self.no_audio_until = None  # whoever presses keys hears us
                if self._dialogue.takes_keys:
                    await self._take_key(key)
            case _:
                await self._journal.append([signal])

    async def _take_key(self, key: str) -> None:
        wanted = self._tools.agent.keys_of_an_answer(self._journal.state)
        if wanted == 1 or (not self._digits and not key.isdecimal()):
            stopped = self._mouth.interrupt(self._dialogue.key())
            await self._keep(self._weigh(self._pieces.drop()))
            await self._journal.append([*stopped, KeyPressed(call=self._call, key=key)])
            self._speech_ended = self._tools.clock.monotonic()
            await self._decide(Heard("voice", "key", key))
            return
        if key.isdecimal():
            self._digits += key
        stopped = self._mouth.interrupt(self._dialogue.digit(self._tools.clock.monotonic()))
        # What proves who somebody is stands in no log.
        await self._journal.append([*stopped, KeyPressed(call=self._call, key=_SECRET_KEY)])
        if key == "#" or len(self._digits) >= wanted:
            self._dialogue.key()
            await self._take_digits()

    async def _take_digits(self) -> None:
        """The keys that came are the answer, as many as they are."""
        given, self._digits = self._digits, ""
        self._speech_ended = self._tools.clock.monotonic()
        await self._decide(Heard("voice", "key", given))

    async def _take_words(self) -> None:
        # A key that came first has made the turn: then the words are a fact, but no turn.
        turn = self._dialogue.phase is Phase.THINKING
        try:
            utterance = await self._pieces.take()
        except AsrLost:
            return  # on_lost has queued what follows
        heard = self._weigh(utterance)
        if not heard.text:
            self._mouth.follow(self._dialogue.nothing_said(self._tools.clock.monotonic()))
            return
        await self._keep(heard)
        if turn:
            self._digits = ""  # they say it instead
            await self._decide(heard)

    async def _keep(self, heard: Heard) -> None:
        """Words are a fact, whatever follows from them."""
        self._packets = self._counts()
        if not heard.text:
            return
        now = self._tools.clock.monotonic()
        ended = self._speech_ended or now
        self._tools.meter.observe("segue_endpointing_delay_seconds", now - ended)
        self._tools.meter.observe("segue_asr_confidence", heard.confidence)
        await self._journal.append(
            [
                CallerSpoke(
                    call=self._call,
                    text=heard.text,
                    words=tuple((w.text, w.start, w.end, w.confidence) for w in heard.words),
                    confidence=round(heard.confidence, 4),
                    endpoint_ms=round((now - ended) * 1000),
                    evidence=dict(heard.evidence),
                )
            ]
        )

    def _weigh(self, utterance: Utterance) -> Heard:
        """What counts of it, and how sure it is; how much never came is the line's to tell."""
        if utterance.signal is not None and self._mouth.line is not None:
            lost, received = (
                max(n - b, 0) for n, b in zip(self._counts(), self._packets, strict=True)
            )
            # Not too exactly: what was thought ahead of the end of the turn is to hold after it.
            share = round(lost / (lost + received), 2) if lost else 0.0
            utterance = replace(utterance, signal=replace(utterance.signal, lost=share))
        return self._tools.agent.weigh(self._journal.state, utterance)

    def _counts(self) -> tuple[int, int]:
        counts = self._mouth.line.statistics() if self._mouth.line else {}
        return counts.get("lost", 0), counts.get("received", 0)

    # -- what follows ---------------------------------------------------------------------------

    async def _decide(self, heard: Heard, before: Segment | None = None) -> None:
        """Decide, and say what follows; `before` it is said what must be heard in full."""
        turn = await self._speculation.take(self._journal.state, heard)
        while True:
            if turn is None:
                turn = self._tools.agent.take_turn(self._journal.stream, self._journal.state, heard)
            try:
                await self._journal.append(
                    turn.events, decision=True, effects=turn.effects, timers=turn.timers
                )
                break
            except Conflict:
                await self._journal.catch_up()
                turn = None
        failpoint("call.after_decision")
        self._tools.meter.count("segue_decisions_total", action=turn.decision.rule)
        await self._speak(turn, before)

    async def _speak(self, turn: Turn, before: Segment | None) -> None:
        leave = turn.end or turn.people is not None
        if leave:
            self.exit = Exit.HANDOFF if turn.people else Exit.DONE
            self.reason = turn.people or turn.decision.rule
        state = self._journal.state
        language = state.language
        self._mouth.delivery = Delivery(pace=-state.slower, gain=state.louder)
        segments = [(await self._mouth.segment(s, language), True) for s in turn.speech]
        await self._expect(turn.profile)
        self._unsaid = turn.speech
        first = [] if before is None else [(before, False)]
        self._mouth.say([*first, *segments], leave=leave, patience=turn.patience)
        if self._mouth.playing is not None:
            await self._write_spoken(turn.speech)

    async def _write_spoken(self, speech: Sequence[Spoken]) -> None:
        """Only the first prompt answers the caller; it is on the wire at the next 20 ms."""
        now = self._tools.clock.monotonic()
        waited = None if self._speech_ended is None else now - self._speech_ended
        if waited is not None:
            self._tools.meter.observe("segue_turn_response_seconds", waited)
        self._speech_ended = None
        answer_ms = None if waited is None else round(waited * 1000)
        spoke = [
            AgentSpoke(
                call=self._call,
                prompt=s.prompt,
                text=s.text,
                answer_ms=answer_ms if i == 0 else None,
            )
            for i, s in enumerate(speech)
        ]
        await self._journal.append(spoke)

    async def _prepare(self, spoken: Spoken) -> object:
        return await self._mouth.segment(spoken, self._journal.state.language)

    async def _expect(self, profile: str) -> None:
        """What the question that is open now wants to hear, in the language of now."""
        agent, state = self._tools.agent, self._journal.state
        self._detector.expect(
            Expectation(
                profile, agent.digits_expected(state), self._whole(state.language), state.language
            )
        )
        await self._ear.expect(state.language, agent.listen_for(state))

    def _whole(self, language: str) -> frozenset[str]:
        """Whole answers to any question: what the policy has examples of."""
        if language not in self._phrases:
            examples = self._tools.agent.speaking(language).intents.values()
            self._phrases[language] = frozenset(normalise(e) for texts in examples for e in texts)
        return self._phrases[language]

    async def aclose(self) -> None:
        """Wait for nothing any more."""
        await self._speculation.aclose()
        await self._pieces.aclose()
