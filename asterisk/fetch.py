"""Programs of Debian, above all Asterisk 22, unpacked privately: nothing installed, no root."""

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
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import unquote

Progress = Callable[[str], None]

# Debian's releases carry no Asterisk above 16; its unstable suite carries the 22 LTS.
_SUITE = "sid"
_OLD_SUITE = "bullseye"
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


class ProgramMissing(Exception):
    """Not on this machine, and it could not be fetched; the sentence says what to do."""


class AsteriskMissing(ProgramMissing):
    """No Asterisk on this machine and none could be fetched; the sentence says what to do."""


class _AptFailed(Exception):
    """One attempt of apt, or of its tools, failed; the text is its last complaint."""


@dataclass(frozen=True)
class Wanted:
    """What of Debian is to be unpacked in one folder, and how to speak of it."""

    name: str
    suite: str
    packages: tuple[str, ...]
    parts: tuple[str, ...]  # what the folder must hold, as patterns below it
    download: str  # about how much comes through the network
    space: int  # bytes, while it is made
    instead: str  # what else a person can do
    alone: bool = False  # the packages themselves and nothing that they depend on
    left_out: tuple[str, ...] = ()  # packages that come along and are not unpacked, as patterns
    unmerged: bool = False  # packages from before /lib became a part of /usr/lib
    missing: type[ProgramMissing] = ProgramMissing  # what is raised


def find_root(progress: Progress | None = None) -> Path:
    """The folder of an unpacked Asterisk 22: `$SEGUE_ASTERISK_ROOT`, or the cache, filled once.

    Several processes may ask at once: one fetches, the others wait for it.
    Raises AsteriskMissing.
    """
    given = os.environ.get("SEGUE_ASTERISK_ROOT")
    if given:
        return _given_root(Path(given).expanduser())
    return unpacked(_asterisk(), cached_root(), progress)


def find_old_root(progress: Progress | None = None) -> Path:
    """The folder of an unpacked Asterisk 16, the oldest that we work with, for tests.

    `$SEGUE_OLD_ASTERISK_ROOT`, or a cache of its own, filled once. Raises AsteriskMissing.
    """
    given = os.environ.get("SEGUE_OLD_ASTERISK_ROOT")
    if given:
        return _given_root(Path(given).expanduser(), "SEGUE_OLD_ASTERISK_ROOT")
    return unpacked(_old_asterisk(), _cached(_OLD_SUITE), progress)


def unpacked(wanted: Wanted, target: Path, progress: Progress | None = None) -> Path:
    """`target`, after whatever is wanted has been unpacked there, once per machine.

    Several processes may ask at once: one fetches, the others wait for it.
    Raises `wanted.missing`.
    """
    if not _missing(wanted.parts, target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_name(target.name + ".lock")):
            if _missing(wanted.parts, target):  # unless somebody else has just made it
                _fetch(wanted, target, progress or _silent)
    except OSError as error:
        raise wanted.missing(_sentence_for(error, wanted, target.parent)) from error
    return target


def cached_root() -> Path:
    """Where the fetched copy lives: below `$XDG_CACHE_HOME`, named after suite and machine."""
    return _cached(_SUITE)


def _cached(suite: str) -> Path:
    return cache() / "asterisk" / f"{suite}-{os.uname().machine}"


def cache() -> Path:
    """Our part of `$XDG_CACHE_HOME`."""
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not home.is_absolute():  # unset, empty, or to be ignored by the XDG specification
        home = Path.home() / ".cache"
    return home / "segue"


def can_fetch() -> bool:
    """Whether this machine has the tools of Debian that fetching needs."""
    return all(shutil.which(tool) for tool in ("apt-get", "dpkg-deb", "dpkg", "tar"))


def missing_parts(root: Path) -> list[str]:
    """The parts that an unpacked Asterisk must have and this folder has not."""
    return _missing(_PARTS, root)


def _missing(parts: tuple[str, ...], root: Path) -> list[str]:
    return [part for part in parts if not any(root.glob(part))]


def _asterisk() -> Wanted:
    return Wanted(
        name="Asterisk",
        suite=_SUITE,
        packages=_PACKAGES,
        parts=_PARTS,
        download="about 100 MB",
        space=_SPACE,
        instead=_INSTEAD,
        missing=AsteriskMissing,
    )


def _old_asterisk() -> Wanted:
    return replace(
        _asterisk(),
        name="Asterisk 16",
        suite=_OLD_SUITE,
        instead="set SEGUE_OLD_ASTERISK_ROOT to an unpacked Asterisk 16",
        unmerged=True,
    )


