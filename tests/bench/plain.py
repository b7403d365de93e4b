"""Four durable writes a text, in one plain table: PORT N WINDOW FOLDER.

Promised, claimed before it is written, answered with its id, receipt: each is on disk
(synchronous=FULL) before the next step. What waits while a commit runs is joined into the next.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from smpp.esme import Esme, Limits
from smpp.gsm0338 import encode_text
from smpp.pdu import DeliverSm
from smpp.receipt import Receipt, parse
from smpp.texts import Settled, Text
from tests.bench.traffic import PATIENCE, TEMPLATE, TEXT, Stopwatch, destination

_PROMISED_AT_ONCE = 500
_MOST_WAITING = 2000  # promised and not claimed
_MOST = 1000  # claimed and not answered: more than the window, so that it never runs dry

_TABLE = """
CREATE TABLE text (
    id INTEGER PRIMARY KEY, recipient TEXT NOT NULL, body TEXT NOT NULL,
    state TEXT NOT NULL, smsc TEXT, receipt TEXT
);
CREATE INDEX text_due ON text (id) WHERE state = 'promised';
CREATE INDEX text_smsc ON text (smsc) WHERE smsc IS NOT NULL;
"""
# One step for many rows: at each step the driver gives the interpreter to another thread.
_PROMISE = """
    INSERT INTO text (id, recipient, body, state)
    SELECT value ->> 0, value ->> 1, value ->> 2, 'promised' FROM json_each(?)"""
_DUE = """
    SELECT json_group_array(json_array(id, recipient, body)) FROM
    (SELECT id, recipient, body FROM text WHERE state = 'promised' ORDER BY id LIMIT ?)"""
_CLAIM = "UPDATE text SET state = 'claimed' WHERE state = 'promised' AND id <= ?"
_SETTLE = """
    UPDATE text SET state = 'submitted', smsc = given.value ->> 1 FROM json_each(?) AS given
    WHERE text.id = given.value ->> 0 AND state = 'claimed'"""
_RECEIPT = """
    UPDATE text SET state = 'delivered', receipt = given.value ->> 1 FROM json_each(?) AS given
    WHERE smsc = given.value ->> 0"""

_Work = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]"]


class Table:
    """One thread that writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def run(self, work: Callable[[sqlite3.Connection], Any]) -> asyncio.Future[Any]:
        """Its result, once it is on disk."""
        done: asyncio.Future[Any] = self._loop.create_future()
        self._queue.put((work, done))
        return done

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_TABLE}")
        last = False
        while not last:
            works = [self._queue.get()]
            while not self._queue.empty():
                works.append(self._queue.get())
            last = works[-1] is None
            connection.execute("BEGIN IMMEDIATE")
            told = [(work[1], work[0](connection)) for work in works if work is not None]
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_tell, told)
        ((left,),) = connection.execute("SELECT count(*) FROM text WHERE state <> 'delivered'")
        assert not left, f"{left} texts are not delivered"
        connection.close()


def _tell(told: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for done, result in told:
        done.set_result(result)


def insert(connection: sqlite3.Connection, rows: str) -> None:
    connection.execute(_PROMISE, (rows,))


def claim(connection: sqlite3.Connection, room: int) -> list[tuple[int, str, str]]:
    ((found,),) = connection.execute(_DUE, (room,))
    rows: list[tuple[int, str, str]] = json.loads(found)
    if rows:
        connection.execute(_CLAIM, (rows[-1][0],))
    return rows


class Outbox:
    """Promises, claims, sends, settles; all four side by side."""

    def __init__(self, table: Table, count: int) -> None:
        self._table, self._count = table, count
        self._promised = self._claimed = self._settled = self._delivered = 0
        self._moved = asyncio.Event()
        self.over = asyncio.Event()
        self.esme: Esme

    async def promise(self) -> None:
        for start in range(0, self._count, _PROMISED_AT_ONCE):
            while self._promised - self._claimed >= _MOST_WAITING:
                await self._move()
            end = min(start + _PROMISED_AT_ONCE, self._count)
            rows = json.dumps([(n, f"3361{n:08}", TEXT) for n in range(start, end)])
            await self._table.run(partial(insert, rows=rows))
            self._promised = end
            self._moved.set()

    async def send(self) -> None:
        while self._claimed < self._count:
            room = _MOST - (self._claimed - self._settled)
            if room <= 0 or self._promised == self._claimed:
                await self._move()
                continue
            rows = await self._table.run(partial(claim, room=room))
            self._claimed += len(rows)
            self._moved.set()
            texts = []
            for id, _, body in rows:
                to = destination(id)
                texts.append(Text(to, (TEMPLATE.body(to, encode_text(body)[1]),), (id,)))
            self.esme.submit_octets(texts, self)

    async def _move(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def settle(self, settled: Settled) -> None:
        assert not [*settled.refused, *settled.unknown, *settled.unsent]
        rows, count = json.dumps(settled.taken), len(settled.taken)
        # Queued at once: a receipt that came in the same read finds the id.
        done = self._table.run(lambda link: link.execute(_SETTLE, (rows,)))
        done.add_done_callback(lambda _: self._is_settled(count))

    def _is_settled(self, count: int) -> None:
        self._settled += count
        self._moved.set()

    def wanted(self, tokens: Sequence[int]) -> bool:
        return True

    async def store(self, batch: Sequence[DeliverSm]) -> None:
        rows = []
        for pdu in batch:
            receipt = parse(pdu)
            assert isinstance(receipt, Receipt)
            rows.append((receipt.id, receipt.state))
        said = json.dumps(rows)
        await self._table.run(lambda link: link.execute(_RECEIPT, (said,)))
        self._delivered += len(batch)
        if self._delivered == self._count:
            self.over.set()


async def main(port: int, count: int, window: int, folder: Path) -> None:
    await asyncio.to_thread(folder.mkdir, parents=True)
    table = Table(folder / "plain.db")
    outbox = Outbox(table, count)
    esme = outbox.esme = Esme(
        "127.0.0.1",
        port,
        system_id="fast",
        password="x",
        batch_handler=outbox.store,
        limits=Limits(window=window, handler_timeout=PATIENCE),
    )
    esme.start()
    await esme.wait_up(10)
    watch = Stopwatch()
    await asyncio.gather(outbox.promise(), outbox.send(), outbox.over.wait())
    watch.tell(count)
    await esme.aclose()
    await asyncio.to_thread(table.close)


if __name__ == "__main__":
    port, count, window = map(int, sys.argv[1:4])
    asyncio.run(main(port, count, window, Path(sys.argv[4])))
