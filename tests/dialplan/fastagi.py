"""A FastAGI server that says what a test wants, to one caller."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from asterisk.private import PrivateAsterisk
from tests.support.pbx import PATIENCE


@contextmanager
def fastagi(pbx: PrivateAsterisk, *commands: str, hang: bool = False) -> Iterator[threading.Event]:
    """A server that says these commands to one caller and closes, or says nothing for ever.

    The event is set once somebody has asked.
    """
    host, _, port = pbx.agi.partition(":")
    with socket.create_server((host, int(port))) as server:
        server.settimeout(PATIENCE)
        met, over = threading.Event(), threading.Event()

        def serve() -> None:
            line, _ = server.accept()
            with line, line.makefile("rw", encoding="utf-8", newline="\n") as talk:
                while talk.readline().strip():  # the agi_ lines end with an empty one
                    pass
                met.set()
                for command in commands:
                    talk.write(command + "\n")
                    talk.flush()
                    talk.readline()
                if hang:
                    over.wait(PATIENCE)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield met
        finally:
            over.set()
            thread.join()