def _given_root(root: Path, variable: str = "SEGUE_ASTERISK_ROOT") -> Path:
    missing = missing_parts(root)
    if missing:
        raise AsteriskMissing(
            f"{variable}={root} holds no complete Asterisk ({missing[0]} is missing): "
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


def _sentence_for(error: OSError, wanted: Wanted, folder: Path) -> str:
    if error.errno == errno.ENOSPC:
        return (
            f"The disk of {folder} is full, and {wanted.name} needs "
            f"{wanted.space // 10**6} MB there: "
            f"make room, point XDG_CACHE_HOME elsewhere, or {wanted.instead}."
        )
    return (
        f"{wanted.name} cannot be unpacked below {folder} ({error.strerror or error}): "
        f"point XDG_CACHE_HOME to a folder you may write, or {wanted.instead}."
    )


# -- fetching ---------------------------------------------------------------------------------


def _fetch(wanted: Wanted, target: Path, progress: Progress) -> None:
    """Make `target` whole or not at all; the caller holds its lock."""
    if not can_fetch():
        raise wanted.missing(
            f"{wanted.name} can only be fetched on Debian and its children "
            f"(no apt-get, dpkg-deb, dpkg or tar here): {wanted.instead}."
        )
    if not _KEYRING.exists():
        raise wanted.missing(
            f"Debian's signing keys ({_KEYRING}) are not on this machine: "
            f"install debian-archive-keyring, or {wanted.instead}."
        )
    for left_over in target.parent.glob(f".{target.name}.*"):  # of a process that was killed
        shutil.rmtree(left_over, ignore_errors=True)
    if shutil.disk_usage(target.parent).free < wanted.space:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    # Beside the target, so that the last step is a rename; not in /tmp, which may be small.
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        archives = _download(wanted, work, progress)
        root = work / "root"
        progress(f"Unpacking {len(archives)} packages")
        _unpack(wanted, archives, root)
        missing = _missing(wanted.parts, root)
        if missing:
            raise wanted.missing(
                f"Debian's {wanted.name} packages no longer hold {missing[0]}: {wanted.instead}."
            )
        if target.exists():  # a copy that is not whole, or of an older list of parts
            target.rename(work / "old")
        root.rename(target)
        progress(f"{wanted.name} is in {target}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _download(wanted: Wanted, work: Path, progress: Progress) -> list[Path]:
    """Every package of the closure, fetched by apt with a state of its own; tried twice."""
    mirror = os.environ.get("SEGUE_DEBIAN_MIRROR") or _mirror_of_this_machine()
    archives = work / "cache" / "archives"
    progress(f"Fetching {wanted.name} from {mirror} ({wanted.download})")
    try:
        env = _private_apt(work, mirror, wanted.suite)
        _run_apt_twice(wanted, archives, env, progress)
    except _AptFailed as error:
        raise wanted.missing(
            f"{wanted.name} could not be fetched from {mirror} ({error}): check the network, "
            f"name another mirror in SEGUE_DEBIAN_MIRROR, or {wanted.instead}."
        ) from error
    return sorted(archives.glob("*.deb"))


def _run_apt_twice(wanted: Wanted, archives: Path, env: dict[str, str], progress: Progress) -> None:
    try:
        _run_apt(wanted, archives, env)
    except _AptFailed as error:
        # A mirror in the middle of its own update is right again in seconds.
        progress(f"apt failed ({error}), trying once more")
        time.sleep(_PAUSE)
        _run_apt(wanted, archives, env)


def _run_apt(wanted: Wanted, archives: Path, env: dict[str, str]) -> None:
    # Without Error-Mode apt calls an update without network a success.
    _apt(archives, env, "-o", "APT::Update::Error-Mode=any", "update")
    if wanted.alone:  # into the folder where we are
        _apt(archives, env, "download", *wanted.packages)
    else:
        _apt(archives, env, "--yes", "--download-only", "install", *wanted.packages)


def _apt(folder: Path, env: dict[str, str], *arguments: str) -> None:
    try:
        result = subprocess.run(
            ["apt-get", "-qq", *arguments],
            cwd=folder,
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


def _private_apt(work: Path, mirror: str, suite: str) -> dict[str, str]:
    """The environment in which apt sees only our state and never the machine's."""
    for folder in ("lists/partial", "cache/archives/partial", "etc/apt.conf.d"):
        (work / folder).mkdir(parents=True)
    (work / "etc/preferences.d").mkdir()
    # An empty list of installed packages makes apt resolve the whole closure down to libc.
    (work / "status").touch()
    (work / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {mirror} {suite} main\n")
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
    """What a local command prints; _AptFailed if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise _AptFailed(f"{command[0]} does not work on this machine: {error}") from error


# -- unpacking --------------------------------------------------------------------------------


def _unpack(wanted: Wanted, archives: list[Path], root: Path) -> None:
    root.mkdir()
    for archive in archives:
        name = archive.name.partition("_")[0]
        if not any(fnmatch(name, pattern) for pattern in wanted.left_out):
            _unpack_one(wanted, archive, root)
        archive.unlink()  # keeps the space that is needed at once small
    if wanted.unmerged:
        _merge(root)
    (root / "PACKAGES").write_text("".join(f"{_name_and_version(path)}\n" for path in archives))


def _merge(root: Path) -> None:
    """Put everything where the packages of today have it: below /usr/lib and the machine's name."""
    for library in root.glob("lib/*-linux-gnu/*"):
        library.rename(root / "usr" / library.relative_to(root))
    for libraries in root.glob("usr/lib/*-linux-gnu"):
        for name in ("asterisk", *(path.name for path in root.glob("usr/lib/libasterisk*"))):
            (libraries / name).symlink_to(f"../{name}")
    for loader in root.glob("usr/lib/*-linux-gnu/ld-2.*.so"):
        loader.with_name("ld-linux.so.2").symlink_to(loader.name)


def _unpack_one(wanted: Wanted, archive: Path, root: Path) -> None:
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
    raise wanted.missing(f"{archive.name} could not be unpacked ({last}): try again.")


def _name_and_version(archive: Path) -> str:
    """`asterisk 1:22.10.1+dfsg-1` from `asterisk_1%3a22.10.1+dfsg-1_amd64.deb`."""
    name, version, _ = unquote(archive.stem).split("_", 2)
    return f"{name} {version}"
