"""Turns as a caller speaks them, spelled frame by frame."""

from dataclasses import replace

import pytest

from ari_app.speech.endpointing import (
    DATE,
    DIGITS,
    FRAME,
    OPEN,
    YES_NO,
    Decision,
    Ending,
    EndOfTurn,
    Endpointer,
    Profile,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
)
from ari_app.understanding.completeness import Standing


def worth(text: str) -> Standing:
    """As an answer; "and" wants more, "maybe" is whole, "yes" and "nine one one" are complete."""
    if not text:
        return Standing.NOTHING
    if text.endswith(("and", "um")):
        return Standing.UNFINISHED
    if text == "maybe":
        return Standing.WHOLE
    return Standing.COMPLETE if text in ("yes", "nine one one") else Standing.POSSIBLE


class Story:
    """An endpointer and the time; decisions are collected."""

    def __init__(self, profile: Profile) -> None:
        self.endpointer = Endpointer(profile, worth)
        self.now = 100.0
        self.decisions: list[Decision] = []

    def speech(self, seconds: float) -> None:
        self._frames(True, seconds)

    def silence(self, seconds: float) -> None:
        self._frames(False, seconds)

    def nothing_comes(self, seconds: float) -> None:
        self.now += seconds
        self._note(self.endpointer.poll(self.now))

    def recognised(self, text: str) -> None:
        self._note(self.endpointer.partial(text, self.now))

    def finished(self, text: str, patience: float | None = None) -> None:
        self._note(self.endpointer.piece(text, self.now, patience))

    @property
    def ends(self) -> list[EndOfTurn]:
        return [d for d in self.decisions if isinstance(d, EndOfTurn)]

    @property
    def starts(self) -> list[SpeechStarted]:
        return [d for d in self.decisions if isinstance(d, SpeechStarted)]

    def _frames(self, is_speech: bool, seconds: float) -> None:
        for _ in range(round(seconds / FRAME)):
            self.now += FRAME
            self._note(self.endpointer.voice(is_speech, self.now))

    def _note(self, decision: Decision | None) -> None:
        if decision is not None:
            self.decisions.append(decision)


@pytest.mark.parametrize("profile", [YES_NO, OPEN, DIGITS, DATE])
def test_a_turn_ends_after_the_profiles_silence(profile: Profile) -> None:
    story = Story(profile)
    story.speech(0.6)
    story.recognised("well")
    quiet_since = story.now
    story.silence(2.0)

    (end,) = story.ends
    assert end.reason is Ending.SILENCE
    assert end.speech_ended_at == pytest.approx(quiet_since)
    assert end.at - quiet_since == pytest.approx(profile.silence, abs=FRAME)


def test_the_start_of_speech_is_told_within_40_ms_with_its_true_time() -> None:
    story = Story(OPEN)
    story.silence(1.0)
    began = story.now
    story.speech(FRAME)
    assert story.starts == []
    story.speech(FRAME)

    (start,) = story.starts
    assert start.speech_started_at == pytest.approx(began)
    assert start.at == story.now


def test_where_a_voice_must_last_60_ms_its_start_is_told_with_its_true_time() -> None:
    story = Story(replace(OPEN, shortest=0.06))
    story.silence(1.0)
    began = story.now
    story.speech(0.06)

    (start,) = story.starts
    assert start.speech_started_at == pytest.approx(began)
    assert start.at - began == pytest.approx(0.06)


def test_a_pause_inside_a_number_does_not_end_it() -> None:
    story = Story(DIGITS)
    for digits in ("five", "five two", "five two nine"):
        story.speech(0.4)
        story.recognised(digits)
        story.silence(0.4)
    assert story.ends == []
    story.silence(0.2)
    assert len(story.ends) == 1


def test_without_a_word_yet_the_turn_waits_longer() -> None:
    story = Story(YES_NO)
    story.speech(0.3)
    story.silence(0.7)
    assert story.ends == []
    story.silence(0.2)
    assert len(story.ends) == 1


def test_a_word_that_is_recognised_late_ends_the_wait() -> None:
    story = Story(YES_NO)
    story.speech(0.3)
    story.silence(0.5)
    story.recognised("no")
    story.silence(FRAME)
    assert [end.reason for end in story.ends] == [Ending.SILENCE]


