"""The estimate against the model's own figures."""

from __future__ import annotations

import pytest

from ari_app.media.quality import mos, mos_x100, r_factor, with_trunk


def test_a_perfect_line_is_what_g_107_says_of_its_defaults() -> None:
    assert r_factor(0.0) == 93.2
    assert mos(93.2) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("r", "score"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)]
)
def test_the_scores_are_those_of_annex_b(r: float, score: float) -> None:
    assert mos(r) == pytest.approx(score, abs=0.01)


def test_the_score_stays_on_its_scale() -> None:
    assert mos(-5) == mos(0) == 1.0
    assert 4.4 < mos(100) <= 4.5
    assert all(mos(r) <= mos(r + 1) for r in range(0, 99))


def test_loss_and_delay_make_it_worse_and_runs_of_loss_more_so() -> None:
    assert r_factor(0.0) > r_factor(0.01) > r_factor(0.05) > r_factor(0.2)
    assert r_factor(0.05) > r_factor(0.05, burst=2.0)
    assert r_factor(0.0) > r_factor(0.0, delay=0.15) > r_factor(0.0, delay=0.4)
    assert r_factor(0.05) == pytest.approx(93.2 - 95 * 5 / (5 + 25.1))


@pytest.mark.parametrize(("loss", "delay"), [(2.0, 0.0), (-1.0, 0.0), (0.0, -1.0), (1.0, 99.0)])
def test_figures_that_cannot_be_are_read_as_the_nearest_that_can(loss: float, delay: float) -> None:
    assert 0.0 <= r_factor(loss, delay=delay) <= 93.2


def test_a_line_that_heard_nothing_has_no_score() -> None:
    assert mos_x100(0, 0) == mos_x100(0, 50) == 0


def test_five_percent_by_chance_is_better_than_in_one_run() -> None:
    chance, run = mos_x100(950, 50, gaps=48), mos_x100(950, 50, gaps=5)
    assert 400 > chance > run >= 100


def test_what_asterisk_says_of_the_trunk_stands_beside_what_we_measured() -> None:
    both = with_trunk(
        {"received": 100, "mos_x100": 440},
        {"rxcount": 970, "rxploss": 30, "txcount": 1000, "txploss": 10, "rtt": 0.04},
    )
    assert both["received"] == 100
    assert (both["trunk_received"], both["trunk_lost"]) == (970, 30)
    assert both["trunk_mos_x100"] == mos_x100(970, 30)
    assert both["caller_lost"] == 10
    assert both["caller_mos_x100"] == mos_x100(990, 10)


def test_what_the_callers_side_never_reported_is_left_out() -> None:
    both = with_trunk({}, {"rxcount": 10, "rxploss": 0, "txcount": 100, "txploss": 0, "rtt": 0})
    assert set(both) == {"trunk_received", "trunk_lost", "trunk_mos_x100"}


@pytest.mark.parametrize("nonsense", [None, "12", [], -5, float("nan"), float("inf"), 1e300])
def test_nonsense_from_outside_is_left_out(nonsense: object) -> None:
    names = ("rxcount", "rxploss", "txcount", "txploss", "rtt")
    assert with_trunk({"sent": 1}, dict.fromkeys(names, nonsense)) == {"sent": 1}
