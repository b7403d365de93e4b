"""The watchdog on a real Asterisk, whose application is there but counts as dead."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ari_app.ami.supervision import AmiState, AmiSupervision
from ari_app.ami.vigil import Sign
from ari_app.ami.watchdog import Rescue, Watchdog, sign_of_life
from ari_app.telemetry.meter import PrometheusMeter
from asterisk.private import PrivateAsterisk
from tests.dialplan.application import Application, registered
from tests.support.pbx import Ami, hang_up_everything, setting
from tests.support.wait import until


@pytest.fixture(scope="module")
def pbx(asterisk_root: Path) -> Iterator[PrivateAsterisk]:
    """One of this file alone: it may go on knowing the application when a test is over."""
    with PrivateAsterisk(asterisk_root) as pbx:
        yield pbx


@pytest.fixture
def ami(pbx: PrivateAsterisk) -> Iterator[Ami]:
    """Everything that happens during one test; afterwards every call of it is over."""
    with Ami(pbx) as ami, setting(pbx, "SEGUE_SAY_HOLD", "beep"):
        yield ami
    hang_up_everything(pbx)


async def gone() -> Sign:
    return Sign.GONE


@contextlib.asynccontextmanager
async def watching(pbx: PrivateAsterisk) -> AsyncIterator[AmiSupervision]:
    """A watchdog in a hurry, for an application that is always dead."""
    supervision = AmiSupervision(
        "127.0.0.1",
        pbx.ami_port,
        pbx.ami_user,
        pbx.ami_secret,
        PrometheusMeter(strict=True),
        retry=0.1,
    )
    dog = Watchdog(supervision, gone, Rescue(pbx.app), interval=0.05, grace=0.1)
    supervision.start()
    running = asyncio.create_task(dog.run())
    try:
        yield supervision
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await supervision.aclose()


async def comes(pbx: PrivateAsterisk, application: Application, extension: str) -> str:
    """The channel of somebody who is in the application now."""
    pbx.cli(f"channel originate Local/{extension}/n application Wait 60")
    return str((await application.event("StasisStart"))["channel"]["id"])


async def test_a_caller_with_a_media_leg_goes_to_people_and_the_leg_does_not(
    pbx: PrivateAsterisk, ami: Ami
) -> None:
    async with registered(pbx) as application:
        caller = await comes(pbx, application, "1000@to-segue")
        await application.post(
            "channels/externalMedia",
            app=pbx.app,
            channelId="em-1",
            external_host="127.0.0.1:9",
            format="ulaw",
            data="media,call_1",
        )
        await application.event("StasisStart")
        await application.post("bridges/br-1", type="mixing")
        await application.post("bridges/br-1/addChannel", channel=f"{caller},em-1")
        async with watching(pbx):
            moved = await asyncio.to_thread(ami.user_event, "SegueAppDown")
            await asyncio.to_thread(ami.user_event, "FakePersonAnswered")
        assert moved["Uniqueid"] == caller
        assert "em-1" in pbx.cli("core show channels concise")
        await application.delete("channels/em-1")
        await application.delete("bridges/br-1")


async def test_a_caller_who_talks_with_a_person_goes_on_talking(
    pbx: PrivateAsterisk, ami: Ami
) -> None:
    async with registered(pbx) as application:
        caller = await comes(pbx, application, "1000@to-segue")
        person = "ag-leg_1"
        await application.post(
            "channels",
            endpoint="Local/agent@fake-people/n",
            app=pbx.app,
            appArgs="agent,leg_1",
            channelId=person,
        )
        await application.event("StasisStart")
        await application.post("bridges/br-2", type="mixing")
        await application.post("bridges/br-2/addChannel", channel=f"{caller},{person}")
        alone = await comes(pbx, application, "1000@to-segue")
        async with watching(pbx):
            moved = await asyncio.to_thread(ami.user_event, "SegueAppDown")
            assert moved["Uniqueid"] == alone
            # Without the caller, the person is of no use any more.
            await application.leave(caller, "done")
            await asyncio.to_thread(ami.wait_for, "Hangup", Uniqueid=person)
        await application.delete("bridges/br-2")


async def test_after_a_restart_of_asterisk_it_watches_again(asterisk_root: Path) -> None:
    with PrivateAsterisk(asterisk_root) as pbx:
        async with watching(pbx) as supervision:
            await until(lambda: supervision.state is AmiState.UP)
            pbx.kill()
            await until(lambda: supervision.state is AmiState.DOWN)
            pbx.start()
            await until(lambda: supervision.state is AmiState.UP)
            async with registered(pbx) as application:
                with Ami(pbx) as ami:
                    await comes(pbx, application, "1000@to-segue")
                    await asyncio.to_thread(ami.user_event, "SegueToPeople")
                hang_up_everything(pbx)


# -- signs of life ----------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def somebody(says: bytes) -> AsyncIterator[int]:
    """A port where somebody says this to whoever comes, and then waits for them to go."""
    over: list[asyncio.Event] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over.append(asyncio.Event())
        try:
            writer.write(says)
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
            over[-1].set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for each in over:
            await each.wait()


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 400 Bad Request\r\n", b"x" * 100_000, b"\xff\n", b"SET VARIABLE"]
)
async def test_somebody_else_is_no_sign_of_life(said: bytes) -> None:
    async with somebody(said) as port:
        assert await sign_of_life("127.0.0.1", port, deadline=0.2) is Sign.SILENT


async def test_an_answer_counts_though_the_far_end_does_not_hang_up() -> None:
    async with somebody(b'SET VARIABLE SEGUE_ALIVE "yes"\n') as port:
        assert await sign_of_life("127.0.0.1", port, deadline=0.2) is Sign.ALIVE


async def test_a_host_without_a_name_is_silent_not_gone() -> None:
    assert await sign_of_life("no-such-host.invalid", 4573) is Sign.SILENT
