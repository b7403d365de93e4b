"""A whole system that many tests share: private Asterisk, carrier and service as processes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import aiohttp
import pytest

from ari_app.bootstrap import speaking
from ari_app.bootstrap.premises import Premises
from ari_app.cli.processes import Process
from ari_app.cli.stage import Stage, raised
from ari_app.config import load
from ari_app.conversation.events import ConversationOpened, Envelope
from ari_app.policy.bundle import Bundle, read_bundle
from ari_app.speech.espeak import Espeak, Samples
from ari_app.speech.voice import PromptVoice
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter
from smpp.control import ControlClient

PATIENCE = 40.0  # seconds; only a failing test ever waits so long

_SHORT = Path(__file__).parents[1] / "fixtures" / "short.yaml"
_VOICE, _RATE = "gmw/en-US", 260  # quick, so that a call is short
_SETTINGS = f"""
[policy]
bundle = "{_SHORT}"
[voice]
voice = "{_VOICE}"
rate = {_RATE}
[speech]
workers = 1
deadline = 5.0
[calls]
no_input = 4.0
comfort = 5.0
drain = 30.0
"""
_START = 60.0

_T = TypeVar("_T")


async def eventually(
    found: Callable[[], Awaitable[_T | None]], what: str | Callable[[], str]
) -> _T:
    """The first answer that is not None or False; fails with `what` if none comes in time."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = await found()
        if answer is not None and answer is not False:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"never happened: {what if isinstance(what, str) else what()}")
        await asyncio.sleep(0.05)


