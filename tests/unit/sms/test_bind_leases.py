"""Who makes the binds of a carrier, as the leases have it."""

from __future__ import annotations

from typing import cast

import pytest

from ari_app.errors import StoreUnavailable
from ari_app.ports import Fence
from ari_app.sms.bind_leases import BindLeases
from ari_app.sms.gateway import SmppGateway


class Gateway:
    """Two binds, up as soon as one is made."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.binds = ["a", "b"]
        self.made: list[str] = []

    @property
    def up(self) -> bool:
        return bool(self.made)

    def start(self, *binds: str) -> None:
        self.made += binds

    async def rest(self, bind: str, drain: float | None = None) -> None:
        self.made.remove(bind)


class Table:
    """The leases of all workers."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        self.away = False


class Worker:
    """One of them, with two carriers."""

    def __init__(self, table: Table, name: str) -> None:
        self.table, self.name = table, name
        self.unsure: set[str] = set()
        self.north, self.south = Gateway("north"), Gateway("south")
        gateways = [cast(SmppGateway, self.north), cast(SmppGateway, self.south)]
        self.turns = BindLeases(gateways, self, self.held)

    async def fence(self, name: str) -> Fence | None:
        if self.table.owners.get(name) == self.name:
            return Fence(name, self.name, 1)
        if self.table.away:
            raise StoreUnavailable("away")
        self.table.owners.setdefault(name, self.name)
        return await self.fence(name) if self.table.owners[name] == self.name else None

    def sure(self, name: str) -> bool:
        return self.table.owners.get(name) == self.name and name not in self.unsure

    async def give_up(self, name: str) -> None:
        if self.table.owners.get(name) == self.name:
            del self.table.owners[name]

    async def held(self, kind: str) -> dict[str, str]:
        return {n: o for n, o in self.table.owners.items() if n.startswith(f"{kind}:")}

    @property
    def made(self) -> list[str]:
        return [*self.north.made, *self.south.made]


Pair = tuple[Worker, Worker]


@pytest.fixture
def pair() -> Pair:
    table = Table()
    return Worker(table, "one"), Worker(table, "two")


async def ticks(*workers: Worker) -> None:
    for _ in range(2):
        for worker in workers:
            await worker.turns.run_once()


async def test_one_worker_has_all_binds_and_the_other_none(pair: Pair) -> None:
    one, two = pair
    await ticks(one, two)
    assert one.made == ["a", "b", "a", "b"]
    assert two.made == []
    assert set(one.table.owners) >= {f"smpp:{c}:{n}" for c in ("north", "south") for n in (1, 2)}


async def test_whoever_stands_by_knows_whether_texts_can_be_sent(pair: Pair) -> None:
    one, two = pair
    await ticks(one, two)
    assert two.turns.up
    assert not two.turns.ours
    one.north.made.clear()
    one.south.made.clear()
    await ticks(one, two)
    assert not two.turns.up


async def test_what_the_dead_had_is_made_by_the_next(pair: Pair) -> None:
    one, two = pair
    await ticks(one, two)
    one.table.owners.clear()
    await ticks(two)
    assert len(two.made) == 4


async def test_a_worker_that_lost_them_lets_go_of_all(pair: Pair) -> None:
    one, two = pair
    await ticks(one)
    one.table.owners.clear()
    await ticks(two, one)
    assert one.made == []
    assert not one.turns.ours
    assert len(two.made) == 4


async def test_a_single_lease_that_is_lost_costs_that_bind_only(pair: Pair) -> None:
    one, _ = pair
    await ticks(one)
    one.table.owners["smpp:north:2"] = "two"
    await ticks(one)
    assert one.north.made == ["a"]
    assert one.south.made == ["a", "b"]


async def test_binds_are_let_go_before_they_can_be_made_elsewhere_though_the_store_is_away(
    pair: Pair,
) -> None:
    one, _ = pair
    await ticks(one)
    one.table.away = True
    one.unsure = set(one.table.owners)
    await ticks(one)
    assert one.made == []


async def test_what_is_for_the_worker_with_the_binds_runs_there_alone(pair: Pair) -> None:
    one, two = pair
    runs: list[str] = []

    async def run(fence: Fence) -> None:
        runs.append(fence.owner)

    await ticks(one, two)
    for worker in pair:
        await worker.turns.only(run)()
    assert runs == ["one"]
