from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats as nats_client
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from asterisk.fetch import ProgramMissing
from tests.support.foreign.nats import NatsFailed, PrivateNats, find_program
from tests.support.pbx import eventually


@asynccontextmanager
async def connected(server: PrivateNats) -> AsyncIterator[Client]:
    client = await nats_client.connect(server.url, allow_reconnect=False)
    try:
        yield client
    finally:
        await client.close()


async def all_of(stream: str, jetstream: JetStreamContext) -> list[bytes]:
    reader = await jetstream.pull_subscribe_bind(
        stream=stream,
        consumer=(await jetstream.add_consumer(stream, durable_name="reader")).name,
    )
    return [message.data for message in await reader.fetch(3, timeout=5)]


async def test_what_is_published_is_read_back(nats: PrivateNats) -> None:
    async with connected(nats) as client:
        jetstream = client.jetstream()
        await jetstream.add_stream(name="said", subjects=["said.*"])
        for word in (b"one", b"two", b"three"):
            await jetstream.publish("said.words", word)
        assert await all_of("said", jetstream) == [b"one", b"two", b"three"]
        await jetstream.delete_stream("said")


async def test_a_message_with_the_same_id_is_kept_once(nats: PrivateNats) -> None:
    async with connected(nats) as client:
        jetstream = client.jetstream()
        await jetstream.add_stream(name="once", subjects=["once"])
        first = await jetstream.publish("once", b"a", headers={"Nats-Msg-Id": "event-1"})
        again = await jetstream.publish("once", b"a", headers={"Nats-Msg-Id": "event-1"})
        assert not first.duplicate
        assert again.duplicate
        assert (await jetstream.stream_info("once")).state.messages == 1
        await jetstream.delete_stream("once")


async def test_what_was_acknowledged_survives_the_death_of_the_process() -> None:
    with PrivateNats() as server:
        url = server.url
        async with connected(server) as client:
            jetstream = client.jetstream()
            await jetstream.add_stream(name="said", subjects=["said"])
            for word in (b"one", b"two", b"three"):
                await jetstream.publish("said", word)
            server.kill()
        assert not server.is_running

        server.start()
        assert server.url == url
        async with connected(server) as client:
            assert await all_of("said", client.jetstream()) == [b"one", b"two", b"three"]


async def test_two_of_them_live_side_by_side(nats: PrivateNats) -> None:
    with PrivateNats() as other:
        assert other.port != nats.port
        async with connected(other) as client:
            await client.jetstream().add_stream(name="mine", subjects=["mine"])
        async with connected(nats) as client:
            names = [stream.config.name for stream in await client.jetstream().streams_info()]
            assert "mine" not in names
        home = other.home
    assert not home.exists()


def test_who_does_not_know_the_token_is_not_let_in(nats: PrivateNats) -> None:
    # By hand: a refused nats-py leaves its connection open, and our warnings are errors.
    with (
        socket.create_connection(("127.0.0.1", nats.port), timeout=5) as connection,
        connection.makefile("rb") as lines,
    ):
        assert lines.readline().startswith(b"INFO ")
        connection.sendall(b"CONNECT {}\r\nPING\r\n")
        assert b"Authorization Violation" in lines.readline()


def test_a_paused_one_can_be_stopped_and_started() -> None:
    with PrivateNats() as server:
        server.pause()
        server.restart()
        assert server.is_running


def test_it_dies_with_whoever_started_it_and_the_next_one_sweeps() -> None:
    code = """
import time
from tests.support.foreign.nats import PrivateNats
server = PrivateNats()
server.start()
print(server.pid, server.home, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, home = owner.stdout.readline().split()
        owner.kill()
    eventually(lambda: not os.path.exists(f"/proc/{pid}/exe"), "it is gone")

    PrivateNats().close()
    eventually(lambda: not os.path.exists(home), "it is swept, by us or by a neighbour")


def test_one_that_has_ended_has_no_pid() -> None:
    with PrivateNats() as server:
        os.kill(server.pid, signal.SIGKILL)
        eventually(lambda: not server.is_running, "it is gone")
        with pytest.raises(NatsFailed, match="does not run"):
            _ = server.pid


def test_a_program_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_NATS_SERVER", "/nowhere/nats-server")
    with pytest.raises(ProgramMissing, match="SEGUE_NATS_SERVER=/nowhere"):
        find_program()
