"""RFC 9162, section 2.1, copied word by word into recursion: slow, and plainly right."""

from __future__ import annotations

from functools import cache
from hashlib import sha256


def leaf(number: int) -> bytes:
    """The hash of some leaf."""
    return sha256(b"\0" + number.to_bytes(4, "big")).digest()


def k(n: int) -> int:
    """The largest power of two smaller than n."""
    power = 1
    while power * 2 < n:
        power *= 2
    return power


@cache
def mth(start: int, end: int) -> bytes:
    """Section 2.1.1: MTH(D[start:end]) over the leaves 0, 1, 2, …"""
    n = end - start
    if n == 0:
        return sha256(b"").digest()
    if n == 1:
        return leaf(start)
    middle = start + k(n)
    return sha256(b"\1" + mth(start, middle) + mth(middle, end)).digest()


def path(m: int, start: int, end: int) -> list[bytes]:
    """Section 2.1.3.1: PATH(m, D[start:end])."""
    n = end - start
    if n == 1:
        return []
    middle = start + k(n)
    if m < k(n):
        return [*path(m, start, middle), mth(middle, end)]
    return [*path(m - k(n), middle, end), mth(start, middle)]


def proof(m: int, n: int) -> list[bytes]:
    """Section 2.1.4.1: PROOF(m, D_n)."""
    return _subproof(m, 0, n, True)


def _subproof(m: int, start: int, end: int, complete: bool) -> list[bytes]:
    n = end - start
    if m == n:
        return [] if complete else [mth(start, end)]
    middle = start + k(n)
    if m <= k(n):
        return [*_subproof(m, start, middle, complete), mth(middle, end)]
    return [*_subproof(m - k(n), middle, end, False), mth(start, middle)]
