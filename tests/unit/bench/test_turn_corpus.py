"""The corpus of `make bench-turn`: its truth is exact, and its halves share nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ari_app.speech.model import load_model_facts, mini_model_path
from tests.bench.turn import pauses, wordings
from tests.bench.turn.corpus import FIGURES, TUNE, Clip, Set, turns
from tests.bench.turn.line import RATE, rms

HELD_OUT = "f4 m4 linda Michael Andy belinda steph3 victor ed klatt3 robert miguel".split()


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return turns(TUNE, 24, snr=32.0)


def test_the_sets_share_no_voice_wording_noise_or_seed() -> None:
    assert not set(TUNE.variants) & set(FIGURES.variants)
    assert not set(TUNE.noises) & set(FIGURES.noises)
    assert TUNE.seed != FIGURES.seed
    for kind in wordings.KINDS:
        assert not (set(TUNE.says[kind]) & set(FIGURES.says[kind])) - {"{digits}"}


def test_every_voice_is_one_that_the_mini_model_was_not_trained_on() -> None:
    assert sorted(TUNE.variants + FIGURES.variants) == sorted(HELD_OUT)


@pytest.mark.parametrize("which", [TUNE, FIGURES], ids=["tune", "figures"])
def test_the_mini_model_knows_every_word(which: Set) -> None:
    known = load_model_facts(mini_model_path()).words
    said = " ".join(text for texts in which.says.values() for text in texts)
    said = re.sub(r"\{\w+\}|[|.]", " ", said)
    drawn = (*wordings.DIGITS, *wordings.DAYS, *wordings.MONTHS, *wordings.FILLERS)
    parts = " ".join((*drawn, *wordings.ORDINALS, *wordings.PARTS, *wordings.ANSWERS))
    assert not {*said.split(), *parts.split()} - known


def test_a_seed_gives_the_same_samples_again(clips: list[Clip]) -> None:
    again = turns(TUNE, 24, snr=32.0)
    assert all(
        np.array_equal(one.samples, two.samples) for one, two in zip(clips, again, strict=True)
    )


def test_the_caller_sounds_where_the_truth_says_and_nowhere_else(clips: list[Clip]) -> None:
    for clip in clips:
        inside = np.concatenate([_of(clip, begin, end) for begin, end in clip.voiced])
        behind = _of(clip, clip.ends, clip.seconds)
        before = _of(clip, 0.0, clip.begins)
        assert rms(inside) > 8 * max(rms(behind), rms(before))


def test_the_last_sound_of_a_turn_is_its_last_word(clips: list[Clip]) -> None:
    for clip in clips:
        assert clip.words[-1].end == pytest.approx(clip.ends, abs=0.001)
        starts = [word.start for word in clip.words]
        assert starts == sorted(starts)


def test_a_pause_is_as_long_in_the_sound_as_it_was_drawn(clips: list[Clip]) -> None:
    paused = [clip for clip in clips if clip.pauses]
    assert paused
    for clip in paused:
        gaps = [
            later[0] - early[1] for early, later in zip(clip.voiced, clip.voiced[1:], strict=False)
        ]
        for pause in clip.pauses:
            assert min(abs(gap - pause) for gap in gaps) < 0.002


def test_digits_are_as_many_as_the_question_expects(clips: list[Clip]) -> None:
    asked = [clip for clip in clips if clip.kind == "digits"]
    assert asked
    for clip in asked:
        assert sum(word.text in wordings.DIGITS for word in clip.words) == clip.count


def test_pauses_are_log_normal_and_as_long_as_those_of_people() -> None:
    rng = np.random.default_rng(5)
    found = pauses.spread([pauses.draw(rng) for _ in range(4000)])
    assert found.median == pytest.approx(pauses.MEDIAN, abs=0.02)
    assert abs(found.skew) < 0.2
    assert found.medium > found.long > 0.05


def _of(clip: Clip, begin: float, end: float) -> np.ndarray:
    return clip.samples[round(begin * RATE) : round(end * RATE)].astype(float)
