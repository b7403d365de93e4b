"""How fast a bind may submit: a token bucket in segments, lowered when the SMSC throttles. Pure."""

from __future__ import annotations

from collections import deque

from smpp.constants import Status

#: Too fast: the same message may go again (SMPP 3.4 §5.1.3).
THROTTLING = frozenset({int(Status.ESME_RTHROTTLED), int(Status.ESME_RMSGQFUL)})

_DEPTH = 0.05  # seconds of tokens that may be saved: smooth, and still one timer for a few


class TokenBucket:
    """Gives at most `rate` tokens a second, and never more than a twentieth of them at once."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = 1.0
        self._at = now

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self._rate

    def ready(self, now: float) -> int:
        """How many tokens there are."""
        self._refill(now)
        # A hair less than one is one: the sum of many small times is never exact.
        return int(self._tokens + 1e-9)

    def take(self, count: int, now: float) -> None:
        """Use them, also before they are there: then the next ones come later."""
        self._refill(now)
        self._tokens -= count

    def next_at(self, now: float) -> float:
        """When there is at least one token."""
        self._refill(now)
        return now if self._tokens >= 1.0 - 1e-9 else now + (1.0 - self._tokens) / self._rate

    def change(self, rate: float, now: float) -> None:
        """Another rate from now on; what was saved at the old one is kept, as far as it may be."""
        self._refill(now)
        self._rate = rate
        self._tokens = min(self._tokens, self._deepest)

    def empty(self, now: float) -> None:
        """Forget what was saved: the next token is a whole interval away."""
        self._refill(now)
        self._tokens = min(self._tokens, 0.0)

    @property
    def _deepest(self) -> float:
        return max(1.0, self._rate * _DEPTH)

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self._deepest, self._tokens + (now - self._at) * self._rate)
            self._at = now


class Pace:
    """The rate of one bind: the contract's at most, halved by throttling, recovering by steps.

    Additive increase, multiplicative decrease, as TCP does it. Without a contract there is no
    limit until the SMSC throttles; then what it took in the last second is halved, and the limit
    goes again when twice that has been reached without another complaint.
    """

    def __init__(
        self, contract: float | None, now: float, *, slowest: float = 1.0, seconds: float = 20.0
    ) -> None:
        """`contract` and `slowest` in segments a second; from nothing to full in `seconds`."""
        if contract is not None and contract <= 0:
            raise ValueError("a rate is more than 0 segments a second")
        self._contract = contract
        self._slowest = slowest if contract is None else min(slowest, contract)
        self._seconds = seconds
        self._ceiling = contract
        self._bucket = None if contract is None else TokenBucket(contract, now)
        self._dropped = -1.0  # when; only what was written later may complain again
        self._grown = now
        self._taken = _Second()

    @property
    def rate(self) -> float | None:
        """Segments a second now; None: as fast as the window lets."""
        return None if self._bucket is None else self._bucket.rate

    def ready(self, wanted: int, now: float) -> int:
        """How many of so many segments may be written now."""
        bucket = self._grown_bucket(now)
        return wanted if bucket is None else min(wanted, bucket.ready(now))

    def wrote(self, count: int, now: float) -> None:
        """So many segments were written."""
        if self._bucket is not None:
            self._bucket.take(count, now)
        elif count:
            self._taken.add(count, now)

    def next_at(self, now: float) -> float | None:
        """When the next segment may be written; None: at once."""
        if self._bucket is None or (at := self._bucket.next_at(now)) <= now:
            return None
        return at

    def throttled(self, written: float, now: float) -> None:
        """The SMSC threw back a segment that was written at `written`.

        A whole window may come back; it is one complaint, so the rate falls once.
        """
        if written < self._dropped:
            return
        if self._bucket is None:
            self._ceiling = max(self._taken.count(now), _GUESS)
            self._bucket = TokenBucket(self._ceiling, now)
        self._bucket.change(max(self._slowest, self._bucket.rate / 2), now)
        self._bucket.empty(now)
        self._dropped = self._grown = now

    def _grown_bucket(self, now: float) -> TokenBucket | None:
        """The bucket at the rate it has recovered to; None when there is no limit any more."""
        bucket, ceiling = self._bucket, self._ceiling
        if bucket is None or ceiling is None:
            return None
        full = ceiling if self._contract is not None else ceiling * 2
        if bucket.rate >= full or now <= self._grown:
            return bucket
        rate = bucket.rate + (now - self._grown) * ceiling / self._seconds
        self._grown = now
        if rate < full or self._contract is not None:
            bucket.change(min(rate, full), now)
        else:
            self._bucket = self._ceiling = None
        return self._bucket


_GUESS = 10.0  # segments a second, when throttling came before there was anything to measure


class _Second:
    """How many segments were written in about the last second."""

    def __init__(self) -> None:
        self._slots: deque[tuple[int, int]] = deque()  # tenth of a second, count

    def add(self, count: int, now: float) -> None:
        tenth = int(now * 10)
        if self._slots and self._slots[-1][0] == tenth:
            self._slots[-1] = (tenth, self._slots[-1][1] + count)
        else:
            self._slots.append((tenth, count))
            while self._slots[0][0] <= tenth - 10:
                self._slots.popleft()

    def count(self, now: float) -> float:
        oldest = int(now * 10) - 10
        return float(sum(count for tenth, count in self._slots if tenth > oldest))
