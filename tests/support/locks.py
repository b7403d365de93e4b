"""Somebody else who holds the database: `python -m tests.support.locks ADDRESS SECONDS`.

The address is the path of a file, or that of a server and a schema behind a `#`.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import time

import psycopg


def held(address: str, seconds: float) -> None:
    """Say `ready`; after a line of input `locked`, when nobody else can write any more; and `free`
    after so many seconds.
    """
    if address.startswith("postgresql:"):
        dsn, _, schema = address.partition("#")
        # As VACUUM FULL and some migrations do: whoever wants to read waits, too.
        locking = f"LOCK TABLE {schema}.event IN ACCESS EXCLUSIVE MODE"
        with psycopg.connect(dsn) as server:
            _wait()
            server.execute(locking.encode())
            _hold(seconds)
        return
    with contextlib.closing(sqlite3.connect(address, isolation_level=None, timeout=60)) as file:
        _wait()
        file.execute("BEGIN IMMEDIATE")
        _hold(seconds)
        file.execute("ROLLBACK")


def _wait() -> None:
    _say("ready")
    sys.stdin.readline()


def _hold(seconds: float) -> None:
    _say("locked")
    time.sleep(seconds)
    _say("free")


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    held(sys.argv[1], float(sys.argv[2]))
