"""Whether a level of load was held, and why not."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ari_app.cli.bench_capacity import Plan
from ari_app.cli.capacity_figures import Found, figures
from ari_app.cli.capacity_levels import LATEST, Level, quantile
from ari_app.cli.capacity_overload import Overload
from ari_app.cli.metrics_page import MetricsPage
from ari_app.cli.roles import Role

SLOWEST = 1.5
REST = Level(
    calls=0,
    cores={Role.SERVICE: 0.01},
    fullest=(Role.SERVICE, 0.01),
    others=0.0,
    received=0,
    missing=0,
    dropped_by_us=0,
    dropped_by_callers=0,
    late=math.nan,
    callers_late=0.0,
    wait=math.nan,
    replies=0,
    set_up=math.nan,
    faults=(),
)
HELD = replace(
    REST,
    calls=10,
    cores={Role.SERVICE: 0.09, Role.ASR: 0.12, Role.ASTERISK: 0.04, Role.CALLERS: 0.05},
    fullest=(Role.ASR, 0.12),
    received=10_000,
    late=0.004,
    wait=0.6,
    replies=12,
    set_up=0.02,
)


def limits(**changes: object) -> list[str]:
    return replace(HELD, **changes).limits(SLOWEST)  # type: ignore[arg-type]  # fields of a level


def test_a_quiet_level_is_held() -> None:
    assert limits() == []
    assert REST.limits(SLOWEST) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"missing": 1}, "1 packets were missing"),
        ({"dropped_by_us": 2}, "2 dropped"),
        ({"late": LATEST + 0.001}, "61 ms late"),
        ({"wait": SLOWEST + 0.01}, "replies took 1.51 s"),
        ({"fullest": (Role.ASR, 0.95)}, "ASR workers took 95 % of a core"),
        ({"cores": {Role.SERVICE: 1000.0}}, "the machine was full"),
        ({"faults": ("nobody answered",)}, "1 calls went wrong (nobody answered)"),
    ],
)
def test_each_limit_is_said_in_its_own_words(changes: dict[str, object], words: str) -> None:
    (why,) = limits(**changes)
    assert words in why


def test_what_the_callers_themselves_lost_or_delayed_is_not_ours() -> None:
    assert limits(missing=3, dropped_by_callers=3) == []
    assert limits(late=LATEST + 0.02, callers_late=0.03) == []


def test_a_share_is_what_a_call_takes_above_rest() -> None:
    assert HELD.share(REST, Role.SERVICE) == pytest.approx(0.008)
    assert HELD.share(REST, Role.SERVICE, Role.ASR) == pytest.approx(0.02)
    assert HELD.share(HELD, Role.SERVICE) == 0.0


def test_a_quantile_of_nothing_is_above_no_limit() -> None:
    assert math.isnan(quantile([], 95))
    assert quantile([1.0, 2.0, 3.0], 50) == 2.0


GOOD = Overload(offered=12, admitted=8, to_people=4, dropped=0, told=4, missing=0, wait=0.6)


def found(overload: Overload = GOOD, *, mini: bool = True, page: str = "") -> Found:
    full = replace(HELD, calls=15, missing=9)
    levels = ((replace(HELD, calls=4), ()), (HELD, ()), (full, ("9 packets were missing",)))
    return Found(REST, levels, 30.0, MetricsPage(page), overload, 8, mini)


def rows(found: Found) -> dict[str, tuple[float, bool | None]]:
    return {figure.name: (figure.value, figure.holds) for figure in figures(found)}


def test_the_largest_level_that_was_held_is_the_figure() -> None:
    told = rows(found())
    assert told["calls held at once, no packet lost by us"] == (10, None)
    assert told["calls for each core with ASR"] == (50.0, None)
    assert told["media and control without ASR"] == (0.8, True)
    assert told["all of it with this model"] == (2.0, True)
    assert told["a call's processor time: ASR workers"] == (0.36, None)
    assert told["packets missing at the held level"] == (0, True)
    assert told["INVITE to our first packet, p95, at the held level"] == (20.0, True)


def test_the_target_for_the_mini_model_is_none_for_another() -> None:
    assert rows(found(mini=False))["all of it with this model"] == (2.0, None)


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ({"admitted": 9}, "overload: admitted"),
        ({"to_people": 3}, "overload: to people by the dialplan"),
        ({"told": 5}, "overload: given back as `overload`, by Asterisk's log"),
        ({"dropped": 1}, "overload: dropped"),
        ({"missing": 1}, "overload: packets missing to admitted callers"),
    ],
)
def test_an_overload_that_hurts_anybody_holds_no_target(changes: dict[str, int], row: str) -> None:
    assert rows(found())[row][1] is True
    assert rows(found(replace(GOOD, **changes)))[row][1] is False


def test_what_the_page_tells_is_a_bound() -> None:
    page = """# TYPE segue_ari_request_seconds histogram
segue_ari_request_seconds_bucket{operation="a",le="0.0001"} 90.0
segue_ari_request_seconds_bucket{operation="a",le="0.0005"} 99.0
segue_ari_request_seconds_bucket{operation="a",le="+Inf"} 100.0
"""
    told = rows(found(page=page))
    assert told["ARI command at the quiet level, p50, at most"] == (0.1, True)
    assert told["ARI command at the quiet level, p99, at most"] == (0.5, True)
    assert "event loop's lateness, p99, at most" not in told
    slow = rows(found(page=page.replace("99.0", "98.0")))
    assert slow["ARI command at the quiet level, p99, at most"] == (math.inf, False)


def test_a_quick_plan_is_smaller_and_never_larger() -> None:
    assert Plan().quick().most == 6
    assert Plan(most=2, seconds=3.0).quick() == Plan(most=2, seconds=3.0)
