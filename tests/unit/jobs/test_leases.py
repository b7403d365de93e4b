"""What there may be only one of runs in one worker, and goes on in another."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.errors import LeaseLost, StoreUnavailable
from ari_app.jobs import leases
from ari_app.jobs.leases import Leaseholder
from ari_app.ports import Fence
from ari_app.store.store import EventStore
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import opened

TTL = 3.0


class Worker:
    """One of two on the same database."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.meter = RecordingMeter()
        self.losses: list[str] = []
        self.runs: list[Fence] = []
        self.holder = Leaseholder(store, TTL, self.meter, self.losses.append)
        self.tick = self.holder.only("sealer", self._run)

    async def _run(self, fence: Fence) -> None:
        self.runs.append(fence)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def pair(tmp_path: Path, clock: FakeClock) -> AsyncIterator[tuple[Worker, Worker]]:
    async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
        yield Worker(one), Worker(two)


Pair = tuple[Worker, Worker]


async def test_a_job_runs_in_one_worker(pair: Pair) -> None:
    one, two = pair
    for _ in range(3):
        await one.tick()
        await two.tick()
    assert len(one.runs) == 3
    assert two.runs == []
    assert one.meter.gauges["segue_lease_held", "sealer"] == 1
    assert two.meter.gauges["segue_lease_held", "sealer"] == 0


async def test_it_stays_there_as_long_as_the_lease_is_kept(pair: Pair, clock: FakeClock) -> None:
    one, two = pair
    for _ in range(10):
        await one.tick()
        await one.holder.keep()
        clock.advance(TTL - 1)
        await two.tick()
    assert two.runs == []


async def test_it_goes_on_in_the_other_worker_when_the_first_is_gone(
    pair: Pair, clock: FakeClock
) -> None:
    one, two = pair
    await one.tick()
    clock.advance(TTL)
    await two.tick()
    assert [fence.epoch for fence in one.runs + two.runs] == [1, 2]

    await one.holder.keep()  # it wakes
    await one.tick()
    assert len(one.runs) == 1
    assert one.losses == []  # it can live without this one


async def test_a_worker_that_stops_leaves_its_leases_to_the_next_at_once(pair: Pair) -> None:
    one, two = pair
    await one.tick()
    await one.holder.release()
    await two.tick()
    assert len(two.runs) == 1


async def test_a_job_that_finds_its_lease_lost_asks_for_it_again(
    pair: Pair, clock: FakeClock
) -> None:
    one, two = pair

    async def overtaken(fence: Fence) -> None:
        clock.advance(TTL)
        await two.tick()
        raise LeaseLost("another worker has it")

    tick = one.holder.only("sealer", overtaken)
    await tick()
    await one.tick()
    assert one.runs == []
    assert len(two.runs) == 1


async def test_the_loss_of_what_is_needed_is_told_once(pair: Pair, clock: FakeClock) -> None:
    one, two = pair
    one.holder.needs(await one.store.join(TTL), "restart it")
    await one.tick()
    clock.advance(TTL + 1)
    await two.store.bury()
    for _ in range(2):
        await one.holder.keep()
    assert one.losses == ["restart it"]


async def test_a_database_that_is_away_takes_no_lease_from_anybody(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, _ = pair
    one.holder.needs(await one.store.join(TTL), "restart it")

    async def away(*_: object) -> list[Fence]:
        raise StoreUnavailable("the server is away")

    monkeypatch.setattr(one.store, "renew", away)
    await one.holder.keep()
    assert one.losses == []
    assert "leases cannot be renewed: the server is away" in caplog.text


async def test_a_lease_that_a_write_found_lost_is_asked_for_again_at_once(
    pair: Pair, clock: FakeClock
) -> None:
    one, two = pair
    fence = await one.holder.fence("relay")
    assert fence is not None
    clock.advance(TTL)
    assert await two.holder.fence("relay") is not None
    assert await one.holder.fence("relay") == fence  # nobody has told it yet
    one.holder.lost(fence)
    assert await one.holder.fence("relay") is None


async def test_a_lease_that_was_not_renewed_for_long_is_not_sure(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    now = 1000.0
    monkeypatch.setattr(leases, "time", types.SimpleNamespace(monotonic=lambda: now))
    await one.holder.fence("smpp:main:1")
    assert one.holder.sure("smpp:main:1")
    now += TTL * 0.8
    assert not one.holder.sure("smpp:main:1")
    await one.holder.keep()
    assert one.holder.sure("smpp:main:1")


async def test_a_lease_that_is_given_up_is_free_for_the_other(pair: Pair) -> None:
    one, two = pair
    assert await one.holder.fence("smpp:main:1")
    assert await two.store.held("smpp") == {"smpp:main:1": one.store.worker}
    await one.holder.give_up("smpp:main:1")
    assert await two.store.held("smpp") == {}
    assert not one.holder.sure("smpp:main:1")
    assert await two.holder.fence("smpp:main:1")
