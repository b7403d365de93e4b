"""`python -m tests.bench.confidence [fit]`: see the package."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

import ari_app.understanding.confidence_model as written
from ari_app.understanding.confidence import calibrated, features
from tests.bench.confidence.clips import clips, digest
from tests.bench.confidence.judging import Judged, hear
from tests.bench.scores import calibration_error, reliability

_AIM = 0.05


def fit(judged: Sequence[Judged]) -> tuple[float, list[float]]:
    """Intercept and weights of the tune set."""
    seen = np.array([features(each.evidence) for each in judged])
    fitted = LogisticRegression(C=1.0, max_iter=5000)
    fitted.fit(seen, [each.right for each in judged])
    weights = [round(float(w), 4) for w in fitted.coef_[0]]
    return round(float(fitted.intercept_[0]), 4), weights


def write(intercept: float, weights: Sequence[float], where: Path) -> None:
    """The module that holds the model."""
    rows = "".join(f'    "{n}": {w},\n' for n, w in zip(written.WEIGHTS, weights, strict=True))
    where.write_text(
        '"""Written by `python -m tests.bench.confidence fit`; change nothing by hand."""\n\n'
        "from __future__ import annotations\n\n"
        f"INTERCEPT = {intercept}\n"
        "#: By feature, in the order of `confidence.features`.\n"
        f"WEIGHTS = {{\n{rows}}}\n",
        encoding="utf-8",
    )


def report(judged: Sequence[Judged], as_json: bool) -> float:
    """Print the table; the calibration error."""
    right = [each.right for each in judged]
    pairs = [(calibrated(each.evidence), each.right) for each in judged]
    ece, table = calibration_error(pairs), reliability(pairs)
    raw = calibration_error([(each.raw, each.right) for each in judged])
    questions = {
        name: [e.right for e in judged if e.question == name]
        for name in sorted({e.question for e in judged})
    }
    figures = {
        "turns": len(judged),
        "right": sum(right) / len(right),
        "ece": ece,
        "ece_of_the_recogniser_alone": raw,
        "aim": _AIM,
        "holds": ece <= _AIM,
        "right_by_question": {n: sum(r) / len(r) for n, r in questions.items()},
        "table": [asdict(bin) for bin in table],
    }
    out = sys.stdout
    if as_json:
        out.write(json.dumps(figures, indent=2) + "\n")
        return ece
    out.write(f"{len(judged)} turns, {figures['right']:.1%} right\n from  turns   said  right\n")
    for bin in table:
        out.write(f"{bin.begins:5.1f} {bin.turns:6d} {bin.said:6.3f} {bin.right:6.3f}\n")
    out.write(f"ECE {ece:.4f} (aim {_AIM}); of the recogniser's own confidence {raw:.4f}\n")
    return ece


def main() -> int:
    """Fit or report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.confidence")
    parser.add_argument("what", nargs="?", choices=("report", "fit"), default="report")
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    which = "tune" if given.what == "fit" else "figures"
    made = clips(which, given.turns)
    judged = hear(made)
    if given.what == "fit":
        intercept, weights = fit(judged)
        write(intercept, weights, Path(str(written.__file__)))
        sys.stdout.write(f"fitted on {len(judged)} turns of {digest(made)}\n")
        return 0
    return 0 if report(judged, given.json) <= _AIM else 1


if __name__ == "__main__":
    sys.exit(main())
