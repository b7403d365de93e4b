"""Which deliver_sm is a repetition and which a person who says the same again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

_MOST = 10_000
_GONE = -1  # no link has this number


@dataclass(slots=True)
class _Occurrence:
    key: str
    number: int
    link: int
    at: float
    stored: bool = False


class DedupeKeys:
    """
    Keys for texts that carry no id of their own (most do not; SMPP 3.4 has none for them).

    The SMSC repeats a deliver_sm when our answer did not reach it: we failed to store it, or the
    link (or this process) died first. So the same content is

    - a repetition, if the one before was not stored, or was stored on a link that is gone;
    - a new text, if the one before was stored and answered on this same link.

    What is to be known after a restart is its `trace`. Without them the key holds the span of time:
    a repetition that comes soon has the same key again, unless one span has ended and the next has
    begun. Content older than the span is always a new text.
    """

    def __init__(self, secret: bytes, *, span: float = 120.0) -> None:
        """`secret` keys the hash, so that nobody can try all numbers; `span` is in seconds."""
        self._secret = hashlib.sha256(secret).digest()
        self.span = span
        self._seen: OrderedDict[str, _Occurrence] = OrderedDict()

    def begin(self, content: tuple[str, ...], *, link: int, now: float, wall: float) -> str:
        """The key of a text that has come on this link; `now` is monotonic, `wall` Unix time."""
        digest = self._digest(*content)
        before = self._seen.pop(digest, None)
        if before is None or now - before.at >= self.span:
            number = 0
        elif before.stored and before.link == link:
            number = before.number + 1
        else:
            before.link = link
            before.stored = False
            self._seen[digest] = before
            return before.key
        key = self._digest(digest, str(int(wall // self.span)), str(number))
        self._seen[digest] = _Occurrence(key, number, link, now)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        return key

    def trace(self, content: tuple[str, ...]) -> dict[str, object]:
        """What to keep, with its key, of a text that has begun; it names nobody."""
        digest = self._digest(*content)
        return {"content": digest, "number": self._seen[digest].number}

    def restore(self, key: str, trace: dict[str, object], *, at: float) -> None:
        """A text that had begun before a restart, on a link that is gone."""
        digest, number = str(trace["content"]), int(str(trace["number"]))
        known = self._seen.get(digest)
        if known is None or known.number <= number:
            self._seen[digest] = _Occurrence(key, number, _GONE, at)

    def stored(self, content: tuple[str, ...]) -> None:
        """The text is stored, and its answer is on the way."""
        found = self._seen.get(self._digest(*content))
        if found is not None:
            found.stored = True

    def unanswered(self, content: tuple[str, ...]) -> None:
        """It is stored, but the SMSC does not hear of it: what comes is a repetition."""
        found = self._seen.get(self._digest(*content))
        if found is not None:
            found.stored = False

    def of_id(self, carrier: str, id: str) -> str:
        """The key of a text that carries an id of its own."""
        return self._digest("id", carrier, id)

    def of(self, *words: str) -> str:
        """The key of anything else that its words name, once and for all."""
        return self._digest(*words)

    def _digest(self, *words: str) -> str:
        spelled = "".join(f"{len(word)}:{word}" for word in words)
        octets = spelled.encode("utf-8", errors="surrogatepass")
        return "mo_" + hashlib.blake2b(octets, key=self._secret, digest_size=16).hexdigest()
