"""Watches the write-ahead log of a SQLite database: a reader that stays long lets it grow."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from pathlib import Path
from urllib.parse import quote

from ari_app.ports import Meter

logger = logging.getLogger(__name__)

#: Bytes. SQLite empties the log at 4 MB by itself, unless somebody still reads what is in it.
MOST = 64 * 1024 * 1024
# For so long appends wait for us at the worst.
_WAIT_MS = 100


def watch(path: Path, meter: Meter, *, most: int = MOST) -> int:
    """Its size in bytes, told to the meter; if it is above `most`, it is emptied if that can be.

    For a thread, every few seconds: emptying a large log takes as long as its disk takes. It logs
    one sentence if the log does not become smaller, and never raises.
    """
    size = wal_of(path)
    if size > most:
        _empty(path)
        after = wal_of(path)
        if after > most:
            logger.warning(
                "the write-ahead log %s-wal has %d MB and does not shrink: end what reads the "
                "database for long (a backup, an audit, a shell)",
                path,
                after // 1_000_000,
            )
        size = after
    meter.gauge("segue_wal_bytes", size)
    return size


def wal_of(path: Path) -> int:
    """The bytes of the log beside this database; 0 if there is none."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except OSError:
        return 0


def _empty(path: Path) -> None:
    uri = f"file:{quote(str(path))}?mode=rw"
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        with contextlib.closing(connection):
            connection.execute(f"PRAGMA busy_timeout={_WAIT_MS}")
            connection.execute("PRAGMA synchronous=FULL")
            # First what can be done while others write; TRUNCATE then has little left to do while
            # it keeps them out.
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
