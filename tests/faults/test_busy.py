"""The database is busy for ten seconds: nothing is lost, and nothing is sent twice."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import Counter

from ari_app.conversation.events import ReceiptReceived, TextPromised
from ari_app.conversation.message import MessageState
from ari_app.errors import StoreUnavailable
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import Effect
from ari_app.store.store import EventStore
from smpp.simulator import Smsc
from tests.support.faults import fault
from tests.support.meter import RecordingMeter
from tests.support.receiving import bound
from tests.support.store import Base, PostgresBase, SqliteBase, running
from tests.support.wait import until

_SECONDS = 10.0
_BEFORE, _MEANWHILE = 150, 40  # texts


async def promise(store: EventStore, base: Base, numbers: range) -> None:
    """All at once; as a call does it, that is told to try again."""

    async def one(n: int) -> None:
        to = f"+1202555{n:04}"
        event = TextPromised(message=f"msg_{n}", template="t", to=to, body="b")
        effect = Effect("sms", f"msg_{n}", base.clock.now(), {"to": to, "body": "b"})
        while True:
            with contextlib.suppress(StoreUnavailable):
                await store.append(f"conv_{n}", [event], effects=[effect], dedupe=f"promise {n}")
                return

    await asyncio.gather(*map(one, numbers))


def address(base: Base) -> str:
    if isinstance(base, PostgresBase):
        return f"{base.dsn}#{base.schema}"
    assert isinstance(base, SqliteBase)
    return str(base.path)


@fault(
    "the database is locked by another program for ten seconds, with texts in flight and receipts "
    "coming in",
    "no text and no receipt is lost, none is sent twice, and each ends with its true state",
)
async def test_ten_seconds_without_the_database_lose_nothing(base: Base) -> None:
    smsc = Smsc(accounts={"segue": "secret"}, receipt_delay=1.0, retry_delay=0.2)
    # Answers and receipts come while it is locked, and texts wait behind them.
    smsc.faults.answer_delay = "0.2"
    await smsc.start()
    clock, meter = base.clock, RecordingMeter()
    async with (
        contextlib.AsyncExitStack() as stack,
        running(base.store()) as store,
        bound(smsc.port, store, clock) as (gateway, _),
    ):
        stack.push_async_callback(smsc.aclose)
        sender = TextSender(gateway, store, clock, meter, RetryPolicy())
        relay = Relay(store, clock, meter, {"sms": sender})
        running_relay = asyncio.create_task(relay.run())
        locker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.locks", address(base), str(_SECONDS)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert locker.stdin is not None
        assert locker.stdout is not None
        assert await locker.stdout.readline() == b"ready\n"
        await promise(store, base, range(_BEFORE))
        await until(lambda: len(smsc.accepted) >= 10)
        locker.stdin.write(b"go\n")
        assert await locker.stdout.readline() == b"locked\n"
        # So the first write that waits, and is given up, is what the carrier has answered.
        taken = len(smsc.accepted)
        assert taken < _BEFORE - 20
        await until(lambda: len(smsc.accepted) > taken + 10)
        later = range(_BEFORE, _BEFORE + _MEANWHILE)
        more = asyncio.create_task(promise(store, base, later))
        assert await locker.stdout.readline() == b"free\n"
        await asyncio.gather(locker.wait(), more)
        everything = [f"conv_{n}" for n in range(_BEFORE + _MEANWHILE)]
        await delivered(store, everything)
        relay.stop()
        await running_relay
        for stream in everything:
            receipts = [e for e in await store.read(stream) if isinstance(e.event, ReceiptReceived)]
            assert len(receipts) == 1, stream
    sent = Counter(one.recipient for one in smsc.accepted)
    assert len(sent) == _BEFORE + _MEANWHILE
    assert set(sent.values()) == {1}, "sent twice"
    assert not base.rows("SELECT * FROM early_receipt")


async def delivered(store: EventStore, streams: list[str]) -> None:
    """Wait until all of them are."""
    left = set(streams)
    async with asyncio.timeout(60.0):
        while left:
            for stream in tuple(left):
                message = (await store.state(stream)).messages[stream.replace("conv", "msg")]
                if message.state is MessageState.DELIVERED:
                    left.discard(stream)
            await asyncio.sleep(0.05)
