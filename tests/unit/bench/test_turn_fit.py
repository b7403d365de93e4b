"""The fit of the patience, on pauses whose truth is known."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from ari_app.speech.patience import Rest, features
from ari_app.understanding.completeness import Standing
from tests.bench.turn.corpus import Clip
from tests.bench.turn.fit import Line, Pause, delays, fitted

REST = Rest("open", Standing.POSSIBLE, False, False, 0, 1.0, None)
CLIP = Clip("a turn", "open", np.zeros(40_000, np.int16), voiced=((1.0, 3.0),))


def test_what_tells_ends_from_pauses_gets_the_weight() -> None:
    whole = replace(REST, standing=Standing.WHOLE)
    found = [Pause(whole, 1.0, inf, True)] * 40 + [Pause(REST, 1.0, 0.4, False)] * 40
    weights = dict(zip(features(REST), fitted(found), strict=True))
    assert weights["whole"] > 2.0
    assert weights["always"] < 0.0
    assert weights["digits"] == pytest.approx(0.0, abs=1e-6)


def test_a_turn_is_cut_off_by_the_first_pause_that_outlasts_its_wait() -> None:
    told = [(Pause(REST, 2.0, 0.5, False), 0.0), (Pause(REST, 3.0, inf, True), 2.0)]
    late = delays([(CLIP, told)] * 2, Line(0.4, 0.1))
    assert late == pytest.approx([-0.6, -0.6])
    assert delays([(CLIP, told)], Line(0.6, 0.1)) == pytest.approx([0.4])


def test_a_turn_without_an_end_lasts_as_long_as_its_clip() -> None:
    assert delays([(CLIP, [])], Line(0.6, 0.1)) == pytest.approx([2.0])


def test_waits_stay_within_the_profiles() -> None:
    assert Line(0.6, 0.1).wait(1e6) == pytest.approx(0.22)
    assert Line(0.6, 0.1).wait(-1e6) == pytest.approx(1.7)
