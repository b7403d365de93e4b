"""aiosmpplib in a virtual environment of its own."""

from __future__ import annotations

from pathlib import Path

from tests.support.foreign.pypi import python_with

VERSION = "0.7.4"
_HASH = "sha256:20875c5b1ce4ba22e9322ddff28f9607f976cc0699340b22287f209452e41369"


def python() -> Path:
    """The Python that has it; fetched once per machine. Raises ProgramMissing."""
    return python_with(f"aiosmpplib-{VERSION}", [f"aiosmpplib=={VERSION} --hash={_HASH}"])
