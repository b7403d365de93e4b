"""The fuzz target of RTP holds on whatever hypothesis thinks of."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import rtp


@given(st.binary(max_size=600))
def test_the_invariant_of_the_target_holds(data: bytes) -> None:
    rtp.one(data)


@given(st.integers(0, 2**32))
def test_it_holds_on_long_lives_too(seed: int) -> None:
    random = Random(seed)
    rtp.one(random.randbytes(random.randint(600, 3000)))


def test_it_holds_on_packets_that_follow_each_other() -> None:
    # Who says what: Asterisk, 20 ms after the last, a packet of audio.
    packets = b"".join(bytes([4 | 8, 0, 5, n, 0, 160 * n // 256, 7, 1]) for n in range(100))
    rtp.one(packets)
