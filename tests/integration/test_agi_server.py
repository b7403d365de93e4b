"""The FastAGI server over real sockets: whoever comes, the next caller is served."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from ari_app.agi.protocol import AgiRequest
from ari_app.agi.server import AgiServer, Answer, Use
from ari_app.ami.vigil import Sign
from ari_app.ami.watchdog import sign_of_life

PATIENCE = 5.0
BLOCK = (
    b"agi_network: yes\nagi_network_script: consent\nagi_callerid: +15551230000\n"
    b"agi_dnid: 1000\nagi_extension: s\n\n"
)

Serve = Callable[..., Awaitable[AgiServer]]


async def granted(caller: str, did: str) -> str:
    return "granted" if (caller, did) == ("+15551230000", "1000") else "denied"


async def broken(caller: str, did: str) -> str:
    raise RuntimeError("no database")


async def endless(caller: str, did: str) -> str:
    await asyncio.Event().wait()
    return "granted"


async def dangerous(caller: str, did: str) -> str:
    return 'granted"\nEXEC System rm'


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            answer: Use | Answer = granted,
            deadline: float = 3.0,
            most: int = 64,
            script: str = "consent",
        ) -> AgiServer:
            server = AgiServer("127.0.0.1", 0, {script: answer}, deadline=deadline, most=most)
            await server.start()
            stack.push_async_callback(server.aclose)
            return server

        yield start


class Asterisk:
    """The other end of one FastAGI connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def hear(self) -> bytes:
        return await asyncio.wait_for(self.reader.readline(), PATIENCE)

    async def until_closed(self) -> bytes:
        try:
            return await asyncio.wait_for(self.reader.read(), PATIENCE)
        except ConnectionResetError:
            return b""


@contextlib.asynccontextmanager
async def connected(server: AgiServer) -> AsyncIterator[Asterisk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Asterisk(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def what_a_caller_gets(server: AgiServer, block: bytes = BLOCK) -> bytes:
    async with connected(server) as pbx:
        pbx.say(block)
        command = await pbx.hear()
        pbx.say(b"200 result=1\n")
        assert await pbx.until_closed() == b""
        return command


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


class Menu:
    """A use that sets two variables, from what the dialplan gave it."""

    unknown = {"SEGUE_DISH_SIZE": "", "SEGUE_DISH": "unknown"}
    deadline = 2.0

    async def answer(self, request: AgiRequest) -> dict[str, str]:
        word, size = request.argument(3), request.argument(4)
        return {"SEGUE_DISH": word, **({"SEGUE_DISH_SIZE": size} if size else {})}


async def what_is_set(server: AgiServer, block: bytes) -> list[bytes]:
    async with connected(server) as pbx:
        pbx.say(block)
        heard = []
        while command := await pbx.hear():
            heard.append(command)
            pbx.say(b"200 result=1\n")
        return heard


ORDER = BLOCK.replace(b"script: consent", b"script: dish-of-day")


@pytest.mark.parametrize(
    ("said", "word", "size"),
    [
        (b"agi_arg_3: soup\nagi_arg_4: L\n", b"soup", b"L"),
        (b"agi_arg_3: soup\n", b"soup", b""),
        (b"agi_arg_3: Soup, please\nagi_arg_4: L\n", b"unknown", b""),
        (b'agi_arg_3: soup\nagi_arg_4: "L\n', b"unknown", b""),
        (b"", b"unknown", b""),
    ],
)
async def test_several_variables_are_set_the_deciding_one_last_or_all_are_unknown(
    serve: Serve, said: bytes, word: bytes, size: bytes
) -> None:
    server = await serve(Menu(), script="dish-of-day")
    assert await what_is_set(server, ORDER[:-1] + said + b"\n") == [
        b'SET VARIABLE SEGUE_DISH_SIZE "' + size + b'"\n',
        b'SET VARIABLE SEGUE_DISH "' + word + b'"\n',
    ]


async def test_a_use_has_a_deadline_of_its_own(serve: Serve) -> None:
    class Slow(Menu):
        deadline = 0.1

        async def answer(self, request: AgiRequest) -> dict[str, str]:
            await asyncio.Event().wait()
            return {}

    server = await serve(Slow(), deadline=60.0, script="dish-of-day")
    async with asyncio.timeout(PATIENCE):
        assert b"unknown" in (await what_is_set(server, ORDER))[-1]


async def test_a_watchdog_hears_that_it_is_alive(serve: Serve) -> None:
    server = await serve()
    assert await sign_of_life("127.0.0.1", server.port) is Sign.ALIVE
    await server.aclose()
    assert await sign_of_life("127.0.0.1", server.port) is Sign.GONE


async def test_a_known_caller_gets_the_answer(serve: Serve) -> None:
    assert await what_a_caller_gets(await serve()) == b'SET VARIABLE SEGUE_CONSENT "granted"\n'


async def test_an_unknown_script_is_told_on_the_console_and_is_unknown(serve: Serve) -> None:
    async with connected(await serve()) as pbx:
        pbx.say(BLOCK.replace(b"script: consent", b"script: horoscope"))
        assert (await pbx.hear()).startswith(b"VERBOSE ")
        pbx.say(b"200 result=1\n")
        assert await pbx.hear() == b'SET VARIABLE SEGUE_CONSENT "unknown"\n'
        pbx.say(b"200 result=1\n")
        assert await pbx.until_closed() == b""


@pytest.mark.parametrize("answer", [broken, dangerous])
async def test_an_answer_that_fails_is_unknown(
    serve: Serve, answer: Callable[[str, str], Awaitable[str]]
) -> None:
    server = await serve(answer)
    assert await what_a_caller_gets(server) == b'SET VARIABLE SEGUE_CONSENT "unknown"\n'


async def test_an_answer_that_never_comes_is_unknown_in_time(serve: Serve) -> None:
    server = await serve(endless, deadline=0.4)
    assert await what_a_caller_gets(server) == b'SET VARIABLE SEGUE_CONSENT "unknown"\n'


async def test_a_hang_up_in_between_does_not_shift_the_replies(serve: Serve) -> None:
    async with connected(await serve()) as pbx:
        pbx.say(BLOCK.replace(b"script: consent", b"script: horoscope"))
        assert (await pbx.hear()).startswith(b"VERBOSE ")
        pbx.say(b"HANGUP\n")
        # Only the reply itself brings the next command.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pbx.reader.readexactly(1), 0.1)
        pbx.say(b"200 result=1\n")
        assert (await pbx.hear()).startswith(b"SET VARIABLE")
        pbx.say(b"HANGUP\n511 Command Not Permitted on a dead channel\n")
        assert await pbx.until_closed() == b""


async def test_a_usage_text_is_one_reply(serve: Serve) -> None:
    async with connected(await serve()) as pbx:
        pbx.say(BLOCK)
        await pbx.hear()
        pbx.say(b"520-Invalid command syntax.  Proper usage follows:\nUsage: SET VARIABLE\n\n")
        pbx.say(b"520 End of proper usage.\n")
        assert await pbx.until_closed() == b""


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\n\n",
        b"\n\n",
        b"agi_x: " + b"y" * 100_000,
        b"agi_x: y\n" * 100_000,
        BLOCK + b"nonsense\n",
        BLOCK + b"520-usage\n" * 100,
        b"\xff\xfe\x00\n\n",
    ],
    ids=["http", "empty", "long line", "many lines", "no reply", "endless usage", "binary"],
)
async def test_who_does_not_speak_agi_is_cut_off_and_the_next_is_served(
    serve: Serve, data: bytes
) -> None:
    server = await serve()
    async with connected(server) as client:
        client.say(data)
        await client.until_closed()
    await eventually(lambda: server.connections == 0)
    assert await what_a_caller_gets(server) == b'SET VARIABLE SEGUE_CONSENT "granted"\n'


