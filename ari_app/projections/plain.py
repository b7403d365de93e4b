"""What the columns of a view take: whatever an event holds, no row may be refused for ever."""

from __future__ import annotations

_LONGEST = 200  # characters
_MOST = 2**31 - 1


def plain(text: str) -> str:
    """At most 200 characters, all of them printable, others as `?`."""
    # PostgreSQL takes no NUL, and no database half a surrogate pair.
    if len(text) <= _LONGEST and text.isprintable():
        return text
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST])


def small(number: int) -> int:
    """From 0 to 2^31-1."""
    return max(0, min(number, _MOST))
