"""Of `make bench-smpp` what it makes of its runs; the runs themselves, once, very small."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ari_app.cli.figures import Figure
from tests.bench import smpp as bench
from tests.bench.contestants import Contestant, Run, RunFailed, medians
from tests.support.foreign import npm, smsc_c
from tests.support.foreign.smsc_node import PACKAGE

NAMES = [
    "submit ours", "submit node", "submit smpplib", "submit aiosmpplib", "latency ours",
    "latency node", "receive ours", "receive node", "few", "many", "both node", "plain",
    "product", "product many", "memory", "memory of ids",
]  # fmt: skip
SAME = {name: Run(rate=1000, cpu=10, p50=1, p99=2) for name in NAMES}


def row(rows: list[Figure], beginning: str) -> Figure:
    (found,) = [one for one in rows if one.name.startswith(beginning)]
    return found


def test_of_several_rounds_the_median_of_each_figure_counts() -> None:
    rounds = [Run(100, 9, 1, 5), Run(300, 1, 3, 4), Run(200, 5, 2, 9, grown=7)]
    assert medians(rounds) == Run(200, 5, 2, 5, grown=0)


def test_a_target_that_is_just_met_holds_and_one_that_is_just_missed_does_not() -> None:
    for rate, holds in ((6000.0, True), (5999.0, False)):
        runs = {**SAME, "submit ours": Run(rate=rate, cpu=1, p50=1, p99=1)}
        figure = row(bench.figures(runs), "bare: submit / node-smpp")
        assert (figure.holds, figure.target) == (holds, ">= 6")


def test_a_shorter_wait_is_better_and_so_is_less_memory() -> None:
    runs = {
        **SAME,
        "latency ours": Run(rate=1, cpu=1, p50=1, p99=0.9),
        "memory": Run(rate=1, cpu=1, p50=1, p99=1, grown=5.1),
    }
    rows = bench.figures(runs)
    assert row(rows, "bare: p99").value == 0.45
    assert row(rows, "bare: p99").holds
    assert not row(rows, "bare: memory").holds


def test_each_row_that_has_a_target_fails_when_all_are_equally_fast() -> None:
    equal = [one.name for one in bench.figures(SAME) if one.target and one.holds]
    assert [name.split(" ")[0:2] for name in equal] == [
        ["bare:", "rate"],
        ["bare:", "memory"],
        ["durable:", "all"],
        ["durable:", "rate"],
    ]


def test_a_contestant_that_fails_says_its_last_words(tmp_path: Path) -> None:
    if not smsc_c.can_have_one():
        pytest.skip("there is no C compiler on this machine")
    broken = Contestant("broken", (sys.executable, "-c", "raise SystemExit('no such window')"), 1)
    with pytest.raises(RunFailed, match="broken failed: no such window"):
        broken.run(tmp_path / "work")


# Nothing is timed: small rounds on a busy machine tell only whether every contestant works.
@pytest.mark.timeout(120)
def test_a_quick_look_runs_every_contestant_and_judges_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (smsc_c.can_have_one() and npm.can_have(*PACKAGE)):
        pytest.skip("there is no C compiler, Node.js or npm on this machine")
    assert bench.main(["--quick", "--out", str(tmp_path)]) == 0
    written = json.loads((tmp_path / "smpp.json").read_text())
    names = [one["name"] for one in written]
    assert [name for name in names if not name.startswith("machine")] == [
        one.name for one in bench.figures(SAME)
    ]
    assert all(set(one) == {"name", "value", "unit", "target", "holds"} for one in written)
    assert all(one["holds"] is None for one in written)
    assert all(one["value"] > 0 for one in written if one["name"].startswith("rate"))
    said = capsys.readouterr()
    assert "node-smpp 0.5.1" in said.out
    assert "round 1 of 1: product" in said.err
    assert list(tmp_path.iterdir()) == [tmp_path / "smpp.json"]
