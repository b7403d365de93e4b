"""The table of metrics and the code that gives the figures agree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ari_app
from ari_app.telemetry.metrics import METRICS, Kind, Metric

_KINDS = {"count": Kind.COUNTER, "gauge": Kind.GAUGE, "observe": Kind.HISTOGRAM}


def given() -> Iterator[tuple[str, str, Kind, tuple[str, ...]]]:
    """Every figure that is given with its name written out: where, name, kind, labels."""
    for file in sorted(Path(ari_app.__path__[0]).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=("count" | "gauge" | "observe") as method),
                    args=[ast.Constant(value=str(name)), *_],
                    keywords=keywords,
                ) if name.startswith("segue_"):
                    labels = sorted(k.arg for k in keywords if k.arg not in (None, "n", "value"))
                    yield f"{file.name}:{node.lineno}", name, _KINDS[method], tuple(labels)


def test_every_figure_in_the_code_is_in_the_table() -> None:
    missing = [
        f"{where}: {kind.value} {name}{labels}"
        for where, name, kind, labels in given()
        if name not in METRICS
        or (METRICS[name].kind, tuple(sorted(METRICS[name].labels))) != (kind, labels)
    ]
    assert not missing


def test_every_figure_in_the_table_is_given_somewhere() -> None:
    counted_by_the_meter_itself = {"segue_unknown_metric_total"}
    assert METRICS.keys() == {name for _, name, _, _ in given()} | counted_by_the_meter_itself


@pytest.mark.parametrize(("name", "metric"), METRICS.items(), ids=list(METRICS))
def test_a_name_says_what_it_counts_as_prometheus_asks(name: str, metric: Metric) -> None:
    assert name.startswith("segue_")
    assert name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert metric.help.endswith(".")


def test_only_a_histogram_has_buckets() -> None:
    with pytest.raises(ValueError, match="buckets"):
        Metric(Kind.GAUGE, "x", buckets=(1.0,))
    with pytest.raises(ValueError, match="buckets"):
        Metric(Kind.HISTOGRAM, "x")
