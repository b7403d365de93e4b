"""Receipts in the store, on both engines: matched by the carrier's rule, kept for texts to come."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from ari_app.conversation.events import CallAnswered, Event, ReceiptReceived
from ari_app.ports import Arrival, Effect, Receipt
from ari_app.store import arrivals as arrivals_module
from ari_app.store import receipts as receipts_module
from ari_app.store.engine import Link
from ari_app.store.migration import VERSIONS, prepare
from ari_app.store.store import EventStore
from ari_app.store.wire import KNOW, Wire, known_row
from smpp.ids import IdRule, folded
from tests.support.clock import NOON, SECOND, FakeClock
from tests.support.keys import opened, vault
from tests.support.meter import RecordingMeter
from tests.support.store import Base, SqliteBase, running

HOUR = 3600.0
SAME, DECIMAL, HEX = IdRule.SAME, IdRule.RECEIPT_DECIMAL, IdRule.RECEIPT_HEX


@pytest.fixture
def clock(base: Base) -> FakeClock:
    return base.clock


@pytest.fixture
async def store(base: Base) -> AsyncIterator[EventStore]:
    async with running(base.store()) as store:
        yield store


def receipt(id: str, state: str = "DELIVRD", carrier: str = "main") -> Receipt:
    return Receipt(carrier, id, state, "000")


async def taken(store: EventStore, message: str, *ids: str, carrier: str = "main") -> None:
    """A text that the carrier has taken under these ids, in a conversation of its own."""
    stream = f"conv_{message}"
    await store.append(
        stream, [CallAnswered(call="c")], effects=[Effect("sms", message, NOON, {"body": "b"})]
    )
    jobs = await store.claim("sms", NOON + 10**15)
    (job,) = (job for job in jobs if job.id == message)
    await store.settle(job, [], wire=(carrier, ids))


async def received(store: EventStore, message: str) -> list[tuple[str, str]]:
    events: Sequence[Event] = [e.event for e in await store.read(f"conv_{message}")]
    return [(e.id, e.state) for e in events if isinstance(e, ReceiptReceived)]


def held(base: Base) -> list[str]:
    return [row[0] for row in base.rows("SELECT id FROM early_receipt ORDER BY number")]


# -- by every rule ----------------------------------------------------------------------------

FORMS = [
    ("7", "7"),
    ("00aF", "AF"),
    ("AF", "000af"),
    ("F4241", "1000001"),
    ("1000001", "F4241"),
    ("a-b", "A-B"),
]


async def test_a_receipt_finds_its_text_however_the_carrier_writes_its_id(
    store: EventStore,
) -> None:
    for carrier, (response, written) in enumerate(FORMS):
        await taken(store, f"msg_{carrier}", response, carrier=str(carrier))
        assert await store.receipts([receipt(written, carrier=str(carrier))]) == [True]
        assert await received(store, f"msg_{carrier}") == [(response, "DELIVRD")]


async def test_a_receipt_before_the_response_is_found_however_it_is_written(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    for carrier, (_, written) in enumerate(FORMS):
        both = [receipt(written, state, str(carrier)) for state in ("ENROUTE", "DELIVRD")]
        assert await store.receipts(both) == [False, False]
    clock.advance(23 * HOUR)
    async with running(base.store()) as restarted:
        for carrier, (response, _) in enumerate(FORMS):
            await taken(restarted, f"msg_{carrier}", response, carrier=str(carrier))
            assert await received(restarted, f"msg_{carrier}") == [
                (response, "ENROUTE"),
                (response, "DELIVRD"),
            ]
    assert held(base) == []


async def test_a_text_is_found_days_later_by_another_process(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    await taken(store, "msg_1", "F4241")
    clock.advance(100 * HOUR)
    async with running(base.store()) as other:
        assert await other.receipts([receipt("1000001")]) == [True]


async def test_the_very_id_comes_before_one_that_is_only_alike(
    store: EventStore, clock: FakeClock
) -> None:
    for message, id in (("msg_1", "00A"), ("msg_2", "a"), ("msg_3", "0a")):
        await taken(store, message, id)
        clock.advance(1)
    await store.receipts([receipt("00A"), receipt("A")])
    assert await received(store, "msg_1") == [("00A", "DELIVRD")]
    assert await received(store, "msg_2") == []
    assert await received(store, "msg_3") == [("0a", "DELIVRD")]  # the newest


async def test_a_receipt_in_two_forms_is_one_receipt(store: EventStore) -> None:
    await taken(store, "msg_1", "F4241")
    await store.receipts([receipt("1000001"), receipt("f4241"), receipt("1000001")])
    assert await received(store, "msg_1") == [("F4241", "DELIVRD")]


async def test_each_part_of_a_text_has_its_receipt_in_any_order(store: EventStore) -> None:
    await taken(store, "msg_1", "A1", "A2", "A3")
    await store.receipts([receipt("163"), receipt("161", "UNDELIV"), receipt("162")])
    assert await received(store, "msg_1") == [
        ("A3", "DELIVRD"),
        ("A1", "UNDELIV"),
        ("A2", "DELIVRD"),
    ]


async def test_a_batch_says_of_each_whether_it_is_known(store: EventStore) -> None:
    await taken(store, "msg_1", "7")
    await taken(store, "msg_2", "7", carrier="other")
    batch = [receipt("8"), receipt("7"), receipt("7", carrier="other"), receipt("7", carrier="x")]
    assert await store.receipts(batch) == [False, True, True, False]
    assert await received(store, "msg_1") == await received(store, "msg_2") == [("7", "DELIVRD")]
    assert await store.receipts([]) == []


async def test_an_id_that_an_older_program_wrote_is_found_as_it_is(
    store: EventStore, base: Base
) -> None:
    await taken(store, "msg_1", "7")
    await store._writer.run(lambda link: link.run("UPDATE wire SET folded = NULL, at = NULL"))
    assert await store.receipts([receipt("7")]) == [True]
    await store.receipts([receipt("8"), receipt("8", "ENROUTE")])
    await store._writer.run(lambda link: link.run("UPDATE early_receipt SET folded = NULL"))
    await taken(store, "msg_2", "8")
    assert await received(store, "msg_2") == [("8", "DELIVRD"), ("8", "ENROUTE")]


async def test_ids_from_before_are_folded_when_the_schema_moves(base: Base, tmp_path: Path) -> None:
    (folder := tmp_path / "before").mkdir()
    for step in sorted(VERSIONS.glob("000[1-4]_*.py")):
        shutil.copy(step, folder)
    with contextlib.closing(base.engine()) as engine:
        engine.open()
        prepare(engine, [folder])
        with contextlib.closing(engine.connect()) as link:
            for id in ("00aF", "000", "a-B", "1000001"):
                link.run("INSERT INTO wire VALUES ('main', ?, 'msg_1', 'conv_1')", (id,))
            link.run(
                "INSERT INTO early_receipt VALUES (1, 'main', 'F4249', 'DELIVRD', '', ?)", (NOON,)
            )
    async with running(base.store()) as store:
        for id, key in base.rows("SELECT id, folded FROM wire"):
            assert key == folded(id)
        assert await store.receipts([receipt("F4241")]) == [True]
        await taken(store, "msg_2", "1000009")
        assert await received(store, "msg_2") == [("1000009", "DELIVRD")]


# -- the rule that is learned -----------------------------------------------------------------


async def learn(store: EventStore, *pairs: tuple[str, str]) -> None:
    for response, written in pairs:
        await taken(store, f"msg_for_{response}", response)
        assert await store.receipts([receipt(written)]) == [True]


HEXADECIMAL = (("F4241", "1000001"), ("F4242", "1000002"), ("F4243", "1000003"))


async def test_a_learned_rule_survives_a_restart_and_excludes_the_others(
    store: EventStore, base: Base
) -> None:
    await learn(store, *HEXADECIMAL)
    async with running(base.store()) as restarted:
        await taken(restarted, "msg_1", "1000009")  # hexadecimal: 16777225
        assert await restarted.receipts([receipt("1000009")]) == [False]
        assert await restarted.receipts([receipt("16777225")]) == [True]


async def test_two_matches_are_not_enough_and_repetitions_do_not_count(store: EventStore) -> None:
    await learn(store, *HEXADECIMAL[:2])
    for _ in range(5):
        await store.receipts([receipt("1000001")])
    await taken(store, "msg_1", "1000009")
    assert await store.receipts([receipt("1000009")]) == [True]  # every form is still tried


async def test_an_ambiguous_match_teaches_nothing(store: EventStore) -> None:
    for n in (0x10, 0x11, 0x12, 0x13):  # "16": of 16 itself, and of hexadecimal 10
        await taken(store, f"msg_hex_{n}", f"{n:X}")
        await taken(store, f"msg_dec_{n}", str(n))
        await store.receipts([receipt(str(n))])
        assert await received(store, f"msg_dec_{n}") == [(str(n), "DELIVRD")]
    await taken(store, "msg_1", "F4241")
    assert await store.receipts([receipt("1000001")]) == [True]


async def test_early_receipts_teach_the_rule_as_well(store: EventStore) -> None:
    for n, (response, written) in enumerate(HEXADECIMAL):
        await store.receipts([receipt(written)])
        await taken(store, f"msg_{n}", response)
    await taken(store, "msg_9", "1000009")
    assert await store.receipts([receipt("1000009")]) == [False]


async def test_a_rule_that_is_set_counts_more_than_what_was_learned(
    store: EventStore, base: Base
) -> None:
    await learn(store, *HEXADECIMAL)
    await store.give_id_rule("main", SAME)
    async with running(base.store()) as restarted:
        await taken(restarted, "msg_1", "1000009")
        assert await restarted.receipts([receipt("1000009")]) == [True]
        assert await restarted.receipts([receipt("1000001")]) == [False]
        await restarted.give_id_rule("main", None)
        await taken(restarted, "msg_2", "1000010")
        assert await restarted.receipts([receipt("1000010")]) == [False]  # as it was learned


async def test_each_carrier_has_its_own_rule(store: EventStore) -> None:
    await learn(store, *HEXADECIMAL)
    await taken(store, "msg_1", "1000009", carrier="other")
    assert await store.receipts([receipt("1000009", carrier="other")]) == [True]


async def test_what_nobody_missed_is_looked_for_again_once_the_rule_changes(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    await store.give_id_rule("main", SAME)
    await taken(store, "msg_1", "F4241")
    assert await store.receipts([receipt("1000001")]) == [False]
    clock.advance(3)
    await store.receipts([])
    assert held(base) == ["1000001"]
    await store.give_id_rule("main", DECIMAL)
    await store.receipts([])
    assert await received(store, "msg_1") == [("F4241", "DELIVRD")]
    assert held(base) == []


# -- two workers ------------------------------------------------------------------------------


async def test_a_receipt_that_crossed_its_response_on_another_worker_is_found_soon(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    # Neither transaction saw the other: the id is there, and the receipt is kept as early.
    await store.receipts([receipt("1000001")])

    def as_another_worker_committed_it(link: Link) -> None:
        link.bulk(KNOW, [known_row("main", "F4241", "msg_1", "conv_msg_1", NOON)])

    await store._writer.run(as_another_worker_committed_it)
    await store.receipts([])
    assert held(base) == ["1000001"]  # the other one may not have committed yet
    clock.advance(3)
    await store.receipts([])
    assert await received(store, "msg_1") == [("F4241", "DELIVRD")]
    assert held(base) == []


# -- bounds -----------------------------------------------------------------------------------


async def test_a_thousand_receipts_of_strangers_are_kept_and_found_later(
    store: EventStore, base: Base
) -> None:
    numbers = list(range(1_000_000, 1_001_000))
    strangers = [receipt(str(n)) for n in numbers]
    assert await store.receipts(strangers) == [False] * 1000
    assert await store.receipts(strangers) == [False] * 1000  # repeated
    assert len(held(base)) == 1000
    random.Random(1).shuffle(numbers)
    for n in numbers[:5]:
        await taken(store, f"msg_{n}", f"{n:x}")
        assert await received(store, f"msg_{n}") == [(f"{n:x}", "DELIVRD")]
    assert len(held(base)) == 995


async def test_beyond_the_limit_the_oldest_are_dropped_and_it_is_said(
    store: EventStore,
    base: Base,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(receipts_module, "MOST_EARLY", 500)
    for n in range(0, 1000, 100):
        await store.receipts([receipt(f"x{n + i}") for i in range(100)])
    assert held(base) == [f"x{n}" for n in range(500, 1000)]
    assert "500 receipts of unknown texts were dropped" in caplog.text


async def test_no_receipt_is_kept_for_longer_than_a_day(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    await store.receipts([receipt("1")])
    clock.advance(25 * HOUR)
    await store.receipts([receipt("2")])
    assert held(base) == ["2"]


async def test_an_index_finds_the_few_among_all_that_are_outstanding(tmp_path: Path) -> None:
    base = SqliteBase(tmp_path)
    async with running(base.store()) as store:
        wire = Wire(store.engine)
    for table, query in (("wire", wire._owned), ("wire", wire._plain), ("early", wire._early)):
        values = ("main", "[]", 0, "main", "[]", 0)[: query.count("?")]
        steps = [row[-1] for row in base.rows(f"EXPLAIN QUERY PLAN {query}", *values)]
        looks = [step for step in steps if table in step]
        assert looks
        assert all("SEARCH" in step and "INDEX" in step for step in looks), steps


# -- what has come and is no fact yet ---------------------------------------------------------


def arrival(id: str, kind: str = "part", at: int = NOON, carrier: str = "main") -> Arrival:
    return Arrival(id, carrier, kind, at, {"part": f"где {id}"})


async def test_what_came_is_kept_once_and_sealed(base: Base, tmp_path: Path) -> None:
    with opened(tmp_path) as keys:
        sealed = vault(keys)
        async with running(base.store(vault=sealed)) as store:
            await store.keep([arrival("b", at=NOON + 1), arrival("a")])
            await store.keep([arrival("a", kind="joined")])
            await store.keep([arrival("c", carrier="other")])
            assert await store.kept("main") == [arrival("a"), arrival("b", at=NOON + 1)]
        assert all("где" not in row[0] for row in base.rows("SELECT payload FROM arrival"))
        async with running(base.store(vault=sealed)) as restarted:
            assert await restarted.kept("other") == [arrival("c", carrier="other")]


async def test_what_came_is_moved_and_forgotten(store: EventStore) -> None:
    await store.keep([arrival("a"), arrival("b"), arrival("c", at=NOON + SECOND)])
    await store.move(["a", "b"], "joined", NOON - SECOND)
    assert {row.id: (row.kind, row.at) for row in await store.kept("main")} == {
        "a": ("joined", NOON - SECOND),
        "b": ("joined", NOON - SECOND),
        "c": ("part", NOON + SECOND),
    }
    await store.forget("other", "joined", NOON)
    await store.forget("main", "joined", NOON - SECOND)  # not older
    await store.forget("main", "part", NOON)
    assert len(await store.kept("main")) == 3
    await store.forget("main", "joined", NOON)
    assert [row.id for row in await store.kept("main")] == ["c"]


async def test_of_each_kind_only_the_newest_are_kept(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals_module, "MOST_ARRIVALS", 3)
    for n in range(6):
        await store.keep([arrival(f"p{n}", at=NOON + n), arrival(f"u{n}", "unreadable", NOON + n)])
    assert [row.id for row in await store.kept("main")] == ["p3", "u3", "p4", "u4", "p5", "u5"]


async def test_a_batch_of_receipts_is_one_commit(store: EventStore) -> None:
    ids = [f"{n:X}" for n in range(0x1000, 0x1400)]

    def know(link: Link) -> None:
        link.bulk(KNOW, [known_row("main", id, f"msg_{id}", "conv_1", NOON) for id in ids])

    await store._writer.run(know)
    assert isinstance(store._meter, RecordingMeter)
    commits = store._meter.observed["segue_store_group_size"]
    before = len(commits)
    assert await store.receipts([receipt(id) for id in ids]) == [True] * len(ids)
    assert len(commits) == before + 1
    assert len(await store.read("conv_1")) == len(ids)
