"""aiosmpplib in a virtual environment of its own: the very bytes that are pinned here, or none."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from asterisk.fetch import ProgramMissing
from tests.support.foreign.cached import made_once

VERSION = "0.7.4"
_HASH = "sha256:20875c5b1ce4ba22e9322ddff28f9607f976cc0699340b22287f209452e41369"
_DEADLINE = 300.0  # seconds for pip, which tries a silent index several times


def python() -> Path:
    """The Python that has it; fetched once per machine. Raises ProgramMissing."""
    name = f"pypi-aiosmpplib-{VERSION}-py{sys.version_info.major}{sys.version_info.minor}"
    try:
        return made_once(name, _install) / "bin" / "python"
    except (OSError, subprocess.SubprocessError) as error:
        raise ProgramMissing(
            f"aiosmpplib cannot be installed in our cache ({type(error).__name__}): point "
            "XDG_CACHE_HOME to a folder you may write, and check the network and pip's index."
        ) from error


def _install(work: Path) -> None:
    venv.create(work, with_pip=False, symlinks=True)
    wanted = work / "requirements.txt"
    wanted.write_text(f"aiosmpplib=={VERSION} --hash={_HASH}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(work / "bin" / "python")]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(wanted)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_DEADLINE,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ProgramMissing(
            f"pip could not install aiosmpplib {VERSION} ({said}): check the network and its index."
        )
