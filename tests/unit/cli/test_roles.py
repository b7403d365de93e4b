"""What a process takes, as the kernel tells it."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack

from ari_app.cli.roles import Member, Role, busy_seconds, drops

GONE = Member(Role.ASR, 2**22 + 1)  # no such process can be


def test_time_and_memory_of_a_process_grow_with_what_it_does() -> None:
    me = Member(Role.CALLERS, os.getpid())
    cpu, memory, machine = me.cpu, me.memory, busy_seconds()
    hoard = bytearray(b"x" * (64 << 20))
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert me.cpu - cpu >= 0.08
    assert busy_seconds() - machine >= 0.08
    assert me.memory - memory > 48 << 20
    del hoard


def test_open_files_are_counted() -> None:
    me = Member(Role.CALLERS, os.getpid())
    before = me.descriptors
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(socket.socket())
        assert me.descriptors == before + 5


def test_a_process_that_is_gone_takes_nothing() -> None:
    assert (GONE.cpu, GONE.memory, GONE.descriptors) == (0.0, 0, 0)
    assert drops([GONE]) == {}


def test_datagrams_that_nobody_reads_are_dropped_and_counted() -> None:
    me = Member(Role.SERVICE, os.getpid())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.bind(("127.0.0.1", 0))
        before = drops([me]).get(Role.SERVICE, 0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loud:
            for _ in range(200):
                loud.sendto(b"x" * 200, deaf.getsockname())
        assert drops([me])[Role.SERVICE] - before > 100
