"""A vosk-server on another machine hears instead of workers on this one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiohttp import ClientSession, TCPConnector

from ari_app.errors import AsrLost
from ari_app.ports import Meter
from ari_app.speech.breaker import Breaker, Circuit
from ari_app.speech.listener import Listener, Loss
from ari_app.speech.remote_connection import Connection, Server, Severed
from ari_app.speech.remote_ear import RemoteEar

logger = logging.getLogger(__name__)

_FAILURES = 3  # in a row, of any calls
_FIRST_PAUSE = 0.5  # seconds before a probe
_LONGEST_PAUSE = 15.0
_PROBE = 0.2  # seconds of silence


class RemoteRecognisers:
    """The ports `Recognisers` and `Returning`, by the protocol of alphacep/vosk-server.

    The server must be run with words (SetWords), as its asr_server.py is. While it fails, calls
    are told at once that it is gone, and a probe asks from time to time whether it is back.
    """

    def __init__(
        self,
        url: str,
        rate: int,
        meter: Meter,
        deadline: float = 2.0,
        *,
        behind: float = 5.0,
    ) -> None:
        if rate not in (8000, 16000) or min(deadline, behind) <= 0:
            raise ValueError(f"{rate} Hz, a deadline of {deadline} s, {behind} s behind")
        self._url = url
        self._rate = rate
        self._meter = meter
        self._deadline = deadline
        self._behind = behind
        self._breaker = Breaker(_FAILURES, _FIRST_PAUSE, _LONGEST_PAUSE)
        self._server: Server | None = None
        self._ears: set[RemoteEar] = set()
        self._broken = asyncio.Event()
        self._whole = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self.probes = 0  # that were sent

    @property
    def rate(self) -> int:
        """The sample rate of the audio that the server gets: 8000 or 16000."""
        return self._rate

    @property
    def takes_phrases(self) -> bool:
        """Never: whether a server's model takes them cannot be asked, and one that does not
        would hear the wrong words in silence."""
        return False

    @property
    def alive(self) -> int:
        """1 while the server takes calls."""
        return int(self._breaker.state is Circuit.CLOSED and self._server is not None)

    async def start(self) -> None:
        """Ask the server for a sign of life. If there is none, calls begin without hearing."""
        # As many connections as there are calls: admission limits those.
        session = ClientSession(connector=TCPConnector(limit=0))
        self._server = Server(session, self._url, self._rate, self._deadline, self._behind)
        try:
            why = await self._probe()
        except BaseException:
            await session.close()
            self._server = None
            raise
        if why:
            logger.error("the vosk-server at %s %s", self._url, why)
            self._breaker.trip(self._now())
        self._tell()
        self._keeper = asyncio.create_task(self._keep())

    async def aclose(self) -> None:
        """Leave the server; calls that are still open lose their recogniser."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        ears = list(self._ears)
        for ear in ears:
            ear.lose(Loss.STOPPED)
        await asyncio.gather(*(ear.gone() for ear in ears))
        server, self._server = self._server, None
        if server is not None:
            await server.session.close()

    async def open(
        self, on_partial: Callable[[str], None], on_lost: Callable[[], None]
    ) -> RemoteEar:
        """A recogniser; AsrLost at once while the server is known to fail, else by the deadline.

        Both callbacks run in the event loop: on_partial with the words of the turn so far, each
        time they change; on_lost at most once, and not after aclose.
        """
        server = self._server
        if server is None or not self.alive:
            raise AsrLost("The vosk-server is not there.")
        connection = Connection(server)
        try:
            await connection.open()
        except Severed as error:
            await connection.aclose()
            self._failed(str(error))
            raise AsrLost(f"The vosk-server {error}.") from None
        except asyncio.CancelledError:
            await connection.aclose()
            raise
        listener = Listener(on_partial, on_lost, self._meter)
        listener.opened = True
        ear = RemoteEar(server, connection, listener, self._breaker.succeeded, self._ear_ended)
        self._ears.add(ear)
        return ear

    async def returned(self) -> None:
        """Return as soon as the server takes calls; at once if it does."""
        while not self.alive:
            self._whole.clear()
            await self._whole.wait()

    # -- whether it is there --

    def _ear_ended(self, ear: RemoteEar, why: str) -> None:
        self._ears.discard(ear)
        if why:
            self._failed(why)

    def _failed(self, why: str) -> None:
        if self._breaker.failed(self._now()):
            logger.error("the vosk-server at %s %s: no call is given to it now", self._url, why)
            self._tell()

    async def _keep(self) -> None:
        """Probe the server while it is not whole."""
        while True:
            await self._broken.wait()
            await asyncio.sleep(max(0.0, self._breaker.probe_at - self._now()))
            if self._breaker.take_probe(self._now()):
                why = await self._probe()
                self._breaker.probed(not why, self._now())
                if not why:
                    logger.warning("the vosk-server at %s is back", self._url)
                self._tell()

    async def _probe(self) -> str:
        """A turn of silence; "" if the server has heard it out, else what it did wrong."""
        assert self._server is not None
        self.probes += 1
        connection = Connection(self._server)
        try:
            await connection.open()
            await connection.hear(bytes(int(self._rate * _PROBE) * 2))
            await connection.finish()
        except Severed as error:
            if error.loss is Loss.DIED and connection.samples and self._rate < 16000:
                # What asr_server.py does when libvosk finds the rate too low.
                return f"{error}; if its model is for 16000 Hz, set speech.remote_rate"
            return str(error)
        finally:
            await connection.aclose()
        return ""

    def _tell(self) -> None:
        self._meter.gauge("segue_asr_workers_alive", self.alive)
        if self.alive:
            self._broken.clear()
            self._whole.set()
        else:
            self._broken.set()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
