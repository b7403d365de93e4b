"""One call's recogniser on a vosk-server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import Enum

from ari_app.errors import AsrLost
from ari_app.ports import Utterance, Word
from ari_app.speech import results
from ari_app.speech.backlog import Backlog
from ari_app.speech.listener import Listener, Loss
from ari_app.speech.remote_connection import Connection, Server, Severed

logger = logging.getLogger(__name__)

_PIECE = 0.1  # seconds of audio in a message; Kaldi ends utterances only between two of them


class _Mark(Enum):
    FINISH = "finish"


class RemoteEar:
    """The port `Recogniser`. Each turn has a connection of its own.

    (Only the end of a connection makes every version of vosk-server tell all that was said.)
    `ended` is called once, with what the server did wrong, or "" if nothing; `served` after
    every turn that it has finished.
    """

    def __init__(
        self,
        server: Server,
        connection: Connection,
        listener: Listener,
        served: Callable[[], None],
        ended: Callable[[RemoteEar, str], None],
    ) -> None:
        self._server = server
        self._connection: Connection | None = connection
        self._listener = listener
        self._served = served
        self._ended = ended
        self._piece = max(int(server.rate * _PIECE), 1) * 2
        self._backlog: Backlog[_Mark] = Backlog(max(int(server.rate * server.behind), 1) * 2)
        self._wake = asyncio.Event()
        self._over = False
        self._before = 0.0  # seconds of audio in the turns before this one
        self._leaving: set[asyncio.Task[None]] = set()
        self._talk = asyncio.create_task(self._run())

    @property
    def dropped(self) -> float:
        """Seconds of audio that nobody has heard because the server was too slow."""
        return self._backlog.dropped / 2 / self._server.rate

    # -- for the call --

    def feed(self, pcm: bytes) -> None:
        """Audio at the server's rate; half a sample at the end is dropped. Never blocks."""
        if self._listener.over:
            return
        had_dropped = self._backlog.dropped
        if self._backlog.add_audio(pcm[: len(pcm) & ~1]):
            self._listener.missed(self._backlog.dropped - had_dropped, self._server.rate)
            if not had_dropped:
                logger.warning("the vosk-server does not keep up: a call loses audio")
        self._wake.set()

    async def finish(self) -> Utterance:
        """What was said since the last finish; AsrLost if the server is gone or too slow."""
        final = self._listener.ask()
        self._backlog.add_mark(_Mark.FINISH)
        self._wake.set()
        utterance = await self._listener.answer(final, self._server.deadline)
        if utterance is None:
            self._give_up(Loss.LATE, "did not finish a turn in time")
            raise AsrLost("The vosk-server has not finished the turn in time.")
        return utterance

    async def aclose(self) -> None:
        """Free the recogniser; on_lost is not called any more."""
        self._listener.close()
        self._end("")
        await self.gone()

    # -- for the recognisers --

    def lose(self, loss: Loss) -> None:
        """The service ends."""
        self._listener.lose(loss)
        self._end("")

    async def gone(self) -> None:
        """Return when the server has been left."""
        await asyncio.gather(self._talk, *self._leaving, return_exceptions=True)

    # -- the conversation with the server --

    async def _run(self) -> None:
        try:
            while True:
                await self._turn()
        except Severed as error:
            self._give_up(error.loss, str(error))
        finally:
            if not self._over:  # a fault of ours: the call goes on by keys all the same
                self._give_up(Loss.FAILED, "could not be talked to")

    async def _turn(self) -> None:
        """From the first audio to the words."""
        kept: list[Word] = []
        while True:
            item = self._backlog.take(self._piece)
            match item:
                case None:
                    await self._idle()
                case _Mark.FINISH:
                    kept += await self._last_words()
                    self._listener.final(tuple(results.newest(kept)))
                    return
                case bytes():
                    said = await self._hear(item)
                    if not isinstance(said, str):
                        kept = results.newest([*kept, *results.later(said, self._before)])
                        said = ""
                    words = (word.text for word in kept)
                    self._listener.partial(" ".join([*words, *said.split()]))

    async def _hear(self, pcm: bytes) -> str | tuple[Word, ...]:
        """Send audio; the first of a turn once more if the server left before it came."""
        waiting = self._connection
        if waiting is not None and not waiting.samples:
            try:
                return await waiting.hear(pcm)
            except Severed as error:
                if error.loss is not Loss.DIED:
                    raise
                self._leave()
        return await (await self._connected()).hear(pcm)

    async def _last_words(self) -> tuple[Word, ...]:
        """End the turn, and the connection with it."""
        connection = self._connection
        if connection is None or not connection.samples:
            return ()  # nobody has said anything
        words = results.later(await connection.finish(), self._before)
        self._before += connection.samples / self._server.rate
        self._leave()
        self._served()
        return words

    async def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._connection = Connection(self._server)
            await connection.open()
        return self._connection

    async def _idle(self) -> None:
        """Wait for the call; a server that leaves meanwhile does no harm between two turns."""
        self._wake.clear()
        connection = self._connection
        try:
            if connection is None:
                await self._wake.wait()
            else:
                await connection.idle(self._wake)
        except Severed:
            if connection is None or connection.samples:
                raise
            self._leave()

    def _give_up(self, loss: Loss, why: str) -> None:
        if self._listener.lose(loss):
            logger.warning("a call has lost the vosk-server: it %s", why)
        self._end(why)

    def _end(self, why: str) -> None:
        self._backlog.clear()
        if not self._over:
            self._over = True
            self._ended(self, why)
        if asyncio.current_task() is not self._talk:
            self._talk.cancel()
        self._leave()

    def _leave(self) -> None:
        """Close the connection without waiting for it: audio of the next turn may be there."""
        connection, self._connection = self._connection, None
        if connection is not None:
            leaving = asyncio.create_task(connection.aclose())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
