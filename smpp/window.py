"""What of one session waits for its answer, by sequence number (SMPP 3.4 §3.2, §2.7). Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

from smpp.codec import next_sequence
from smpp.constants import MAX_SEQUENCE
from smpp.events import Item, Pending

_REMEMBERED = 1000  # unanswered messages whose late answer is still recognised
_MOST_REQUESTS = 100


class Window:
    """Messages and requests that are written, and the sequence numbers that are free.

    A number is not used again while its first user waits for an answer, or may get a late one.
    """

    def __init__(self, size: int, timeout: float, first_sequence: int = 1) -> None:
        """`size` counts messages; an answer is due `timeout` seconds after the write."""
        self.size = size
        self._timeout = timeout
        self._sequence = first_sequence
        # When each was written, and its item. All answers are due equally soon, so these are in
        # order.
        self.messages: dict[int, tuple[float, Item]] = {}
        self._late: OrderedDict[int, Item] = OrderedDict()
        self._requests: dict[int, tuple[float, int]] = {}  # deadline, command of the answer

    @property
    def requests_full(self) -> bool:
        """Whether too much is asked already."""
        return len(self._requests) >= _MOST_REQUESTS

    def take_batch(self, items: Sequence[Item], now: float) -> Sequence[int]:
        """Put messages into the window; their sequences, in order."""
        first = self._sequence
        end = first + len(items)
        sequences: Sequence[int] = range(first, end)
        messages = self.messages
        free = end <= MAX_SEQUENCE and not (self._late or self._requests)
        if free and messages.keys().isdisjoint(sequences):
            self._sequence = end
            messages.update(zip(sequences, [(now, item) for item in items], strict=True))
            return sequences
        return [self._take(item, now) for item in items]

    def take_request(self, answer: int, now: float) -> int:
        """A request whose answer has this command_id; its sequence."""
        sequence = self.take_sequence()
        self._requests[sequence] = (now + self._timeout, answer)
        return sequence

    def take_sequence(self) -> int:
        """One for a PDU that nobody here waits for."""
        sequence = self._free()
        self._sequence = next_sequence(sequence)
        return sequence

    def pop_late(self, sequence: int) -> Item | None:
        """The item of a message that was given up, once; None if it is not one."""
        return self._late.pop(sequence, None)

    def is_late(self, sequence: int) -> bool:
        """Whether a message with that sequence was given up."""
        return sequence in self._late

    def answer_of(self, sequence: int) -> int | None:
        """The command_id that answers the request; None if it is not one."""
        deadline_and_answer = self._requests.get(sequence)
        return None if deadline_and_answer is None else deadline_and_answer[1]

    def pop_request(self, sequence: int) -> bool:
        """The request has its answer; whether it is one."""
        return self._requests.pop(sequence, None) is not None

    def overdue_messages(self, now: float) -> Iterator[tuple[int, Item]]:
        """Give up what is overdue, the oldest first; a late answer is still recognised."""
        while self.messages:
            sequence, (written, item) = next(iter(self.messages.items()))
            if now < written + self._timeout:
                return
            del self.messages[sequence]
            self._late[sequence] = item
            if len(self._late) > _REMEMBERED:
                self._late.popitem(last=False)
            yield sequence, item

    def overdue_requests(self, now: float) -> Iterator[int]:
        """Give up the requests that are overdue."""
        for sequence in [n for n, (deadline, _) in self._requests.items() if now >= deadline]:
            del self._requests[sequence]
            yield sequence

    def deadlines(self) -> list[float]:
        """When something is overdue next."""
        found = [deadline for deadline, _ in self._requests.values()]
        for written, _ in self.messages.values():
            found.append(written + self._timeout)
            break  # the others are later
        return found

    def shift(self, seconds: float) -> None:
        """Everything is due so much later."""
        for sequence, (written, item) in self.messages.items():
            self.messages[sequence] = (written + seconds, item)
        for sequence, (deadline, answer) in self._requests.items():
            self._requests[sequence] = (deadline + seconds, answer)

    def clear(self) -> Pending:
        """Forget everything; the messages whose fate is unknown."""
        pending = [(sequence, item) for sequence, (_, item) in self.messages.items()]
        self.messages.clear()
        self._requests.clear()
        return pending

    def _take(self, item: Item, now: float) -> int:
        sequence = self.take_sequence()
        self.messages[sequence] = (now, item)
        return sequence

    def _free(self) -> int:
        taken = (self.messages, self._late, self._requests)
        while any(self._sequence in some for some in taken):
            self._sequence = next_sequence(self._sequence)
        return self._sequence
