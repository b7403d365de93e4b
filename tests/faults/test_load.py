"""Long conversations, slow disks and too many writers: the cost stays flat, the queue bounded."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import threading
import time
from collections.abc import Iterator

from ari_app.agent.turn import Agent, Heard
from ari_app.conversation.events import CallAnswered, ConversationOpened
from ari_app.conversation.state import fold
from ari_app.errors import StoreUnavailable
from ari_app.store.engine import Link
from tests.support.bundle import demo_bundle, demo_intents
from tests.support.faults import fault
from tests.support.store import Base, running

_LONG = 10_000
_BATCH = 50
_SLOW = 2.0  # seconds
_ROOM = 10_000
_MORE = 50


class Counting:
    """A link that counts its statements."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.count = 0

    def __getattr__(self, name: str) -> object:
        if name in ("rows", "run", "many"):
            self.count += 1
        return getattr(self._link, name)


@fault(
    "10,000 events in one conversation", "an append costs what it cost at the first, and it goes on"
)
async def test_a_long_conversation_costs_no_more_than_a_short_one(base: Base) -> None:
    opened = ConversationOpened(channel="voice", did="1", language="en", number="+12025550123")
    seconds, statements = [], []
    async with running(base.store()) as store:
        await store.append("conv_1", [opened])
        counting = Counting(store._writer._link)  # type: ignore[arg-type]  # it runs
        store._writer._link = counting  # type: ignore[assignment]
        for n in range(_LONG // _BATCH):
            began, before = time.monotonic(), counting.count
            await store.append(
                "conv_1",
                [CallAnswered(call=f"{n}.{m}") for m in range(_BATCH)],
                expected=n * _BATCH + 1,
            )
            seconds.append(time.monotonic() - began)
            statements.append(counting.count - before)
        # The same statements, each by an index; the time only shows that none of them searches.
        assert set(statements[1:]) == {statements[-1]}
        first, last = statistics.median(seconds[5:45]), statistics.median(seconds[-40:])
        assert last < 3 * first, (first, last)

        envelopes = await store.read("conv_1")
        assert [e.sequence for e in envelopes] == list(range(1, _LONG + 2))
        state = fold(envelopes)
        assert state.sequence == _LONG + 1
        assert await store.read("conv_1", after=_LONG) == envelopes[-1:]
        agent = Agent(demo_bundle(), demo_intents(), base.clock, lambda: True)
        turn = agent.take_turn("conv_1", state, Heard("voice", "speech", "opening hours", 1.0))
        written = await store.append("conv_1", turn.events, expected=state.sequence)
        assert written[0].sequence == _LONG + 2


@contextlib.contextmanager
def locked(base: Base) -> Iterator[threading.Event]:
    """Another program keeps everybody from writing until the event is set."""
    link, free = base.engine().connect(), threading.Event()
    link.begin()
    if base.name == "postgres":
        link.run("SET LOCAL idle_in_transaction_session_timeout = 0")
        link.run("LOCK TABLE event IN EXCLUSIVE MODE")

    def hold() -> None:
        free.wait(60.0)
        link.rollback()

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        yield free
    finally:
        free.set()
        holding.join()
        link.close()


@fault("a store that is slow for two seconds", "callers wait for it, and all of them are served")
async def test_callers_wait_for_a_slow_store(base: Base) -> None:
    async with running(base.store()) as store:
        await store.append("conv_0", [CallAnswered(call="first")])
        with locked(base) as free:
            began = time.monotonic()
            waiting = [
                asyncio.create_task(store.append(f"conv_{n}", [CallAnswered(call=f"{n}")]))
                for n in range(1, 51)
            ]
            done, _ = await asyncio.wait(waiting, timeout=_SLOW)
            assert not done
            assert len(await store.read("conv_0")) == 1  # readers do not wait
            free.set()
            await asyncio.gather(*waiting)
            assert time.monotonic() - began >= _SLOW
        assert all([len(await store.read(f"conv_{n}")) == 1 for n in range(51)])


@fault(
    "more than 10,000 writes wait for a slow store",
    "those beyond are refused in one sentence, the others are served",
)
async def test_the_queue_is_bounded(base: Base) -> None:
    async with running(base.store()) as store:
        await store.append("conv_0", [CallAnswered(call="first")])
        with locked(base) as free:
            blocked = asyncio.create_task(store.append("conv_0", [CallAnswered(call="blocked")]))
            await asyncio.sleep(0.2)  # the writer has it, and waits
            room = _ROOM - 1  # beside the one that it has
            writes = [
                asyncio.create_task(store.append(f"conv_{n % 50}", [CallAnswered(call=f"{n}")]))
                for n in range(room + _MORE)
            ]
            await asyncio.sleep(0)
            await asyncio.sleep(0.1)
            refused = [write.exception() for write in writes if write.done()]
            assert len(refused) == _MORE
            free.set()
            served = await asyncio.gather(blocked, *writes[:room])
        assert len(served) == room + 1
        assert {str(error) for error in refused} == {
            "the disk is too slow: 10 000 writes are waiting"
        }
        assert {type(error) for error in refused} == {StoreUnavailable}
        ((count,),) = base.rows("SELECT count(*) FROM event")
        assert count == room + 2
        await store.append("conv_0", [CallAnswered(call="goes on")])
