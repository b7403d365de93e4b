"""The census: every failpoint has a test that kills at it, and every such test has its failpoint.

Both sides are read from the source, strictly: what cannot be read is an error, not a pass.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KILLING = ROOT / "tests" / "support" / "killing.py"
_MARKS_THAT_PREVENT = {"skip", "skipif", "xfail"}
_VARIABLE = "SEGUE_FAILPOINT"


class Unreadable(Exception):
    """A failpoint or a kill that the census cannot count; the sentence says what to write."""


# -- our code ---------------------------------------------------------------------------------


def places(source: str, where: str = "") -> set[str]:
    """The failpoints of a module."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                if name.name == "failpoint" and name.asname:
                    raise Unreadable(f"{where}:{node.lineno}: import failpoint under its own name")
        if isinstance(node, ast.Call) and _name(node.func) == "failpoint":
            if len(node.args) != 1 or node.keywords or (name_ := _text(node.args[0])) is None:
                raise Unreadable(f"{where}:{node.lineno}: write the failpoint's name as a text")
            found.add(name_)
    return found


# -- tests ------------------------------------------------------------------------------------


def kills(source: str, where: str = "") -> set[str]:
    """Where the tests of a module kill."""
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if any(name.name == "killed_at" and name.asname for name in node.names):
                raise Unreadable(f"{where}:{node.lineno}: import killed_at under its own name")
        elif isinstance(node, ast.Name | ast.Attribute) and _name(node) == "killed_at":
            found |= _killed(node, parents, f"{where}:{node.lineno}")
    return found


def _killed(node: ast.expr, parents: dict[ast.AST, ast.AST], where: str) -> set[str]:
    """`killed_at(PLACE, …)` or `to_thread(killed_at, PLACE, …)`, directly in a test."""
    call = parents[node]
    if not isinstance(call, ast.Call):
        raise Unreadable(f"{where}: call killed_at, or hand it to to_thread with its arguments")
    arguments = call.args if call.func is node else call.args[1:] if call.args[0] is node else []
    if not arguments:
        raise Unreadable(f"{where}: the failpoint is the first argument of killed_at")
    test = _test(node, parents)
    if test is None:
        raise Unreadable(f"{where}: kill in the test itself, not in what helps it")
    marks = {part for mark in test.decorator_list for part in _dotted(mark)}
    if marks & _MARKS_THAT_PREVENT:
        raise Unreadable(f"{where}: a test that may not run kills nowhere")
    place = arguments[0]
    if (text := _text(place)) is not None:
        return {text}
    if isinstance(place, ast.Name) and (values := _parametrized(test, place.id)):
        return values
    raise Unreadable(f"{where}: write the failpoint as a text, here or in parametrize of this test")


def _test(
    node: ast.AST, parents: dict[ast.AST, ast.AST]
) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            top = isinstance(parents[node], ast.Module)
            return node if top and node.name.startswith("test_") else None
    return None


def _parametrized(test: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> set[str]:
    for mark in test.decorator_list:
        if not (isinstance(mark, ast.Call) and _name(mark.func) == "parametrize"):
            continue
        names, rows = mark.args[0], mark.args[1]
        listed = [_text(e) for e in names.elts] if isinstance(names, ast.Tuple) else None
        listed = listed or [part.strip() for part in (_text(names) or "").split(",")]
        if name not in listed or not isinstance(rows, ast.List | ast.Tuple):
            continue
        column = listed.index(name)
        cells = [row if len(listed) == 1 else _cell(row, column) for row in rows.elts]
        texts = {_text(cell) for cell in cells}
        return {text for text in texts if text is not None} if None not in texts else set()
    return set()


def _cell(row: ast.expr, column: int) -> ast.expr | None:
    return row.elts[column] if isinstance(row, ast.Tuple | ast.List) else None


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _dotted(node: ast.expr) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name | ast.Attribute):
            yield _name(part)


# -- the census -------------------------------------------------------------------------------


def sources(*folders: str) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, path.read_text(encoding="utf-8")


def never_killed(code: Iterable[set[str]], tests: Iterable[set[str]]) -> list[str]:
    return sorted(set().union(*code) - set().union(*tests))


def test_every_failpoint_has_a_test_that_kills_there_and_every_kill_its_failpoint() -> None:
    code = [places(source, str(path)) for path, source in sources("ari_app", "smpp")]
    tests = [
        kills(source, str(path))
        for path, source in sources("tests")
        if path != KILLING and path.name != Path(__file__).name
    ]
    assert set().union(*code), "no failpoint was found at all"
    assert never_killed(code, tests) == [], "no test kills there"
    assert never_killed(tests, code) == [], "there is no such failpoint"


def test_there_is_one_way_to_kill_at_a_failpoint() -> None:
    others = [
        str(path.relative_to(ROOT))
        for path, source in sources("tests")
        if path not in (KILLING, Path(__file__))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and node.value == _VARIABLE
    ]
    # That one is about the settings: the name of a variable that is none of them.
    assert others == ["tests/unit/test_config.py"]


def test_a_failpoint_that_is_not_killed_at_is_named() -> None:
    code = [places('failpoint("a.b")\nports.failpoint("c.d")')]
    tests = [kills('def test_it():\n    killed_at("a.b")')]
    assert never_killed(code, tests) == ["c.d"]
    assert never_killed(tests, [set()]) == ["a.b"]


@pytest.mark.parametrize(
    "source",
    [
        "failpoint(name)",
        'failpoint(f"a.{b}")',
        'failpoint("a.b", 1)',
        "from ari_app.ports import failpoint as fp",
    ],
)
def test_a_failpoint_whose_name_cannot_be_read_is_refused(source: str) -> None:
    with pytest.raises(Unreadable):
        places(source)


@pytest.mark.parametrize(
    "source",
    [
        'def test_it():\n    killed_at("a")',
        'async def test_it():\n    await asyncio.to_thread(killed_at, "a", "-m", "x")',
        '@pytest.mark.parametrize("p", ["a"])\ndef test_it(p):\n    killed_at(p)',
        '@pytest.mark.parametrize(("n", "p"), [(1, "a")])\ndef test_it(n, p):\n    killed_at(p)',
        '@pytest.mark.parametrize("n, p", [(1, "a")])\ndef test_it(n, p):\n    killed_at(p)',
    ],
)
def test_a_kill_is_read(source: str) -> None:
    assert kills(source) == {"a"}


@pytest.mark.parametrize(
    "source",
    [
        'killed_at("a")',
        'def helps():\n    killed_at("a")',
        'def test_it():\n    def helps():\n        killed_at("a")',
        "def test_it(p):\n    killed_at(p)",
        "def test_it():\n    for p in PLACES:\n        killed_at(p)",
        '@pytest.mark.parametrize("p", PLACES)\ndef test_it(p):\n    killed_at(p)',
        '@pytest.mark.parametrize("p", ["a", B])\ndef test_it(p):\n    killed_at(p)',
        "def test_it():\n    killed_at(place)",
        "def test_it():\n    kill = killed_at",
        'def test_it():\n    killed_at(place="a")',
        "from tests.support.killing import killed_at as k",
        '@pytest.mark.skip\ndef test_it():\n    killed_at("a")',
        '@pytest.mark.xfail(reason="later")\ndef test_it():\n    killed_at("a")',
    ],
)
def test_a_kill_that_cannot_be_counted_is_refused(source: str) -> None:
    with pytest.raises(Unreadable):
        kills(source)
