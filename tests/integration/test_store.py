"""The store on real SQLite files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ari_app.conversation.events import (
    CallAnswered,
    CallerSpoke,
    ConversationOpened,
    Event,
    ReceiptReceived,
    TextDelayed,
    TextSubmitted,
    Unrecognised,
)
from ari_app.errors import Conflict, StoreUnavailable
from ari_app.ports import Effect, Job, Receipt, Timer
from ari_app.store.schema import SCHEMA_VERSION
from ari_app.store.sqlite import SqliteStore
from tests.support.clock import DAY, NOON, SECOND, FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import opened

OPENED = ConversationOpened(channel="voice", did="100", language="en", number="+12025550123")


def call(name: str) -> CallAnswered:
    return CallAnswered(call=name)


def effect(id: str, kind: str = "sms", due: int = NOON) -> Effect:
    return Effect(kind, id, due, {"body": "où ?", "n": 1})


def delivered(id: str, carrier: str = "main", state: str = "DELIVRD") -> Receipt:
    return Receipt(carrier, id, state, "000")


def taken(message: str, *ids: str) -> TextSubmitted:
    return TextSubmitted(message=message, carrier="main", ids=ids, attempts=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    async with opened(tmp_path, clock) as store:
        yield store


async def events(store: SqliteStore, stream: str) -> list[Event]:
    return [e.event for e in await store.read(stream)]


async def claimed(store: SqliteStore, id: str, stream: str = "conv_1") -> Job:
    """A promised text in our hands."""
    await store.append(stream, [call(id)], effects=[effect(id)])
    (job,) = await store.claim("sms", NOON + 1000 * SECOND)
    return job


# -- the log ----------------------------------------------------------------------------------


async def test_what_was_appended_is_read_in_its_order(store: SqliteStore, clock: FakeClock) -> None:
    spoke = CallerSpoke(
        call="c", text="où ?", words=(("où", 0.1, 0.2, 0.9),), confidence=0.9, endpoint_ms=3
    )
    written = await store.append("conv_1", [OPENED, call("c")], cause="evt_0")
    clock.advance(1)
    written += await store.append("conv_1", [spoke])

    assert await store.read("conv_1") == written
    assert [e.event for e in written] == [OPENED, call("c"), spoke]
    assert [e.sequence for e in written] == [1, 2, 3]
    assert [e.at for e in written] == [NOON, NOON, NOON + SECOND]
    assert [e.cause for e in written] == ["evt_0", "evt_0", None]
    assert {e.actor for e in written} == {"segue"}
    assert len({e.id for e in written}) == 3
    assert await store.read("conv_1", after=2) == written[2:]
    assert await store.read("conv_2") == []


async def test_an_event_of_a_newer_program_is_kept_as_it_is(store: SqliteStore) -> None:
    newer = Unrecognised(name="call.teleported", version=4, payload={"where": ["x", {"y": 1}]})
    await store.append("conv_1", [newer])
    assert await events(store, "conv_1") == [newer]


async def test_a_decision_holds_only_where_the_stream_was(store: SqliteStore) -> None:
    await store.append("conv_1", [OPENED], expected=0)
    await store.append("conv_1", [call("a")], expected=1)
    with pytest.raises(Conflict) as stale:
        await store.append("conv_1", [call("b")], expected=1, effects=[effect("msg_1")])
    assert (stale.value.expected, stale.value.found) == (1, 2)
    with pytest.raises(Conflict):
        await store.append("conv_1", [call("b")], expected=0)
    assert await events(store, "conv_1") == [OPENED, call("a")]
    assert await store.claim("sms", NOON) == []


async def test_an_observation_holds_wherever_the_stream_is(store: SqliteStore) -> None:
    await store.append("conv_1", [OPENED])
    (written,) = await store.append("conv_1", [call("a")])
    assert written.sequence == 2


async def test_of_many_deciders_at_once_one_wins(store: SqliteStore) -> None:
    await store.append("conv_1", [OPENED])
    outcomes = await asyncio.gather(
        *(store.append("conv_1", [call(str(n))], expected=1) for n in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19
    assert len(await store.read("conv_1")) == 2


async def test_a_dedupe_key_writes_once(store: SqliteStore) -> None:
    first = await store.append("conv_1", [OPENED, call("a")], dedupe="mo:1")
    again = await store.append(
        "conv_2", [call("b")], dedupe="mo:1", effects=[effect("m")], timers=[Timer("t", "", "", 0)]
    )
    assert len(first) == 2
    assert again == []
    assert await store.read("conv_2") == []
    assert await store.claim("sms", NOON) == []
    assert await store.due_timers(NOON) == []


async def test_the_same_key_at_the_same_time_writes_once(store: SqliteStore) -> None:
    written = await asyncio.gather(
        *(store.append("conv_1", [call("a")], dedupe="mo:1") for _ in range(10))
    )
    assert sorted(len(w) for w in written) == [0] * 9 + [1]


async def test_one_append_that_fails_spoils_no_other(store: SqliteStore) -> None:
    await store.append("conv_1", [OPENED])
    good = [store.append(f"conv_g{n}", [call("g")], effects=[effect(f"m{n}")]) for n in range(5)]
    bad = [store.append("conv_1", [call("b")], expected=7) for _ in range(5)]
    mixed = [append for pair in zip(good, bad, strict=True) for append in pair]
    outcomes = await asyncio.gather(*mixed, return_exceptions=True)
    assert [isinstance(outcome, Conflict) for outcome in outcomes] == [False, True] * 5
    assert len(await store.claim("sms", NOON)) == 5


async def test_an_append_is_all_or_nothing(store: SqliteStore) -> None:
    await store.append("conv_1", [OPENED], effects=[effect("msg_1")])
    with pytest.raises(
        sqlite3.IntegrityError
    ):  # the id of an effect is unique: a bug in the caller
        await store.append("conv_1", [call("a"), call("b")], effects=[effect("msg_1")])
    assert await events(store, "conv_1") == [OPENED]
    assert (await store.append("conv_1", [call("c")]))[0].sequence == 2


async def test_a_subject_finds_the_conversation_it_turned_to_last(
    store: SqliteStore, clock: FakeClock
) -> None:
    assert await store.latest("subj_1") is None
    await store.append("conv_1", [OPENED], subject="subj_1")
    await store.append("conv_x", [OPENED], subject="subj_x")
    clock.advance(1)
    await store.append("conv_2", [OPENED], subject="subj_1")
    assert await store.latest("subj_1") == "conv_2"

    clock.advance(1)
    await store.append("conv_1", [call("ours")])  # not the subject's doing
    assert await store.latest("subj_1") == "conv_2"
    await store.append("conv_1", [call("theirs")], subject="subj_1")
    assert await store.latest("subj_1") == "conv_1"


async def test_the_conversations_written_to_last_come_first(
    store: SqliteStore, clock: FakeClock
) -> None:
    for stream in ("conv_1", "conv_2", "other_3", "conv_1"):
        clock.advance(1)
        await store.append(stream, [call("x")])
    assert await store.recent(5) == [("conv_1", NOON + 4 * SECOND), ("conv_2", NOON + 2 * SECOND)]
    assert len(await store.recent(1)) == 1


# -- consumers --------------------------------------------------------------------------------


async def test_a_consumer_sees_every_event_once_in_the_order_of_the_log(
    store: SqliteStore,
) -> None:
    await store.append("conv_1", [OPENED, call("a")])
    await store.append("conv_2", [OPENED])
    await store.append("conv_1", [call("b")])

    seen = await store.tail("threads", limit=3)
    assert [p.envelope.stream for p in seen] == ["conv_1", "conv_1", "conv_2"]
    assert await store.tail("threads", limit=3) == seen  # nothing was advanced
    await store.advance("threads", seen[-1].position)
    (rest,) = await store.tail("threads")
    assert rest.envelope.event == call("b")
    await store.advance("threads", rest.position)
    assert await store.tail("threads") == []
    assert len(await store.tail("another")) == 4


async def test_a_change_wakes_who_waits_for_one(store: SqliteStore) -> None:
    seen = await store.changed(0, 0)
    waiting = asyncio.create_task(store.changed(seen, 60))
    await asyncio.sleep(0)
    assert not waiting.done()
    await store.append("conv_1", [OPENED])
    assert await asyncio.wait_for(waiting, 5) > seen
    assert await store.changed(seen, 60) > seen  # what was missed is told at once


# -- the outbox -------------------------------------------------------------------------------


async def test_a_due_effect_is_claimed_once(store: SqliteStore) -> None:
    await store.append("conv_1", [OPENED], effects=[effect("msg_1")])
    assert await store.claim("sms", NOON - 1) == []
    assert await store.claim("handoff", NOON) == []
    assert await store.claim("sms", NOON) == [
        Job("sms", "msg_1", "conv_1", {"body": "où ?", "n": 1}, 1, "due")
    ]
    assert await store.claim("sms", NOON) == []


async def test_effects_are_claimed_in_the_order_they_are_due(store: SqliteStore) -> None:
    effects = [effect(f"m{n}", due=NOON - n * SECOND) for n in (1, 3, 2)]
    await store.append("conv_1", [OPENED], effects=effects)
    assert [job.id for job in await store.claim("sms", NOON, limit=2)] == ["m3", "m2"]
    assert [job.id for job in await store.claim("sms", NOON)] == ["m1"]


async def test_of_many_claimers_only_one_gets_each(store: SqliteStore) -> None:
    effects = [effect(f"m{n:02}") for n in range(40)]
    await store.append("conv_1", [OPENED], effects=effects)
    claims = await asyncio.gather(*(store.claim("sms", NOON, limit=7) for _ in range(10)))
    got = [job.id for jobs in claims for job in jobs]
    assert sorted(got) == [e.id for e in effects]


async def test_a_settled_effect_is_over_and_says_what_became_of_it(store: SqliteStore) -> None:
    job = await claimed(store, "msg_1")
    await store.settle(job, [taken("msg_1", "7")])
    assert (await events(store, "conv_1"))[-1] == taken("msg_1", "7")
    assert await store.claim("sms", NOON + 1000 * SECOND) == []


async def test_an_effect_that_must_wait_is_due_again_then(store: SqliteStore) -> None:
    job = await claimed(store, "msg_1")
    delayed = TextDelayed(message="msg_1", reason="throttled", attempts=1)
    await store.settle(job, [delayed], retry_at=NOON + 5 * SECOND)
    assert await store.claim("sms", NOON + 4 * SECOND) == []
    (again,) = await store.claim("sms", NOON + 5 * SECOND)
    assert (again.attempts, again.state) == (2, "due")
    assert (await events(store, "conv_1"))[-1] == delayed


async def test_what_was_in_hand_at_a_crash_comes_back_as_open(
    store: SqliteStore, tmp_path: Path, clock: FakeClock
) -> None:
    await claimed(store, "msg_1")
    await store.append("conv_1", [call("x")], effects=[effect("msg_2")])
    async with opened(tmp_path, clock) as reopened:
        jobs = await reopened.claim("sms", NOON)
        assert {(j.id, j.state, j.attempts) for j in jobs} == {
            ("msg_1", "sending", 2),
            ("msg_2", "due", 1),
        }


# -- receipts ---------------------------------------------------------------------------------


def receipt_event(message: str, id: str, state: str = "DELIVRD") -> ReceiptReceived:
    return ReceiptReceived(message=message, carrier="main", id=id, state=state, error="000")


async def test_a_receipt_joins_the_stream_of_its_text(store: SqliteStore) -> None:
    job = await claimed(store, "msg_1")
    await store.settle(job, [taken("msg_1", "7", "8")], wire=("main", ("7", "8")))
    assert await store.receipt(delivered("8"))
    assert await store.receipt(delivered("7"))
    assert (await events(store, "conv_1"))[2:] == [
        receipt_event("msg_1", "8"),
        receipt_event("msg_1", "7"),
    ]


async def test_a_receipt_that_comes_again_is_written_once(store: SqliteStore) -> None:
    job = await claimed(store, "msg_1")
    await store.settle(job, [], wire=("main", ("7",)))
    for state in ("ENROUTE", "ENROUTE", "DELIVRD", "DELIVRD"):
        assert await store.receipt(delivered("7", state=state))
    assert (await events(store, "conv_1"))[1:] == [
        receipt_event("msg_1", "7", "ENROUTE"),
        receipt_event("msg_1", "7"),
    ]


async def test_receipts_that_come_before_the_answer_are_kept_in_order(store: SqliteStore) -> None:
    job = await claimed(store, "msg_1")
    assert not await store.receipt(delivered("7", state="ENROUTE"))
    assert not await store.receipt(delivered("7"))
    assert not await store.receipt(delivered("8"))
    await store.settle(job, [taken("msg_1", "7")], wire=("main", ("7",)))
    assert (await events(store, "conv_1"))[1:] == [
        taken("msg_1", "7"),
        receipt_event("msg_1", "7", "ENROUTE"),
        receipt_event("msg_1", "7"),
    ]


async def test_an_early_receipt_survives_a_restart(
    store: SqliteStore, tmp_path: Path, clock: FakeClock
) -> None:
    job = await claimed(store, "msg_1")
    await store.receipt(delivered("7"))
    async with opened(tmp_path, clock) as reopened:
        await reopened.settle(job, [], wire=("main", ("7",)))
        assert (await events(reopened, "conv_1"))[-1] == receipt_event("msg_1", "7")


async def test_an_id_belongs_to_its_carrier(store: SqliteStore) -> None:
    job = await claimed(store, "msg_1")
    await store.settle(job, [], wire=("main", ("7",)))
    assert not await store.receipt(delivered("7", carrier="other"))


async def test_an_id_that_comes_round_again_belongs_to_the_newest_text(
    store: SqliteStore,
) -> None:
    for message, stream in (("msg_1", "conv_1"), ("msg_2", "conv_2")):
        job = await claimed(store, message, stream)
        await store.settle(job, [], wire=("main", ("7",)))
    await store.receipt(delivered("7"))
    assert (await events(store, "conv_2"))[-1] == receipt_event("msg_2", "7")
    assert len(await store.read("conv_1")) == 1


async def test_a_receipt_of_last_week_is_not_taken_for_a_new_text(
    store: SqliteStore, clock: FakeClock, tmp_path: Path
) -> None:
    await store.receipt(delivered("7"))
    clock.advance(7 * DAY)
    job = await claimed(store, "msg_1")
    await store.settle(job, [taken("msg_1", "7")], wire=("main", ("7",)))
    assert (await events(store, "conv_1"))[-1] == taken("msg_1", "7")


async def test_receipts_of_strangers_are_not_kept_for_ever(
    store: SqliteStore, clock: FakeClock, tmp_path: Path
) -> None:
    for id in ("1", "2", "3"):
        await store.receipt(delivered(id))
    clock.advance(2 * DAY)
    await store.receipt(delivered("4"))
    with contextlib.closing(sqlite3.connect(tmp_path / "segue.db")) as raw:
        assert [row[0] for row in raw.execute("SELECT id FROM early_receipt")] == ["4"]


# -- timers -----------------------------------------------------------------------------------


async def test_timers_are_due_in_order_until_they_are_dropped(store: SqliteStore) -> None:
    late = Timer("receipt:b", "conv_1", "receipt", NOON + 2)
    soon = Timer("receipt:a", "conv_1", "receipt", NOON + 1)
    await store.append("conv_1", [OPENED], timers=[late, soon])
    assert await store.due_timers(NOON) == []
    assert await store.due_timers(NOON + 1) == [soon]
    assert await store.due_timers(NOON + 2) == [soon, late]
    assert await store.due_timers(NOON + 2, limit=1) == [soon]
    await store.drop_timer("receipt:a")
    await store.drop_timer("receipt:a")
    assert await store.due_timers(NOON + 2) == [late]


# -- opening and closing ----------------------------------------------------------------------


async def test_everything_is_there_after_reopening(tmp_path: Path, clock: FakeClock) -> None:
    async with opened(tmp_path, clock) as store:
        written = await store.append(
            "conv_1",
            [OPENED],
            subject="subj_1",
            effects=[effect("msg_1")],
            timers=[Timer("t", "conv_1", "receipt", NOON)],
            dedupe="d",
        )
        (position,) = await store.tail("threads")
        await store.advance("threads", position.position)
    async with opened(tmp_path, clock) as store:
        assert await store.read("conv_1") == written
        assert await store.latest("subj_1") == "conv_1"
        assert await store.tail("threads") == []
        assert len(await store.claim("sms", NOON)) == 1
        assert len(await store.due_timers(NOON)) == 1
        assert await store.append("conv_1", [OPENED], dedupe="d") == []


async def test_positions_are_never_used_twice(tmp_path: Path, clock: FakeClock) -> None:
    async with opened(tmp_path, clock) as store:
        await store.append("conv_1", [OPENED])
        (before,) = await store.tail("c")
    with contextlib.closing(sqlite3.connect(tmp_path / "segue.db")) as raw:
        raw.execute("DELETE FROM event")
        raw.commit()
    async with opened(tmp_path, clock) as store:
        await store.append("conv_2", [OPENED])
        (after,) = await store.tail("c")
    assert after.position > before.position


@pytest.fixture
def open_umask() -> Iterator[None]:
    old = os.umask(0)
    yield
    os.umask(old)


@pytest.mark.usefixtures("open_umask")
async def test_nobody_else_can_read_the_words_of_callers(tmp_path: Path, clock: FakeClock) -> None:
    async with opened(tmp_path, clock) as store:
        await store.append("conv_1", [OPENED])
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in _files(tmp_path)}
        assert modes == {"segue.db": 0o600, "segue.db-wal": 0o600, "segue.db-shm": 0o600}


@pytest.mark.usefixtures("open_umask")
async def test_a_database_that_was_open_to_others_is_closed_to_them(
    tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "segue.db").touch(0o666)
    async with opened(tmp_path, clock):
        assert stat.S_IMODE((tmp_path / "segue.db").stat().st_mode) == 0o600


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("segue.db*"))


async def test_a_reader_beside_the_service_sees_what_is_committed(
    store: SqliteStore, tmp_path: Path, clock: FakeClock
) -> None:
    await store.append("conv_1", [OPENED])
    path = tmp_path / "segue.db"
    reader = SqliteStore(path, clock, RecordingMeter(), read_only=True)
    await reader.open()
    assert await reader.recent(1) == [("conv_1", NOON)]
    await store.append("conv_1", [call("later")])
    assert len(await reader.read("conv_1")) == 2
    await reader.aclose()


@pytest.mark.parametrize("name", ["a b", "50%", "what?", "#1", "a&mode=memory", "é"])
async def test_a_database_lies_where_its_path_says(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    async with opened(folder) as store:
        await store.append("conv_1", [OPENED])
        assert _files(folder)
    assert os.listdir(tmp_path) == [name]


async def test_a_closed_store_refuses_to_write(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        pass
    with pytest.raises(StoreUnavailable, match="the store is closed"):
        await store.append("conv_1", [OPENED])
    await store.aclose()  # again: fine


# -- what can be wrong ------------------------------------------------------------------------


async def refusal(path: Path, *, read_only: bool = False, busy_ms: int = 1) -> str:
    """The sentence with which the store refuses to open; nothing is left running."""
    store = SqliteStore(path, FakeClock(), RecordingMeter(), read_only=read_only, busy_ms=busy_ms)
    with pytest.raises(StoreUnavailable) as refused:
        await store.open()
    await store.aclose()
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "segue.db"
    assert await refusal(path) == f"cannot make {tmp_path}/file: File exists"


async def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    mode = os.stat(tmp_path).st_mode
    assert await refusal(tmp_path) == f"{tmp_path} is a folder: set store.path to a file"
    assert os.stat(tmp_path).st_mode == mode


async def test_a_folder_of_the_system_cannot_be_written_to() -> None:
    sentence = await refusal(Path("/proc/segue.db"))
    assert sentence.startswith("cannot make /proc/segue.db: ")


async def test_a_read_only_folder_says_what_to_do(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o500)
    who = os.geteuid()
    if who == 0:  # root may write everywhere: be somebody else meanwhile
        os.seteuid(65534)
    try:
        sentence = await refusal(tmp_path / "segue.db")
    finally:
        os.seteuid(who)
    assert "cannot make" in sentence


async def test_a_database_that_has_become_read_only_says_what_to_do(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`query_only` refuses as a read-only file does, to root too."""
    await store._writer.run(lambda c: c.exec_driver_sql("PRAGMA query_only=ON").close())
    with pytest.raises(StoreUnavailable, match="readonly database.*make the file and its folder"):
        await store.append("conv_1", [OPENED])


