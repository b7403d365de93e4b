"""
Which waiting text goes to which bind next, without I/O.

Three rules. The parts of a text are given together, to one bind. A recipient stays with a bind
while anything for it is under way there, so that two binds never race for one handset. Otherwise
the bind with the least under way takes the text that came first.

The contract: `add` a text; ask `next` until it has none; of each text it gave, say once either
`settle` (its fate is known) or `back` (nothing of it was written, it waits again in its old place).
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar


@dataclass(slots=True, eq=False, kw_only=True)
class Text:
    """Some parts that go together; a subclass knows what they are."""

    recipient: Hashable
    parts: int
    arrival: int = 0  #: its place in the order of all; given by `Dispatch.add`
    bind: int = -1  #: the bind that it was given to last


T = TypeVar("T", bound=Text)


@dataclass(slots=True, eq=False)
class _Recipient(Generic[T]):
    key: Hashable
    under_way: int = 0  # texts
    bind: int = -1  # where they are
    line: list[tuple[int, T]] = field(default_factory=list)  # a heap by arrival


# A heap by arrival. A recipient may have old entries in it; `_first` throws them away.
_Queue: TypeAlias = "list[tuple[int, int, _Recipient[T]]]"


class Dispatch(Generic[T]):
    """The queue of one carrier; each step takes O(binds + log waiting)."""

    def __init__(self, binds: int, ahead: int) -> None:
        """A bind is given at most `ahead` segments, or one text, before the first is settled."""
        self._ahead = ahead
        self._loads = [0] * binds  # segments under way
        self._ranks = [(0, 0)] * binds  # load, and when it was given something last
        self._bound_to: list[_Queue[T]] = [[] for _ in range(binds)]
        self._free: _Queue[T] = []
        self._recipients: dict[Hashable, _Recipient[T]] = {}
        self._arrivals = 0
        self._pushes = 0
        self._gifts = 0
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Segments that no bind has been given."""
        return self._waiting

    @property
    def under_way(self) -> int:
        """Segments that binds were given and whose fate is open."""
        return sum(self._loads)

    def load(self, bind: int) -> int:
        """Segments of one bind whose fate is open."""
        return self._loads[bind]

    def add(self, text: T) -> None:
        """One more text, behind all others."""
        self._arrivals += 1
        text.arrival = self._arrivals
        recipient = self._recipients.get(text.recipient)
        if recipient is None:
            recipient = self._recipients[text.recipient] = _Recipient(text.recipient)
        self._line_up(recipient, text)

    def next(self, rooms: Sequence[int]) -> T | None:
        """A text and, in its `bind`, who is to write it now; None if nobody can.

        `rooms` says how many segments each bind takes now: 0, or less, if it takes none.
        """
        for bind in sorted(range(len(rooms)), key=self._ranks.__getitem__):
            recipient = self._head(bind) if rooms[bind] > 0 else None
            if recipient is not None and self._fits(recipient.line[0][1].parts, bind, rooms[bind]):
                return self._give(recipient, bind)
        return None

    def settle(self, text: T) -> None:
        """Every part of it has its fate."""
        recipient = self._leave(text)
        if recipient.under_way:
            return
        if recipient.line:
            self._queue(recipient)
        else:
            del self._recipients[recipient.key]

    def back(self, text: T) -> None:
        """Nothing of it was written: it waits again, before all that came later."""
        recipient = self._leave(text)
        self._line_up(recipient, text)
        if not recipient.under_way:
            self._queue(recipient)  # it is free now

    def withdraw(self) -> list[T]:
        """All that waits, in order of arrival; it waits no longer."""
        texts = sorted(
            (entry for recipient in self._recipients.values() for entry in recipient.line),
            key=lambda entry: entry[0],
        )
        for recipient in tuple(self._recipients.values()):
            recipient.line.clear()
            if not recipient.under_way:
                del self._recipients[recipient.key]
        self._free.clear()
        for queue in self._bound_to:
            queue.clear()
        self._waiting = 0
        return [text for _, text in texts]

    # -- inside -------------------------------------------------------------------------------

    def _fits(self, parts: int, bind: int, room: int) -> bool:
        # An empty bind takes any text, else one that is longer than the window never went.
        if not self._loads[bind]:
            return True
        return parts <= room and self._loads[bind] + parts <= self._ahead

    def _head(self, bind: int) -> _Recipient[T] | None:
        own, free = _first(self._bound_to[bind], bind), _first(self._free, -1)
        first = min(own, free) if own and free else own or free
        return first[2] if first else None

    def _give(self, recipient: _Recipient[T], bind: int) -> T:
        _, text = heapq.heappop(recipient.line)
        self._waiting -= text.parts
        recipient.under_way += 1
        recipient.bind = text.bind = bind
        self._loads[bind] += text.parts
        self._gifts += 1
        self._ranks[bind] = self._loads[bind], self._gifts
        if recipient.line:
            self._queue(recipient)
        return text

    def _leave(self, text: T) -> _Recipient[T]:
        bind = text.bind
        self._loads[bind] -= text.parts
        self._ranks[bind] = self._loads[bind], self._ranks[bind][1]
        recipient = self._recipients[text.recipient]
        recipient.under_way -= 1
        if not recipient.under_way:
            recipient.bind = -1
        return recipient

    def _line_up(self, recipient: _Recipient[T], text: T) -> None:
        heapq.heappush(recipient.line, (text.arrival, text))
        self._waiting += text.parts
        if recipient.line[0][1] is text:
            self._queue(recipient)

    def _queue(self, recipient: _Recipient[T]) -> None:
        # Whoever has a line is in the queue where its first text belongs; so this is called when
        # the first text changes, and when the last one under way is settled.
        queue = self._bound_to[recipient.bind] if recipient.under_way else self._free
        self._pushes += 1
        heapq.heappush(queue, (recipient.line[0][0], self._pushes, recipient))


def _first(queue: _Queue[T], bind: int) -> tuple[int, int, _Recipient[T]] | None:
    """The first entry that still holds: of its recipient's first text, who is where it says."""
    while queue:
        arrival, _, recipient = queue[0]
        if recipient.line and recipient.line[0][0] == arrival and recipient.bind == bind:
            return queue[0]
        heapq.heappop(queue)
    return None
