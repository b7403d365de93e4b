"""Whose turn it is, in every order of what can happen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.calls import dialogue as machine
from ari_app.calls.dialogue import Dialogue, Pause, Phase, Play, Resume, Signal, Stop

NO_INPUT = 6.0
MUST = ("must be heard", False)
MAY = ("may be interrupted", True)

Step = machine.Step[str]


def asking(*segments: tuple[str, bool]) -> Dialogue[str]:
    """Speaking, at second 0."""
    dialogue: Dialogue[str] = Dialogue(NO_INPUT)
    dialogue.say(segments or (MAY,), 0.0, leave=False)
    return dialogue


def leaving() -> Dialogue[str]:
    """Saying goodbye, at second 0."""
    dialogue: Dialogue[str] = Dialogue(NO_INPUT)
    dialogue.say([MAY], 0.0, leave=True)
    return dialogue


def listening() -> Dialogue[str]:
    """The question has been asked, at second 0."""
    dialogue = asking()
    dialogue.segment_ended(0.0)
    return dialogue


def thinking() -> Dialogue[str]:
    """The caller has spoken."""
    dialogue = listening()
    dialogue.speech_started(0.5)
    dialogue.speech_ended(0.9)
    return dialogue


def over() -> Dialogue[str]:
    dialogue = leaving()
    dialogue.segment_ended(0.0)
    return dialogue


# -- one move after the other -----------------------------------------------------------------

TAKE_WORDS, TAKE_SILENCE = Signal.TAKE_WORDS, Signal.TAKE_SILENCE


@pytest.mark.parametrize(
    ("given", "happens", "follows", "phase"),
    [
        # a prompt is played to its end, then it is the caller's turn
        (asking, lambda d: d.segment_ended(1.0), [Signal.LISTEN], Phase.LISTENING),
        (asking, lambda d: d.speech_ended(0.9), [], Phase.SPEAKING),
        (asking, lambda d: d.tick(99.0), [], Phase.SPEAKING),
        (asking, lambda d: d.words(1.0), [Stop(MAY[0]), Signal.LISTEN], Phase.LISTENING),
        (asking, lambda d: d.key(), [Stop(MAY[0])], Phase.THINKING),
        (lambda: asking(MUST), lambda d: d.words(1.0), [], Phase.SPEAKING),
        (lambda: asking(MUST), lambda d: d.key(), [Stop(MUST[0])], Phase.THINKING),
        (lambda: asking(MUST, MAY), lambda d: d.segment_ended(1.0), [Play(MAY[0])], Phase.SPEAKING),
        # the caller's turn ends by a pause, a key or silence
        (listening, lambda d: d.speech_ended(0.9), [TAKE_WORDS], Phase.THINKING),
        (listening, lambda d: d.words(1.0), [], Phase.LISTENING),
        (listening, lambda d: d.key(), [], Phase.THINKING),
        (listening, lambda d: d.tick(NO_INPUT - 0.1), [], Phase.LISTENING),
        (listening, lambda d: d.tick(NO_INPUT), [TAKE_SILENCE], Phase.THINKING),
        (listening, lambda d: d.segment_ended(1.0), [], Phase.LISTENING),
        # while it is being decided, nothing is a second turn
        (thinking, lambda d: d.words(1.0), [], Phase.THINKING),
        (thinking, lambda d: d.speech_ended(0.9), [], Phase.THINKING),
        (thinking, lambda d: d.tick(99.0), [], Phase.THINKING),
        (thinking, lambda d: d.key(), [], Phase.THINKING),
        (thinking, lambda d: d.nothing_said(1.0), [], Phase.LISTENING),
        # a goodbye is spoken to its end, whatever is said
        (leaving, lambda d: d.words(1.0), [], Phase.SPEAKING),
        (leaving, lambda d: d.speech_ended(0.9), [], Phase.SPEAKING),
        (leaving, lambda d: d.tick(99.0), [], Phase.SPEAKING),
        (leaving, lambda d: d.segment_ended(1.0), [Signal.LEAVE], Phase.OVER),
        (over, lambda d: d.words(1.0), [], Phase.OVER),
        (over, lambda d: d.speech_ended(0.9), [], Phase.OVER),
        (over, lambda d: d.tick(99.0), [], Phase.OVER),
        (over, lambda d: d.nothing_said(1.0), [], Phase.OVER),
    ],
)
def test_every_move(
    given: Callable[[], Dialogue[str]],
    happens: Callable[[Dialogue[str]], Sequence[Step]],
    follows: list[Step],
    phase: Phase,
) -> None:
    dialogue = given()
    assert list(happens(dialogue)) == follows
    assert dialogue.phase is phase


def test_a_prompt_without_a_segment_is_over_at_once() -> None:
    dialogue: Dialogue[str] = Dialogue(NO_INPUT)
    assert dialogue.say([], 0.0, leave=False) == [Signal.LISTEN]
    assert dialogue.say([], 0.0, leave=True) == [Signal.LEAVE]


@pytest.mark.parametrize("dialogue", [asking(MUST), listening(), thinking()])
def test_keys_count_until_the_goodbye(dialogue: Dialogue[str]) -> None:
    assert dialogue.takes_keys
    dialogue.say([MAY], 0.0, leave=True)
    assert not dialogue.takes_keys
    dialogue.segment_ended(1.0)
    assert not dialogue.takes_keys


# -- what is said over a prompt ---------------------------------------------------------------


def test_a_voice_without_words_only_pauses_a_prompt() -> None:
    dialogue = asking()
    assert dialogue.speech_started(0.5) == [Pause(MAY[0])]
    assert dialogue.quiet(0.8) == [Resume(MAY[0])]
    assert dialogue.speech_ended(0.9) == []
    assert dialogue.segment_ended(2.0) == [Signal.LISTEN]


def test_a_prompt_goes_on_when_the_turn_of_a_noise_is_over() -> None:
    dialogue = asking()
    dialogue.speech_started(0.5)
    assert dialogue.speech_ended(0.9) == [Resume(MAY[0])]


def test_a_caller_who_goes_on_after_a_cough_pauses_the_prompt_again() -> None:
    dialogue = asking()
    dialogue.speech_started(0.5)
    dialogue.quiet(0.8)
    assert dialogue.speech_started(1.0) == [Pause(MAY[0])]
    assert dialogue.words(1.3) == [Stop(MAY[0]), Signal.LISTEN]


def test_a_voice_pauses_no_disclosure_and_no_goodbye() -> None:
    assert asking(MUST).speech_started(0.5) == []
    assert leaving().speech_started(0.5) == []


def test_a_noise_without_end_keeps_a_prompt_waiting_for_a_moment_only() -> None:
    dialogue = asking()
    dialogue.speech_started(0.5)
    assert dialogue.tick(2.4) == []
    assert dialogue.tick(2.5) == [Resume(MAY[0])]


def test_noise_again_and_again_pauses_no_prompt_any_more_but_words_do() -> None:
    dialogue = asking()
    for n in range(3):
        assert dialogue.speech_started(float(n)) == [Pause(MAY[0])]
        assert dialogue.speech_ended(n + 0.5) == [Resume(MAY[0])]
    assert dialogue.speech_started(4.0) == []
    assert dialogue.words(4.5) == [Stop(MAY[0]), Signal.LISTEN]
    dialogue.speech_ended(5.0)
    dialogue.say([MAY], 5.1, leave=False)
    assert dialogue.speech_started(6.0) == [Pause(MAY[0])]  # who was understood is trusted again


def test_nothing_new_begins_while_the_caller_speaks() -> None:
    dialogue = thinking()
    dialogue.speech_started(1.0)
    assert dialogue.say([MAY], 1.1, leave=False) == []
    assert dialogue.phase is Phase.HELD
    assert dialogue.tick(3.0) == []
    assert dialogue.speech_ended(3.05) == [Play(MAY[0]), Signal.BEGUN]


def test_the_next_segment_waits_too() -> None:
    dialogue = asking(MUST, MAY)
    dialogue.speech_started(0.5)
    assert dialogue.segment_ended(1.0) == []
    assert dialogue.quiet(1.2) == [Play(MAY[0])]


def test_a_prompt_that_waits_is_not_said_to_a_caller_who_has_more_to_say() -> None:
    dialogue = thinking()
    dialogue.speech_started(1.0)
    dialogue.say([MAY], 1.1, leave=False)
    assert dialogue.words(1.5) == [Signal.LISTEN]
    assert dialogue.speech_ended(2.0) == [TAKE_WORDS]


def test_a_goodbye_waits_for_a_moment_but_not_for_ever() -> None:
    dialogue = thinking()
    dialogue.speech_started(1.0)
    dialogue.say([MAY], 1.1, leave=True)
    assert dialogue.words(1.5) == []
    assert dialogue.tick(3.1) == [Play(MAY[0]), Signal.BEGUN]


def test_a_key_ends_a_pause() -> None:
    dialogue = asking()
    dialogue.speech_started(0.5)
    assert dialogue.key() == [Stop(MAY[0])]


def test_a_key_ends_a_prompt_that_waits_without_a_word_of_it() -> None:
    dialogue = thinking()
    dialogue.speech_started(1.0)
    dialogue.say([MAY], 1.1, leave=False)
    assert dialogue.key() == []
    assert dialogue.phase is Phase.THINKING


def test_okay_is_no_answer_before_the_question() -> None:
    dialogue = asking(MAY, MAY)
    assert dialogue.explains
    dialogue.segment_ended(1.0)
    assert not dialogue.explains
    assert not listening().explains


def test_a_prompt_goes_on_when_hearing_is_lost() -> None:
    dialogue = asking()
    dialogue.speech_started(0.5)
    assert dialogue.deaf(0.6) == [Resume(MAY[0])]


def test_words_over_a_prompt_are_a_turn_when_the_caller_has_finished() -> None:
    dialogue = asking()
    dialogue.speech_started(0.5)
    dialogue.words(1.0)
    assert dialogue.tick(1.0 + NO_INPUT) == []  # the caller still speaks
    assert dialogue.speech_ended(0.9) == [TAKE_WORDS]


def test_words_that_are_understood_after_the_caller_has_finished_are_a_turn_too() -> None:
    dialogue = asking()
    dialogue.speech_started(0.5)
    dialogue.speech_ended(0.9)
    assert dialogue.words(1.0) == [Stop(MAY[0]), Signal.LISTEN]
    assert dialogue.tick(1.0 + NO_INPUT) == [TAKE_WORDS]


def test_a_caller_who_was_understood_before_the_voice_was_noticed_may_finish() -> None:
    dialogue = asking()
    dialogue.words(1.0)
    assert dialogue.tick(1.1) == []
    dialogue.speech_started(0.5)
    assert dialogue.tick(1.0 + NO_INPUT) == []
    assert dialogue.speech_ended(0.9) == [TAKE_WORDS]


def test_words_said_during_the_disclosure_are_the_answer_after_it() -> None:
    dialogue = asking(MUST)
    dialogue.speech_started(0.5)
    dialogue.words(1.0)
    dialogue.speech_ended(0.9)
    assert dialogue.segment_ended(2.0) == [Signal.LISTEN, TAKE_WORDS]
    assert dialogue.phase is Phase.THINKING


def test_words_of_the_disclosure_that_are_understood_late_are_the_answer_too() -> None:
    dialogue = asking(MUST)
    dialogue.speech_started(0.5)
    dialogue.speech_ended(0.9)
    dialogue.words(1.0)
    assert dialogue.segment_ended(2.0) == [Signal.LISTEN, TAKE_WORDS]


def test_a_caller_who_still_speaks_when_the_disclosure_ends_may_finish() -> None:
    dialogue = asking(MUST)
    dialogue.speech_started(0.5)
    dialogue.words(1.0)
    assert dialogue.segment_ended(2.0) == [Signal.LISTEN]
    assert dialogue.speech_ended(0.9) == [TAKE_WORDS]


def test_words_said_during_the_disclosure_do_not_answer_a_later_question() -> None:
    dialogue = asking(MUST)
    dialogue.speech_started(0.5)
    dialogue.words(1.0)
    dialogue.speech_ended(0.9)
    dialogue.key()
    dialogue.say([MAY], 2.0, leave=False)
    assert dialogue.segment_ended(3.0) == [Signal.LISTEN]


# -- silence ----------------------------------------------------------------------------------


def test_silence_is_asked_about_again_and_again() -> None:
    dialogue = listening()
    now = 0.0
    for _ in range(3):
        now += NO_INPUT
        assert dialogue.tick(now) == [TAKE_SILENCE]
        dialogue.say([MAY], now, leave=False)
        now += 1.0
        dialogue.segment_ended(now)


def test_a_caller_who_speaks_is_not_silent_however_long_it_takes() -> None:
    dialogue = listening()
    dialogue.speech_started(0.5)
    assert dialogue.tick(10 * NO_INPUT) == []


def test_a_cough_does_not_give_the_caller_more_time() -> None:
    dialogue = listening()
    dialogue.speech_started(0.5)
    assert dialogue.speech_ended(0.9) == [TAKE_WORDS]
    dialogue.nothing_said(3.0)
    assert dialogue.tick(NO_INPUT) == [TAKE_SILENCE]


def test_noise_at_the_end_of_the_time_still_leads_to_a_turn() -> None:
    dialogue = asking()
    dialogue.speech_started(0.5)
    dialogue.words(1.0)
    dialogue.speech_ended(0.9)
    dialogue.nothing_said(2.0)  # it had been no word after all
    assert dialogue.tick(2.0 + NO_INPUT) == [TAKE_SILENCE]


# -- without hearing --------------------------------------------------------------------------


def test_a_caller_who_spoke_when_hearing_was_lost_is_silent_for_us() -> None:
    dialogue = listening()
    dialogue.speech_started(0.5)
    dialogue.words(1.0)
    dialogue.deaf(1.0)
    assert dialogue.tick(NO_INPUT) == [TAKE_SILENCE]


def test_what_must_be_heard_is_the_disclosure_and_the_goodbye() -> None:
    assert asking(MUST).must_be_heard
    assert leaving().must_be_heard
    assert over().must_be_heard
    assert not asking(MAY).must_be_heard
    assert not listening().must_be_heard
    assert not thinking().must_be_heard


# -- whatever happens -------------------------------------------------------------------------


@dataclass
class Session:
    """What the session does with a dialogue, and what a caller could notice of it."""

    dialogue: Dialogue[str] = field(default_factory=lambda: Dialogue(NO_INPUT))
    now: float = 0.0
    playing: str | None = None
    paused: str | None = None
    interruptible: set[str] = field(default_factory=set)
    leaving: bool = False
    speaking: bool = False  # the caller
    said: int = 0
    turns: int = 0
    left: bool = False
    begun: int = 0

    def say(self, segments: Sequence[bool], leave: bool) -> None:
        prompt = []
        for interruptible in segments:
            self.said += 1
            prompt.append((f"segment {self.said}", interruptible))
        self.interruptible |= {name for name, interruptible in prompt if interruptible}
        if self.dialogue.phase is not Phase.PAUSED:
            self.playing = None
        self.leaving = leave
        self.follow(self.dialogue.say(prompt, self.now, leave=leave))

    def happens(self, what: str) -> None:
        """A signal, as often and in whatever order it comes."""
        self.now += 0.1
        match what:
            case "speech started":
                self.speaking = True
                self.follow(self.dialogue.speech_started(self.now))
            case "words":
                before = self.playing or self.paused
                self.follow(self.dialogue.words(self.now))
                if before is not None and (self.playing or self.paused) is None:
                    assert before in self.interruptible
                    assert not self.leaving
            case "speech ended":
                self.speaking = False
                self.follow(self.dialogue.speech_ended(self.now))
            case "segment ended":
                if self.playing is not None:
                    self.playing = None
                    self.follow(self.dialogue.segment_ended(self.now))
            case "key":
                if self.dialogue.takes_keys:
                    self.follow(self.dialogue.key())
                    assert self.playing is None
                    assert self.dialogue.phase is Phase.THINKING
            case "long silence":
                self.now += 2 * NO_INPUT
                self.follow(self.dialogue.tick(self.now))
            case "nothing said":
                self.dialogue.nothing_said(self.now)
            case "deaf":
                self.speaking = False
                self.follow(self.dialogue.deaf(self.now))
            case "quiet":
                self.follow(self.dialogue.quiet(self.now))
            case "a moment":
                self.now += 2.0
                self.follow(self.dialogue.tick(self.now))
            case _:
                raise AssertionError(f"{what} never happens")

    def follow(self, steps: Sequence[Step]) -> None:
        plays = [step for step in steps if isinstance(step, Play)]
        assert not plays or Signal.LISTEN not in steps
        for step in steps:
            match step:
                case Play(segment=segment):
                    assert self.paused is None
                    self.playing = segment
                    self.begun += 1
                case Pause(segment=segment):
                    assert segment == self.playing
                    assert segment in self.interruptible
                    assert self.speaking
                    self.playing, self.paused = None, segment
                case Resume(segment=segment):
                    assert segment == self.paused
                    self.playing, self.paused = segment, None
                case Stop(segment=segment):
                    assert segment == (self.playing or self.paused)
                    self.playing = self.paused = None
                case Signal.LISTEN:
                    assert self.playing is None
                    assert self.paused is None
                case Signal.BEGUN:
                    assert self.playing is not None
                case Signal.TAKE_WORDS | Signal.TAKE_SILENCE:
                    assert not self.leaving
                    assert self.dialogue.phase is Phase.THINKING
                    self.turns += 1
                case Signal.LEAVE:
                    assert self.leaving
                    self.left = True
                case Signal.AGREED:
                    raise AssertionError("a dialogue does not know what words mean")
        assert (self.dialogue.phase is Phase.SPEAKING) == (self.playing is not None)
        assert (self.dialogue.phase is Phase.PAUSED) == (self.paused is not None)
        assert (self.dialogue.phase is Phase.OVER) == self.left


WHAT = (
    "speech started",
    "words",
    "speech ended",
    "segment ended",
    "key",
    "long silence",
    "nothing said",
    "deaf",
    "quiet",
    "a moment",
)
happenings = st.lists(st.sampled_from(WHAT), max_size=30)
segments = st.lists(st.booleans(), max_size=3)


@given(prompts=st.lists(st.tuples(segments, happenings), min_size=1, max_size=4))
def test_nobody_is_spoken_to_and_listened_to_at_once(
    prompts: list[tuple[list[bool], list[str]]],
) -> None:
    session = Session()
    for prompt, during in prompts:
        session.say(prompt, leave=False)
        for what in during:
            session.happens(what)


@given(before=happenings, prompt=segments, during=happenings)
def test_a_goodbye_always_ends_the_call(
    before: list[str], prompt: list[bool], during: list[str]
) -> None:
    session = Session()
    session.say([True], leave=False)
    for what in before:
        session.happens(what)
    session.say(prompt, leave=True)
    for what in during:
        session.happens(what)
    session.happens("a moment")  # it may be held
    for _ in prompt:
        session.happens("segment ended")
        session.happens("a moment")
    assert session.left


@given(prompt=segments, during=happenings)
def test_no_caller_is_forgotten_in_silence(prompt: list[bool], during: list[str]) -> None:
    session = Session()
    session.say(prompt, leave=False)
    for what in during:
        session.happens(what)
    # Now the caller only waits.
    if session.speaking:
        session.happens("speech ended")
    session.happens("quiet")
    for _ in prompt:
        session.happens("segment ended")
    session.happens("long silence")
    assert session.dialogue.phase is Phase.THINKING


@given(prompt=segments, during=happenings)
def test_a_noisy_line_never_mutes_us(prompt: list[bool], during: list[str]) -> None:
    session = Session()
    session.say([*prompt, True], leave=False)
    for what in during:
        session.happens(what)
    # From now on there is nothing but noise, again and again.
    for _ in range(2 * len(prompt) + 10):
        if session.playing is None and session.dialogue.phase not in (Phase.PAUSED, Phase.HELD):
            break
        session.happens("speech started")
        session.happens("a moment")
        assert session.playing is not None
        session.happens("segment ended")
    else:
        raise AssertionError("the prompt never ended")


def test_who_asked_for_a_moment_gets_it_before_silence_is_an_answer() -> None:
    dialogue: Dialogue[str] = Dialogue(NO_INPUT)
    dialogue.say([MAY], 0.0, leave=False, patience=30.0)
    dialogue.segment_ended(0.0)
    assert dialogue.tick(NO_INPUT + 29.9) == []
    assert dialogue.tick(NO_INPUT + 30.0) == [TAKE_SILENCE]
    dialogue.say([MAY], 40.0, leave=False)
    dialogue.segment_ended(40.0)
    assert dialogue.tick(40.0 + NO_INPUT) == [TAKE_SILENCE]
