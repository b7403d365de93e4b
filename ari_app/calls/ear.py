"""One call's hearing: a recogniser, and another one when that is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from ari_app.errors import AsrLost
from ari_app.ports import Expecting, Polyglot, Recogniser, Recognisers, Returning, Utterance

logger = logging.getLogger(__name__)

# Seconds between two attempts to get another one; the last goes on for as long as the call.
_PAUSES = (0.5, 1.0, 2.0, 4.0)

# What a caller says may itself be what a worker dies of: then they are left to the keys.
_MOST_LOSSES = 3


class Ear:
    """Loses its hearing at most once before it is told to be back; audio meanwhile is lost."""

    def __init__(
        self,
        call: str,
        recognisers: Recognisers,
        *,
        on_words: Callable[[str], None],
        on_lost: Callable[[], None],
        on_back: Callable[[], None],
    ) -> None:
        """`on_words` is told what is understood so far; none of these may block."""
        self._call = call
        self._recognisers = recognisers
        self._on_words = on_words
        self._on_lost = on_lost
        self._on_back = on_back
        self._every = recognisers  # of all languages
        self._language = ""
        self._phrases: tuple[str, ...] = ()
        self._recogniser: Recogniser | None = None
        self._opened = 0  # how many; the words of one before the latest count no more
        self._opening = False
        self._losses = 0
        self._searching: asyncio.Task[None] | None = None

    @property
    def hears(self) -> bool:
        """Whether there is a recogniser."""
        return self._recogniser is not None

    async def open(self) -> bool:
        """Get a recogniser; False if there is none now: then it is looked for, see `on_back`."""
        if await self._open():
            return True
        self._search(None)
        return False

    async def expect(self, language: str, phrases: Sequence[str]) -> None:
        """Hear this language from now on, and beside all else these phrases; () for none.

        Another language takes another recogniser, if there is a model of it; the same is kept.
        """
        self._phrases = tuple(phrases)
        wanted = self._of(language)
        if language != self._language:
            self._language = language
            if wanted is not self._recognisers:
                await self._change(wanted)
        self._tell()

    def feed(self, pcm: bytes) -> None:
        """Audio of the caller at the model's rate; never blocks."""
        if self._recogniser is not None:
            self._recogniser.feed(pcm)

    async def finish(self) -> Utterance:
        """What was said since the last finish; AsrLost if that is not to be had."""
        if self._recogniser is None:
            raise AsrLost("there is no recogniser")
        return await self._recogniser.finish()

    async def aclose(self) -> None:
        """Free the recogniser, and look for no other."""
        if self._searching is not None:
            self._searching.cancel()
            await asyncio.gather(self._searching, return_exceptions=True)
        recogniser, self._recogniser = self._recogniser, None
        if recogniser is not None:
            await recogniser.aclose()

    def _of(self, language: str) -> Recognisers:
        other = self._every.in_language(language) if isinstance(self._every, Polyglot) else None
        return other or self._every

    async def _change(self, wanted: Recognisers) -> None:
        before, self._recognisers = self._recogniser, wanted
        if before is None:
            return  # the search that goes on finds one of the new language
        self._recogniser = None
        await before.aclose()
        if not await self._open():
            self._on_lost()
            self._search(None)

    def _tell(self) -> None:
        if isinstance(self._recogniser, Expecting):
            self._recogniser.expect(self._phrases)

    async def _open(self) -> bool:
        self._opened += 1
        number, self._opening = self._opened, True
        try:
            recogniser = await self._recognisers.open(
                lambda text: self._words(number, text), lambda: self._lost(number)
            )
        except AsrLost as error:
            logger.warning("call %s is without speech recognition: %s", self._call, error)
            return False
        if not self._opening:  # lost before it could be used
            await recogniser.aclose()
            return False
        self._recogniser, self._opening = recogniser, False
        self._tell()
        return True

    def _words(self, number: int, text: str) -> None:
        if number == self._opened and self._recogniser is not None:
            self._on_words(text)

    def _lost(self, number: int) -> None:
        if number != self._opened:
            return
        if self._recogniser is None:
            self._opening = False
            return
        lost, self._recogniser = self._recogniser, None
        self._losses += 1
        self._on_lost()
        self._search(lost)

    def _search(self, lost: Recogniser | None) -> None:
        # The search that found the lost one has ended, or is just ending.
        self._searching = asyncio.create_task(self._until_found(lost), name=f"ear {self._call}")

    async def _until_found(self, lost: Recogniser | None) -> None:
        if lost is not None:
            await lost.aclose()
        if self._losses >= _MOST_LOSSES:
            logger.warning(
                "call %s has lost %d recognisers: it goes on by keys", self._call, self._losses
            )
            return
        attempt = 0
        while True:
            if isinstance(self._recognisers, Returning):
                await self._recognisers.returned()
            else:
                await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1
            if await self._open():
                self._on_back()
                return
