"""Packages of npm, installed in our cache: the very bytes that are pinned here, or none.

Node and npm are looked for on the path; `SEGUE_NODE` names another node. npm asks whichever
registry it has been told to ask, and refuses what does not have the pinned hash.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from asterisk.fetch import ProgramMissing, cache
from tests.support.foreign.cached import made_once

_DEADLINE = 300.0  # seconds for npm, which tries a silent registry several times

# Package and version → what is installed for it: name → (version, hash), itself first.
_PINNED = {
    ("smpp", "0.5.1"): {
        "smpp": (
            "0.5.1",
            "sha512-ekPCZJVuGcN3tvtJeykwWz4jzz+jZ791cHU7p5ihrcOxvmywTxOI4odmOtqyxBmPeIFvHb3gCgdrjA11BuRzSw==",
        ),
        "iconv-lite": (
            "0.7.3",
            "sha512-IKXpvIzjnC9XTAUbVBcMfGS0EPaIXtW6v+zr+RRp+hqULEpo0owZax6wyRwPOJbWbzjYspQwusTsfVr0ifh4uQ==",
        ),
        "safer-buffer": (
            "2.1.2",
            "sha512-YZo3K82SD7Riyi0E1EQPojLz7kpepnSQI9IyPbHHg1XXXevb5dJI7tpyN2ADxGcQbHG7vcyRHk0cbwqcQriUtg==",
        ),
    }
}


def installed(package: str, version: str) -> Path:
    """The folder whose `node_modules` holds the package; fetched once per machine.

    No script of a package runs while it is installed. Raises ProgramMissing.
    """
    pinned = _PINNED.get((package, version))
    if pinned is None:
        raise ProgramMissing(f"npm's {package} {version} is not pinned: add its hash to npm.py.")
    try:
        return made_once(_name(package, version), lambda work: _install(pinned, work))
    except OSError as error:
        raise ProgramMissing(
            f"npm's {package} cannot be installed in our cache ({error.strerror or error}): "
            "point XDG_CACHE_HOME to a folder you may write."
        ) from error


def can_have(package: str, version: str) -> bool:
    """Whether it is here or a failure to fetch it is a failure of this machine."""
    here = (cache() / "foreign" / _name(package, version)).is_dir()
    return _found_node() is not None and (here or shutil.which("npm") is not None)


def node() -> Path:
    """The program that runs JavaScript. Raises ProgramMissing."""
    found = _found_node()
    if found is None:
        raise ProgramMissing(
            "Node.js is not on this machine: install node and npm, or name a node in SEGUE_NODE."
        )
    return found


def _found_node() -> Path | None:
    found = os.environ.get("SEGUE_NODE") or shutil.which("node")
    return Path(found) if found and os.access(found, os.X_OK) else None


def _name(package: str, version: str) -> str:
    return f"npm-{package.replace('/', '-')}-{version}"


def _install(pinned: dict[str, tuple[str, str]], work: Path) -> None:
    package, (version, _) = next(iter(pinned.items()))
    npm = shutil.which("npm")
    if npm is None:
        raise ProgramMissing(
            f"npm is not on this machine, and {package} {version} comes by it: "
            "install node and npm."
        )
    _write_lock(pinned, work)
    try:
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"],
            cwd=work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProgramMissing(
            f"npm did not bring {package} {version} within {_DEADLINE:.0f} seconds: "
            "check the network and npm's registry."
        ) from error
    if done.returncode != 0:
        raise ProgramMissing(
            f"npm could not install {package} {version} ({_complaint(done.stderr)}): "
            "check the network and npm's registry."
        )


def _write_lock(pinned: dict[str, tuple[str, str]], work: Path) -> None:
    """What `npm ci` obeys: these versions with these hashes, from no address in particular."""
    wanted = {name: version for name, (version, _) in pinned.items()}
    packages: dict[str, object] = {"": {"dependencies": wanted}}
    for name, (version, integrity) in pinned.items():
        packages[f"node_modules/{name}"] = {"version": version, "integrity": integrity}
    about = {"name": "segue-foreign", "private": True, "dependencies": wanted}
    lock = {"name": "segue-foreign", "lockfileVersion": 3, "requires": True, "packages": packages}
    (work / "package.json").write_text(json.dumps(about))
    (work / "package-lock.json").write_text(json.dumps(lock))


def _complaint(said: str) -> str:
    """The line in which npm names the trouble, such as `EINTEGRITY` or `ENOTFOUND`."""
    lines = [
        line.removeprefix("npm error").strip().removeprefix("code ")
        for line in said.splitlines()
        if line.startswith("npm error")
    ]
    return next(filter(None, lines), "it said nothing")
