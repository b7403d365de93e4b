"""A prompt, a line and whoever is on it, 20 ms by 20 ms: ear, endpointing and dialogue together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from ari_app.calls.dialogue import Dialogue, Pause, Phase, Play, Resume, Signal, Step, Stop
from ari_app.ports import TurnSign, Utterance
from ari_app.speech.turns import Turns

RATE, FRAME = 8000, 0.02
NO_INPUT = 6.0
BACK = 0.4  # seconds that a prompt goes back when it goes on

Sound = NDArray[np.float64]


@dataclass
class Call:
    """A prompt of so many seconds, whose words nobody understands unless they are told."""

    length: float = 5.0
    interruptible: bool = True
    turns: Turns = field(default_factory=lambda: Turns(RATE, 0.55))
    dialogue: Dialogue[str] = field(default_factory=lambda: Dialogue(NO_INPUT))
    now: float = 100.0
    left: float = 0.0  # seconds of the prompt
    playing: bool = False
    steps: list[Step[str]] = field(default_factory=list)

    def asks(self) -> None:
        self.follow(self.dialogue.say([("question", self.interruptible)], self.now, leave=False))

    def hears(self, sound: Iterable[float], words: dict[float, str] | None = None) -> None:
        """All of a sound; `words` are understood so many seconds into it."""
        samples = np.asarray(sound).clip(-32768, 32767).astype("<i2")
        began, due = self.now, sorted((words or {}).items())
        for at in range(0, samples.size - 159, 160):
            self.now += FRAME
            self.sign(self.turns.heard(samples[at : at + 160].tobytes(), self.now))
            while due and self.now - began >= due[0][0]:
                self.turns.partial(due.pop(0)[1], self.now)
                self.follow(self.dialogue.words(self.now))
            if self.playing:
                self.left -= FRAME
                if self.left <= 0:
                    self.playing = False
                    self.follow(self.dialogue.segment_ended(self.now))
            self.follow(self.dialogue.tick(self.now))

    def sign(self, sign: TurnSign | None) -> None:
        match sign:
            case TurnSign.STARTED | TurnSign.RESUMED:
                self.follow(self.dialogue.speech_started(self.now))
            case TurnSign.PAUSED:
                self.turns.piece(Utterance("", ()), self.now)
                self.follow(self.dialogue.quiet(self.now))
            case TurnSign.ENDED:
                self.follow(self.dialogue.speech_ended(self.now))
            case None:
                pass

    def follow(self, steps: Iterable[Step[str]]) -> None:
        for step in steps:
            self.steps.append(step)
            match step:
                case Play():
                    self.playing, self.left = True, self.length
                case Pause() | Stop():
                    self.playing = False
                case Resume():
                    self.playing, self.left = True, min(self.left + BACK, self.length)
                case Signal.TAKE_WORDS:
                    self.follow(self.dialogue.nothing_said(self.now))
                case Signal():
                    pass

    def count(self, kind: type) -> int:
        return sum(isinstance(step, kind) for step in self.steps)


def quiet(seconds: float, level: float = 8.0) -> Sound:
    return level * np.random.default_rng(1).standard_normal(round(seconds * RATE))


def burst(seconds: float) -> Sound:
    """A cough: a noise, all at once."""
    return 5000 * np.random.default_rng(2).standard_normal(round(seconds * RATE))


def music(seconds: float) -> Sound:
    """Chords and beats without an end."""
    time = np.arange(round(seconds * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * f * time) for f in (262, 330, 392, 524))
    return np.asarray(1500 * chord * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * time)))


def voice(seconds: float, syllables: float = 4.0, seed: int = 3) -> Sound:
    """A buzz in syllables, as one who never stops."""
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * time + seed)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    buzz = sum(np.sin(n * phase) / n for n in range(1, 12))
    return np.asarray(2500 * buzz * np.abs(np.sin(np.pi * syllables * time)))


def key(seconds: float = 0.15) -> Sound:
    """DTMF in the audio: 770 and 1336 Hz are a 5."""
    time = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(4000 * (np.sin(2 * np.pi * 770 * time) + np.sin(2 * np.pi * 1336 * time)))


def babble(seconds: float) -> Sound:
    return voice(seconds, 3.0, 4) + voice(seconds, 5.0, 9)


def test_silence_for_ever_is_a_turn_of_its_own() -> None:
    call = Call()
    call.asks()
    call.hears(quiet(5.0 + NO_INPUT + 0.2))
    assert call.count(Pause) == 0
    assert call.steps[-1] is Signal.TAKE_SILENCE


@pytest.mark.parametrize("sound", [music, voice, babble, lambda s: quiet(s, 3000.0)])
@pytest.mark.parametrize("gaps", [False, True])
def test_a_noise_for_ever_never_mutes_us(sound: object, gaps: bool) -> None:
    assert callable(sound)
    call = Call()
    call.hears(quiet(1.0))
    call.asks()
    endless = np.asarray(sound(40.0))
    if gaps:
        endless[np.arange(endless.size) // 2400 % 3 == 2] = 0.0
    call.hears(endless)
    assert Signal.LISTEN in call.steps  # the prompt was heard to its end
    assert call.count(Pause) == call.count(Resume) <= 3


def test_a_noise_that_is_no_voice_disturbs_no_prompt() -> None:
    call = Call()
    call.asks()
    call.hears(quiet(2.0))
    call.hears(burst(0.3))
    call.hears(quiet(0.6))
    assert [type(s) for s in call.steps] == [Play]


def test_a_voice_without_words_delays_a_prompt_by_less_than_a_second() -> None:
    call = Call()
    call.asks()
    call.hears(quiet(2.0))
    call.hears(voice(0.3))
    call.hears(quiet(0.6))
    assert [type(s) for s in call.steps] == [Play, Pause, Resume]
    assert call.playing


def test_words_end_a_prompt_that_a_voice_has_paused_in_time() -> None:
    call = Call()
    call.asks()
    call.hears(quiet(2.0))
    began = call.now
    call.hears(voice(0.4))
    assert [type(s) for s in call.steps] == [Play, Pause]
    assert not call.playing
    call.hears(voice(0.5), {0.1: "i want"})
    assert isinstance(call.steps[2], Stop)
    assert call.dialogue.phase is Phase.LISTENING
    assert call.now - began < 1.0


def test_a_voice_is_noticed_within_a_sixth_of_a_second() -> None:
    call = Call()
    call.asks()
    call.hears(quiet(2.0))
    call.hears(voice(0.16))
    assert call.count(Pause) == 1


def test_speech_during_a_disclosure_is_kept_and_does_not_disturb_it() -> None:
    call = Call(interruptible=False)
    call.asks()
    call.hears(quiet(1.0))
    call.hears(voice(1.0), {0.5: "hello"})
    call.hears(quiet(4.0))
    assert call.count(Pause) == call.count(Stop) == 0
    assert Signal.TAKE_WORDS in call.steps


def test_a_caller_who_never_stops_has_turns_all_the_same() -> None:
    call = Call(length=0.5)
    call.asks()
    call.hears(quiet(1.0))
    words = {n / 2: "and " * n for n in range(1, 100)}
    call.hears(voice(50.0), words)
    assert call.steps.count(Signal.TAKE_WORDS) >= 2


def test_a_key_in_the_audio_pauses_a_prompt_for_a_moment_at_most() -> None:
    call = Call()
    call.asks()
    call.hears(quiet(2.0))
    call.hears(key())
    call.hears(quiet(1.0))
    assert call.playing
    assert call.count(Pause) == call.count(Resume)


def test_a_key_is_taken_in_the_middle_of_speech() -> None:
    call = Call()
    call.asks()
    call.hears(quiet(1.0))
    call.hears(voice(0.5))
    call.follow(call.dialogue.key())
    assert call.dialogue.phase is Phase.THINKING
    call.follow(call.dialogue.say([("answer", True)], call.now, leave=False))
    assert call.playing


def test_nothing_new_begins_while_two_are_talking() -> None:
    call = Call()
    call.asks()
    call.hears(quiet(5.5))
    call.hears(babble(1.0), {0.6: "so"})
    call.follow(call.dialogue.speech_ended(call.now))
    call.hears(babble(0.0))
    call.follow(call.dialogue.speech_started(call.now))
    call.asks()
    assert not call.playing
    call.hears(quiet(1.5))
    assert call.playing
