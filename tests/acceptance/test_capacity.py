"""`segue bench capacity`, small: it measures, lets in as many as may come, and writes it down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ari_app.calls.admission import cap_of
from ari_app.cli.bench_capacity import Plan, run_capacity
from tests.support.pbx import root_or_skip

pytestmark = [pytest.mark.asterisk, pytest.mark.vosk]


@pytest.mark.timeout(240)
def test_a_small_measurement_tells_costs_and_what_happens_beyond_the_cap(tmp_path: Path) -> None:
    root_or_skip()
    written = tmp_path / "held.json"
    # A reply may take long here: other tests run beside this one.
    plan = Plan(most=2, seconds=6.0, slowest_reply=5.0, headroom=0.0, out=tmp_path, write=written)
    run_capacity(plan)
    rows = {row["name"]: row for row in json.loads((tmp_path / "capacity.json").read_text())}
    values = {name: row["value"] for name, row in rows.items()}

    assert 0 < values["media and control without ASR"] < 100
    assert values["a call's processor time: ASR workers"] > 0
    assert values["a call's processor time: Asterisk"] > 0
    assert values["packets heard at the held level"] > 0.8 * 2 * 6 * 50
    assert 0 < values["INVITE to our first packet, p95, at the quiet level"] < 5000
    assert values["ARI command at the quiet level, p99, at most"] > 0
    assert {
        name: values[f"overload: {name}"]
        for name in ("calls offered at once", "admitted", "to people by the dialplan", "dropped")
    } == {"calls offered at once": 3, "admitted": 2, "to people by the dialplan": 1, "dropped": 0}
    assert values["overload: given back as `overload`, by Asterisk's log"] == 1

    # On a machine that is busy otherwise even two calls may not be held.
    if values["calls held at once, no packet lost by us"]:
        assert cap_of(written.read_text(encoding="utf-8"), 0.0) == 2
    else:
        assert not written.exists()
