"""A minute of mixed calls leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ari_app.cli.soak import Soak, run_soak
from tests.support.pbx import root_or_skip

pytestmark = [pytest.mark.soak, pytest.mark.asterisk, pytest.mark.vosk]


@pytest.mark.timeout(240)
def test_a_minute_of_mixed_calls_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root_or_skip()
    status = run_soak(Soak(minutes=1.0, calls=4, out=tmp_path))
    said = capsys.readouterr().out
    rows = {row["name"]: row for row in json.loads((tmp_path / "soak.json").read_text())}
    # Other tests run beside this one: what they cost us in packets is no leak.
    leaks = [name for name, row in rows.items() if row["holds"] is False and "packets" not in name]
    assert leaks == [], said
    assert status == 0 or "packets did not reach" in said, said
    assert rows["calls"]["value"] >= 8
    assert rows["packets heard"]["value"] > 5000