def test_a_click_is_not_speech() -> None:
    story = Story(replace(OPEN, shortest=0.06))
    for _ in range(10):
        story.speech(0.04)
        story.silence(0.3)
    assert story.decisions == []


def test_steady_noise_ends_as_no_words_and_does_not_start_again() -> None:
    story = Story(OPEN)
    story.speech(20.0)
    assert len(story.starts) == 1
    assert [end.reason for end in story.ends] == [Ending.NO_WORDS]


def test_speech_after_a_noise_that_paused_is_heard_again() -> None:
    story = Story(OPEN)
    story.speech(6.0)
    story.silence(0.3)
    story.speech(0.5)
    assert len(story.starts) == 2


def test_words_that_come_after_the_end_of_their_turn_start_no_other() -> None:
    story = Story(YES_NO)
    story.speech(0.5)
    story.recognised("yes")
    story.silence(0.4)
    story.recognised("yes please")
    story.silence(0.4)
    assert len(story.starts) == len(story.ends) == 1


def test_words_inside_a_noise_make_it_speech_again() -> None:
    story = Story(OPEN)
    story.speech(6.0)  # given up after 5
    story.recognised("help")
    assert len(story.starts) == 2


def test_a_caller_who_does_not_stop_is_cut_and_heard_on() -> None:
    story = Story(YES_NO)
    for second in range(12):
        story.speech(1.0)
        story.recognised("well " * (second + 1))
    story.silence(1.0)
    assert [end.reason for end in story.ends] == [Ending.TOO_LONG, Ending.SILENCE]
    assert story.ends[0].at - story.ends[0].speech_started_at == pytest.approx(8.0, abs=FRAME)


def test_a_turn_ends_though_the_caller_sends_no_silence() -> None:
    """Phones with silence suppression simply stop sending."""
    story = Story(OPEN)
    story.speech(0.5)
    story.recognised("hello")
    story.nothing_comes(0.5)
    assert story.ends == []
    story.nothing_comes(0.1)
    assert [end.reason for end in story.ends] == [Ending.SILENCE]


def test_words_alone_are_a_turn_when_the_line_is_too_quiet_for_the_meter() -> None:
    story = Story(YES_NO)
    story.silence(3.0)
    story.recognised("yes")
    story.silence(1.0)
    assert len(story.starts) == 1
    (end,) = story.ends
    assert end.speech_ended_at <= 103.0


def test_the_profile_may_change_while_the_caller_speaks() -> None:
    story = Story(YES_NO)
    story.speech(0.5)
    story.recognised("five")
    story.endpointer.expect(DIGITS, worth)
    story.silence(0.45)
    assert story.ends == []


# -- how it was said --------------------------------------------------------------------------


def a_piece(text: str, patience: float | None) -> float:
    """Seconds of silence that end a turn with these words, if they ask for so much patience."""
    story = Story(OPEN)
    story.speech(0.6)
    quiet_since = story.now
    story.silence(OPEN.hush)
    story.finished(text, patience)
    story.silence(3.0)
    return story.ends[0].at - quiet_since


@pytest.mark.parametrize(
    ("text", "patience", "wait"),
    [
        ("well", 0.3, 0.3),
        ("well", 1.1, 1.1),
        ("well", -2.0, OPEN.whole),
        ("well", 9.0, OPEN.midway),
        ("", 0.3, 0.3),
        ("well", None, OPEN.silence),
        ("well and", None, OPEN.unfinished),
        ("maybe", None, OPEN.whole),
        ("", None, OPEN.unsure),
    ],
)
def test_a_pause_lasts_as_long_as_its_patience_within_the_profiles_bounds(
    text: str, patience: float | None, wait: float
) -> None:
    assert a_piece(text, patience) == pytest.approx(wait, abs=1.5 * FRAME)


def test_the_patience_for_one_pause_says_nothing_of_the_next() -> None:
    story = Story(OPEN)
    story.speech(0.6)
    story.silence(OPEN.hush)
    story.finished("well", 0.25)
    story.speech(0.1)
    story.silence(OPEN.silence - 2 * FRAME)
    assert story.ends == []


