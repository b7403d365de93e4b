"""What is on a line and is no turn begins none: on sounds that no threshold was chosen with."""

from __future__ import annotations

import numpy as np
import pytest

from ari_app.speech.vad import VoiceActivity
from tests.bench.turn.activity import ours, starts
from tests.bench.turn.corpus import FIGURES, Clip, turns
from tests.bench.turn.line import RATE, at_level, sent
from tests.bench.turn.line import noise as steady
from tests.bench.turn.others import noise, others

QUIET = ("pink", "fan", "noise sets in", "coughs", "breathing", "clicks", "knocks", "DTMF")


@pytest.mark.parametrize("kind", [*QUIET, "tones", "keyboard"])
def test_a_noise_begins_no_turn(kind: str) -> None:
    (heard,) = ours([noise(FIGURES, kind, 0)])
    assert not starts(heard.voiced)


@pytest.fixture(scope="module")
def sounds() -> dict[str, Clip]:
    return {clip.kind: clip for clip in others(FIGURES, each=1)}


def test_our_own_echo_begins_no_turn_if_we_say_what_we_play(sounds: dict[str, Clip]) -> None:
    (heard,) = ours([sounds["own echo"]])
    assert not starts(heard.voiced)
    activity = VoiceActivity(RATE)
    assert starts([activity.is_speech(pcm) for pcm in sounds["own echo"].frames()])


def test_a_caller_who_only_listens_is_heard(sounds: dict[str, Clip]) -> None:
    (heard,) = ours([sounds["mm-hm"]])
    assert len(starts(heard.voiced)) >= 0.7 * len(sounds["mm-hm"].voiced)


def test_a_noise_that_sets_in_as_the_caller_ends_is_speech_for_half_a_second_at_most() -> None:
    (turn,) = turns(FIGURES, 1, snr=32.0, alone=True)
    said = turn.samples[: round(turn.ends * RATE)].astype(float)
    hiss = at_level(steady(np.random.default_rng(3), 2 * RATE, "pink"), -20)
    (heard,) = ours([Clip("x", "open", sent(np.concatenate([said, hiss])))])
    after = heard.voiced[round(turn.ends * 50) :]
    assert not any(after[35:])
