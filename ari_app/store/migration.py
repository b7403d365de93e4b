"""Which schema the database has and which it needs; alembic is only loaded to change it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ari_app.errors import StoreUnavailable
from ari_app.store.engine import Engine, Row

#: The folder of our steps.
VERSIONS = Path(__file__).parent / "migrations" / "versions"

#: Told after each step: how many are done, of how many, and the name of this one. They count once
#: all are done: it begins anew if others had a table locked.
Progress = Callable[[int, int, str], None]

_STEP = re.compile(r"(?P<revision>\d{4})_\w+\.py")
_STATE = "SELECT key, value FROM meta WHERE key IN ('schema', 'oldest')"
# What programs wrote into `schema` before there were revisions.
_BEFORE = {"2": "0001"}


@dataclass(frozen=True, slots=True)
class Status:
    """What `segue store migrate --dry-run` tells."""

    #: The revision of the database; "" if there is nothing in it yet.
    current: str
    #: The revision of this program.
    wanted: str
    #: The names of the steps from one to the other, in their order.
    pending: list[str]


def prepare(engine: Engine, versions: Sequence[Path] = (VERSIONS,)) -> None:
    """The tables that this program needs; StoreUnavailable if they cannot be."""
    found = status(engine, versions)
    if found.pending and engine.read_only:
        has = f"is of schema {found.current}" if found.current else "is empty"
        raise StoreUnavailable(
            f"the database {has}, this program needs {found.wanted}: run `segue store migrate`"
        )
    if found.pending:
        migrate(engine, versions=versions)


def status(engine: Engine, versions: Sequence[Path] = (VERSIONS,)) -> Status:
    """How far the database is; `engine` has been opened. It changes nothing.

    StoreUnavailable if the database is only for other programs.
    """
    try:
        with contextlib.closing(engine.connect()) as link:
            try:
                state = link.rows(_STATE)
            except engine.Error as error:
                if not _no_table(error):
                    raise
                state = []
    except engine.Error as error:
        raise engine.unavailable(error) from error
    return compare(state, versions)


def migrate(
    engine: Engine,
    progress: Progress = lambda done, total, name: None,
    versions: Sequence[Path] = (VERSIONS,),
) -> list[str]:
    """Take the steps that are pending, all or none; returns their names.

    `engine` has been opened. Only one process at a time does it, others wait for it. Workers that
    run meanwhile are never held up for longer than a few seconds.
    """
    # A third of a second, which a start with nothing to do does not pay.
    from ari_app.store.migrations.runner import run

    return run(engine, progress, versions)


def compare(state: Sequence[Row], versions: Sequence[Path]) -> Status:
    """What there is to do for a database whose table `meta` says this."""
    known = steps(versions)
    wanted = max(known)
    says = {key: value for key, value in state}
    current = says.get("schema", "")
    current = _BEFORE.get(current, current)
    if (current and not re.fullmatch(r"\d{4}", current)) or says.get("oldest", "") > wanted:
        raise StoreUnavailable(
            f"the database is of schema {current}, this program needs {wanted}: "
            "run the program that wrote it"
        )
    return Status(current, wanted, [known[step] for step in sorted(known) if step > current])


def steps(versions: Sequence[Path]) -> dict[str, str]:
    """The names of the steps by their revision."""
    return {step: path.stem for path in _files(versions) for step in [path.stem[:4]]}


def _files(versions: Sequence[Path]) -> Iterator[Path]:
    for folder in versions:
        yield from (path for path in folder.iterdir() if _STEP.fullmatch(path.name))


def _no_table(error: Exception) -> bool:
    return "no such table" in str(error) or getattr(error, "sqlstate", None) == "42P01"