def test_a_piece_that_comes_when_the_caller_goes_on_has_no_patience_of_its_own() -> None:
    story = Story(OPEN)
    story.speech(0.6)
    story.silence(OPEN.hush)
    story.speech(0.1)
    story.finished("well", 0.25)
    story.silence(OPEN.silence - 2 * FRAME)
    assert story.ends == []


# -- what was said ----------------------------------------------------------------------------


def test_a_pause_is_told_once_and_so_is_its_end() -> None:
    story = Story(OPEN)
    story.speech(0.5)
    story.silence(0.3)
    story.speech(0.5)
    assert [type(d) for d in story.decisions] == [SpeechStarted, SpeechPaused, SpeechResumed]
    paused, resumed = story.decisions[1:]
    assert paused.at == pytest.approx(100.5 + OPEN.hush, abs=FRAME)
    assert resumed.at == pytest.approx(100.84)


def test_a_whole_answer_ends_the_turn_soon() -> None:
    story = Story(YES_NO)
    story.speech(0.4)
    quiet_since = story.now
    story.silence(YES_NO.hush)
    story.finished("yes")
    story.silence(1.0)
    (end,) = story.ends
    assert end.at - quiet_since == pytest.approx(YES_NO.whole, abs=FRAME)


def test_half_a_sentence_is_waited_for() -> None:
    story = Story(OPEN)
    story.speech(0.4)
    story.silence(OPEN.hush)
    story.finished("i was there and")
    story.silence(OPEN.unfinished - OPEN.hush - FRAME)
    assert story.ends == []
    story.silence(0.1)
    assert len(story.ends) == 1


def test_pieces_are_judged_together() -> None:
    story = Story(DIGITS)
    for piece in ("nine", "one one"):
        story.speech(0.4)
        story.silence(0.3)
        story.finished(piece)
    assert [end.reason for end in story.ends] == [Ending.SILENCE]


def test_what_was_said_before_counts_no_more_once_the_caller_goes_on() -> None:
    story = Story(YES_NO)
    story.speech(0.4)
    story.silence(YES_NO.hush)
    story.finished("yes")
    story.speech(0.1)
    story.silence(YES_NO.whole + 0.1)  # whatever it was, its words are not known yet
    assert story.ends == []
    story.finished("")
    assert len(story.ends) == 1


def test_a_piece_that_comes_while_the_caller_speaks_again_ends_nothing() -> None:
    story = Story(YES_NO)
    story.speech(0.4)
    story.silence(YES_NO.hush)
    story.speech(0.04)
    story.finished("yes")
    story.silence(YES_NO.whole + 0.04)
    assert story.ends == []


def test_a_whole_partial_counts_when_it_has_not_changed_for_long() -> None:
    patient = Profile(0.2, 0.9, 0.9, 0.9, unsure=0.9, longest=8.0, wordless=4.0)
    story = Story(patient)
    story.speech(0.4)
    story.recognised("yes")
    quiet_since = story.now
    story.silence(1.0)
    (end,) = story.ends
    assert end.at - quiet_since == pytest.approx(0.5, abs=FRAME)


def test_a_piece_after_the_end_belongs_to_no_turn() -> None:
    story = Story(YES_NO)
    story.speech(0.4)
    story.silence(1.0)
    story.finished("yes")
    story.speech(0.4)
    story.silence(YES_NO.whole + 0.1)
    assert len(story.ends) == 1


@pytest.mark.parametrize(
    "times",
    [
        (0.0, 0.3, 0.9, 1.0, 0.9, 9.0, 5.0),
        (0.2, 0.1, 0.9, 1.0, 0.9, 9.0, 5.0),
        (0.2, 0.6, 0.5, 1.0, 0.9, 9.0, 5.0),
        (0.2, 0.6, 0.9, 0.8, 0.9, 9.0, 5.0),
        (0.2, 0.6, 0.9, 1.0, 0.5, 9.0, 5.0),
        (0.2, 0.3, 0.9, 1.0, 0.9, 0.03, 5.0),
        (0.2, 0.3, 0.9, 1.0, 0.9, 9.0, 5.0, -1.0),
        (0.2, 0.3, 0.9, 1.0, 0.9, 9.0, 5.0, 0.06, 0.3),
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(times: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="a profile"):
        Profile(*times)
