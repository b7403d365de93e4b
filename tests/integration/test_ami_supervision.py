"""Supervision of a real Asterisk, and of peers that only look like one."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ari_app.ami.supervision import AmiRefused, AmiState, AmiSupervision
from ari_app.errors import PbxUnavailable
from ari_app.telemetry.meter import PrometheusMeter
from asterisk.private import PrivateAsterisk

PATIENCE = 15.0


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def supervising(
    port: int,
    user: str = "segue",
    secret: str = "secret",
    meter: PrometheusMeter | None = None,
    interval: float = 0.1,
    deadline: float = 3.0,
) -> AsyncIterator[AmiSupervision]:
    ami = AmiSupervision(
        "127.0.0.1",
        port,
        user,
        secret,
        meter or PrometheusMeter(strict=True),
        interval=interval,
        deadline=deadline,
        retry=0.1,
        retry_refused=0.1,
    )
    ami.start()
    try:
        yield ami
    finally:
        await ami.aclose()


async def test_the_state_of_asterisk_is_read(pbx: PrivateAsterisk) -> None:
    meter = PrometheusMeter(strict=True)
    async with supervising(pbx.ami_port, pbx.ami_user, pbx.ami_secret, meter) as ami:
        await eventually(lambda: ami.pbx)

        assert ami.state is AmiState.UP
        assert ami.pbx is not None
        assert ami.pbx.version in pbx.cli("core show version")
        assert 0 <= ami.pbx.uptime < 3600
        assert "segue_pbx_up 1.0" in meter.text()
        assert "segue_pbx_calls_active" in meter.text()
    assert "segue_pbx_up 0.0" in meter.text()
    assert ami.pbx is None


async def test_active_calls_are_counted(pbx: PrivateAsterisk) -> None:
    async with supervising(pbx.ami_port, pbx.ami_user, pbx.ami_secret) as ami:
        await eventually(lambda: ami.pbx is not None and ami.pbx.calls == 0)
        pbx.cli("channel originate Local/600@from-people/n application Wait 60")
        try:
            await eventually(lambda: ami.pbx is not None and ami.pbx.calls > 0)
        finally:
            pbx.cli("channel request hangup all")
        await eventually(lambda: ami.pbx is not None and ami.pbx.calls == 0)


async def test_a_list_comes_whole_and_a_refusal_is_an_error(pbx: PrivateAsterisk) -> None:
    async with supervising(pbx.ami_port, pbx.ami_user, pbx.ami_secret) as ami:
        await eventually(lambda: ami.state is AmiState.UP)

        queue = await ami.ask("QueueStatus", {"Queue": "people"})
        assert [m.get("Event") for m in queue][1:] == [
            "QueueParams",
            "QueueMember",
            "QueueStatusComplete",
        ]
        with pytest.raises(AmiRefused, match="Redirect"):
            await ami.ask("Redirect", {"Channel": "PJSIP/none"})
        with pytest.raises(ValueError, match="another line"):
            await ami.ask("Redirect", {"Channel": "x\r\nAction: Originate"})


async def test_letters_beyond_ascii_go_and_come_whole(pbx: PrivateAsterisk) -> None:
    async with supervising(pbx.ami_port, pbx.ami_user, pbx.ami_secret) as ami:
        await eventually(lambda: ami.state is AmiState.UP)
        word = "é漢字" * 40
        await ami.ask("Setvar", {"Variable": "WORD", "Value": word})
        answer = await ami.ask("Getvar", {"Variable": "WORD"})
        assert answer[0]["Value"] == word


async def test_a_wrong_secret_is_refused_and_told_once(
    pbx: PrivateAsterisk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with supervising(pbx.ami_port, pbx.ami_user, "wrong-secret") as ami:
        await eventually(lambda: ami.state is AmiState.REFUSED)
        with pytest.raises(PbxUnavailable, match="refused"):
            await ami.ask("CoreStatus")

    assert caplog.text.count("Asterisk refuses AMI user segue: Authentication failed") == 1
    assert "wrong-secret" not in caplog.text


async def test_after_a_restart_it_is_up_again_and_nothing_is_sent_twice(
    asterisk_root: Path,
) -> None:
    with PrivateAsterisk(asterisk_root) as pbx:
        async with supervising(pbx.ami_port, pbx.ami_user, pbx.ami_secret) as ami:
            await eventually(lambda: ami.state is AmiState.UP)

            # Frozen, it takes the actions into its socket and dies before it reads them.
            setting = {"Variable": "DONE_TWICE", "Value": "yes"}
            os.kill(pbx.pid, signal.SIGSTOP)
            await eventually(lambda: _is_frozen(pbx.pid))
            waiting = asyncio.create_task(ami.ask("Setvar", setting, deadline=PATIENCE))
            with pytest.raises(PbxUnavailable, match="no answer in 0.1 s"):
                await ami.ask("Setvar", setting, deadline=0.1)
            pbx.kill()
            with pytest.raises(PbxUnavailable, match="connection was lost"):
                await waiting
            await eventually(lambda: ami.state is AmiState.DOWN)
            with pytest.raises(PbxUnavailable, match="not sent"):
                await ami.ask("Setvar", setting)

            pbx.start()
            await eventually(lambda: ami.state is AmiState.UP)

            # A look at the state later the variable is still not there.
            assert ami.pbx is not None
            seen = ami.pbx.at
            await eventually(lambda: ami.pbx is not None and ami.pbx.at > seen + 0.2)
            assert "DONE_TWICE" not in pbx.cli("dialplan show globals")


def _is_frozen(pid: int) -> bool:
    """Whether every thread has stopped: the signal reaches them one after the other."""
    stats = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


# -- peers that only look like Asterisk ---------------------------------------------------------


@asynccontextmanager
async def peer(*says: bytes, close: bool = False) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Says these bytes to each connection, one after each message it gets."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for piece in says:
                message = await reader.readuntil(b"\r\n\r\n")
                heard.append(message)
                action_id = message.partition(b"ActionID: ")[2].partition(b"\r\n")[0]
                writer.write(piece.replace(b"$ID", action_id))
                await writer.drain()
            if not close:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()
        await server.wait_closed()


LOGIN = b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: $ID\r\n\r\n"
ANSWER = b"Response: Success\r\nActionID: $ID\r\nAsteriskVersion: 22\r\n\r\n"


async def test_a_peer_that_falls_silent_is_noticed() -> None:
    async with peer(LOGIN, ANSWER, ANSWER) as (port, heard):
        async with supervising(port, deadline=0.2) as ami:
            await eventually(lambda: ami.state is AmiState.UP)
            await eventually(lambda: ami.state is AmiState.DOWN)
        assert len(heard) >= 3


@pytest.mark.parametrize(
    "says",
    [
        [b"x" * 2_000_000],
        [b"Response: Success\r\n" * 100_000],
        [b"\xff\x00: \r\n\r\n" * 100],
        [LOGIN, b"Response: Success\r\nActionID: $ID\r\n\r\n", b"\r\n\r\n\r\n: :\r\n\r\n"],
        [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
    ],
    ids=["endless", "endless headers", "binary", "empty", "http"],
)
async def test_a_peer_that_talks_nonsense_is_down_and_tried_again(says: list[bytes]) -> None:
    async with peer(*says) as (port, heard), supervising(port, deadline=0.3) as ami:
        await eventually(lambda: sum(b"Login" in h for h in heard) >= 2)
        assert ami.state is AmiState.DOWN


async def test_nobody_there_is_down_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async with peer() as (port, _):
        pass
    async with supervising(port) as ami:
        await eventually(lambda: ami.state is AmiState.DOWN)
    assert caplog.text.count("is down") == 1
