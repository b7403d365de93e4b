"""Packages of PyPI in a virtual environment of their own: the pinned bytes, or none."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from asterisk.fetch import ProgramMissing
from tests.support.foreign.cached import made_once

_DEADLINE = 300.0  # seconds for pip, which tries a silent index several times


def python_with(name: str, wanted: Sequence[str]) -> Path:
    """The Python that has them; fetched once per machine. Raises ProgramMissing.

    `wanted` are lines of a requirements file, each with its hashes; nothing else is installed.
    """
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    try:
        made = made_once(f"pypi-{name}-{version}", lambda work: _install(work, name, wanted))
        return made / "bin" / "python"
    except (OSError, subprocess.SubprocessError) as error:
        raise ProgramMissing(
            f"{name} cannot be installed in our cache ({type(error).__name__}): point "
            "XDG_CACHE_HOME to a folder you may write, and check the network and pip's index."
        ) from error


def _install(work: Path, name: str, wanted: Sequence[str]) -> None:
    venv.create(work, with_pip=False, symlinks=True)
    pinned = work / "requirements.txt"
    pinned.write_text("\n".join(wanted) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(work / "bin" / "python")]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(pinned)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_DEADLINE,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ProgramMissing(
            f"pip could not install {name} ({said}): check the network and its index."
        )
