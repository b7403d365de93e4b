"""An Asterisk 22 unpacked in a folder of its own: nothing is installed, root is not needed."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

Progress = Callable[[str], None]

# Debian's releases carry no Asterisk above 16; its unstable suite carries the 22 LTS.
_SUITE = "sid"
_PACKAGES = ("asterisk", "asterisk-modules", "asterisk-core-sounds-en-wav")
_MIRROR = "http://deb.debian.org/debian"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SOURCES = Path("/etc/apt")

# 262 MB unpacked; while it is made, 97 MB of packages and 165 MB of apt's lists beside it.
_SPACE = 600_000_000
_APT_DEADLINE = 900.0  # seconds; apt gives up on a silent mirror by itself, much earlier
_PAUSE = 3.0  # seconds before the second attempt

# What an unpacked copy must hold, as patterns below its root.
_PARTS = (
    "usr/sbin/asterisk",
    "usr/lib/*-linux-gnu/ld-linux*.so.*",
    "usr/lib/*-linux-gnu/asterisk/modules/res_ari.so",
    "usr/lib/*-linux-gnu/asterisk/modules/chan_pjsip.so",
    "usr/share/asterisk/documentation/core-en_US.xml",
    "usr/share/asterisk/sounds/en*/sorry.wav",
)
_INSTEAD = "set SEGUE_ASTERISK_ROOT to an unpacked Asterisk 22"


class AsteriskMissing(Exception):
    """No Asterisk on this machine and none could be fetched; the sentence says what to do."""


class _AptFailed(Exception):
    """One attempt of apt failed; the text is its last complaint."""


def find_root(progress: Progress | None = None) -> Path:
    """The folder of an unpacked Asterisk 22: `$SEGUE_ASTERISK_ROOT`, or the cache, filled once.

    Several processes may ask at once: one fetches, the others wait for it.
    Raises AsteriskMissing.
    """
    given = os.environ.get("SEGUE_ASTERISK_ROOT")
    if given:
        return _given_root(Path(given).expanduser())
    target = cached_root()
    if not missing_parts(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_name(target.name + ".lock")):
            if missing_parts(target):  # unless somebody else has just made it
                _fetch(target, progress or _silent)
    except OSError as error:
        raise AsteriskMissing(_sentence_for(error, target.parent)) from error
    return target


def cached_root() -> Path:
    """Where the fetched copy lives: below `$XDG_CACHE_HOME`, named after suite and machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():  # unset, empty, or to be ignored by the XDG specification
        cache = Path.home() / ".cache"
    return cache / "segue" / "asterisk" / f"{_SUITE}-{os.uname().machine}"


def can_fetch() -> bool:
    """Whether this machine has the tools of Debian that fetching needs."""
    return all(shutil.which(tool) for tool in ("apt-get", "dpkg-deb", "dpkg", "tar"))


def missing_parts(root: Path) -> list[str]:
    """The parts that an unpacked Asterisk must have and this folder has not."""
    return [part for part in _PARTS if not any(root.glob(part))]


def _given_root(root: Path) -> Path:
    missing = missing_parts(root)
    if missing:
        raise AsteriskMissing(
            f"SEGUE_ASTERISK_ROOT={root} holds no complete Asterisk ({missing[0]} is missing): "
            "name a complete copy, or unset it to have one fetched."
        )
    return root.resolve()


def _silent(_: str) -> None:
    pass


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # The lock goes with the descriptor, so a killed process leaves none behind.
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sentence_for(error: OSError, folder: Path) -> str:
    if error.errno == errno.ENOSPC:
        return (
            f"The disk of {folder} is full, and Asterisk needs {_SPACE // 10**6} MB there: "
            f"make room, point XDG_CACHE_HOME elsewhere, or {_INSTEAD}."
        )
    return (
        f"Asterisk cannot be unpacked below {folder} ({error.strerror or error}): "
        f"point XDG_CACHE_HOME to a folder you may write, or {_INSTEAD}."
    )


# -- fetching ---------------------------------------------------------------------------------


