"""When to connect again: what a refusal means, and how failures in a row add up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from smpp.constants import Status


class Refusal(Enum):
    """What a refused bind asks of us."""

    STOP = "stop"  #: name or password are wrong: a person must act, and until then silence
    HELD = "held"  #: our earlier bind probably still stands over there: it needs time to fall
    RETRY = "retry"  #: anything else: again, ever more slowly


_REFUSALS: dict[int, Refusal] = {
    Status.ESME_RINVPASWD: Refusal.STOP,
    Status.ESME_RINVSYSID: Refusal.STOP,
    Status.ESME_RINVSYSTYP: Refusal.STOP,
    Status.ESME_RALYBND: Refusal.HELD,
    Status.ESME_RBINDFAIL: Refusal.HELD,
}


def refusal(status: int) -> Refusal:
    """What the command_status of a bind's answer (SMPP 3.4 §5.1.3) asks of us."""
    return _REFUSALS.get(status, Refusal.RETRY)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before connecting again; every figure is in seconds."""

    first: float = 1.0
    longest: float = 60.0
    held: float = 45.0  # the middle: carriers ask for 30 to 60
    refused: float | None = None  # after a wrong name or password; None: until a person says so
    healthy_after: float = 60.0  # a link counts as good again only after it has stayed this long

    def delay(self, failures: int, chance: float) -> float:
        """After so many failures in a row; `chance` (0 to 1) spreads ESMEs that fell together."""
        return min(self.longest, self.first * 2.0 ** min(failures, 30)) * (0.5 + chance / 2)


class Attempts:
    """The failures of one bind, counted; each method gives the seconds to wait."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self.failures = 0  #: in a row

    def failed(self, chance: float) -> float:
        """There was no connection, or no answer to the bind."""
        self.failures += 1
        return self._backoff.delay(self.failures - 1, chance)

    def refused(self, status: int, chance: float) -> float | None:
        """The SMSC refused the bind; None: stop, a person must act."""
        delay = self.failed(chance)
        match refusal(status):
            case Refusal.STOP:
                return self._backoff.refused
            case Refusal.HELD:
                # Two thirds to four thirds of the middle, and never less than a plain failure.
                return max(delay, self._backoff.held * (2 + 2 * chance) / 3)
            case Refusal.RETRY:
                return delay

    def ended(self, stayed: float, chance: float) -> float:
        """A link that was bound has ended after so many seconds.

        Health resets the count, binding does not: an SMSC that takes every bind and drops it at
        once must not be stormed.
        """
        if stayed >= self._backoff.healthy_after:
            self.failures = 0
        return self.failed(chance)
