"""Voice activity and endpointing together, with what we play beside them."""

from __future__ import annotations

import numpy as np
import pytest

from ari_app.ports import Expectation, TurnSign, Utterance, Word
from ari_app.speech.turns import Turns

RATE, FRAME = 8000, 0.02


def buzz(seconds: float, level: float = 2500.0, seed: int = 3, falls: float = 0.0) -> bytes:
    """A voice that never stops; in the end its pitch may fall by so many Hz."""
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * time + seed)
    pitch = pitch - falls * np.clip((time - seconds + 0.3) / 0.3, 0.0, 1.0)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    tone = sum(np.sin(n * phase) / n for n in range(1, 12))
    return np.asarray(level * tone).astype("<i2").tobytes()


def hush(seconds: float) -> bytes:
    noise = 8 * np.random.default_rng(1).standard_normal(round(seconds * RATE))
    return noise.astype("<i2").tobytes()


class Line:
    """A detector, the caller's audio, and what we play at the same time."""

    def __init__(self, pause: float = 0.55) -> None:
        self.turns = Turns(RATE, pause)
        self.now = 10.0
        self.signs: list[TurnSign] = []

    def hears(self, pcm: bytes, played: bytes = b"") -> None:
        for at in range(0, len(pcm) - 319, 320):
            self.now += FRAME
            self.turns.played(played[at : at + 320])
            self.note(self.turns.heard(pcm[at : at + 320], self.now))

    def note(self, sign: TurnSign | None) -> None:
        if sign is not None:
            self.signs.append(sign)


def said(text: str, confidence: float = 1.0) -> Utterance:
    return Utterance(text, tuple(Word(w, 0.0, 0.1, confidence) for w in text.split()))


def test_our_own_voice_that_comes_back_is_not_the_caller() -> None:
    ours = hush(1.0) + buzz(4.0, 6000)
    back = hush(1.1) + buzz(4.0, 600)
    line = Line()
    line.hears(back, ours)
    assert line.signs == []
    deaf = Line()
    deaf.hears(back)
    assert TurnSign.STARTED in deaf.signs


def test_a_caller_who_speaks_over_us_is_heard_all_the_same() -> None:
    line = Line()
    line.hears(hush(1.0), buzz(1.0, 4000))
    line.hears(buzz(0.4, 4000, seed=5), buzz(0.4, 4000))
    assert line.signs == [TurnSign.STARTED]


def test_words_without_a_voice_are_of_a_noise_while_we_speak() -> None:
    line = Line()
    line.hears(hush(1.0), buzz(1.0, 4000))
    line.turns.partial("is there", line.now)
    line.hears(hush(0.1), buzz(0.1, 4000))
    assert line.signs == []
    assert not line.turns.near(line.now)


def test_words_without_a_voice_may_be_a_whisper_while_we_are_silent() -> None:
    line = Line()
    line.hears(hush(1.5))
    line.turns.partial("is there", line.now)
    line.hears(hush(FRAME))
    assert line.signs == [TurnSign.STARTED]


def test_a_voice_is_near_for_as_long_as_its_words_may_come() -> None:
    line = Line()
    line.hears(hush(1.0))
    assert not line.turns.near(line.now)
    line.hears(buzz(0.5))
    assert line.turns.near(line.now + 1.0)
    assert not line.turns.near(line.now + 1.2)


def test_a_flicker_is_no_voice_that_could_say_a_word() -> None:
    line = Line()
    line.hears(hush(1.0))
    line.hears(buzz(0.1))
    assert TurnSign.STARTED in line.signs
    assert not line.turns.near(line.now)


def answered(
    text: str, pause: float = 0.55, confidence: float = 1.0, profile: str = "open"
) -> float:
    """Seconds from the end of a voice to the end of its turn."""
    line = Line(pause)
    line.turns.expect(Expectation(profile))
    line.hears(hush(1.0) + buzz(1.2, falls=30.0))
    ended = line.now
    while TurnSign.ENDED not in line.signs and line.now < ended + 4:
        before = len(line.signs)
        line.hears(hush(FRAME))
        if TurnSign.PAUSED in line.signs[before:]:
            line.turns.piece(said(text, confidence), line.now)
    return line.now - ended


def test_a_turn_ends_sooner_the_more_its_words_are_worth() -> None:
    assert answered("yes", profile="yes_no") < answered("i want to") - 0.1


def test_a_doubted_last_word_asks_for_no_more() -> None:
    assert answered("i want to", confidence=0.2) < answered("i want to")


def test_the_words_of_one_turn_say_nothing_about_the_next() -> None:
    line = Line()
    line.turns.expect(Expectation("digits", 4))
    waits = []
    for text in ("one two three four", ""):
        line.hears(hush(1.0) + buzz(1.2, falls=30.0))
        ended, line.signs = line.now, []
        while TurnSign.ENDED not in line.signs:
            before = len(line.signs)
            line.hears(hush(FRAME))
            if TurnSign.PAUSED in line.signs[before:]:
                line.turns.piece(said(text), line.now)
        waits.append(line.now - ended)
    assert waits[1] > waits[0] + 0.1


def test_an_open_question_is_as_patient_as_it_is_set_to_be() -> None:
    assert answered("i want to", pause=1.1) > answered("i want to") + 0.1


@pytest.mark.parametrize("pause", [0.1, 0.55, 3.0])
def test_any_pause_makes_a_detector(pause: float) -> None:
    assert answered("well", pause) <= 4.0