async def test_a_locked_database_says_who_to_look_for(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "segue.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        sentence = await refusal(tmp_path / "segue.db")
    assert "database is locked" in sentence
    assert "another program holds it" in sentence


async def test_a_lock_that_comes_and_goes_delays_and_loses_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, busy_ms=1) as store:
        with contextlib.closing(
            sqlite3.connect(tmp_path / "segue.db", isolation_level=None)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="database is locked"):
                await store.append("conv_1", [OPENED])
            assert await store.read("conv_1") == []
        assert len(await store.append("conv_1", [OPENED], expected=0)) == 1


async def test_what_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "segue.db"
    path.write_text("Dear diary, " * 100)
    sentence = await refusal(path)
    assert "not a database" in sentence
    assert "set store.path to a Segue database or to a new file" in sentence
    assert await refusal(path, read_only=True) == sentence
    assert path.read_text() == "Dear diary, " * 100


async def test_the_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "segue.db"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipe (name)")
    before = path.read_bytes()
    expected = f"{path} is another program's database: set store.path to ours"
    assert await refusal(path) == expected
    assert await refusal(path, read_only=True) == expected
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_newer_schema_is_left_to_its_program(tmp_path: Path, read_only: bool) -> None:
    async with opened(tmp_path):
        pass
    path = tmp_path / "segue.db"
    with contextlib.closing(sqlite3.connect(path)) as newer:
        newer.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
        newer.execute("DROP TABLE timer")
        newer.commit()
    sentence = await refusal(path, read_only=read_only)
    needs = f"this program needs {SCHEMA_VERSION}"
    assert sentence == f"{path} is of schema 99, {needs}: run the program that wrote it"
    with contextlib.closing(sqlite3.connect(path)) as newer:
        tables = {row[0] for row in newer.execute("SELECT name FROM sqlite_master")}
    assert "timer" not in tables


async def test_a_damaged_database_says_to_restore_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for n in range(50):
            await store.append(f"conv_{n}", [OPENED] * 20)
    path = tmp_path / "segue.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 4)
        file.write(os.urandom(size // 2))

    async def use() -> None:
        async with opened(tmp_path) as store:
            for n in range(50):
                await store.read(f"conv_{n}")
                await store.append(f"conv_{n}", [OPENED])

    with pytest.raises(StoreUnavailable, match="restore it from a backup"):
        await use()


async def test_a_reader_without_a_database_is_told_where_it_looked(tmp_path: Path) -> None:
    path = tmp_path / "segue.db"
    expected = f"there is no database at {path}: see store.path"
    assert await refusal(path, read_only=True) == expected
    assert not path.exists()
