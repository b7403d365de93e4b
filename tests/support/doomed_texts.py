"""A worker that sends texts of every class, to be killed: `python -m tests.support.doomed_texts`.

Its carrier writes what it has taken to a file, as one outside this process would know it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from ari_app.conversation.events import TextPromised
from ari_app.conversation.message import MessageClass
from ari_app.outbox.overdue import Overdue
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import Accepted, Effect, Outcome, Outcomes, OutgoingText
from ari_app.store.store import EventStore
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import opened

EACH = 6
TEXTS = {f"msg_{kind.value}_{n}": kind for kind in MessageClass for n in range(EACH)}
_ROOM = 4  # several claims, so that some texts are in hand and others are not


class Carrier:
    """The port BatchGateway; takes every text, and writes it down before it answers."""

    room = _ROOM

    def __init__(self, folder: Path) -> None:
        self._taken = folder / "taken"

    def send_many(self, texts: Sequence[OutgoingText], told: Outcomes) -> None:
        with self._taken.open("a") as file:
            file.writelines(f"{text.message}\n" for text in texts)
        told([Outcome(t.message, Accepted("main", (f"smsc-{t.message}",))) for t in texts])


async def promised(store: EventStore, clock: FakeClock) -> None:
    """Every text, to another person each, in a conversation of its own; once."""
    for n, (id, kind) in enumerate(TEXTS.items()):
        to = f"+1202555{n:04}"
        event = TextPromised(message=id, template="t", to=to, body="b", message_class=kind.value)
        effect = Effect("sms", id, clock.now(), {"to": to, "body": "b"}, kind)
        await store.append(f"conv_{id}", [event], effects=[effect], dedupe=f"promise:{id}")


async def sends(store: EventStore, clock: FakeClock, folder: Path, turns: int) -> None:
    """So many turns of the relay and of the timers, a minute each."""
    meter = RecordingMeter()
    retry = RetryPolicy(first=1, longest=1, attempts=3)
    sender = TextSender(Carrier(folder), store, clock, meter, retry, patience=60)
    relay = Relay(store, clock, meter, {"sms": sender})
    overdue = Overdue(store, clock, meter)
    for _ in range(turns):
        await relay.run_once()
        await overdue.run_once()
        await overdue.reconcile()
        clock.advance(60)


async def _main(folder: Path) -> None:
    clock = FakeClock()
    async with opened(folder, clock) as store:
        await promised(store, clock)
        await sends(store, clock, folder, 10)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
