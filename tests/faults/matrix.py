"""Runs the fault tests and prints what holds: `python -m tests.faults.matrix [--write README.md]`.

This file is a plugin of pytest as well: it takes the tests that declare a fault, and leaves out
the others.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults import DECLARED, Fault

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "build" / "faults.json"
_BEGIN, _END = "<!-- faults -->", "<!-- /faults -->"
_ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL", "postgresql": "PostgreSQL", "": ""}
_PROPERTY = "fault"
_BACKUPS = "tests/integration/test_backup.py"
_VIEWS = "tests/integration/test_projections.py"
_NATS = "tests/integration/test_bus_jetstream.py"
#: Rows whose tests say nothing of faults themselves, by file and name of the test.
REFERENCED = {
    (_BACKUPS, "test_a_worker_that_wakes_after_a_restore_writes_nothing"): Fault(
        "a worker wakes after a restore", "it writes nothing into what was restored", ""
    ),
    (_BACKUPS, "test_a_backup_that_is_killed_leaves_the_one_before"): Fault(
        "kill -9 in a backup", "the backup before it is still there", ""
    ),
    (_BACKUPS, "test_a_restore_that_is_killed_leaves_an_empty_database"): Fault(
        "kill -9 in a restore", "the database is as before, and can be restored again", ""
    ),
    ("tests/integration/test_migrations.py", "test_a_migration_that_is_killed_is_not_half_done"): (
        Fault("kill -9 in a migration", "nothing is half done, and the next start ends it", "")
    ),
    (_VIEWS, "test_a_page_counts_once_wherever_its_process_is_killed"): Fault(
        "kill -9 of a projection", "every event counts once in every view", ""
    ),
    (_VIEWS, "test_a_rebuild_that_was_killed_is_gone_on_with"): Fault(
        "kill -9 in a rebuild of the views", "the next one goes on with it", ""
    ),
    (_NATS, "test_a_server_that_is_killed_in_the_middle_loses_nothing"): Fault(
        "kill -9 of NATS under load", "every event reaches it", ""
    ),
    (_NATS, "test_a_service_killed_before_its_checkpoint_repeats_and_jetstream_forgets_it"): Fault(
        "kill -9 of the relay to NATS", "it repeats, and NATS keeps each event once", ""
    ),
    ("tests/integration/test_store_sqlite.py", "test_a_damaged_database_says_to_restore_it"): (
        Fault("a damaged database file", "one sentence says to restore it", "sqlite")
    ),
    ("tests/acceptance/test_workers.py", "test_when_a_worker_dies_or_freezes_the_other_goes_on"): (
        Fault("kill -9 or SIGSTOP of one of two services", "the other takes its work", "postgres")
    ),
}
_HEADS = ("fault", "what is promised", "engine", "holds")


# -- which tests ------------------------------------------------------------------------------


def files() -> list[str]:
    """Those with a test that declares a fault."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if "tests.support.faults" in source and any(_declares(n) for n in ast.parse(source).body):
            found.append(str(path.relative_to(ROOT)))
    return sorted({*found, *(file for file, _ in REFERENCED)})


def _declares(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
        isinstance(part, ast.Name) and part.id == "fault"
        for mark in node.decorator_list
        for part in ast.walk(mark)
    )


# -- the plugin -------------------------------------------------------------------------------


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only what declares a fault is run; its rows travel with its report."""
    others = []
    for item in list(items):
        faults = _faults_of(item)
        if not faults:
            items.remove(item)
            others.append(item)
        for fault in faults:
            row = [fault.name, fault.promise, _engine(item) or fault.engine]
            item.user_properties.append((_PROPERTY, row))
    config.hook.pytest_deselected(items=others)


def _faults_of(item: pytest.Item) -> list[Fault]:
    function = getattr(item, "function", None)
    if function is None:
        return []
    declared = DECLARED.get((function.__module__, function.__qualname__), [])
    file, _, name = item.nodeid.partition("[")[0].partition("::")
    referenced = REFERENCED.get((file, name))
    return [*declared, *([referenced] if referenced else [])]


def _engine(item: pytest.Item) -> str:
    values = getattr(getattr(item, "callspec", None), "params", {}).values()
    return next((v for v in values if isinstance(v, str) and v in _ENGINES), "")


_outcomes: dict[str, tuple[str, list[list[str]]]] = {}
_WORSE = ("passed", "skipped", "failed")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """The worst of set-up, test and tidying up counts."""
    rows: list[Any] = [value for key, value in report.user_properties if key == _PROPERTY]
    known = _outcomes.get(report.nodeid, ("passed", []))[0]
    outcome = max(known, report.outcome, key=_WORSE.index)
    _outcomes[report.nodeid] = outcome, rows


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where all reports come together, they are written down."""
    path = os.environ.get("SEGUE_FAULTS_REPORT")
    if path and not hasattr(session.config, "workerinput"):
        Path(path).write_text(json.dumps(_outcomes), encoding="utf-8")


