"""When to try again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Doubling pauses in seconds, from `first` up to `longest`, `attempts` tries in all."""

    first: float = 1.0
    longest: float = 300.0
    attempts: int = 12

    def pause(self, attempts: int) -> float | None:
        """Seconds to wait after this many attempts; None: give up."""
        if attempts >= self.attempts:
            return None
        return float(min(self.first * 2 ** (attempts - 1), self.longest))
