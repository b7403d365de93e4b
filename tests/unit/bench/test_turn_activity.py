"""How detectors of voice are scored."""

from __future__ import annotations

import numpy as np
import pytest

from asterisk.fetch import ProgramMissing
from tests.bench.turn.activity import Heard, peers, score, starts
from tests.bench.turn.corpus import FIGURES, Clip, Word
from tests.bench.turn.others import noise

TURN = Clip(
    "one", "open", np.zeros(16000, np.int16), (Word("yes", 0.5, 1.0),), voiced=((0.5, 1.0),)
)
HISS = Clip("two", "white", np.zeros(16000, np.int16))


def voiced(begin: float, end: float) -> tuple[bool, ...]:
    return tuple(begin - 1e-9 <= n * 0.02 < end - 1e-9 for n in range(100))


def test_a_perfect_detector_misses_nothing_and_starts_after_60_ms() -> None:
    found = score("x", [Heard(TURN, voiced(0.5, 1.0), 0.002), Heard(HISS, voiced(0, 0), 0.002)])
    assert (found.missed, found.false, found.unheard) == (0, 0, 0)
    assert found.onset_p50 == pytest.approx(60)
    assert found.offset_p50 == pytest.approx(0)
    assert found.cpu == pytest.approx(1.0)
    assert found.false_starts == {"white": 0}


def test_a_late_and_long_detector_is_seen_as_such() -> None:
    found = score("x", [Heard(TURN, voiced(0.6, 1.2), 0)])
    assert found.missed == pytest.approx(0.2)
    assert found.false == pytest.approx(10 / 75)
    assert found.onset_p50 == pytest.approx(160)
    assert found.offset_p50 == pytest.approx(200)


def test_starts_on_noise_are_counted_by_the_minute() -> None:
    twice = tuple(a or b for a, b in zip(voiced(0.2, 0.4), voiced(1.2, 1.4), strict=True))
    found = score("x", [Heard(TURN, voiced(0.5, 1.0), 0), Heard(HISS, twice, 0)])
    assert found.false_starts == {"white": pytest.approx(60)}


def test_a_click_is_no_start_and_voice_must_pause_before_the_next() -> None:
    assert starts(voiced(0.2, 0.24)) == []
    together = tuple(a or b for a, b in zip(voiced(0.2, 0.4), voiced(0.5, 0.9), strict=True))
    assert starts(together) == [pytest.approx(0.26)]


def test_the_detectors_of_others_answer_for_every_frame() -> None:
    clip = noise(FIGURES, "clicks", 0)
    try:
        heard = peers([clip])
    except ProgramMissing as missing:
        pytest.skip(str(missing))
    assert set(heard) == {"webrtcvad 1", "webrtcvad 2", "webrtcvad 3", "Silero"}
    for (one,) in heard.values():
        assert len(one.voiced) == len(clip.frames())
