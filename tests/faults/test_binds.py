"""Two workers and a carrier that allows two binds: one has both, until the other takes over."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ari_app.conversation.events import TextPromised
from ari_app.conversation.message import MessageState
from ari_app.ports import Effect
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from smpp.simulator import Smsc
from smpp.simulator.notices import Told
from tests.support.faults import fault
from tests.support.store import running
from tests.support.wait import until
from tests.support.workers import Nursery, said, soon, store_of

TTL = 2.0
ALLOWED = 2


class Most:
    """How many binds the carrier had at a time."""

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self.binds = 0
        smsc.listen(self._look)

    def _look(self, told: Told) -> None:
        self.binds = max(self.binds, len(self._smsc.connections))


async def send(store: EventStore, numbers: range) -> None:
    for n in numbers:
        to = f"+1202555{n:04}"
        event = TextPromised(message=f"msg_{n}", template="t", to=to, body="b")
        effect = Effect("sms", f"msg_{n}", SystemClock().now(), {"to": to, "body": "b"})
        await store.append(f"conv_{n}", [event], effects=[effect])


async def states(store: EventStore, numbers: range) -> set[MessageState]:
    return {(await store.state(f"conv_{n}")).messages[f"msg_{n}"].state for n in numbers}


async def delivered(store: EventStore, numbers: range) -> None:
    async with asyncio.timeout(60.0):
        while await states(store, numbers) != {MessageState.DELIVERED}:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.05)


@fault(
    "kill -9 of the worker that has the binds",
    "another worker makes them within the time of the lease; the carrier never has more than are "
    "configured; what is promised goes over them",
    "postgres",
)
async def test_the_binds_are_made_by_one_worker_and_by_another_when_it_dies(
    database: str, nursery: Nursery, tmp_path: Path
) -> None:
    smsc = Smsc(accounts={"segue": "secret"}, receipt_delay=0.05)
    await smsc.start()
    most, file = Most(smsc), tmp_path / "said"

    async def ours(name: str) -> None:
        await asyncio.to_thread(
            soon, lambda: ["ours", name, "up"] in said(file), f"{name} has the binds"
        )

    try:
        async with running(store_of(database, "watcher")) as store:
            first = nursery.start("binds", database, "first", file, TTL, smsc.port)
            await ours("first")
            nursery.start("binds", database, "second", file, TTL, smsc.port)
            await asyncio.to_thread(
                soon, lambda: ["theirs", "second", "up"] in said(file), "the other stands by"
            )
            await until(lambda: len(smsc.connections) == ALLOWED)
            await send(store, range(20))
            await delivered(store, range(20))

            await asyncio.to_thread(first.kill)
            await send(store, range(20, 40))
            await ours("second")
            await delivered(store, range(20, 40))
            assert most.binds == ALLOWED
    finally:
        nursery.empty()
        await smsc.aclose()
    assert not [line for line in said(file) if line[0] == "lost"]
