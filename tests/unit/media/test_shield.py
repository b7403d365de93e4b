"""A flood by strangers on a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import pytest

from ari_app.media.shield import Shield
from tests.unit.media.line_story import free_range


@dataclass
class Ports:
    ours: socket.socket
    peer: socket.socket
    stranger: socket.socket

    def arrived(self) -> list[bytes]:
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(self.ours.recv(100))
        return found

    def send_both(self) -> None:
        to = self.ours.getsockname()
        self.stranger.sendto(b"stranger", to)
        self.peer.sendto(b"peer", to)


@pytest.fixture(params=["127.0.0.1", "::1"])
def ports(request: pytest.FixtureRequest) -> Iterator[Ports]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with ExitStack() as stack:
        three = [stack.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(3)]
        for one in three:
            one.setblocking(False)
        for one in three[1:]:
            one.bind((request.param, 0))
        bind_as_lines_do(three[0], request.param)
        yield Ports(*three)


def bind_as_lines_do(ours: socket.socket, host: str) -> None:
    """To a port that is named: one that the kernel chose is given up with the connection."""
    for port in free_range():
        with suppress(OSError):
            return ours.bind((host, port))
    raise AssertionError("no free port")


def flood(shield: Shield, ports: Ports, count: int, now: float = 10.0) -> None:
    for _ in range(count):
        shield.refused(ports.peer.getsockname()[:2], now)


def test_while_it_is_shut_strangers_do_not_reach_the_socket_and_the_peer_does(
    ports: Ports,
) -> None:
    shield = Shield(ports.ours)
    flood(shield, ports, 100)
    assert shield.shut
    ports.send_both()
    assert ports.arrived() == [b"peer"]


def test_a_few_strangers_are_no_flood(ports: Ports) -> None:
    shield = Shield(ports.ours)
    for second in range(10):
        flood(shield, ports, 99, now=float(second))
    assert (shield.shut, shield.floods) == (False, 0)


def test_it_opens_after_a_second_at_the_same_address(ports: Ports) -> None:
    shield = Shield(ports.ours)
    before = ports.ours.getsockname()
    flood(shield, ports, 100)
    shield.tick(10.9)
    assert shield.shut
    shield.tick(11.0)
    assert not shield.shut
    assert ports.ours.getsockname() == before
    ports.send_both()
    assert ports.arrived() == [b"stranger", b"peer"]


def test_a_flood_that_goes_on_shuts_it_again(ports: Ports) -> None:
    shield = Shield(ports.ours)
    flood(shield, ports, 100)
    shield.tick(11.0)
    flood(shield, ports, 99, now=11.1)
    assert not shield.shut
    flood(shield, ports, 1, now=11.1)
    assert shield.shut
    assert shield.floods == 2


def test_what_is_sent_while_it_is_shut_arrives(ports: Ports) -> None:
    shield = Shield(ports.ours)
    flood(shield, ports, 100)
    ports.ours.sendto(b"voice", ports.peer.getsockname())
    assert ports.peer.recv(100) == b"voice"


def test_a_socket_that_cannot_be_shut_stays_open(ports: Ports) -> None:
    shield = Shield(ports.ours)
    for _ in range(100):
        shield.refused(("not an address", 1), 10.0)
    assert not shield.shut
