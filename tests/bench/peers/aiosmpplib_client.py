"""aiosmpplib as an ESME: PORT N WINDOW. It has no window of its own, so its queue keeps one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

from aiosmpplib import (  # type: ignore[import-not-found]
    ESME,
    AbstractBroker,
    AbstractHook,
    PhoneNumber,
    SubmitSm,
    SubmitSmResp,
)
from aiosmpplib.log import ERROR  # type: ignore[import-not-found]
from aiosmpplib.state import NPI, TON  # type: ignore[import-not-found]

_TEXT = "Your appointment at the harbour clinic is at 10 h 15 a"


class Queue(AbstractBroker):  # type: ignore[misc]
    """Makes each text when there is a place in the window."""

    def __init__(self, count: int, window: int) -> None:
        self.free = asyncio.Semaphore(window)
        self.began = self.spent = 0.0
        self._count, self._made = count, 0
        self._source = PhoneNumber("Segue", ton=TON.ALPHANUMERIC, npi=NPI.UNKNOWN)

    async def enqueue(self, message: object) -> None:
        raise AssertionError("nobody puts anything in")

    async def dequeue(self) -> object:
        if not self._made:
            self.began, self.spent = time.perf_counter(), time.process_time()
        await self.free.acquire()
        if self._made == self._count:
            await asyncio.Event().wait()
        self._made += 1
        return SubmitSm(
            short_message=_TEXT,
            source=self._source,
            destination=PhoneNumber(f"3361{self._made:08}", ton=TON.INTERNATIONAL, npi=NPI.ISDN),
            registered_delivery=1,
            log_id=str(self._made),
        )


class Answers(AbstractHook):  # type: ignore[misc]
    """Counts them."""

    def __init__(self, queue: Queue, count: int) -> None:
        self.over = asyncio.Event()
        self._queue, self._left = queue, count

    async def sending(self, *_: Any) -> None:
        pass

    async def received(self, message: object, *_: Any) -> None:
        if isinstance(message, SubmitSmResp):
            self._left -= 1
            self._queue.free.release()
            if not self._left:
                self.over.set()

    async def send_error(self, _: object, error: Exception, *__: Any) -> None:
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)


async def main(port: int, count: int, window: int) -> None:
    queue = Queue(count, window)
    answers = Answers(queue, count)
    esme = ESME(
        smsc_host="127.0.0.1",
        smsc_port=port,
        system_id="fast",
        password="x",
        log_level=ERROR,
        broker=queue,
        hook=answers,
    )
    running = asyncio.create_task(esme.start())
    await answers.over.wait()
    rate = count / (time.perf_counter() - queue.began)
    cpu = (time.process_time() - queue.spent) / count * 1e6
    sys.stdout.write(json.dumps({"rate": rate, "cpu": cpu, "p50": 0, "p99": 0}) + "\n")
    sys.stdout.flush()
    running.cancel()
    os._exit(0)  # it would wait for its time-outs


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:4])))
