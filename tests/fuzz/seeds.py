"""Octets that were really seen or follow from the specification: tests/fixtures/smpp/*.hex."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "fixtures" / "smpp"


def octets(name: str) -> bytes:
    """Those of one fixture; what follows a `#` on a line is for people."""
    lines = (FOLDER / f"{name}.hex").read_text(encoding="utf-8").splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))


def names() -> list[str]:
    """Of all fixtures, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.hex"))


@cache
def frames() -> tuple[bytes, ...]:
    """All fixtures."""
    return tuple(octets(name) for name in names())
