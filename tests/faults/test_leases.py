"""Workers that freeze, die and compete: another takes over in time, nothing stale is written."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from ari_app.conversation.events import CallAnswered
from ari_app.ports import Effect
from ari_app.store.migration import prepare
from tests.support.faults import fault
from tests.support.store import running
from tests.support.workers import Nursery, audited, engine_of, said, soon, store_of

TTL = 2.0
# A busy machine may let a process wait before it is run at all.
_SLACK = 3.0
_JOBS = [f"msg_{n}" for n in range(10)]


def rows(address: str, query: str) -> list[tuple[object, ...]]:
    link = engine_of(address).connect()
    try:
        return link.rows(query)
    finally:
        link.close()


async def prepared(address: str) -> None:
    """Some texts are promised."""
    async with running(store_of(address, "first")) as store:
        effects = [Effect("sms", id, 0, {}) for id in _JOBS]
        await store.append("conv_0", [CallAnswered(call="a")], effects=effects)


def has_taken_over(file: Path, after: float) -> float:
    """The seconds from then until the one who says so in the file ruled."""
    soon(lambda: said(file), "the other takes over")
    return float(said(file)[0][1]) - after


def check_that_nothing_stale_was_written(address: str, log: Path) -> None:
    """After the first write of the new owner there is none of the old one."""
    engine = engine_of(address)
    order = f"SELECT payload FROM event WHERE stream = 'conv_1' ORDER BY {engine.order}"
    names = ["new" if "new." in str(payload) else "old" for (payload,) in rows(address, order)]
    assert names == sorted(names, reverse=True)
    assert set(names) == {"old", "new"}
    seals = [str(note) for (note,) in rows(address, "SELECT note FROM seal ORDER BY number")]
    assert seals == sorted(seals, reverse=True)
    assert "new" in seals
    # The old one wrote places that end in 1, the new one in 2.
    ((position,),) = rows(address, "SELECT position FROM checkpoint WHERE consumer = 'feed'")
    assert int(str(position)) % 10 == 2
    # What the old one had claimed was taken from it and settled by the other, once.
    query = "SELECT payload FROM event WHERE name = 'text.submitted'"
    sent = [json.loads(str(payload)) for (payload,) in rows(address, query)]
    assert sorted(text["message"] for text in sent) == _JOBS[:5]
    assert {text["carrier"] for text in sent} == {"new"}
    assert audited(address).sound
    assert {words[1] for words in said(log) if words[0] == "fenced"} >= {
        "append",
        "advance",
        "once",
        "seal",
    }


@fault(
    "SIGSTOP of a worker that holds leases, for longer than they last",
    "another one has taken over in time, and nothing stale is written after SIGCONT",
)
@pytest.mark.parametrize("how", ["worker", "stranger"])
async def test_a_worker_that_was_frozen_writes_nothing_stale(
    how: str, address: str, nursery: Nursery, tmp_path: Path
) -> None:
    await prepared(address)
    old, new = tmp_path / "old", tmp_path / "new"
    frozen = nursery.start("rules", address, "old", old, TTL, how)
    soon(lambda: len(said(old)) > 20, "the first one works")
    nursery.start("rules", address, "new", new, TTL)
    # Between two transactions: on SQLite one that is frozen in the midst of one stops all others.
    while True:
        frozen.freeze()
        stopped = time.monotonic()
        if not writing(address):
            break
        frozen.thaw()
        await asyncio.sleep(0.01)
    assert has_taken_over(new, stopped) < TTL + _SLACK
    soon(lambda: len(said(new)) > 200, "the new one works")
    before = len(said(old))
    await asyncio.sleep(max(0.0, stopped + 1.5 * TTL - time.monotonic()))
    frozen.thaw()
    soon(lambda: len(said(old)) > before + 20, "the old one tries again")
    check_that_nothing_stale_was_written(address, old)


def writing(address: str) -> bool:
    """Whether somebody is in a transaction that writes."""
    engine = engine_of(address)
    link = engine.connect()
    try:
        if address.startswith("postgresql:"):
            query = "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction'"
            return bool(link.rows(query))
        link.rows("PRAGMA busy_timeout=0")
        try:
            link.begin()
        except engine.Error:
            return True
        link.rollback()
        return False
    finally:
        link.close()


@fault(
    "SIGSTOP of a worker in the midst of a transaction",
    "another one has taken over in time, and the transaction is not committed after SIGCONT",
    "postgres",
)
async def test_a_worker_that_froze_in_a_transaction_does_not_hold_up_the_others(
    database: str, nursery: Nursery, tmp_path: Path
) -> None:
    await prepared(database)
    old, new = tmp_path / "old", tmp_path / "new"
    frozen = nursery.start("rules", database, "old", old, TTL, "freeze")
    soon(lambda: [w for w in said(old) if w[0] == "inside"], "it is in a transaction")
    frozen.stops()
    stopped = time.monotonic()
    nursery.start("rules", database, "new", new, TTL)
    # The server ends a transaction that does nothing for three seconds; then the lease is free.
    assert has_taken_over(new, stopped) < 3.0 + TTL + _SLACK
    soon(lambda: len(said(new)) > 100, "the new one works")
    assert {words[0] for words in said(new)[1:]} == {"wrote"}
    frozen.thaw()
    soon(lambda: [w for w in said(old) if w[0] == "stale"], "the old one wakes")
    # The lease is another's; or it has noticed first that the server has ended its connection.
    (stale,) = [words for words in said(old) if words[0] == "stale"]
    assert stale[1] in {"LeaseLost", "StoreUnavailable"}
    assert rows(database, "SELECT 1 FROM once WHERE job = 'stale'") == []
    payloads = rows(database, "SELECT payload FROM event WHERE stream = 'conv_1'")
    assert payloads
    assert not [payload for (payload,) in payloads if "old." in str(payload)]


@fault(
    "two workers with one lease",
    "never are both inside; after a kill -9 another is inside in time",
)
def test_never_are_two_inside(address: str, nursery: Nursery, tmp_path: Path) -> None:
    file = tmp_path / "room"
    engine = engine_of(address)
    engine.open()

    prepare(engine)
    workers = {n: nursery.start("takes_turns", address, f"w{n}", file, TTL) for n in range(3)}

    def turns() -> list[list[str]]:
        return [words for words in said(file) if words[0] == "inside"]

    soon(lambda: {words[1] for words in turns()} == {"w0", "w1", "w2"}, "each has its turn")
    for n in range(2):
        workers[n].kill()
        killed, before = time.monotonic(), len(turns())
        soon(lambda b=before: len(turns()) > b + 20, "others go on")  # type: ignore[misc]  # a bound default
        assert time.monotonic() - killed < TTL + 2 * _SLACK
    assert [words for words in said(file) if words[0] == "both"] == []
    epochs = [int(words[2]) for words in turns()]
    assert epochs == sorted(set(epochs))
