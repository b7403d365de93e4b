"""The log reaches its destination whole and in order, whoever is away and whenever we die."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import NoReturn

import pytest

import ari_app.projections.feed as feeds
from ari_app.errors import LeaseLost, StoreUnavailable, Unavailable
from ari_app.ports import Fence, Record
from ari_app.projections.feed import Feed
from tests.support.meter import RecordingMeter
from tests.support.wait import PATIENCE, until

MINE = Fence("projections", "worker-1", 1)
LAG = ("segue_feed_lag_events", "relay")
DONE = ("segue_feed_events_total", "relay")


class MemoryLog:
    """A log with one checkpoint; `lost` is what the store says of a lease that has gone."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.checkpoint = 0
        self.fences: list[Fence | None] = []
        self.failures: list[StoreUnavailable] = []
        self.lost = False
        self.looks = 0
        self._changes = 0
        self._changed = asyncio.Event()

    def append(self, *names: str) -> None:
        for name in names:
            position = 10 * (len(self.records) + 1)  # with gaps, as logs have them
            self.records.append(
                Record(
                    position, f"evt_{position}", "conv_1", 1, 7, "caller", None, name, 1, "{}", b""
                )
            )
        self._changes += 1
        self._changed.set()

    async def committed(self, consumer: str, limit: int = 100) -> list[Record]:
        assert consumer == "relay"
        self.looks += 1
        if self.failures:
            raise self.failures.pop()
        return [r for r in self.records if r.position > self.checkpoint][:limit]

    async def advance(self, consumer: str, position: int, fence: Fence | None = None) -> None:
        if self.lost:
            raise LeaseLost("worker-2 feeds now")
        self.fences.append(fence)
        self.checkpoint = position

    async def lag(self, consumer: str) -> int:
        return len([r for r in self.records if r.position > self.checkpoint])

    async def changed(self, seen: int, timeout: float) -> int:
        if seen == self._changes:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout)
        return self._changes


