"""Inputs made from the seeds: a few of them in a row, a little changed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.fuzz import seeds

Change = Callable[[Random, bytes, int], bytes]

# What has broken parsers before: ends, largest lengths, escapes, a payload that lies.
_SPICE = (b"\0", b"\0" * 4, b"\xff", b"\xff" * 4, b"\x1b", b"\x04\x24\xff\xff", b"\x05\x00\x03")
_MOST = 3  # seeds in a row, and changes to each


def mutated(random: Random) -> bytes:
    """One input; the same for the same state of `random`."""
    return b"".join(_one(random) for _ in range(random.randint(1, _MOST)))


def _one(random: Random) -> bytes:
    data = random.choice(seeds.frames())
    for _ in range(random.randint(0, _MOST)):
        data = random.choice(_CHANGES)(random, data, random.randint(0, len(data)))
    # A command_length that is right again brings the change past the frame reader.
    if len(data) >= 4 and random.random() < 0.8:
        data = len(data).to_bytes(4, "big") + data[4:]
    return data


def _put(random: Random, data: bytes, at: int) -> bytes:
    return data[:at] + _octets(random) + data[at:]


def _replace(random: Random, data: bytes, at: int) -> bytes:
    more = _octets(random)
    return data[:at] + more + data[at + len(more) :]


def _cut(random: Random, data: bytes, at: int) -> bytes:
    return data[:at] + data[at + random.randint(1, 20) :]


def _repeat(random: Random, data: bytes, at: int) -> bytes:
    end = at + random.randint(1, 20)
    return data[:end] + data[at:end] * random.randint(1, 4) + data[end:]


def _splice(random: Random, data: bytes, at: int) -> bytes:
    other = random.choice(seeds.frames())
    return data[:at] + other[random.randint(0, len(other)) :]


def _octets(random: Random) -> bytes:
    return (
        random.choice(_SPICE) if random.random() < 0.3 else random.randbytes(random.randint(1, 4))
    )


_CHANGES: tuple[Change, ...] = (_put, _replace, _replace, _cut, _repeat, _splice)


def smallest(breaks: Callable[[bytes], bool], data: bytes) -> bytes:
    """The input without all that can be left out so that it still breaks."""
    size = len(data) // 2
    while size:
        at = 0
        while at < len(data):
            shorter = data[:at] + data[at + size :]
            if breaks(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data
