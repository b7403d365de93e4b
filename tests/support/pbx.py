"""A real Asterisk for tests: found or skipped, watched, and told to be quiet again."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asterisk.fetch import cached_root, can_fetch, find_root, missing_parts
from asterisk.private import PrivateAsterisk

PATIENCE = 15.0  # seconds; only a failing test ever waits so long

AmiEvent = dict[str, str]


def root_or_skip() -> Path:
    """An unpacked Asterisk; where none can be had, the test is skipped and says why.

    On a Debian machine a failure to fetch it is a failure of the test.
    """
    if (
        not os.environ.get("SEGUE_ASTERISK_ROOT")
        and not can_fetch()
        and missing_parts(cached_root())
    ):
        pytest.skip("Needs Asterisk: not a Debian machine, and SEGUE_ASTERISK_ROOT is not set.")
    return find_root()


def eventually(condition: Callable[[], object], what: str) -> None:
    """Return as soon as the condition holds; fail with `what` if it does not in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"never happened: {what}")
        time.sleep(0.02)


def hang_up_everything(pbx: PrivateAsterisk) -> None:
    """Return when no channel is left."""
    pbx.cli("channel request hangup all")
    eventually(
        lambda: "0 active channels" in pbx.cli("core show channels count"),
        "every channel is gone",
    )


@contextmanager
def setting(pbx: PrivateAsterisk, name: str, value: str) -> Iterator[None]:
    """A global variable of the dialplan with another value for a while."""
    before = next(
        (
            line.strip().partition("=")[2]
            for line in pbx.cli("dialplan show globals").splitlines()
            if line.strip().startswith(f"{name}=")
        ),
        "",
    )
    pbx.cli(f"dialplan set global {name} {value}")
    try:
        yield
    finally:
        pbx.cli(f"dialplan set global {name} {before}")


class Ami:
    """One AMI connection that remembers every event since it was opened."""

    def __init__(self, pbx: PrivateAsterisk) -> None:
        self._socket = socket.create_connection(("127.0.0.1", pbx.ami_port), timeout=PATIENCE)
        self._lines = self._socket.makefile("r", encoding="utf-8", errors="replace", newline="\r\n")
        self._lines.readline()  # the greeting
        self._seen: list[AmiEvent] = []
        answer = self.action("Login", Username=pbx.ami_user, Secret=pbx.ami_secret)
        assert answer["Response"] == "Success", answer

    def __enter__(self) -> Ami:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def action(self, name: str, **headers: str) -> AmiEvent:
        """Ask for something and return the answer to it."""
        lines = [f"Action: {name}", *(f"{key}: {value}" for key, value in headers.items())]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while "Response" not in (message := self._read(time.monotonic() + PATIENCE)):
            self._seen.append(message)
        return message

    def wait_for(self, event: str, **headers: str) -> AmiEvent:
        """The first event of that name with these headers; fails if it does not come."""
        wanted = {"Event": event, **headers}
        deadline = time.monotonic() + PATIENCE
        looked_at = 0
        while True:
            for message in self._seen[looked_at:]:
                if wanted.items() <= message.items():
                    return message
            looked_at = len(self._seen)
            try:
                self._seen.append(self._read(deadline))
            except TimeoutError:
                names = [seen.get("UserEvent", seen.get("Event")) for seen in self._seen]
                pytest.fail(f"no {wanted} among {names}")

    def user_event(self, name: str) -> AmiEvent:
        """The first UserEvent of that name; fails if it does not come."""
        return self.wait_for("UserEvent", UserEvent=name)

    def saw_user_event(self, name: str) -> bool:
        """Whether a UserEvent of that name has been read so far."""
        return any(message.get("UserEvent") == name for message in self._seen)

    def _read(self, deadline: float) -> AmiEvent:
        message: AmiEvent = {}
        while True:
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            line = self._lines.readline()
            if not line:
                raise ConnectionError("Asterisk closed the AMI connection")
            if line == "\r\n":
                return message
            key, _, value = line.rstrip("\r\n").partition(": ")
            message[key] = value