class House:
    """A running stage, and hands on every part of it."""

    def __init__(
        self, stage: Stage, http: aiohttp.ClientSession, voice: PromptVoice, store: EventStore
    ) -> None:
        self.stage = stage
        self.smsc = stage.smsc
        self.handset = stage.handset
        self.bundle: Bundle = read_bundle(_SHORT.read_text(encoding="utf-8"))
        self.user_events: list[dict[str, str]] = []
        self._pbx: dict[str, Any] = json.loads((stage.folder / "pbx.ready.json").read_text())
        self._carrier: dict[str, Any] = json.loads((stage.folder / "smsc.ready.json").read_text())
        self._http = http
        self._voice = voice
        self._espeak = Espeak()
        self._said: dict[tuple[str, str], Samples] = {}
        self._store = store
        self._log_read = 0
        self._news: list[str] = []
        self.descriptors_at_rest = 0

    # -- the service ----------------------------------------------------------------------------

    @property
    def service(self) -> Process:
        return self.stage.service

    async def restart(self, **environment: str) -> None:
        """Stop it if it runs, and start it, with settings from the environment."""
        await self.service.stop()
        with mock.patch.dict(os.environ, environment):
            await self.service.start(_START)
        self.descriptors_at_rest = self.descriptors()

    async def kill(self) -> None:
        """End it as a crash would."""
        os.kill(self.service.pid, signal.SIGKILL)
        assert await self.service.stop() == -signal.SIGKILL

    async def kill_before_the_eyes_of_asterisk(self) -> None:
        """... and wait until Asterisk has seen it: a call before that waits in the application."""
        let_go = self._times_let_go()
        await self.kill()

        async def seen() -> bool:
            return self._times_let_go() > let_go

        await eventually(seen, "Asterisk has seen that the application is gone")

    def _times_let_go(self) -> int:
        log = Path(self._pbx["home"], "log", "full").read_text(encoding="utf-8", errors="replace")
        return log.count("Deactivating Stasis app 'segue'")

    def asr_worker(self) -> int:
        """The process that hears."""
        return next(
            pid
            for pid in _children(self.service.pid)
            if b"ari_app.speech.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )

    def espeak(self) -> int:
        """The process that speaks; it runs once something had to be synthesized."""
        return next(
            pid
            for pid in _children(self.service.pid)
            if b"espeak_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )

    @contextlib.contextmanager
    def frozen(self, pid: int) -> Iterator[None]:
        """A process of ours does nothing for a while."""
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):  # given up and killed meanwhile
                os.kill(pid, signal.SIGCONT)

    def is_up(self) -> bool:
        """Whether the service's process is there."""
        return Path(f"/proc/{self.service.pid}").exists()

    def descriptors(self) -> int:
        """How many sockets, pipes and the like the service holds open; not its database."""
        kinds = (name.partition(":[")[0] for name in self._open())
        return sum(kind in ("socket", "pipe", "anon_inode") for kind in kinds)

    def rtp_ports(self) -> list[int]:
        """Where the service takes audio now."""
        ours = self._open()
        lines = Path(f"/proc/{self.service.pid}/net/udp").read_text().splitlines()[1:]
        found = (line.split() for line in lines)
        return [int(f[1].rpartition(":")[2], 16) for f in found if f"socket:[{f[9]}]" in ours]

    def _open(self) -> list[str]:
        names = []
        for entry in Path(f"/proc/{self.service.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed in the meantime
                names.append(os.readlink(entry))
        return names

    def news(self) -> str:
        """What the service has logged since the last time."""
        with (self.stage.folder / "service.log").open(encoding="utf-8") as log:
            log.seek(self._log_read)
            text = log.read()
            self._log_read = log.tell()
        self._news.append(text)
        return text

    def all_news(self) -> str:
        """What it has logged since this was asked the last time."""
        self.news()
        text = "".join(self._news)
        self._news.clear()
        return text

    # -- Asterisk -------------------------------------------------------------------------------

    @property
    def ari_url(self) -> str:
        """Where its ARI is."""
        return str(self._pbx["ari_url"])

    @property
    def asterisk(self) -> int:
        """Its process."""
        return int(self._pbx["pid"])

    async def ari(self, method: str, path: str, **parameters: str) -> Any:
        """A request of a person at the PBX."""
        url = f"{self._pbx['ari_url']}/{path}"
        async with self._http.request(method, url, params=parameters) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json() if answer.status == 200 else None

    @contextlib.asynccontextmanager
    async def dialplan_variable(self, name: str, value: str) -> AsyncIterator[None]:
        """A global variable of the dialplan with another value for a while."""
        before = (await self.ari("GET", "asterisk/variable", variable=name))["value"]
        await self.ari("POST", "asterisk/variable", variable=name, value=value)
        try:
            yield
        finally:
            await self.ari("POST", "asterisk/variable", variable=name, value=before)

    async def user_event(self, name: str, **headers: str) -> dict[str, str]:
        """The first UserEvent of that name with these headers, once the dialplan has told it."""
        wanted = {"eventname": name, **headers}

        async def told() -> dict[str, str] | None:
            return next((e for e in self.user_events if wanted.items() <= e.items()), None)

        return await eventually(told, lambda: f"{wanted} among {self.user_events}")

    async def nobody_is_on_the_line(self) -> None:
        """Return when Asterisk has neither a channel nor a bridge."""

        async def quiet() -> bool:
            return not await self.ari("GET", "channels") and not await self.ari("GET", "bridges")

        await eventually(quiet, "no channel and no bridge is left in Asterisk")

    async def witness(self) -> None:
        """Remember every UserEvent from now on, until cancelled."""
        url = f"{self._pbx['ari_url']}/events"
        watch = {"app": "witness", "subscribeAll": "true"}
        async with self._http.ws_connect(url, params=watch, max_msg_size=0) as socket:
            async for message in socket:
                event = json.loads(message.data)
                if event["type"] == "ChannelUserevent":
                    self.user_events.append({"eventname": event["eventname"], **event["userevent"]})

    @contextlib.asynccontextmanager
    async def thief(self) -> AsyncIterator[None]:
        """Somebody takes the application's name, and does nothing with the calls."""
        async with self._http.ws_connect(f"{self._pbx['ari_url']}/events", params={"app": "segue"}):
            yield

    # -- the carrier ----------------------------------------------------------------------------

    async def texts_to(self, number: str) -> list[str]:
        """What the carrier has taken for this number."""
        taken = await self.handset.accepted()
        return [m["text"] for m in taken if m["recipient"] == number.lstrip("+")]

    async def carrier_dies(self) -> None:
        os.kill(self.smsc.pid, signal.SIGKILL)
        await self.smsc.stop()

    async def carrier_is_back(self) -> None:
        """On its old ports, with an empty memory."""
        self.smsc = Process(
            self.stage.folder,
            "smsc",
            *("smsc", "--port", str(self._carrier["port"])),
            *("--control-port", str(self._carrier["control_port"])),
            *("--system-id", "segue"),
            *("--password-file", str(self.stage.folder / "smpp.secret"), "--receipt-delay", "0.2"),
        )
        await self.smsc.start(_START)
        self.handset = ControlClient(port=int(self._carrier["control_port"]))

    # -- voices and words -----------------------------------------------------------------------

    async def prompt(self, name: str, again: int = 0) -> bytes:
        """The mu-law of a prompt as the service plays it."""
        return await self._voice.speak(self.bundle.prompt(name, again), self.bundle.language)

    async def spoken(self, text: str, variant: str) -> Samples:
        """A caller's words at 8 kHz."""
        if (text, variant) not in self._said:
            self._said[text, variant] = await self._espeak.synthesize(text, variant=variant)
        return self._said[text, variant]

    async def conversation_of(self, number: str | None) -> list[Envelope]:
        """The newest conversation of this number (None: of somebody anonymous), or nothing."""
        for stream, _ in await self._store.recent(20):
            events = await self._store.read(stream)
            opened = events[0].event
            if isinstance(opened, ConversationOpened) and opened.number == number:
                return events
        return []

    async def read(self, stream: str) -> list[Envelope]:
        """All events of a conversation."""
        return await self._store.read(stream)

    async def conversations_of(self, number: str) -> int:
        """How many this number has."""
        streams = [await self._store.read(stream) for stream, _ in await self._store.recent(1000)]
        opened = [e.event for events in streams for e in events]
        return sum(isinstance(e, ConversationOpened) and e.number == number for e in opened)

    async def aclose(self) -> None:
        await self._espeak.aclose()
        await self._voice.aclose()


@contextlib.asynccontextmanager
async def built(folder: Path, **environment: str) -> AsyncIterator[House]:
    """A house with everything up and running, with settings from the environment."""
    async with contextlib.AsyncExitStack() as stack:
        with mock.patch.dict(os.environ, environment):
            stage = await stack.enter_async_context(
                raised(folder, settings=_SETTINGS, receipt_delay=0.2)
            )
            settings = load(stage.config)
        pbx = json.loads((folder / "pbx.ready.json").read_text())
        account = base64.b64encode(f"{pbx['ari_user']}:{pbx['ari_password']}".encode()).decode()
        clock = SystemClock()
        premises = Premises(settings, clock, PrometheusMeter(strict=True), read_only=True)
        await premises.open()
        store = premises.store
        async with aiohttp.ClientSession(headers={"Authorization": f"Basic {account}"}) as http:
            meter = PrometheusMeter(strict=True)
            bundle = read_bundle(_SHORT.read_text(encoding="utf-8"))
            voice = speaking.voice(settings, bundle, clock, meter, folder=folder / "prompts")
            house = House(stage, http, voice, store)
            # espeak-ng never says the same twice: these are the service's own.
            await speaking.prepared(voice, bundle)
            house.descriptors_at_rest = house.descriptors()
            witness = asyncio.create_task(house.witness())
            try:
                yield house
            finally:
                witness.cancel()
                await asyncio.gather(witness, return_exceptions=True)
                await house.smsc.stop()
                await house.aclose()
                await premises.aclose()


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
