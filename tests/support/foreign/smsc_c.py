"""A fast SMSC for figures, in C: so lean that what is measured is the ESME.

It is built with the machine's C compiler, once for each version of its source; `SEGUE_CC`
names another compiler. What it can do is written at the head of `smsc_c.c`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from asterisk.fetch import ProgramMissing
from tests.support.foreign.cached import made_once
from tests.support.foreign.home import Home
from tests.support.foreign.launch import last_words, launch
from tests.support.foreign.smsc import SmscFailed

_SOURCE = Path(__file__).with_name("smsc_c.c")
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")
_POLL = 0.005  # seconds between two looks
_START = 10.0


def can_have_one() -> bool:
    """Whether a failure to build it is a failure of this machine."""
    return _compiler() is not None


def built() -> Path:
    """The program, built once for this source and this kind of machine. ProgramMissing."""
    source = _SOURCE.read_bytes()
    name = f"smsc_c-{hashlib.sha256(source).hexdigest()[:12]}-{os.uname().machine}"
    try:
        return made_once(name, _build) / "smsc_c"
    except OSError as error:
        raise ProgramMissing(
            f"The fast SMSC cannot be built in our cache ({error.strerror or error}): "
            "point XDG_CACHE_HOME to a folder you may write."
        ) from error


class FastSmsc:
    """Runs while inside `with`; the arguments are the program's: FastSmsc("--receipts")."""

    def __init__(self, *arguments: str) -> None:
        """Nothing runs yet. ProgramMissing if there is no compiler."""
        self._command: list[str | Path] = [built(), *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._home = Home("smsc-c")
        self.port = 0  # known once it runs

    @property
    def home(self) -> Path:
        """Everything is in here; its words are in the file `log`."""
        return self._home.path

    def said(self, word: str) -> list[list[str]]:
        """The figures of each line that begins with the word, such as `pushed` or `closed`."""
        lines = (self.home / "log").read_text().splitlines()
        return [line.split()[1:] for line in lines if line.partition(" ")[0] == word]

    def hear(self, word: str, count: int = 1, timeout: float = 30.0) -> list[list[str]]:
        """The same, once there are so many such lines; SmscFailed if that never is."""
        deadline = time.monotonic() + timeout
        while len(found := self.said(word)) < count:
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise SmscFailed(f"The fast SMSC never said {word!r}: {last_words(self.home)}")
            time.sleep(_POLL)
        return found

    def start(self) -> None:
        """Return when it takes connections; SmscFailed if it does not."""
        self._process = launch(self._command, home=self.home)
        try:
            self.port = int(self.hear("listening", timeout=_START)[0][0])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it and remove its folder; doing so twice is fine."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._home.remove()

    def __enter__(self) -> FastSmsc:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _compiler() -> str | None:
    return os.environ.get("SEGUE_CC") or shutil.which("cc") or shutil.which("gcc")


def _build(work: Path) -> None:
    compiler = _compiler()
    if compiler is None:
        raise ProgramMissing(
            "No C compiler is on this machine: install one, or name it in SEGUE_CC."
        )
    command = [compiler, *_FLAGS, "-o", str(work / "smsc_c"), str(_SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.splitlines() or ["it said nothing"])[0]
        raise ProgramMissing(f"The fast SMSC cannot be built here ({said}): name another SEGUE_CC.")
