"""Starting a program that ends with us and, where it refuses root, is not root."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# Between fork and exec only the C library is safe in a program with threads, so another
# Python drops root, sets PR_SET_PDEATHSIG (1) and becomes the program. A change of user
# clears that setting, hence the order. If we died before, it becomes nothing.
_LAUNCHER = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
parent, user, group, last_signal = map(int, sys.argv[1:5])
if user != os.geteuid():
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
libc.prctl(1, last_signal)
if os.getppid() == parent:
    os.execv(sys.argv[5], sys.argv[5:])
"""

# The kernel ends a child together with the thread that started it, so one thread, which
# lives as long as we do, starts them all; a test may then use whatever thread it likes.
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="foreign-starter")


@dataclass(frozen=True)
class Account:
    """As whom a program runs."""

    user: int
    group: int

    def give(self, path: Path) -> None:
        """Make a file or folder theirs."""
        os.chown(path, self.user, self.group)

    @property
    def is_another(self) -> bool:
        """Whether it is not us."""
        return self.user != os.geteuid()


def ordinary_account() -> Account:
    """We ourselves, or `nobody` if we are root."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def launch(
    command: Sequence[str | Path],
    *,
    home: Path,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    last_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start it in its home, where its words go to the file `log`.

    `last_signal` is what the kernel sends it when we end, however we end.
    """
    account = account or Account(os.geteuid(), os.getegid())
    numbers = (os.getpid(), account.user, account.group, int(last_signal))
    # -I and -S: the launcher needs nothing but the standard library.
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *map(str, numbers)]

    def start() -> subprocess.Popen[bytes]:
        with (home / "log").open("ab") as output:
            return subprocess.Popen(
                [*launcher, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=home,
                # Nothing of the environment, where PGDATA and its like may lurk.
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **(environment or {})},
                # A Ctrl-C in the terminal is for us; we then end the program.
                process_group=0,
            )

    return _STARTER.submit(start).result()


def last_words(home: Path) -> str:
    """The last line that the program said."""
    lines = (home / "log").read_text(errors="replace").split("\n") if home.exists() else []
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else "it said nothing"