def _fetch(target: Path, progress: Progress) -> None:
    """Make `target` whole or not at all; the caller holds its lock."""
    if not can_fetch():
        raise AsteriskMissing(
            "Asterisk can only be fetched on Debian and its children "
            f"(no apt-get, dpkg-deb, dpkg or tar here): {_INSTEAD}."
        )
    if not _KEYRING.exists():
        raise AsteriskMissing(
            f"Debian's signing keys ({_KEYRING}) are not on this machine: "
            f"install debian-archive-keyring, or {_INSTEAD}."
        )
    for left_over in target.parent.glob(f".{target.name}.*"):  # of a process that was killed
        shutil.rmtree(left_over, ignore_errors=True)
    if shutil.disk_usage(target.parent).free < _SPACE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    # Beside the target, so that the last step is a rename; not in /tmp, which may be small.
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        archives = _download(work, progress)
        unpacked = work / "root"
        progress(f"Unpacking {len(archives)} packages")
        _unpack(archives, unpacked)
        missing = missing_parts(unpacked)
        if missing:
            raise AsteriskMissing(
                f"Debian's Asterisk packages no longer hold {missing[0]}: {_INSTEAD}."
            )
        if target.exists():  # a copy that is not whole, or of an older list of parts
            target.rename(work / "old")
        unpacked.rename(target)
        progress(f"Asterisk is in {target}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _download(work: Path, progress: Progress) -> list[Path]:
    """Every package of the closure, fetched by apt with a state of its own; tried twice."""
    mirror = os.environ.get("SEGUE_DEBIAN_MIRROR") or _mirror_of_this_machine()
    env = _private_apt(work, mirror)
    progress(f"Fetching Asterisk from {mirror} (about 100 MB)")
    try:
        _run_apt_twice(env, progress)
    except _AptFailed as error:
        raise AsteriskMissing(
            f"Asterisk could not be fetched from {mirror} ({error}): check the network, "
            f"name another mirror in SEGUE_DEBIAN_MIRROR, or {_INSTEAD}."
        ) from error
    return sorted((work / "cache" / "archives").glob("*.deb"))


def _run_apt_twice(env: dict[str, str], progress: Progress) -> None:
    try:
        _run_apt(env)
    except _AptFailed as error:
        # A mirror in the middle of its own update is right again in seconds.
        progress(f"apt failed ({error}), trying once more")
        time.sleep(_PAUSE)
        _run_apt(env)


def _run_apt(env: dict[str, str]) -> None:
    # Without Error-Mode apt calls an update without network a success.
    _apt(env, "-o", "APT::Update::Error-Mode=any", "update")
    _apt(env, "--yes", "--download-only", "install", *_PACKAGES)


def _apt(env: dict[str, str], *arguments: str) -> None:
    try:
        result = subprocess.run(
            ["apt-get", "-qq", *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_APT_DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _AptFailed(f"apt did not end within {_APT_DEADLINE:.0f} seconds") from error
    if result.returncode == 0:
        return
    if "No space left on device" in result.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    complaints = [line for line in result.stderr.splitlines() if line.startswith("E:")]
    last = complaints[0] if complaints else f"apt-get ended with {result.returncode}"
    raise _AptFailed(last.removeprefix("E:").strip())


def _private_apt(work: Path, mirror: str) -> dict[str, str]:
    """The environment in which apt sees only our state and never the machine's."""
    for folder in ("lists/partial", "cache/archives/partial", "etc/apt.conf.d"):
        (work / folder).mkdir(parents=True)
    (work / "etc/preferences.d").mkdir()
    # An empty list of installed packages makes apt resolve the whole closure down to libc.
    (work / "status").touch()
    (work / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {mirror} {_SUITE} main\n")
    machine = _output_of("dpkg", "--print-architecture").strip()
    (work / "apt.conf").write_text(
        f"""\
Dir::Etc "{work}/etc";
Dir::Etc::sourcelist "{work}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "{work}";
Dir::State::status "{work}/status";
Dir::State::lists "{work}/lists";
Dir::Cache "{work}/cache";
Dir::Log "{work}";
APT::Architecture "{machine}";
APT::Architectures {{ "{machine}"; }};
APT::Install-Recommends "false";
// As root apt would drop to the user _apt, who may not enter our folder.
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
// Frozen mirrors let the Release file lapse; its signature is still checked.
Acquire::Check-Valid-Until "false";
{_network_settings()}
"""
    )
    private = {"APT_CONFIG": str(work / "apt.conf"), "LC_ALL": "C"}
    return {**os.environ, **private, "DEBIAN_FRONTEND": "noninteractive"}


def _network_settings() -> str:
    """The machine's own proxies and time-outs: our private state would hide them from apt."""
    lines = _output_of("apt-config", "dump").splitlines()
    return "\n".join(line for line in lines if re.match(r"Acquire::https?::", line))


def _mirror_of_this_machine() -> str:
    """The first Debian archive named in the machine's sources, else Debian's own."""
    files = [_SOURCES / "sources.list", *sorted((_SOURCES / "sources.list.d").glob("*"))]
    for file in files:
        if file.suffix not in (".list", ".sources") or not file.is_file():
            continue
        named = re.search(
            r"^(?:URIs:|deb (?:\[[^]]*\] )?)\s*(https?://\S+/debian/?)(?:\s|$)",
            file.read_text(errors="replace"),
            re.MULTILINE,
        )
        if named:
            return named[1].rstrip("/")
    return _MIRROR


def _output_of(*command: str) -> str:
    """What a local command prints; AsteriskMissing if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise AsteriskMissing(
            f"{command[0]} does not work on this machine ({error}): {_INSTEAD}."
        ) from error


# -- unpacking --------------------------------------------------------------------------------


def _unpack(archives: list[Path], root: Path) -> None:
    root.mkdir()
    for archive in archives:
        _unpack_one(archive, root)
        archive.unlink()  # keeps the space that is needed at once small
    (root / "PACKAGES").write_text("".join(f"{_name_and_version(path)}\n" for path in archives))


def _unpack_one(archive: Path, root: Path) -> None:
    # Not `dpkg-deb --extract`: it unpacks pages nobody reads, and devices only root may make.
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(archive)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as source:
        tar = subprocess.run(
            ["tar", "-x", "-C", str(root), "--no-same-owner", "--keep-directory-symlink"]
            + [f"--exclude=./{path}" for path in ("dev/*", "usr/share/doc/*", "usr/share/man/*")]
            + ["--exclude=./usr/share/locale/*"],
            stdin=source.stdout,
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    if tar.returncode == 0 and source.returncode == 0:
        return
    if "No space left on device" in tar.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    last = (tar.stderr.splitlines() or ["the archive is damaged"])[-1]
    raise AsteriskMissing(f"{archive.name} could not be unpacked ({last}): try again.")


def _name_and_version(archive: Path) -> str:
    """`asterisk 1:22.10.1+dfsg-1` from `asterisk_1%3a22.10.1+dfsg-1_amd64.deb`."""
    name, version, _ = unquote(archive.stem).split("_", 2)
    return f"{name} {version}"
