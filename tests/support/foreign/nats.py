"""One private nats-server with JetStream for tests: own folder, own port, gone when we are.

`SEGUE_NATS_SERVER` names the program; else the installed one is taken, else the package of
the machine's own suite is unpacked privately (4 MB; on Debian 12 a nats-server 2.9.10, which
cannot be told to write to the disk before it acknowledges).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from asterisk.fetch import ProgramMissing, Wanted, can_fetch
from tests.support.foreign.home import Home
from tests.support.foreign.launch import last_words, launch
from tests.support.foreign.packages import suite_of_this_machine, unpack

_POLL = 0.01  # seconds between two looks
# Below the blocks of the private Asterisks, and below what Linux gives to outgoing connections.
_PORTS = range(13_000, 14_000)


class NatsFailed(Exception):
    """A private nats-server did not start or has ended; the sentence says why."""


def find_program() -> Path:
    """A nats-server; fetched if there is none. Raises ProgramMissing."""
    given = os.environ.get("SEGUE_NATS_SERVER")
    if given:
        if not os.access(given, os.X_OK):
            raise ProgramMissing(f"SEGUE_NATS_SERVER={given} is no program: name another.")
        return Path(given)
    if installed := _installed():
        return Path(installed)
    root = unpack(
        Wanted(
            name="nats-server",
            suite=suite_of_this_machine(),
            packages=("nats-server",),
            parts=("usr/sbin/nats-server",),
            download="4 MB and the lists of apt",
            space=100_000_000,
            instead="name a nats-server in SEGUE_NATS_SERVER",
            alone=True,  # it needs nothing but the C library
        )
    )
    return root / "usr/sbin/nats-server"


def can_have_one() -> bool:
    """Whether one is here or a failure to fetch it is a failure of this machine."""
    return bool(os.environ.get("SEGUE_NATS_SERVER") or _installed() or can_fetch())


def _installed() -> str | None:
    # Debian puts it where the path of an ordinary user does not lead.
    return shutil.which("nats-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class PrivateNats:
    """A nats-server of our own on 127.0.0.1, which only who knows its `url` can use.

    `kill`, `stop` and `restart` keep port and folder; `close` gives them back.
    """

    def __init__(self, *, program: Path | None = None) -> None:
        """Reserve everything; nothing runs yet. ProgramMissing if there is no nats-server."""
        self._program = program or find_program()
        self._name = f"segue-{secrets.token_hex(8)}"
        self._token = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None
        self.port, self._port_lock = _reserve_port()
        try:
            self._home = Home("nats")
        except BaseException:
            os.close(self._port_lock)
            raise
        configuration = self.home / "nats.conf"
        configuration.touch(0o600)
        configuration.write_text(
            f"""\
server_name: {self._name}
listen: 127.0.0.1:{self.port}
authorization {{ token: "{self._token}" }}
jetstream {{ store_dir: "{self.home}/jetstream", max_mem: 64M, max_file: 1G }}
"""
        )

    @property
    def home(self) -> Path:
        """Everything is in here; its words are in the file `log`."""
        return self._home.path

    @property
    def url(self) -> str:
        """Where it is and how to be let in."""
        return f"nats://{self._token}@127.0.0.1:{self.port}"

    @property
    def version(self) -> str:
        """Such as `2.9.10`."""
        said = subprocess.run(
            [self._program, "--version"], capture_output=True, text=True, check=True
        ).stdout
        return re.sub(r"[^\d.]", "", said)

    @property
    def pid(self) -> int:
        """The process; NatsFailed if it does not run."""
        if not self.is_running or self._process is None:
            raise NatsFailed("The private nats-server does not run.")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether there is a process; it may be paused."""
        return self._process is not None and self._process.poll() is None

    # -- life ---------------------------------------------------------------------------------

    def start(self, timeout: float = 30.0) -> None:
        """Return when it takes connections and JetStream has recovered what it had.

        NatsFailed if it does not. From any thread.
        """
        if self.is_running:
            raise RuntimeError("this private nats-server already runs")
        self._process = launch(
            [self._program, "-c", self.home / "nats.conf"],
            home=self.home,
            last_signal=signal.SIGTERM,
        )
        deadline = time.monotonic() + timeout
        try:
            while not self._is_ready():
                if self._process.poll() is not None:
                    raise NatsFailed(f"nats-server ended while starting: {last_words(self.home)}")
                if time.monotonic() > deadline:
                    raise NatsFailed(f"nats-server is not ready in time: {last_words(self.home)}")
                time.sleep(_POLL)
        except BaseException:
            self.stop()
            raise

    def stop(self, timeout: float = 10.0) -> None:
        """Cut every connection, write everything, end; doing so twice is fine."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)  # in case it is paused
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Stop and start, with the same folder and the same url."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open and say nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where it was."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """End it, let others have the port, remove its folder; doing so twice is fine."""
        self.stop()
        self._home.remove()
        if self._port_lock != -1:
            os.close(self._port_lock)
            self._port_lock = -1

    def __enter__(self) -> PrivateNats:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- inside -------------------------------------------------------------------------------

    def _is_ready(self) -> bool:
        """Whether it greets as itself, which it does only after JetStream is there."""
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection,
                connection.makefile("rb") as lines,
            ):
                greeting = lines.readline()
        except OSError:
            return False
        if not greeting.startswith(b"INFO "):
            return False
        about = json.loads(greeting[5:])
        if about["server_name"] != self._name:
            raise NatsFailed(f"Somebody else has port {self.port}.")
        return bool(about.get("jetstream"))


def _reserve_port() -> tuple[int, int]:
    """A port that is free now and stays ours, and the descriptor that keeps it."""
    for port in _PORTS:
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            # An abstract name: taken atomically, given back by the kernel however we die.
            lock.bind(f"\0segue-foreign-port-{port}")
            with socket.socket() as probe:
                # As servers do: a connection that has just ended does not count.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
            return port, lock.detach()
        lock.close()
    raise NatsFailed(f"No port is free between {_PORTS.start} and {_PORTS.stop - 1}.")
