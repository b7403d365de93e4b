"""Calibrated confidence rises with what speaks for a result and falls with what speaks against."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ari_app.understanding.confidence import USUAL_SNR, Evidence, calibrated, features
from ari_app.understanding.confidence_model import WEIGHTS

GOOD = Evidence(
    lowest=0.9,
    mean=0.95,
    unknown=0.0,
    stable=1.0,
    agrees=0.0,
    guided=0.0,
    snr=USUAL_SNR,
    clipped=0.0,
    lost=0.0,
    length=4.0,
)


def test_there_is_a_weight_for_each_feature() -> None:
    assert len(features(GOOD)) == len(WEIGHTS)


@pytest.mark.parametrize(
    "better",
    [
        replace(GOOD, lowest=0.99),
        replace(GOOD, mean=0.99),
        replace(GOOD, agrees=1.0, guided=1.0),
        replace(GOOD, snr=38.0),
    ],
)
def test_what_speaks_for_a_result_makes_it_surer(better: Evidence) -> None:
    assert calibrated(better) > calibrated(GOOD)


@pytest.mark.parametrize(
    "worse",
    [
        replace(GOOD, lowest=0.3),
        replace(GOOD, mean=0.5, lowest=0.3),
        replace(GOOD, snr=2.0),
    ],
)
def test_what_speaks_against_a_result_makes_it_less_sure(worse: Evidence) -> None:
    assert calibrated(worse) < calibrated(GOOD)


def test_two_recognisers_that_agree_are_surer_than_two_that_do_not() -> None:
    both = replace(GOOD, guided=1.0, agrees=1.0)
    assert calibrated(both) > calibrated(replace(both, agrees=-1.0))
    assert calibrated(both) > calibrated(GOOD)


def test_a_result_without_words_is_never_sure() -> None:
    assert calibrated(replace(GOOD, length=0.0)) == 0.0


def test_it_is_a_logistic_model() -> None:
    even = calibrated(GOOD, 0.0, [0.0] * len(WEIGHTS))
    assert even == 0.5
    assert calibrated(GOOD, 1000.0, [0.0] * len(WEIGHTS)) <= 1.0
    assert calibrated(GOOD, -1000.0, [0.0] * len(WEIGHTS)) >= 0.0


def test_a_clear_answer_may_be_acted_upon_and_a_guess_may_not() -> None:
    """0.6 is what the example bundle asks for."""
    assert calibrated(replace(GOOD, lowest=0.98, mean=0.99)) > 0.6
    assert calibrated(replace(GOOD, lowest=0.2, mean=0.4, snr=5.0, stable=0.0)) < 0.6


def test_the_evidence_has_plain_names() -> None:
    assert set(GOOD.plain()) == set(Evidence.__dataclass_fields__)
