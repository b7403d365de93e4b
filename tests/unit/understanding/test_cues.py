"""Signs of frustration add up, each under its name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ari_app.conversation.manner import Manner
from ari_app.understanding.cues import frustration

CALM = Manner(spoken=3, level=-25.0, pace=2.5)


def test_a_calm_caller_shows_nothing() -> None:
    assert frustration(0, 0, CALM).score == 0.0
    assert frustration(0, 0, CALM).because == ()


@pytest.mark.parametrize(
    ("sign", "manner"),
    [
        ("louder", replace(CALM, louder_db=10.0)),
        ("faster", replace(CALM, faster=1.7)),
        ("interruptions", replace(CALM, interruptions=3)),
        ("keys", replace(CALM, odd_keys=2)),
        ("earlier_misses", replace(CALM, misses=2)),
    ],
)
def test_each_sign_counts_by_its_name(sign: str, manner: Manner) -> None:
    found = frustration(0, 0, manner)
    assert [name for name, _ in found.because] == [sign]
    assert 0 < found.score < 0.5


@pytest.mark.parametrize(
    "manner",
    [
        replace(CALM, louder_db=3.0),
        replace(CALM, louder_db=-20.0),
        replace(CALM, faster=1.1),
        replace(CALM, interruptions=1),
    ],
)
def test_what_everybody_does_is_no_sign(manner: Manner) -> None:
    assert frustration(0, 0, manner).score == 0.0


def test_the_heaviest_sign_is_told_first() -> None:
    found = frustration(2, 1, replace(CALM, misses=2, odd_keys=1))
    assert [name for name, _ in found.because] == ["misses", "keys", "silences"]


def test_one_sign_alone_is_not_enough_for_the_example_bundle() -> None:
    for alone in (
        frustration(3, 0, replace(CALM, misses=3)),
        frustration(0, 0, replace(CALM, louder_db=60.0)),
        frustration(0, 0, replace(CALM, odd_keys=99)),
        frustration(0, 0, replace(CALM, interruptions=99)),
    ):
        assert alone.score < 0.6


def test_everything_together_stays_below_one() -> None:
    worst = Manner(99, 99, 99, 3, -30.0, 2.0, 60.0, 9.0)
    assert 0.75 < frustration(99, 99, worst).score <= 1.0
