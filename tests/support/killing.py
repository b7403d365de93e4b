"""Dying at a named failpoint: the one way in which tests do it, so that they can be counted.

`tests/faults/test_failpoints.py` reads every call of `killed_at` and fails if a failpoint of ours
has none. So write the name as a text, or take it from `parametrize` of the same test.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PATIENCE = 60.0  # seconds; only a failing test ever waits so long


def killed_at(place: str, *arguments: str | Path, told: str = "") -> str:
    """Run Python with these arguments until it is killed at the failpoint; what it said.

    `told` is what it can read. Fails if it ends in any other way.
    """
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "SEGUE_FAILPOINT": place},
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            said, _ = process.communicate(told, timeout=_PATIENCE)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL, f"it was not killed at {place}"
    return said