class Place:
    """A destination that remembers, and is away as often as `failures` says."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.batches: list[int] = []
        self.failures: list[Exception] = []

    async def put(self, records: Sequence[Record]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.batches.append(len(records))
        self.names += [record.name for record in records]


class Story:
    def __init__(self) -> None:
        self.log, self.place, self.meter = MemoryLog(), Place(), RecordingMeter()
        self.feed = self.again()

    def again(self) -> Feed:
        """As after a start of the service."""
        return Feed(self.log, self.place, self.meter, "relay", batch=2)

    async def end(self, running: asyncio.Task[None]) -> None:
        self.feed.stop()
        self.log.append("the.end")  # wakes it
        await asyncio.wait_for(running, PATIENCE)


@pytest.fixture
async def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    monkeypatch.setattr(feeds, "_FIRST", 0.0)
    return Story()


async def test_all_that_is_committed_arrives_in_order_and_in_batches(story: Story) -> None:
    story.log.append("a", "b", "c", "d", "e")
    assert [await story.feed.run_once() for _ in range(4)] == [2, 2, 1, 0]
    assert story.place.names == ["a", "b", "c", "d", "e"]
    assert story.log.checkpoint == 50
    assert story.meter.counts[DONE] == 5


async def test_nothing_is_checked_off_before_it_is_safe(story: Story) -> None:
    story.log.append("a", "b")
    story.place.failures = [Unavailable("the bus is away")]
    with pytest.raises(Unavailable, match="the bus is away"):
        await story.feed.run_once()
    assert story.log.checkpoint == 0
    assert story.meter.counts[DONE] == 0

    assert await story.feed.run_once() == 2
    assert story.place.names == ["a", "b"]


async def test_a_crash_before_the_checkpoint_sends_the_batch_again(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.log.append("a", "b", "c")

    def dies(name: str) -> NoReturn:
        assert name == "feed.before_advance"
        assert story.place.names == ["a", "b"]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(feeds, "failpoint", dies)
        with pytest.raises(KeyboardInterrupt):
            await story.feed.run_once()

    feed = story.again()
    while await feed.run_once():
        pass
    assert story.place.names == ["a", "b", "a", "b", "c"]


async def test_the_lag_is_shown_while_the_destination_is_away_too(story: Story) -> None:
    await story.feed.run_once()
    assert story.meter.gauges[LAG] == 0

    story.log.append("a", "b", "c")
    await story.feed.run_once()
    assert story.meter.gauges[LAG] == 1

    story.log.append("d", "e")
    story.place.failures = [Unavailable("away")]
    with pytest.raises(Unavailable):
        await story.feed.run_once()
    assert story.meter.gauges[LAG] == 3


async def test_the_checkpoint_moves_under_the_lease(story: Story) -> None:
    story.log.append("a")
    await story.feed.run_once(MINE)
    assert story.log.fences == [MINE]


async def test_a_lost_lease_is_told_and_leaves_the_checkpoint_to_the_next(story: Story) -> None:
    story.log.append("a")
    story.log.lost = True
    with pytest.raises(LeaseLost):
        await story.feed.run_once(MINE)
    assert story.log.checkpoint == 0
    assert story.meter.counts[DONE] == 0


async def test_a_lost_lease_ends_the_turn_and_the_next_turn_goes_on(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    story.log.append("a")
    story.log.lost = True
    await asyncio.wait_for(story.feed.run(MINE), PATIENCE)
    assert [r.getMessage() for r in caplog.records] == [
        "feed relay ends its turn: worker-2 feeds now"
    ]

    story.log.lost = False
    running = asyncio.create_task(story.feed.run(MINE))
    await until(lambda: story.log.checkpoint == 10)
    await story.end(running)


async def test_a_running_feed_hands_on_what_comes_and_stops_when_told(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_POLL", 60.0)
    running = asyncio.create_task(story.feed.run())
    story.log.append("a")
    await until(lambda: story.place.names == ["a"])
    story.log.append("b")
    await until(lambda: story.place.names == ["a", "b"])
    await story.end(running)


async def test_what_another_process_appended_is_found_without_a_hint(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_POLL", 0.001)
    running = asyncio.create_task(story.feed.run())
    await until(lambda: story.log.looks > 1)
    elsewhere = MemoryLog()
    elsewhere.append("a")
    story.log.records = elsewhere.records
    await until(lambda: story.place.names == ["a"])
    await story.end(running)


async def test_an_outage_is_told_once_with_its_end(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ari_app")
    story.log.append("a")
    story.log.failures = [StoreUnavailable("the database is locked")] * 3
    story.place.failures = [Unavailable("the bus is away")] * 20
    running = asyncio.create_task(story.feed.run())
    await until(lambda: len(caplog.records) == 3)
    story.place.failures = [Unavailable("the bus is away")] * 20
    story.log.append("b")
    await until(lambda: len(caplog.records) == 5)
    await story.end(running)
    assert [r.getMessage() for r in caplog.records] == [
        "feed relay waits: the database is locked",
        "feed relay waits: the bus is away",
        "feed relay goes on",
        "feed relay waits: the bus is away",
        "feed relay goes on",
    ]


async def test_a_sentence_that_never_repeats_does_not_fill_the_log(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    story.log.append("a")
    story.place.failures = [Unavailable(f"trouble {n}") for n in range(50)]
    running = asyncio.create_task(story.feed.run())
    await until(lambda: story.log.checkpoint == 10)
    await story.end(running)
    assert len(caplog.records) == 5


async def test_a_fault_of_ours_is_logged_once_and_ends_nothing(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    story.log.append("a")
    story.place.failures = [ZeroDivisionError("a bug")] * 3
    running = asyncio.create_task(story.feed.run())
    await until(lambda: story.log.checkpoint == 10)
    await story.end(running)
    assert [r.getMessage() for r in caplog.records] == ["feed relay failed unexpectedly"]


async def test_it_waits_longer_and_longer_up_to_half_a_minute_and_begins_anew(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def note(event: asyncio.Event, seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(feeds, "_FIRST", 0.5)
    monkeypatch.setattr(feeds, "_wait", note)
    story.log.append("a")
    story.place.failures = [Unavailable("away")] * 1500
    running = asyncio.create_task(story.feed.run())
    await until(lambda: story.log.checkpoint == 10)

    for n, seconds in enumerate(waits):
        longest = min(30.0, 0.5 * 2.0 ** min(n, 20))
        assert longest / 2 <= seconds <= longest
    assert len(waits) == 1500
    assert len(set(waits[10:])) > 100  # jitter

    waits.clear()
    story.place.failures = [Unavailable("away again")]
    story.log.append("b")
    await until(lambda: story.log.checkpoint == 20)
    assert len(waits) == 1
    assert waits[0] <= 0.5
    await story.end(running)


async def test_a_feed_that_backs_off_stops_at_once(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_FIRST", 3600.0)
    monkeypatch.setattr(feeds, "_LONGEST", 3600.0)
    story.log.append("a")
    story.place.failures = [Unavailable("away")]
    running = asyncio.create_task(story.feed.run())
    await until(lambda: not story.place.failures)
    story.feed.stop()
    await asyncio.wait_for(running, PATIENCE)
    assert story.place.names == []
