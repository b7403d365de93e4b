"""Foreign programs that every test may ask for by name."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.foreign import nats as nats_server
from tests.support.foreign import npm, smsc_c, smsc_node, smsc_perl
from tests.support.foreign import postgres as postgres_server
from tests.support.foreign.nats import PrivateNats
from tests.support.foreign.postgres import PrivatePostgres
from tests.support.foreign.smsc_c import FastSmsc
from tests.support.foreign.smsc_node import NodeSmsc
from tests.support.foreign.smsc_perl import PerlSmsc

if TYPE_CHECKING:
    from tests.support.foreign.ours import Ours

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


@pytest.fixture(scope="session")
def node_smsc() -> type[NodeSmsc]:
    """What runs an SMSC made of node-smpp: `async with node_smsc(early=True) as smsc`."""
    if not npm.can_have(*smsc_node.PACKAGE):
        pytest.skip("Needs Node.js and npm: there are none on this machine.")
    npm.installed(*smsc_node.PACKAGE)
    return NodeSmsc


@pytest.fixture(scope="session")
def perl_smsc() -> type[PerlSmsc]:
    """What runs an SMSC made of Net::SMPP: `async with perl_smsc(lose=1) as smsc`."""
    if not smsc_perl.can_have_one():
        pytest.skip("Needs Perl and Net::SMPP: there is no Perl, or this is no Debian.")
    smsc_perl.net_smpp()
    return PerlSmsc


@pytest.fixture(scope="session")
def fast_smsc() -> type[FastSmsc]:
    """What runs the fast SMSC in C: `with fast_smsc("--receipts") as smsc`."""
    if not smsc_c.can_have_one():
        pytest.skip("Needs a C compiler: there is none on this machine.")
    smsc_c.built()
    return FastSmsc


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncIterator[Ours]:
    """Our side of a bind to one of them, with a real store."""
    # Here, so that a test that wants none of it does not load half the product.
    from tests.support.foreign.ours import ours_in

    async with ours_in(tmp_path) as ours:
        yield ours
