"""What `tests.bench.turn.curve` makes of the moments at which a turn was ended."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ari_app.ports import Expectation, TurnSign, Utterance
from tests.bench.turn.corpus import Clip
from tests.bench.turn.curve import main, point, points, quickest
from tests.bench.turn.drive import Outcome, drive, mini_model, wait_for_silence

SAID = Clip("one", "open", np.zeros(24000, np.int16), voiced=((0.5, 1.0), (1.4, 2.0)))


def ended(at: float | None) -> Outcome:
    return Outcome(SAID, 0.6, at, ())


def test_a_decision_before_the_last_sound_is_a_cut_off_and_has_no_delay() -> None:
    found = point("x", [ended(1.3), ended(2.2), ended(2.4), ended(2.6)])
    assert found.cut_off == 0.25
    assert found.p50 == pytest.approx(0.4)


def test_a_turn_that_is_never_ended_counts_as_endless() -> None:
    found = point("x", [ended(2.2), ended(None)])
    assert (found.never, found.p95) == (1, math.inf)


def test_a_rule_of_silence_waits_from_the_last_voice() -> None:
    voiced = [0.5 <= n * 0.02 < 1.0 or 1.4 <= n * 0.02 < 2.0 for n in range(150)]
    assert wait_for_silence(SAID, voiced, 0.3).cut_off
    assert wait_for_silence(SAID, voiced, 0.5).delay == pytest.approx(0.5)
    assert wait_for_silence(SAID, voiced, 1.2).ended is None


def test_a_click_begins_no_turn() -> None:
    assert wait_for_silence(SAID, [n in (30, 31) for n in range(150)], 0.3).started is None


def test_the_quickest_rule_is_one_that_cuts_off_few() -> None:
    good, bad = [ended(2.6)] * 20, [ended(2.1)] * 18 + [ended(1.2)] * 2
    _, rules = points(good, {0.6: good, 0.1: bad})
    best = quickest(rules)
    assert best is not None
    assert best.name == "silence 600 ms"
    assert quickest([rules[1]]) is None


class EndsAt:
    """A detector that ends every turn at one moment."""

    def __init__(self, moment: float) -> None:
        self.speech_ended_at = moment
        self.question: Expectation | None = None

    def expect(self, expectation: Expectation) -> None:
        self.question = expectation

    def heard(self, pcm: bytes, at: float) -> TurnSign | None:
        return TurnSign.ENDED if at >= self.speech_ended_at else None

    def played(self, pcm: bytes) -> None:
        raise AssertionError("nothing is played")

    def near(self, now: float) -> bool:
        return True

    def piece(self, said: Utterance, at: float) -> None:
        raise AssertionError("nobody has paused")

    def partial(self, text: str, at: float) -> None:
        pass

    def poll(self, now: float) -> TurnSign | None:
        return None


def test_a_detector_is_asked_the_clips_question_and_told_its_time() -> None:
    detector = EndsAt(2.3)
    outcome = drive(SAID, detector, mini_model())
    assert detector.question == Expectation("open")
    assert outcome.delay == pytest.approx(0.3)


def test_a_small_curve_is_drawn_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--turns", "4", "--json", str(tmp_path / "x" / "curve.json"), "--each"]) == 0
    assert "silence 500 ms" in capsys.readouterr().out
    assert '"kind": "digits"' in (tmp_path / "x" / "curve.json").read_text()
