"""One AMI connection that says how Asterisk is, and carries requests only while it is up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from ari_app.errors import PbxUnavailable, SegueError
from ari_app.ports import Meter

logger = logging.getLogger(__name__)

# More than any answer, of which CoreShowChannels is the longest: a peer that never ends a
# message must not fill the memory.
_LONGEST_MESSAGE = 1_000_000

_NEVER = 10**6  # seconds


class AmiState(Enum):
    """How the connection is."""

    CONNECTING = "connecting"
    UP = "up"
    REFUSED = "refused"  # Asterisk does not know this user and secret
    DOWN = "down"


class AmiRefused(SegueError):
    """Asterisk understood an action and refused it."""


@dataclass(frozen=True, slots=True)
class PbxState:
    """Asterisk as it was when it was last asked."""

    version: str  # such as 22.10.1
    started: str  # on the PBX's own clock and in its zone; another value is another process
    uptime: float  # seconds; right while the PBX shares our time zone
    calls: int  # all that are up, not only ours
    at: float  # monotonic


class AmiSupervision:
    """Connects, asks every `interval` seconds, connects again; never sends twice.

    panoramisk carries the bytes and no more, since left alone it repeats queued actions after a
    reconnect, tries a wrong secret for ever without a word, and does not notice a peer that has
    gone silent. So each connection is a fresh Manager whose own reconnect and ping are off: what
    was not answered dies with it.
    """

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        secret: str,
        meter: Meter,
        *,
        interval: float = 5.0,
        deadline: float = 3.0,
        retry: float = 1.0,
        retry_refused: float = 60.0,
    ) -> None:
        self._host = host
        self._port = port
        self._user = _wire("user", user)
        self._secret = _wire("secret", secret)
        self._meter = meter
        self._interval = interval
        self._deadline = deadline
        self._retry = retry
        self._retry_refused = retry_refused
        self._state = AmiState.CONNECTING
        self._told: AmiState | None = None
        self._pbx: PbxState | None = None
        self._manager: Any = None  # panoramisk has no types
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._uptime_read = -1.0

    @property
    def state(self) -> AmiState:
        """How the connection is now."""
        return self._state

    @property
    def pbx(self) -> PbxState | None:
        """Asterisk when it was last asked; None until the first answer, and while it is away."""
        return self._pbx if self._state is AmiState.UP else None

    def start(self) -> None:
        """Begin to connect, in the running loop; a PBX that is away holds nothing up."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """Disconnect."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._state = AmiState.DOWN

    async def ask(
        self, action: str, fields: Mapping[str, str] | None = None, *, deadline: float | None = None
    ) -> list[dict[str, str]]:
        """Send one action; its response, and the events of a list behind it.

        PbxUnavailable if the connection is not up, or is lost, or the deadline passes: whether
        Asterisk has done it is then unknown, and it is not sent again. AmiRefused if Asterisk
        says no.
        """
        if self._state is not AmiState.UP:
            raise PbxUnavailable(f"AMI is {self._state.value}: {action} was not sent")
        return await self._ask(action, fields or {}, deadline or self._deadline)

    # -- the connection -----------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._connect()
                await self._watch()
            except AmiRefused as error:
                self._now(AmiState.REFUSED, f"Asterisk refuses AMI user {self._user}: {error}")
            except (PbxUnavailable, OSError, TimeoutError) as error:
                self._now(AmiState.DOWN, f"AMI at {self._host}:{self._port} is down: {error}")
            except Exception as error:  # noqa: BLE001 - the outermost loop: supervision must go on
                logger.exception("AMI supervision failed; it connects again")
                self._now(AmiState.DOWN, f"AMI at {self._host}:{self._port} is down: {error}")
            finally:
                self._disconnect()
            refused = self._state is AmiState.REFUSED
            await asyncio.sleep(self._retry_refused if refused else self._retry)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        lost = self._lost = asyncio.Event()
        manager = Manager(
            loop=loop,
            host=self._host,
            port=self._port,
            username=self._user,
            secret=self._secret,
            events="off",  # nobody here listens to them
            # Octets one to one: as UTF-8 panoramisk loses a character cut by a segment border.
            encoding="latin-1",
            ping_delay=_NEVER,
            ping_interval=_NEVER,
            # What it logs holds whole messages, the login with its secret among them.
            log=_mute(),
        )
        # Instead of its own, which would connect again and replay.
        manager.connection_lost = lambda _: lost.set()
        async with asyncio.timeout(self._deadline):
            connection = await loop.create_connection(_Bounded, self._host, self._port)
        made: asyncio.Future[object] = loop.create_future()
        made.set_result(connection)
        self._manager = manager
        manager.connection_made(made)  # sends the login
        answer = await self._answer("Login", manager.authenticated_future, self._deadline)
        if not answer[0].get("Response", "") == "Success":
            raise AmiRefused(answer[0].get("Message", "no reason given"))

    async def _watch(self) -> None:
        settings = (await self._ask("CoreSettings", {}, self._deadline))[0]
        version = settings.get("AsteriskVersion", "").partition("+")[0]
        while True:
            # Also the ping: a half-open connection does not answer within the deadline.
            status = (await self._ask("CoreStatus", {}, self._deadline))[0]
            self._pbx = pbx = read_status(version, status, datetime.now().astimezone())
            self._now(AmiState.UP, f"AMI is up: Asterisk {version}, running since {pbx.started}")
            self._meter.gauge("segue_pbx_calls_active", pbx.calls)
            self._meter.gauge("segue_pbx_uptime_seconds", pbx.uptime)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._lost.wait()
                raise PbxUnavailable("the connection was closed")

    def _disconnect(self) -> None:
        manager, self._manager = self._manager, None
        if manager is not None:
            manager.close()
        self._lost.set()
        self._meter.gauge("segue_pbx_up", 0)

    def _now(self, state: AmiState, sentence: str) -> None:
        """Enter a state; the sentence is logged when it is another one than the last."""
        self._state = state
        if state is not self._told:
            self._told = state
            level = logging.INFO if state is AmiState.UP else logging.WARNING
            logger.log(level, "%s", sentence)
        if state is AmiState.UP:
            self._meter.gauge("segue_pbx_up", 1)

    # -- one action ---------------------------------------------------------------------------

    async def _ask(
        self, action: str, fields: Mapping[str, str], deadline: float
    ) -> list[dict[str, str]]:
        packet = {"Action": action, **fields}
        wire = {name: _wire(name, value) for name, value in packet.items()}
        answer = await self._answer(action, self._manager.send_action(wire), deadline)
        if answer[0].get("Response") == "Error":
            raise AmiRefused(f"{action}: {answer[0].get('Message', 'no reason given')}")
        return answer

    async def _answer(
        self, action: str, answer: asyncio.Future[Any], deadline: float
    ) -> list[dict[str, str]]:
        """What the future brings; it never ends when the connection is lost, so watch both."""
        lost = asyncio.create_task(self._lost.wait())
        try:
            # wait() leaves the future alone at the deadline: panoramisk would fall over one
            # that is cancelled.
            await asyncio.wait(
                {answer, lost}, timeout=deadline, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            lost.cancel()
        if not answer.done():
            gone = (
                "the connection was lost" if self._lost.is_set() else f"no answer in {deadline:g} s"
            )
            raise PbxUnavailable(f"{action}: {gone}")
        messages = answer.result()
        return [_plain(m) for m in (messages if isinstance(messages, list) else [messages])]


def read_status(version: str, status: Mapping[str, str], now: datetime) -> PbxState:
    """CoreStatus as a value; what is missing or odd becomes "" and 0."""
    started = f"{status.get('CoreStartupDate', '')} {status.get('CoreStartupTime', '')}".strip()
    try:
        since = datetime.strptime(started, "%Y-%m-%d %H:%M:%S").astimezone(now.tzinfo)
        uptime = max(0.0, (now - since).total_seconds())
    except (ValueError, OverflowError):
        uptime = 0.0
    calls = status.get("CoreCurrentCalls", "")
    return PbxState(
        version, started, uptime, int(calls) if calls.isdecimal() else 0, time.monotonic()
    )


class _Bounded(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """Closes the connection when a message does not end."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if sum(map(len, self.queue)) > _LONGEST_MESSAGE:
            logger.warning("AMI sent a message of more than %d octets", _LONGEST_MESSAGE)
            self.transport.abort()


def _wire(name: str, value: str) -> str:
    """A value so that panoramisk's latin-1 makes UTF-8 of it."""
    if ":" in name or any(c in "\r\n\0" for c in name + value):
        raise ValueError(f"the field {name!r} would begin another line of AMI")
    return value.encode().decode("latin-1")


def _plain(message: Any) -> dict[str, str]:
    """A panoramisk message as a dict; a repeated header keeps its first value."""
    return {
        str(name): _text(value[0] if isinstance(value, list) and value else value)
        for name, value in message.items()
    }


def _text(value: object) -> str:
    return str(value).encode("latin-1", "replace").decode("utf-8", "replace")


def _mute() -> logging.Logger:
    mute = logging.getLogger(f"{__name__}.panoramisk")
    mute.disabled = True
    return mute
