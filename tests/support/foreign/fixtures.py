"""Foreign programs that every test may ask for by name."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.support.foreign import nats as nats_server
from tests.support.foreign import postgres as postgres_server
from tests.support.foreign.nats import PrivateNats
from tests.support.foreign.postgres import PrivatePostgres

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """A running PostgreSQL, one per xdist worker, shared by its tests.

    It writes to the disk as a real one. A test that ends it must start it again; easier is
    a `PrivatePostgres()` of its own.
    """
    if not postgres_server.can_have_one():
        pytest.skip(
            "Needs PostgreSQL: none is installed, there is no wheel of it, and this is no Debian."
        )
    with PrivatePostgres() as server:
        yield server


@pytest.fixture
def database(postgres: PrivatePostgres) -> Iterator[str]:
    """The dsn of an empty PostgreSQL database that only this test knows."""
    name = f"test_{next(_numbers)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def nats() -> Iterator[PrivateNats]:
    """A running nats-server with JetStream, one per xdist worker, shared by its tests.

    A test that ends it must start it again; easier is a `PrivateNats()` of its own.
    """
    if not nats_server.can_have_one():
        pytest.skip("Needs nats-server: none is installed, and this is no Debian.")
    with PrivateNats() as server:
        yield server
