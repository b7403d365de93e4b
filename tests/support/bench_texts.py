"""Texts a second from promise to receipt: `python -m tests.support.bench_texts [TEXTS] [--alone]`.

On SQLite with synchronous=FULL, with the chain, encryption, the gate and the order of recipients;
the carrier answers at once. Each text is four durable writes: promised, claimed, settled, and its
receipt. With `--alone` each is promised by an append of its own, else a thousand by one.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ari_app.cli.bench_place import place
from ari_app.cli.processes import collect_seldom
from ari_app.conversation.events import TextPromised
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import Accepted, Effect, Outcome, Outcomes, OutgoingText, Receipt
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter
from tests.support.store import running

_CONVERSATIONS = 1500
_BATCH = 1000
_BODY = "We are open from nine to five."


class Carrier:
    """Takes every text, and answers at once."""

    room = _BATCH

    def __init__(self) -> None:
        self.taken = 0

    def send_many(self, texts: Sequence[OutgoingText], told: Outcomes) -> None:
        self.taken += len(texts)
        told([Outcome(t.message, Accepted("main", (f"smsc{t.message}",))) for t in texts])


def promise_of(n: int) -> tuple[str, str, TextPromised, Effect]:
    """(conversation, subject, event, effect) of one text, to a number of its own."""
    id, to, of = f"msg_{n:032}", f"+1202{n:07}", n % _CONVERSATIONS
    event = TextPromised(message=id, template="t", to=to, body=_BODY)
    return (
        f"conv_{of:032}",
        f"subj_{of:032}",
        event,
        Effect("sms", id, 0, {"to": to, "body": _BODY}),
    )


async def promise(store: EventStore, numbers: range, alone: bool) -> None:
    """One append for each text; or one for a hundred texts of a conversation."""
    if alone:
        appends = [
            store.append(stream, [event], effects=[effect], subject=subject)
            for stream, subject, event, effect in map(promise_of, numbers)
        ]
    else:
        appends = []
        for start in range(numbers.start, numbers.stop, 100):
            some = [promise_of(n) for n in range(start, min(start + 100, numbers.stop))]
            stream, subject, _, _ = some[0]
            appends.append(
                store.append(
                    stream, [s[2] for s in some], effects=[s[3] for s in some], subject=subject
                )
            )
    await asyncio.gather(*appends)


async def measure(folder: Path, texts: int, alone: bool) -> None:
    """Print the figures of one round."""
    clock, meter = SystemClock(), PrometheusMeter()
    async with (
        place(folder, SqliteEngine(folder / "texts.db", clock)) as there,
        running(
            EventStore(there.engine, clock, meter, vault=there.vault, recipients=bytes(32))
        ) as store,
    ):
        carrier = Carrier()
        for n in range(0, _CONVERSATIONS, _BATCH):  # keys and streams are there, as in a long life
            await promise(store, range(n, min(n + _BATCH, _CONVERSATIONS)), True)
        sender = TextSender(carrier, store, clock, meter, RetryPolicy())
        relay = Relay(store, clock, meter, {"sms": sender})
        await relay.run_once()
        while carrier.taken < _CONVERSATIONS:
            await relay.run_once()
        numbers = range(_CONVERSATIONS, _CONVERSATIONS + texts)
        marks = [(time.perf_counter(), time.process_time())]

        def mark() -> None:
            marks.append((time.perf_counter(), time.process_time()))

        for n in range(numbers.start, numbers.stop, _BATCH):
            await promise(store, range(n, min(n + _BATCH, numbers.stop)), alone)
        mark()
        while carrier.taken < _CONVERSATIONS + texts:
            await relay.run_once()
        mark()
        for n in range(numbers.start, numbers.stop, _BATCH):
            some = range(n, min(n + _BATCH, numbers.stop))
            await store.receipts([Receipt("main", f"smscmsg_{i:032}", "DELIVRD", "") for i in some])
        mark()
        for name, (before, after) in zip(
            ("promised", "claimed, sent, settled", "receipts", "all"),
            [*zip(marks, marks[1:], strict=False), (marks[0], marks[-1])],
            strict=True,
        ):
            wall, cpu = after[0] - before[0], after[1] - before[1]
            rate, spent = texts / wall, cpu / texts * 1e6
            print(f"{name:24} {rate:8.0f} texts/s {spent:6.0f} us CPU")  # noqa: T201


if __name__ == "__main__":
    collect_seldom()
    given = [word for word in sys.argv[1:] if word.isdecimal()]
    with tempfile.TemporaryDirectory() as scratch:
        count = int(given[0]) if given else 6000
        asyncio.run(measure(Path(scratch), count, "--alone" in sys.argv))