# -- the matrix -------------------------------------------------------------------------------


@dataclass
class Row:
    """One promise for one fault on one engine."""

    fault: str
    promise: str
    engine: str
    tests: list[dict[str, str]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether all its tests have run and passed."""
        return bool(self.tests) and all(test["outcome"] == "passed" for test in self.tests)

    @property
    def said(self) -> str:
        """For the table."""
        outcomes = [test["outcome"] for test in self.tests]
        if "failed" in outcomes:
            return "NO"
        skipped = outcomes.count("skipped")
        return "not run" if skipped == len(outcomes) else "yes" if not skipped else "in part"


def rows_of(outcomes: dict[str, Any]) -> list[Row]:
    """In the order of the faults' first appearance, engines side by side."""
    rows: dict[tuple[str, str, str], Row] = {}
    for test, (outcome, declared) in sorted(outcomes.items()):
        for fault, promise, engine in declared:
            row = rows.setdefault((fault, promise, engine), Row(fault, promise, engine))
            row.tests.append({"test": test, "outcome": outcome})
    first: dict[str, int] = {}
    for place, (fault, _, _) in enumerate(rows):
        first.setdefault(fault, place)
    engines = list(_ENGINES)
    return sorted(rows.values(), key=lambda r: (first[r.fault], r.promise, engines.index(r.engine)))


def table(rows: Iterable[Row]) -> list[tuple[str, str, str, str]]:
    """Engines of which the same is said share a line."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        lines.setdefault((row.fault, row.promise, row.said), []).append(_ENGINES[row.engine])
    return [(f, p, ", ".join(filter(None, e)), said) for (f, p, said), e in lines.items()]


def plain(lines: Sequence[tuple[str, str, str, str]]) -> str:
    """For a terminal."""
    widths = [max(len(line[n]) for line in [_HEADS, *lines]) for n in range(4)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in [_HEADS, *lines]
    )


def markdown(lines: Sequence[tuple[str, str, str, str]]) -> str:
    """For the README."""
    every = [_HEADS, ("---",) * 4, *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in every)


def written(text: str, table: str) -> str:
    """The text with the table between its two marks; ValueError if they are not there."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"there is no {_BEGIN} … {_END} to write between")
    return f"{before}{_BEGIN}\n{table}\n{_END}{after}"


def main() -> int:
    """0 if every promise holds."""
    parser = argparse.ArgumentParser(description="Run the fault tests and print the matrix.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table into this page")
    parser.add_argument("--jobs", default="2", help="processes that test")
    parser.add_argument("more", nargs="*", help="further arguments for pytest, after --")
    options = parser.parse_args()
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.faults.matrix"]
    command += ["-n", options.jobs, "--dist", "worksteal", *files(), *options.more]
    environment = {**os.environ, "SEGUE_FAULTS_REPORT": str(REPORT)}
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if not REPORT.exists():
        return status or 1
    rows = rows_of(json.loads(REPORT.read_text(encoding="utf-8")))
    found = [{**vars(row), "holds": row.holds} for row in rows]
    REPORT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    lines = table(rows)
    print(f"\n{plain(lines)}")  # noqa: T201  what it is for
    if options.write and not status:
        page = options.write.read_text(encoding="utf-8")
        options.write.write_text(written(page, markdown(lines)), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
