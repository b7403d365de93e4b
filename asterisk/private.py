"""One private Asterisk: its own home, its own ports, its own passwords, gone when we are."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from asterisk import configuration, ports

# sun_path holds 108 bytes, and the last one is zero.
_LONGEST_SOCKET = 107
_POLL = 0.02  # seconds between two looks at a starting Asterisk

# Between fork and exec only the C library is safe in a program with threads, so another
# Python sets PR_SET_PDEATHSIG (1) and becomes Asterisk; if we died before, it does not.
_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class AsteriskFailed(Exception):
    """A private Asterisk did not start, has ended, or does not answer; the sentence says why."""


class PrivateAsterisk:
    """An Asterisk 22 of our own on 127.0.0.1, for tests, demo and development.

    Ports, passwords and home are known from the beginning, before `start`. `stop` keeps
    them, so that `start` brings the same instance up again; `close` gives them back.
    """

    def __init__(
        self,
        root: Path,
        *,
        home: Path | None = None,
        base_port: int | None = None,
        agi: str | None = None,
        app: str = "segue",
        absolute_timeout: int = 600,
        people: Sequence[str] = ("Local/agent@fake-people/n",),
    ) -> None:
        """Reserve everything; nothing runs yet. NoFreePorts if there are no ports.

        `root` is what `find_root()` returned. `home` must be short, and is kept by `close`.
        `agi` is where the application serves FastAGI; by default a port of our own block,
        to be read from the attribute. `people` are the members of the queue; the phone at
        the desk is f"PJSIP/{pbx.phone_user}".
        """
        self.root = root
        self._ports = ports.reserve(base_port)
        self._own_home = home is None
        try:
            self.home = _short_home(home)
        except BaseException:
            self._ports.release()
            raise
        self.app = app
        self.agi = agi or f"127.0.0.1:{self._ports.agi}"
        self.absolute_timeout = absolute_timeout
        self.people = tuple(people)

        self.ari_port = self._ports.ari
        self.ari_user, self.ari_password = "segue", secrets.token_urlsafe(24)
        self.ami_port = self._ports.ami
        self.ami_user, self.ami_secret = "segue", secrets.token_urlsafe(24)
        self.sip_port = self._ports.sip
        self.carrier_port = self._ports.carrier
        self.phone_user, self.phone_password = "desk", secrets.token_urlsafe(24)
        self.rtp_ports = self._ports.rtp
        self.app_ports = self._ports.app
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ari_url(self) -> str:
        """`http://127.0.0.1:PORT/ari`: append `/channels`; events are at `ws://…/ari/events`."""
        return f"http://127.0.0.1:{self.ari_port}/ari"

    @property
    def log(self) -> Path:
        """Every notice, warning, error and dialplan step."""
        return self.home / "log/full"

    @property
    def pid(self) -> int:
        """The running process; AsteriskFailed if there is none."""
        if self._process is None or self._process.poll() is not None:
            raise AsteriskFailed("The private Asterisk does not run.")
        return self._process.pid

    # -- life ---------------------------------------------------------------------------------

    def start(self, timeout: float = 30.0) -> None:
        """Run it until ARI answers and every port is proved to be ours; AsteriskFailed if not.

        Only from the main thread: the kernel ends Asterisk together with the thread that
        started it, which is how a killed test run leaves none behind.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Asterisk ends with the thread that starts it: use the main one")
        if self._process is not None and self._process.poll() is None:
            raise RuntimeError("this private Asterisk already runs")
        configuration.write_home(self.home, self.root, self._values())
        # -I and -S: the launcher needs nothing but the standard library.
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())]
        with (self.home / "log/stdout").open("ab") as output:
            self._process = subprocess.Popen(
                [*launcher, *self._command(), "-f"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.home,
                env=_clean_environment(),
                # A Ctrl-C in the terminal is for us; we then stop Asterisk.
                process_group=0,
            )
        try:
            self._wait_until_ready(time.monotonic() + timeout)
            self._check_ports()
        except BaseException:
            self.stop()
            raise

    def stop(self, timeout: float = 10.0) -> None:
        """End it at once and cut its calls; doing so twice is fine."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)  # is `core stop now`
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End it as a crash would, without a word to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stop, let others have the ports, remove the home if it is our own making."""
        self.stop()
        self._ports.release()
        if self._own_home:
            shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> PrivateAsterisk:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- looking inside -----------------------------------------------------------------------

    def cli(self, command: str) -> str:
        """What Asterisk's command line answers, such as to `core show channels`."""
        _ = self.pid  # without a process the console would only time out
        result = subprocess.run(
            [*self._command(), "-rx", command],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            env=_clean_environment(),
            check=False,
        )
        if result.returncode != 0:
            raise AsteriskFailed(f"Asterisk's command line failed: {result.stderr.strip()}")
        return result.stdout

    def rss_kib(self) -> int:
        """Resident memory in KiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    # -- inside -------------------------------------------------------------------------------

    def _values(self) -> dict[str, object]:
        return {
            "ari_port": self.ari_port,
            "ari_user": self.ari_user,
            "ari_password": self.ari_password,
            "ami_port": self.ami_port,
            "ami_user": self.ami_user,
            "ami_secret": self.ami_secret,
            "sip_port": self.sip_port,
            "carrier_port": self.carrier_port,
            "phone_user": self.phone_user,
            "phone_password": self.phone_password,
            "rtp_start": self.rtp_ports.start,
            "rtp_end": self.rtp_ports.stop - 1,
            "agi": self.agi,
            "app": self.app,
            "absolute_timeout": self.absolute_timeout,
            "people": "\n".join(f"member => {member}" for member in self.people),
        }

    def _command(self) -> list[str]:
        config = self.home / "etc/asterisk.conf"
        return [*configuration.command_of(self.root), "-C", str(config)]

    def _wait_until_ready(self, deadline: float) -> None:
        # ARI answers 503 until every module is loaded, so 200 is readiness; and only our own
        # instance knows the password.
        while (status := self._ari_status()) != 200:
            if self._process is None or self._process.poll() is not None:
                raise AsteriskFailed(f"Asterisk ended while starting: {self._last_words()}")
            if status == 401:
                raise AsteriskFailed(f"Somebody else's Asterisk has port {self.ari_port}.")
            if time.monotonic() > deadline:
                raise AsteriskFailed(f"Asterisk is not ready in time: {self._last_words()}")
            time.sleep(_POLL)

    def _ari_status(self) -> int:
        """The HTTP status of ARI, 0 if nobody answers."""
        account = f"{self.ari_user}:{self.ari_password}".encode()
        request = urllib.request.Request(
            f"{self.ari_url}/asterisk/info?only=status",
            headers={"Authorization": "Basic " + base64.b64encode(account).decode()},
        )
        try:
            # Past any proxy of the environment: this is our own machine.
            with _NO_PROXY.open(request, timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except (OSError, ValueError):
            return 0

    def _check_ports(self) -> None:
        """Asterisk goes on without a port it did not get: look who really has them."""
        ours = _sockets_of(self.pid)
        wanted = {
            "ARI": ("tcp", self.ari_port),
            "AMI": ("tcp", self.ami_port),
            "SIP over UDP": ("udp", self.sip_port),
            "SIP over TCP": ("tcp", self.sip_port),
        }
        for name, (kind, port) in wanted.items():
            if (kind, port) not in ours:
                raise AsteriskFailed(
                    f"Asterisk did not get port {port} for {name}: {self._last_words()}"
                )

    def _last_words(self) -> str:
        """The last error of the log, or the last line of the output."""
        for file, mark in ((self.home / "log/messages", "ERROR"), (self.home / "log/stdout", "")):
            if file.exists():
                lines = file.read_text(errors="replace").splitlines()
                said = [line.strip() for line in lines if mark in line and line.strip()]
                if said:
                    return said[-1]
        return "it said nothing"


_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _short_home(given: Path | None) -> Path:
    """A home in which Asterisk's console socket has a name that is short enough."""
    if given is not None:
        home = given.resolve()
        if not _fits(home):
            raise AsteriskFailed(f"{home} is too long a name for Asterisk's console socket.")
        return home
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        # Eight letters stand for those that mkdtemp will choose.
        if os.access(parent, os.W_OK) and _fits(Path(parent).resolve() / "segue-pbx-xxxxxxxx"):
            return Path(tempfile.mkdtemp(prefix="segue-pbx-", dir=parent)).resolve()
    raise AsteriskFailed("No temporary folder with a short name can be written: set TMPDIR.")


def _fits(home: Path) -> bool:
    return len(os.fsencode(home / "run/asterisk.ctl")) <= _LONGEST_SOCKET


def _clean_environment() -> dict[str, str]:
    # A preloaded library of the machine does not fit Asterisk's own libc.
    return {name: value for name, value in os.environ.items() if not name.startswith("LD_")}


def _sockets_of(pid: int) -> set[tuple[str, int]]:
    """The kind and port of every IPv4 socket that a process holds, listening or datagram."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:  # closed in the meantime
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for kind in ("tcp", "udp"):
        for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]:
            fields = line.split()
            local, state, inode = fields[1], fields[3], fields[9]
            # 0A is LISTEN; every datagram socket that is bound counts.
            if inode in inodes and (kind == "udp" or state == "0A"):
                found.add((kind, int(local.rpartition(":")[2], 16)))
    return found
