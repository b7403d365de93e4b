from __future__ import annotations

import multiprocessing
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from asterisk import ports
from asterisk.ports import NoFreePorts, PortBlock, reserve

EPHEMERAL = 32768  # where Linux begins by itself


@contextmanager
def reserved(base: int | None = None) -> Iterator[PortBlock]:
    block = reserve(base)
    try:
        yield block
    finally:
        block.release()


@pytest.fixture
def base() -> int:
    """Of a free block that nobody else will reserve: below those given without asking."""
    candidates = list(range(2_000, 13_400, 20))
    random.shuffle(candidates)  # another xdist worker runs the test beside this one
    for candidate in candidates:
        try:
            reserve(candidate).release()
        except NoFreePorts:
            continue
        return candidate
    pytest.fail("no free ports between 2000 and 14000")


def _reserve_and_wait(bases: multiprocessing.SimpleQueue[int], over: object) -> None:
    block = reserve()
    bases.put(block.base)
    over.wait(30)  # type: ignore[attr-defined]  # the class of the event is private
    block.release()


def test_two_blocks_have_no_port_in_common() -> None:
    with reserved() as one, reserved() as other:
        ours = {one.ari, one.ami, one.sip, one.carrier, one.agi, *one.rtp, *one.app}
        theirs = {other.ari, other.ami, other.sip, other.carrier, other.agi, *other.rtp, *other.app}
        assert len(ours) == 5 + len(one.rtp) + len(one.app)
        assert not ours & theirs
        assert max(ours | theirs) < EPHEMERAL


def test_processes_that_ask_at_once_get_different_blocks() -> None:
    spawn = multiprocessing.get_context("spawn")
    bases, over = spawn.SimpleQueue(), spawn.Event()
    crowd = [spawn.Process(target=_reserve_and_wait, args=(bases, over)) for _ in range(6)]
    for process in crowd:
        process.start()
    got = [bases.get() for _ in crowd]
    over.set()
    for process in crowd:
        process.join()
    bases.close()
    assert len(set(got)) == len(crowd)


def test_a_block_that_was_released_may_be_had_again(base: int) -> None:
    with reserved(base) as block:
        assert block.base == base
        with pytest.raises(NoFreePorts, match="name another base"):
            reserve(base)
    with reserved(base):
        pass


def test_releasing_twice_takes_nothing_from_anybody(base: int) -> None:
    block = reserve(base)
    block.release()
    with reserved(base):
        block.release()
        with pytest.raises(NoFreePorts):
            reserve(base)


def test_the_block_of_a_process_that_was_killed_is_free(base: int) -> None:
    code = f"from asterisk.ports import reserve; b = reserve({base}); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        with pytest.raises(NoFreePorts):
            reserve(base)
        process.kill()
        process.wait()
    with reserved(base):
        pass


@pytest.mark.parametrize(
    ("kind", "offset"),
    [
        (socket.SOCK_STREAM, 0),  # ARI
        (socket.SOCK_DGRAM, 2),  # SIP
        (socket.SOCK_DGRAM, 150),  # the application's
        (socket.SOCK_DGRAM, 599),  # the last of Asterisk's media
    ],
)
def test_a_block_in_which_a_stranger_sits_is_refused(
    base: int, kind: socket.SocketKind, offset: int
) -> None:
    with socket.socket(socket.AF_INET, kind) as stranger:
        stranger.bind(("127.0.0.1", base + offset))
        if kind is socket.SOCK_STREAM:
            stranger.listen()
        with pytest.raises(NoFreePorts, match="name another base"):
            reserve(base)


def test_a_block_that_is_not_free_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with reserved() as block:
        first = block.base
    real = ports._all_free
    monkeypatch.setattr(ports, "_all_free", lambda block: block.base != first and real(block))
    with reserved() as other:
        assert other.base > first


@pytest.mark.parametrize("base", [80, EPHEMERAL, 70_000])
def test_a_base_where_no_block_can_be_is_refused(base: int) -> None:
    with pytest.raises(NoFreePorts, match="between 1024 and"):
        reserve(base)
