"""The handsets that the simulated SMSC has seen, each with its texts in both directions. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from smpp.constants import status_name
from smpp.simulator.notices import (
    AcceptedMessage,
    ReceiptSent,
    TextAnswered,
    TextCancelled,
    TextReplaced,
    TextSent,
    TextUntaken,
    Told,
)

_PARTIAL = "ENROUTE"
_EARLY = 1_000


@dataclass(slots=True)
class Bubble:
    """One text on a handset's screen."""

    key: str  #: an id of the SMSC, or the number of a text from the handset
    outgoing: bool  #: written at the handset
    other: str  #: who is at the other end, as on the wire
    text: str = field(repr=False)
    parts: int
    at: float  #: seconds since 1970
    state: str  #: of appendix B; "taken", if nothing was reported; else the status of the ESME
    reported: dict[str, str] = field(default_factory=dict)  #: part to state


@dataclass(slots=True)
class Thread:
    """What one handset shows, the oldest first."""

    number: str  #: digits, as on the wire
    bubbles: deque[Bubble]
    revision: int = 0


class Handsets:
    """The most recent handsets, and the last texts of each."""

    def __init__(self, most: int = 200, longest: int = 200) -> None:
        """So many handsets at `most`, so many texts of each; with the oldest forgotten."""
        self._most = most
        self._longest = longest
        self._threads: OrderedDict[str, Thread] = OrderedDict()
        self._by_key: dict[str, tuple[Thread, Bubble]] = {}
        self._early: OrderedDict[str, str] = OrderedDict()  # of parts whose text is not whole
        self.revision = 0  #: goes up whenever there is something new to show

    def __iter__(self) -> Iterator[Thread]:
        """The one that was active last comes first."""
        return reversed(self._threads.values())

    def find(self, number: str) -> Thread | None:
        """The handset of a number, with or without its plus."""
        return self._threads.get(number.lstrip("+"))

    def note(self, told: Told, now: float) -> None:
        """Something happened, at `now` in seconds since 1970."""
        match told:
            case AcceptedMessage():
                self._taken(told, now)
            case TextSent():
                key = f"mo {told.number}"
                bubble = Bubble(key, True, told.recipient, told.text, told.parts, now, "sending")
                self._add(told.sender, bubble, (key,))
            case TextAnswered():
                self._set(f"mo {told.number}", "" if not told.status else status_name(told.status))
            case TextUntaken():
                self._set(f"mo {told.number}", "nobody took it")
            case ReceiptSent():
                self._reported(told.message, told.state)
            case TextCancelled():
                self._reported(told.message, "DELETED")
            case TextReplaced() if found := self._by_key.get(told.message):
                found[1].text = told.text
                self._changed(found[0])
            case _:
                pass

    def _taken(self, told: AcceptedMessage, now: float) -> None:
        key = told.ids[0] if told.ids else ""
        bubble = Bubble(key, False, told.sender, told.text, len(told.ids), now, "taken")
        self._add(told.recipient, bubble, told.ids)
        for id in told.ids:
            if state := self._early.pop(id, ""):
                self._reported(id, state)

    def _add(self, number: str, bubble: Bubble, keys: tuple[str, ...]) -> None:
        number = number.lstrip("+")
        thread = self._threads.get(number)
        if thread is None:
            thread = self._threads[number] = Thread(number, deque())
            if len(self._threads) > self._most:
                _, gone = self._threads.popitem(last=False)
                for old in gone.bubbles:
                    self._forget(old)
        self._threads.move_to_end(number)
        thread.bubbles.append(bubble)
        for key in keys:
            bubble.reported[key] = ""
            self._by_key[key] = (thread, bubble)
        if len(thread.bubbles) > self._longest:
            self._forget(thread.bubbles.popleft())
        self._changed(thread)

    def _forget(self, bubble: Bubble) -> None:
        for key in bubble.reported:
            found = self._by_key.get(key)
            if found is not None and found[1] is bubble:
                del self._by_key[key]

    def _set(self, key: str, state: str) -> None:
        if found := self._by_key.get(key):
            thread, bubble = found
            bubble.state = state
            self._changed(thread)

    def _reported(self, key: str, state: str) -> None:
        """A text is delivered when all its parts are; what else befalls a part befalls the text."""
        found = self._by_key.get(key)
        if found is None:
            self._early[key] = state
            if len(self._early) > _EARLY:
                self._early.popitem(last=False)
        else:
            thread, bubble = found
            bubble.reported[key] = state
            states = set(bubble.reported.values()) - {""}
            bad = sorted(states - {"DELIVRD", _PARTIAL})
            whole = all(one == "DELIVRD" for one in bubble.reported.values())
            bubble.state = bad[0] if bad else "DELIVRD" if whole else _PARTIAL
            self._changed(thread)

    def _changed(self, thread: Thread) -> None:
        self.revision += 1
        thread.revision = self.revision
