"""Databases on both engines, and processes that work on them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.workers import Nursery


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a database, on each engine; time is the real one."""
    if request.param == "sqlite":
        return str(tmp_path / "segue.db")
    return str(request.getfixturevalue("database"))


@pytest.fixture(scope="session")
def shared_nursery() -> Iterator[Nursery]:
    """One for each xdist worker."""
    with contextlib.closing(Nursery()) as nursery:
        yield nursery


@pytest.fixture
def nursery(shared_nursery: Nursery) -> Iterator[Nursery]:
    """Nobody of it is left after the test."""
    yield shared_nursery
    shared_nursery.empty()