async def test_a_client_that_connects_and_closes_costs_nothing(serve: Serve) -> None:
    server = await serve()
    for _ in range(20):
        async with connected(server):
            pass
    await eventually(lambda: server.connections == 0)
    assert await what_a_caller_gets(server) == b'SET VARIABLE SEGUE_CONSENT "granted"\n'


@pytest.mark.parametrize("said", [b"", b"agi_network: yes\n", BLOCK], ids=["", "half", "no reply"])
async def test_a_client_that_falls_silent_is_cut_off_in_time(serve: Serve, said: bytes) -> None:
    server = await serve(deadline=0.2)
    async with connected(server) as client:
        client.say(said)
        await client.until_closed()
        assert server.connections == 0


async def test_a_flood_is_turned_away_and_then_all_is_well(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    server = await serve(most=3)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            silent = await stack.enter_async_context(connected(server))
            silent.say(b"agi_network: yes\n")
        await eventually(lambda: server.connections == 3)
        async with connected(server) as fourth:
            assert await fourth.until_closed() == b'VERBOSE "segue is busy" 1\n'
            # A watchdog must not take a flood for death.
            assert await sign_of_life("127.0.0.1", server.port) is Sign.ALIVE
        assert server.connections == 3
    await eventually(lambda: server.connections == 0)
    assert await what_a_caller_gets(server) == b'SET VARIABLE SEGUE_CONSENT "granted"\n'
    assert "turned away" in caplog.text


async def test_who_says_nothing_is_cut_off_sooner_than_who_waits_for_an_answer() -> None:
    async def slow(_caller: str, _did: str) -> str:
        await asyncio.sleep(0.5)
        return "granted"

    server = AgiServer("127.0.0.1", 0, {"consent": slow}, greeting=0.2)
    await server.start()
    try:
        async with connected(server) as half, asyncio.timeout(2.0):
            half.say(b"agi_network: yes\n")
            await half.until_closed()
        assert await what_a_caller_gets(server) == b'SET VARIABLE SEGUE_CONSENT "granted"\n'
    finally:
        await server.aclose()


async def test_a_flood_does_not_fill_the_log(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    server = await serve()
    for _ in range(50):
        async with connected(server) as stranger:
            stranger.say(b"GET / HTTP/1.1\n\n")
            await stranger.until_closed()
    assert 1 <= caplog.text.count("does not speak AGI") < 25
    assert await what_a_caller_gets(server) == b'SET VARIABLE SEGUE_CONSENT "granted"\n'


async def test_closing_ends_a_script_that_is_running(serve: Serve) -> None:
    server = await serve(endless)
    async with connected(server) as pbx:
        pbx.say(BLOCK)
        await eventually(lambda: server.connections == 1)
        await server.aclose()
        assert await pbx.until_closed() == b""
        assert server.connections == 0
