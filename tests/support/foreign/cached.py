"""Something in our cache that is made once per machine."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from asterisk.fetch import cache


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name, after `make` has filled it: whole or not at all.

    Several processes may ask at once: one makes it, the others wait for it. What `make` raises
    goes through, and the next who asks tries again; OSError if nothing can be written there.
    """
    target = cache() / "foreign" / name
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    # The lock goes with the descriptor, so a killed process leaves none behind.
    with target.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():  # somebody else has just made it
            return target
        for left_over in target.parent.glob(f".{name}.*"):  # of a process that was killed
            shutil.rmtree(left_over, ignore_errors=True)
        # Beside the target, so that the last step is a rename.
        work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=target.parent))
        try:
            work.chmod(0o755)
            make(work)
            work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return target
