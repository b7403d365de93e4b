"""Pure. What waits to be sent to one recogniser: in order, bounded, the newest audio kept."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Mark = TypeVar("Mark")


class Backlog(Generic[Mark]):
    """Audio and the marks between it, such as the end of a turn.

    At most `most` octets of audio wait: what is older is dropped and counted. A mark is never
    dropped and keeps its place.
    """

    def __init__(self, most: int) -> None:
        if most < 2:
            raise ValueError(f"room for {most} octets")
        self._most = most
        self._items: deque[bytes | Mark] = deque()
        self.octets = 0  # of audio that waits
        self.dropped = 0  # octets of audio, ever

    def __bool__(self) -> bool:
        return bool(self._items)

    def add_audio(self, pcm: bytes) -> int:
        """Keep it, or the end of it, at the cost of the oldest; how many octets were dropped."""
        kept = pcm[-self._most :] if len(pcm) > self._most else pcm
        over = self.octets + len(kept) - self._most
        dropped = len(pcm) - len(kept) + (self._drop(over) if over > 0 else 0)
        if kept:
            self._items.append(kept)
            self.octets += len(kept)
        self.dropped += dropped
        return dropped

    def add_mark(self, mark: Mark) -> None:
        """It comes after all audio that waits now."""
        self._items.append(mark)

    def take(self, most: int) -> bytes | Mark | None:
        """The oldest: a mark, or up to `most` octets of audio that lie together; None if empty."""
        if not self._items:
            return None
        first = self._items.popleft()
        if not isinstance(first, bytes):
            return first
        pieces, size = [first], len(first)
        while size < most and self._items:
            following = self._items[0]
            if not isinstance(following, bytes):
                break
            pieces.append(following)
            size += len(following)
            self._items.popleft()
        joined = b"".join(pieces) if len(pieces) > 1 else first
        if size > most:
            self._items.appendleft(joined[most:])
            joined = joined[:most]
        self.octets -= len(joined)
        return joined

    def clear(self) -> None:
        """Nothing waits any more."""
        self._items.clear()
        self.octets = 0

    def _drop(self, least: int) -> int:
        """Drop whole pieces from the oldest on, at least so many octets; how many it was."""
        kept: deque[bytes | Mark] = deque()
        dropped = 0
        while dropped < least:
            item = self._items.popleft()
            if isinstance(item, bytes):
                dropped += len(item)
            else:
                kept.append(item)
        self._items.extendleft(reversed(kept))
        self.octets -= dropped
        return dropped
