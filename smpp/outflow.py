"""
What waits to be written on one bind, in which order, and what became of it. Pure.

The parts of a text are written consecutively. A text is written only when everything earlier to
its recipient is answered, so nothing overtakes what the SMSC threw back for being too fast: that
goes again, its parts together and in order, before anything new, until the text's own deadline.
Such a repeat is no failed attempt, and the caller never sees it.

The contract: `add` texts; give the session `ear`-methods of this; call `fill` after each read and
at `next_at`; give each of `take_settled` to its sink.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from typing import Protocol

from smpp.errors import AnswerTimeout, NotSent, SessionClosed
from smpp.events import Item, Pending
from smpp.rate import THROTTLING, Pace
from smpp.texts import Account, Settled, Sink, Text

_MOST_ACCOUNTS = 64
_SWEEP_EVERY = 0.25  # seconds between looks for texts that have waited too long


class Room(Protocol):
    """What an outflow asks of a session."""

    @property
    def room(self) -> int:
        """How many messages its window takes."""

    def submit_batch(
        self, bodies: Sequence[bytes], items: Sequence[Item], now: float
    ) -> Sequence[int]:
        """Write them, for which there is room; their sequences."""


class Outflow:
    """The queue of one bind."""

    def __init__(
        self,
        pace: Pace,
        *,
        most: int = 10_000,
        keep_order: bool = True,
        throttled: frozenset[int] = THROTTLING,
    ) -> None:
        """`most` parts wait at a time; without `keep_order` a recipient's texts may overtake.

        What is refused with a status in `throttled` goes again.
        """
        self._pace = pace
        self._throttled = throttled
        self._most = most
        self._keep_order = keep_order
        self._current: Text | None = None  # some parts are written, and the window is full
        self._again: deque[Text] = deque()  # thrown back, every part answered
        self._ready: deque[Text] = deque()
        # By recipient with a text in one of those or under way: the texts behind it.
        self._behind: dict[Hashable, deque[Text] | None] = {}
        self._thrown: list[tuple[Text, int, float, int]] = []  # since the last fill
        self._sweep_at = math.inf
        self._accounts: dict[Sink, Account] = {}
        self._dirty: list[Account] = []
        self._written = 0.0  # when the last part that was taken was
        #: How many parts wait to be written.
        self.waiting = 0
        #: How many parts are written and not answered.
        self.flying = 0

    @property
    def room(self) -> int:
        """How many parts may be added."""
        return max(0, self._most - self.waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not (self.waiting or self.flying)

    # -- in and out ---------------------------------------------------------------------------

    def add(self, texts: Sequence[Text], sink: Sink) -> None:
        """Queue the texts, in order; NotSent, and none of them, if they are too many."""
        parts = sum([len(text.bodies) for text in texts])
        if self.waiting + parts > self._most:
            raise NotSent("too many messages wait for the window")
        self.waiting += parts
        account = self._accounts.get(sink)
        if account is None:
            if len(self._accounts) >= _MOST_ACCOUNTS:
                self._accounts.clear()
            account = self._accounts[sink] = Account(sink)
        behind, ready, keep_order = self._behind, self._ready, self._keep_order
        for text in texts:
            text.account = account
            if text.deadline < self._sweep_at:
                self._sweep_at = text.deadline
            if not keep_order:
                ready.append(text)
            elif (recipient := text.recipient) not in behind:
                behind[recipient] = None
                ready.append(text)
            else:
                line = behind[recipient]
                if line is None:
                    line = behind[recipient] = deque()
                line.append(text)

    def fill(self, session: Room, now: float) -> None:
        """Write what the window, the rate and the order allow."""
        if self._thrown:
            self._take_back(now)
        if now >= self._sweep_at:
            self._sweep(now)
        if not self.waiting or (room := session.room) <= 0:
            return
        room = self._pace.ready(room, now)
        bodies: list[bytes] = []
        items: list[Item] = []
        for _ in range(room):
            text = self._current or self._next(now)
            if text is None:
                break
            index = text.unsent[0]
            text.unsent = text.unsent[1:]
            bodies.append(text.bodies[index])
            items.append((text, index))
            text.flying += 1
            self._current = text if text.unsent else None
        wrote = len(items)
        session.submit_batch(bodies, items, now)
        self.waiting -= wrote
        self.flying += wrote
        self._pace.wrote(wrote, now)

    def next_at(self, now: float) -> float | None:
        """When `fill` has something to do although the SMSC says nothing; None: not by itself."""
        at = self._sweep_at
        if self.waiting and (paced := self._pace.next_at(now)) is not None:
            at = min(at, paced)
        return None if math.isinf(at) else at

    def take_settled(self, now: float) -> list[tuple[Sink, Settled]]:
        """What has become known, by sink; each only once."""
        if not self._dirty:
            return []
        dirty, self._dirty = self._dirty, []
        batches = []
        for account in dirty:
            if account.settled.taken:
                account.settled.seconds = max(0.0, now - self._written)
            batches.append((account.sink, account.settled))
            account.settled = Settled()
            account.dirty = False
        return batches

    # -- what the session tells (smpp.events.Ear) ---------------------------------------------

    def answered(
        self, sequence: int, item: Item, written: float, status: int, message_id: str
    ) -> None:
        """The SMSC has answered a part."""
        text, index = item
        if status == 0:
            self._written = written
            # `_open`, without the call: this is the way of nearly every part.
            account = text.account
            if not account.dirty:
                account.dirty = True
                self._dirty.append(account)
            account.settled.taken.append((text.tokens[index], message_id))
        elif status in self._throttled:
            self._thrown.append((text, index, written, status))
            return
        else:
            self._open(text).refused.append((text.tokens[index], status))
        self._landed(text)

    def unanswered(self, sequence: int, item: Item) -> None:
        """The SMSC has not answered a part in time."""
        text, index = item
        error = AnswerTimeout("submit_sm was not answered in time")
        self._open(text).unknown.append((text.tokens[index], error))
        self._landed(text)

    def late(self, sequence: int, item: Item, status: int, message_id: str) -> None:
        """...and now it has."""
        text, index = item
        self._open(text).late.append((text.tokens[index], status, message_id))

    def ended(self, reason: str, pending: Pending) -> None:
        """The session is over: everything here gets its fate."""
        rest = list(self._waiting_texts())
        for text, index, _, status in self._thrown:
            self._open(text).refused.append((text.tokens[index], status))
            rest.append(text)
        for _, item in pending:
            text, index = item
            error = SessionClosed(f"the session ended: {reason}")
            self._open(text).unknown.append((text.tokens[index], error))
            rest.append(text)  # its other parts may wait for this one, in no queue
        for text in rest:
            self._drop(text, f"the session ended before it was sent: {reason}")
        for queue in (self._thrown, self._again, self._ready, self._behind):
            queue.clear()
        self._current = None
        self.waiting = self.flying = 0
        self._sweep_at = math.inf

    # -- inside -------------------------------------------------------------------------------

    def _next(self, now: float) -> Text | None:
        """The text whose turn it is."""
        while queue := self._again or self._ready:
            text = queue.popleft()
            if text.over:
                continue
            if text.deadline <= now:
                self._give_up(text, "it waited too long")
            elif not text.account.sink.wanted(text.tokens):
                self._give_up(text, "withdrawn")
            else:
                return text
        return None

    def _landed(self, text: Text) -> None:
        """A part of it has its fate."""
        text.flying -= 1
        self.flying -= 1
        if not text.flying and text is not self._current:
            if text.unsent:
                self._again.append(text)
            else:
                self._release(text)

    def _release(self, text: Text) -> None:
        """Every part has its fate: the next text to this recipient may go, before newer ones."""
        if not self._keep_order:
            return
        line = self._behind.pop(text.recipient)
        while line:
            following = line.popleft()
            if not following.over:
                self._behind[text.recipient] = line
                self._ready.appendleft(following)
                return

    def _take_back(self, now: float) -> None:
        """Slow down, and queue again what was thrown back, unless its time is up."""
        thrown, self._thrown = self._thrown, []
        for text, index, written, status in thrown:
            self._pace.throttled(written, now)
            if now < text.repeat_until:
                text.deadline = text.repeat_until
                self._sweep_at = min(self._sweep_at, text.deadline)
                text.thrown = {**text.thrown, index: status}
                text.unsent = tuple(sorted((*text.unsent, index)))
                self.waiting += 1
                if text is self._current:
                    self._current = None  # its parts are to come together: wait for the others
            else:
                self._open(text).refused.append((text.tokens[index], status))
            self._landed(text)

    def _sweep(self, now: float) -> None:
        """Give up what has waited beyond its deadline."""
        earliest = math.inf
        heads = [text for text in (*self._again, *self._ready) if not text.over]
        for text in self._waiting_texts():
            if text is self._current or text.flying:
                continue  # its turn has come: it is looked at when its answers are there
            if text.deadline > now:
                earliest = min(earliest, text.deadline)
            else:
                self._drop(text, "it waited too long")
        for text in heads:
            if text.over:
                self._release(text)
        self._sweep_at = max(earliest, now + _SWEEP_EVERY) if earliest < math.inf else earliest

    def _give_up(self, text: Text, reason: str) -> None:
        self._drop(text, reason)
        self._release(text)

    def _drop(self, text: Text, reason: str) -> None:
        """The fate of the parts that were not written, or thrown back."""
        settled = self._open(text)
        for index in text.unsent:
            if index in text.thrown:
                settled.refused.append((text.tokens[index], text.thrown[index]))
            else:
                settled.unsent.append((text.tokens[index], NotSent(reason)))
        self.waiting -= len(text.unsent)
        text.unsent = ()
        text.over = True

    def _waiting_texts(self) -> Iterator[Text]:
        if self._current is not None:
            yield self._current
        yield from self._again
        yield from self._ready
        for line in self._behind.values():
            yield from line or ()

    def _open(self, text: Text) -> Settled:
        account = text.account
        if not account.dirty:
            account.dirty = True
            self._dirty.append(account)
        return account.settled
