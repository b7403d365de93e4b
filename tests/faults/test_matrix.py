"""The matrix says what the tests say, and nothing better."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.faults.matrix import REFERENCED, ROOT, files, markdown, plain, rows_of, table, written

KILL = ["kill -9", "nothing is lost"]


def outcomes(*found: tuple[str, str]) -> dict[str, Any]:
    return {f"test_{n}": (outcome, [[*KILL, engine]]) for n, (engine, outcome) in enumerate(found)}


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ([("sqlite", "passed"), ("postgres", "passed")], ("SQLite, PostgreSQL", "yes")),
        ([("sqlite", "passed"), ("sqlite", "failed")], ("SQLite", "NO")),
        ([("sqlite", "skipped"), ("sqlite", "failed")], ("SQLite", "NO")),
        ([("sqlite", "skipped")], ("SQLite", "not run")),
        ([("sqlite", "passed"), ("sqlite", "skipped")], ("SQLite", "in part")),
        ([("", "passed")], ("", "yes")),
    ],
)
def test_a_promise_holds_if_all_its_tests_passed(
    found: list[tuple[str, str]], line: tuple[str, str]
) -> None:
    rows = rows_of(outcomes(*found))
    assert table(rows) == [(*KILL, *line)]
    assert all(row.holds for row in rows) is (line[1] == "yes")


def test_an_engine_that_fails_has_a_line_of_its_own() -> None:
    lines = table(rows_of(outcomes(("sqlite", "passed"), ("postgres", "failed"))))
    assert lines == [(*KILL, "SQLite", "yes"), (*KILL, "PostgreSQL", "NO")]
    assert plain(lines).splitlines()[2].endswith("NO")


def test_the_page_has_the_table_between_its_marks_and_keeps_the_rest() -> None:
    page = "before\n<!-- faults -->\nold\n<!-- /faults -->\nafter\n"
    new = markdown(table(rows_of(outcomes(("sqlite", "passed")))))
    result = written(page, new)
    assert result == f"before\n<!-- faults -->\n{new}\n<!-- /faults -->\nafter\n"
    assert written(result, new) == result
    with pytest.raises(ValueError, match="between"):
        written("no marks", new)


@pytest.mark.parametrize(("file", "name"), REFERENCED)
def test_what_the_matrix_refers_to_is_there(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert name in {node.name for node in tree.body if isinstance(node, functions)}


def test_every_file_that_declares_a_fault_is_run() -> None:
    assert "tests/faults/test_kills.py" in files()
    assert "tests/integration/test_store_crash.py" in files()
    assert str(Path(__file__).relative_to(ROOT)) not in files()
