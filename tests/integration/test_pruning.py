"""What is too old to be of use goes by and by, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ari_app.errors import LeaseLost
from ari_app.ports import Arrival, Fence, Receipt
from ari_app.store import pruning as pruning_file
from ari_app.store.engine import Link
from ari_app.store.pruning import Pruning
from ari_app.store.store import EventStore
from ari_app.store.wire import KNOW, known_row
from tests.support.clock import DAY, SECOND
from tests.support.meter import RecordingMeter
from tests.support.store import Base, running

KEPT = 30 * DAY


class Shelf:
    """A store, its pruning, and the ids that it knows."""

    def __init__(self, base: Base, store: EventStore) -> None:
        self.base, self.store, self.meter = base, store, RecordingMeter()
        self.pruning = Pruning(
            store._read, store._writer.run, store._need, base.clock, self.meter, KEPT
        )

    async def know(self, *ids: str, at: int | None = None) -> None:
        when = self.base.clock.now() if at is None else at
        rows = [known_row("main", id, f"msg_{id}", f"conv_{id}", when) for id in ids]
        await self.store._writer.run(lambda link: link.bulk(KNOW, rows))

    def known(self) -> list[str]:
        return [str(id) for (id,) in self.base.rows("SELECT id FROM wire ORDER BY id")]

    def pruned(self, table: str) -> float:
        return self.meter.counts["segue_store_pruned_total", table]


@pytest.fixture
async def shelf(base: Base) -> AsyncIterator[Shelf]:
    async with running(base.store()) as store:
        yield Shelf(base, store)


async def test_ids_go_when_they_are_old_and_stay_until_then(shelf: Shelf) -> None:
    await shelf.know("1", "2")
    shelf.base.clock.advance(KEPT - 1)
    await shelf.know("3")
    await shelf.pruning.run_once()
    assert shelf.known() == ["1", "2", "3"]
    shelf.base.clock.advance(3600.0)
    await shelf.pruning.run_once()
    assert shelf.known() == ["3"]
    assert shelf.pruned("wire") == 2


async def test_a_receipt_that_comes_later_is_one_of_an_unknown_text(shelf: Shelf) -> None:
    await shelf.know("1")
    assert await shelf.store.receipt(Receipt("main", "1", "ENROUTE", ""))
    shelf.base.clock.advance(KEPT + 1)
    await shelf.pruning.run_once()
    assert not await shelf.store.receipt(Receipt("main", "1", "DELIVRD", ""))


async def test_a_turn_takes_a_few_pages_and_the_next_one_goes_on(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning_file, "_PAGE", 2)
    monkeypatch.setattr(pruning_file, "_PAGES", 2)
    await shelf.know(*"123456789")
    shelf.base.clock.advance(KEPT + 1)
    left = []
    for _ in range(4):
        await shelf.pruning.run_once()
        left.append(len(shelf.known()))
    assert left == [5, 1, 0, 0]


async def test_between_two_walks_nothing_is_read(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shelf.pruning.run_once()
    monkeypatch.setattr(shelf.pruning, "_read", None)
    await shelf.pruning.run_once()


async def test_an_id_that_has_come_round_again_is_its_new_owners(shelf: Shelf) -> None:
    await shelf.know("1")
    shelf.base.clock.advance(KEPT + 1)
    before = shelf.base.clock.now() - int(KEPT) * SECOND
    await shelf.know("1")
    await shelf.store._writer.run(
        lambda link: shelf.pruning._forget(link, None, [("main", "1", before)], [])
    )
    assert shelf.known() == ["1"]


async def test_an_id_of_an_unknown_time_is_as_old_as_it_is_first_looked_at(shelf: Shelf) -> None:
    await shelf.know("1")

    def undated(link: Link) -> None:
        link.run("UPDATE wire SET at = NULL")

    await shelf.store._writer.run(undated)
    await shelf.pruning.run_once()
    shelf.base.clock.advance(KEPT - 1)
    await shelf.pruning.run_once()
    assert shelf.known() == ["1"]
    shelf.base.clock.advance(3601.0)
    await shelf.pruning.run_once()
    assert shelf.known() == []


async def test_early_receipts_and_what_came_go_too(shelf: Shelf) -> None:
    await shelf.store.receipt(Receipt("main", "7", "DELIVRD", ""))
    await shelf.store.keep([Arrival("a", "main", "begun", shelf.base.clock.now(), {"n": 1})])
    shelf.base.clock.advance(2 * DAY)
    await shelf.pruning.run_once()
    assert shelf.base.rows("SELECT count(*) FROM early_receipt")[0][0] == 0
    assert shelf.base.rows("SELECT count(*) FROM arrival")[0][0] == 1
    shelf.base.clock.advance(31 * DAY)
    await shelf.pruning.run_once()
    assert shelf.base.rows("SELECT count(*) FROM arrival")[0][0] == 0


async def test_nothing_is_taken_away_under_a_lease_that_another_has(shelf: Shelf) -> None:
    await shelf.know("1")
    shelf.base.clock.advance(KEPT + 1)
    with pytest.raises(LeaseLost):
        await shelf.pruning.run_once(Fence("pruning", "somebody", 1))
    assert shelf.known() == ["1"]
