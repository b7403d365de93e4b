"""A short-lived folder for one foreign program, removed by us or, if we are killed, by the next."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

# sun_path holds 108 bytes, the last one is zero; this is what a socket may add to its home.
_LONGEST_SOCKET = 107
_SOCKET = len("/run/.s.PGSQL.5432")


class Home:
    """`path` is ours from now on; another user may pass through it to what is made his."""

    def __init__(self, kind: str) -> None:
        prefix = f"segue-{kind}-"
        parent = _parent(prefix)
        _sweep(parent, prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent)).resolve()
        self.path.chmod(0o711)
        # The lock ends with our process, and tells others that the folder is in use. It is
        # taken before the file has the name under which others look for it.
        self._lock: int | None = os.open(self.path / "new", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self.path / "new").rename(self.path / "lock")

    def remove(self) -> None:
        """Remove the folder with all that is in it; doing so twice is fine."""
        if self._lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = None


def others_may_enter(folder: Path) -> bool:
    """Whether any user of the machine may pass through this folder and those above it."""
    return all(
        stat.S_IMODE(part.stat().st_mode) & stat.S_IXOTH for part in (folder, *folder.parents)
    )


def _parent(prefix: str) -> Path:
    for candidate in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        parent = Path(candidate).resolve()
        # Eight letters stand for those that mkdtemp will choose.
        longest = len(os.fsencode(parent / f"{prefix}xxxxxxxx")) + _SOCKET
        if (
            longest <= _LONGEST_SOCKET
            and os.access(parent, os.W_OK)
            and (os.geteuid() != 0 or others_may_enter(parent))
        ):
            return parent
    raise OSError("No temporary folder with a short name can be written: set TMPDIR.")


def _sweep(parent: Path, prefix: str) -> None:
    """Remove the homes of test runs that were killed."""
    for folder in parent.glob(f"{prefix}*"):
        try:
            if folder.lstat().st_uid != os.geteuid():
                continue
            lock = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # being made, or being removed
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
