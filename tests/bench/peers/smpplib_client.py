"""smpplib's own client, one thread that reads: PORT N WINDOW."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from typing import Any

import smpplib.client

_TEXT = b"Your appointment at the harbour clinic is at 10 h 15 a"


def main(port: int, count: int, window: int) -> None:
    logging.disable(logging.CRITICAL)
    client = smpplib.client.Client("127.0.0.1", port, allow_unknown_opt_params=True)
    client.connect()
    client.bind_transceiver(system_id="fast", password="x")
    free, over, answered = threading.Semaphore(window), threading.Event(), 0

    def taken(pdu: Any) -> None:
        nonlocal answered
        answered += 1
        free.release()
        if answered == count:
            over.set()

    def listen() -> None:
        while not over.is_set():
            client.read_once()

    client.set_message_sent_handler(taken)
    threading.Thread(target=listen, daemon=True).start()
    began, spent = time.perf_counter(), time.process_time()
    for number in range(count):
        free.acquire()
        client.send_message(
            source_addr_ton=5,
            source_addr="Segue",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=f"3361{number:08}",
            short_message=_TEXT,
            registered_delivery=True,
        )
    over.wait()
    rate = count / (time.perf_counter() - began)
    cpu = (time.process_time() - spent) / count * 1e6
    sys.stdout.write(json.dumps({"rate": rate, "cpu": cpu, "p50": 0, "p99": 0}) + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
