"""Claim, do, settle: side by side, bounded, and nothing forgotten."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.conversation.events import CallAnswered, HandoffAcknowledged
from ari_app.errors import StoreUnavailable
from ari_app.outbox import relay as relays
from ari_app.outbox.relay import Relay, Settlement
from ari_app.ports import Effect, Job
from ari_app.store.store import EventStore
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import opened
from tests.support.wait import PATIENCE, until


class Hands:
    """An executor that works until it is let go."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()
        self.begun: list[str] = []
        self.most = 0
        self._now = 0

    async def perform(self, job: Job) -> Settlement:
        self.begun.append(job.id)
        self._now += 1
        self.most = max(self.most, self._now)
        await self.free.wait()
        self._now -= 1
        return Settlement([HandoffAcknowledged(handoff=job.id, route="r", receipt="")])


class Broken:
    """An executor with a bug."""

    async def perform(self, job: Job) -> Settlement:
        raise RuntimeError("a bug")


async def promise(store: EventStore, *ids: str, kind: str = "hands", due: int = 0) -> None:
    effects = [Effect(kind, id, due, {}) for id in ids]
    await store.append("conv_1", [CallAnswered(call="c")], effects=effects)


async def done(store: EventStore) -> list[str]:
    events = [e.event for e in await store.read("conv_1")]
    return [e.handoff for e in events if isinstance(e, HandoffAcknowledged)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EventStore]:
    async with opened(tmp_path, busy_ms=1) as store:
        yield store


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def relay(store: EventStore, hands: Hands) -> Relay:
    return Relay(store, FakeClock(), RecordingMeter(), {"hands": hands, "broken": Broken()})


async def test_what_is_due_is_done_side_by_side(
    store: EventStore, relay: Relay, hands: Hands
) -> None:
    hands.free.clear()
    await promise(store, "a", "b", "c")
    running = asyncio.create_task(relay.run_once())
    await until(lambda: hands.most == 3)
    assert await done(store) == []
    hands.free.set()
    await asyncio.wait_for(running, PATIENCE)
    assert sorted(hands.begun) == sorted(await done(store)) == ["a", "b", "c"]


async def test_what_is_not_due_yet_waits(tmp_path: Path, hands: Hands) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "other", clock) as store:
        relay = Relay(store, clock, RecordingMeter(), {"hands": hands})
        await promise(store, "later", due=clock.now() + 1_000_000)
        await relay.run_once()
        assert hands.begun == []
        clock.advance(1)
        await relay.run_once()
        assert hands.begun == ["later"]


async def test_a_promise_wakes_the_relay_at_once(
    store: EventStore, relay: Relay, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "_POLL", 60.0)
    running = asyncio.create_task(relay.run())
    await promise(store, "a")
    await until(lambda: hands.begun == ["a"])
    relay.stop()
    await promise(store)  # any change: it wakes and sees that it is stopped
    await asyncio.wait_for(running, PATIENCE)


async def test_a_stopped_relay_has_settled_what_it_had_begun(
    store: EventStore, relay: Relay, hands: Hands
) -> None:
    hands.free.clear()
    running = asyncio.create_task(relay.run())
    await promise(store, "a")
    await until(lambda: hands.begun == ["a"])
    relay.stop()
    await promise(store, "b")
    hands.free.set()
    await asyncio.wait_for(running, PATIENCE)
    assert "a" in await done(store)
    assert set(hands.begun) == set(await done(store))


async def test_no_more_is_claimed_than_can_be_in_hand(
    store: EventStore, relay: Relay, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "_MOST", 5)
    ids = [f"e{n:02}" for n in range(12)]
    await promise(store, *ids)
    hands.free.clear()
    running = asyncio.create_task(relay.run())
    await until(lambda: len(hands.begun) == 5)
    # The others are not claimed: a crash now would leave the fate of five open, not of twelve.
    assert len(await store.claim("hands", 0, 100)) == 7

    hands.free.set()
    relay.stop()
    await asyncio.wait_for(running, PATIENCE)
    assert len(await done(store)) == 5
    assert hands.most == 5


async def test_a_bug_in_one_effect_stops_no_other(
    store: EventStore, relay: Relay, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    await promise(store, "bad", kind="broken")
    await promise(store, "good")
    await relay.run_once()
    await relay.run_once()
    assert await done(store) == ["good"]
    assert "effect bad of kind broken failed unexpectedly" in caplog.text
    # Its fate is open: it is not tried again before a person has restarted the service.
    assert await store.claim("broken", 0) == []


async def test_what_is_done_is_settled_when_the_store_is_back(
    store: EventStore, relay: Relay, hands: Hands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "_POLL", 0.01)
    hands.free.clear()
    await promise(store, "a")
    running = asyncio.create_task(relay.run_once())
    await until(lambda: hands.begun == ["a"])

    backup = sqlite3.connect(tmp_path / "segue.db", isolation_level=None)
    backup.execute("BEGIN EXCLUSIVE")
    hands.free.set()
    with pytest.raises(StoreUnavailable):
        await promise(store, "b")
    backup.execute("ROLLBACK")
    backup.close()

    await asyncio.wait_for(running, PATIENCE)
    assert await done(store) == ["a"]


async def test_a_store_that_stays_away_ends_in_an_error_that_names_the_effect(
    store: EventStore,
    relay: Relay,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("the database cannot be used")

    monkeypatch.setattr(relays, "_POLL", 0.0)
    monkeypatch.setattr(store, "settle", away)
    await promise(store, "a")
    await relay.run_once()
    assert "effect a is done but not settled yet: the database cannot be used" in caplog.text


async def test_a_store_that_is_away_when_claiming_is_waited_for(
    store: EventStore, relay: Relay, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "_POLL", 0.0)
    claim, failures = store.claim, [StoreUnavailable("locked")] * 3

    async def sometimes(kind: str, now: int, limit: int = 10) -> list[Job]:
        if failures:
            raise failures.pop()
        return await claim(kind, now, limit)

    monkeypatch.setattr(store, "claim", sometimes)
    await promise(store, "a")
    running = asyncio.create_task(relay.run())
    await until(lambda: hands.begun == ["a"])
    relay.stop()
    await asyncio.wait_for(running, PATIENCE)
    assert await done(store) == ["a"]


async def test_an_idle_relay_passes_no_crash_point(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, store: EventStore
) -> None:
    passed: list[str] = []
    monkeypatch.setattr(relays, "failpoint", passed.append)
    await relay.run_once()
    assert passed == []
    await promise(store, "a")
    await relay.run_once()
    assert passed == ["outbox.after_claim", "outbox.before_settle"]
