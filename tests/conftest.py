"""What every test may ask for by name."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from asterisk.private import PrivateAsterisk
from tests.support.pbx import root_or_skip
from tests.support.store import Base, PostgresBase, SqliteBase

# A shell starts what runs in the background deaf to Ctrl-C, and the programs of tests inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long one example takes says nothing on a machine that is busy with other tests.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

pytest_plugins = ["tests.support.foreign.fixtures"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for a real Asterisk carries the marker `asterisk`, without being told."""
    for item in items:
        if "asterisk_root" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asterisk)


@pytest.fixture(params=["sqlite", "postgres"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Base]:
    """A database on each engine: the store is the same on both; time is the test's."""
    if request.param == "sqlite":
        yield SqliteBase(tmp_path)
        return
    with contextlib.closing(PostgresBase(request.getfixturevalue("database"))) as base:
        yield base


@pytest.fixture(scope="session")
def asterisk_root() -> Path:
    """An unpacked Asterisk 22; fetched once per machine."""
    return root_or_skip()


@pytest.fixture(scope="session")
def pbx(asterisk_root: Path) -> Iterator[PrivateAsterisk]:
    """A running Asterisk on ports of its own, one per xdist worker, shared by its tests."""
    with PrivateAsterisk(asterisk_root) as pbx:
        yield pbx
