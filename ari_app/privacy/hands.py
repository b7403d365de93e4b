"""An audit by several processes: each holds a part of the log, and the parts are joined here.

What is sound takes one look. What is not is left to the audit in one piece, which says what it is.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from hashlib import sha256

from ari_app.errors import SegueError
from ari_app.ledger.canonical import leaf_bytes
from ari_app.ledger.chain import Head, genesis, link
from ari_app.privacy.ports import SealedLog

_PAGE = 1024


class Unsound(Exception):
    """Something is not as it was written, or could not be read in parts."""


@dataclass(slots=True)
class _Part:
    """What one process says of one part."""

    leaves: bytes = b""  # 32 bytes each
    erased: int = 0
    firsts: dict[str, tuple[int, bytes, bytes]] = field(default_factory=dict)  # not linked yet
    lasts: dict[str, Head] = field(default_factory=dict)


def leaves(
    again: Callable[[], SealedLog],
    parts: Sequence[tuple[int, int]],
    known: Mapping[str, Head],
    hands: int,
) -> Iterator[tuple[list[bytes], int]]:
    """For each part of the log, in order: its leaves, and how many payloads were erased.

    `again` opens the log once more, in the other process; `parts` are places (after, until),
    `known` the heads of the log at its end. Unsound if anything is not as it should be.
    """
    # fork: what `again` holds on to need not be sent.
    forked = multiprocessing.get_context("fork")
    heads: dict[str, Head] = {}
    with ProcessPoolExecutor(hands, forked, _begin, (again,)) as pool:
        try:
            for part in pool.map(_held, parts):
                if part is None:
                    raise Unsound
                _join(part, heads)
                whole = part.leaves
                yield [whole[at : at + 32] for at in range(0, len(whole), 32)], part.erased
        except BrokenProcessPool:  # one of them was killed
            raise Unsound from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    if heads != known:
        raise Unsound


_log: SealedLog | None = None


def _begin(again: Callable[[], SealedLog]) -> None:
    global _log
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever waits for us
    _log = again()


def _held(part: tuple[int, int]) -> _Part | None:
    assert _log is not None
    try:
        return _hold(_log, *part)
    except (SegueError, Unsound, AttributeError, TypeError, ValueError):
        return None


def _hold(log: SealedLog, after: int, until: int) -> _Part:
    found, hashes = _Part(), []
    lasts = found.lasts
    for rows in log.between(after, until, _PAGE):
        for row in rows:
            stream, sequence, stored = row[1], row[2], row[9]
            leaf = sha256(leaf_bytes(row[:9])).digest()
            hashes.append(leaf)
            last = lasts.get(stream)
            if last is None:
                found.firsts[stream] = (sequence, leaf, stored or b"")
            elif sequence != last[0] + 1 or link(last[1], leaf) != stored:
                raise Unsound
            lasts[stream] = Head(sequence, stored or b"")
            if isinstance(row[8], bytes):
                found.erased += 1
    found.leaves = b"".join(hashes)
    return found


def _join(part: _Part, heads: dict[str, Head]) -> None:
    for stream, (sequence, leaf, stored) in part.firsts.items():
        last, previous = heads.get(stream) or (0, genesis(stream))
        if sequence != last + 1 or link(previous, leaf) != stored:
            raise Unsound
    heads.update(part.lasts)
