"""Two recognisers for a call: one for all words, beside it one for what is expected."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ari_app.errors import AsrLost
from ari_app.ports import Expecting, Recogniser, Recognisers, Returning, Utterance
from ari_app.speech.signal import SignalMeter

logger = logging.getLogger(__name__)


class Speaker(Recognisers, Returning, Protocol):
    """What hears one language: the workers here, or a server elsewhere."""

    async def start(self) -> None:
        """Begin; ModelUnavailable."""

    async def aclose(self) -> None:
        """End."""


class Hearing:
    """The ports `Recognisers`, `Returning` and `Polyglot` over one hearer for each language.

    A call gets a second recogniser when it first expects something, if `takes_phrases`; it is
    fed only while something is expected. Without it, or when it is lost, all words are heard.
    """

    def __init__(
        self,
        hearer: Speaker,
        takes_phrases: bool,
        knows: Callable[[str], bool],
        others: Mapping[str, Hearing] | None = None,
    ) -> None:
        """`knows` tells whether the model has every word of a phrase."""
        self._hearer = hearer
        self._takes_phrases = takes_phrases
        self._knows = knows
        self._others = dict(others or {})
        self._told = False

    @property
    def rate(self) -> int:
        """See the port."""
        return self._hearer.rate

    def in_language(self, language: str) -> Hearing | None:
        """See the port."""
        return self._others.get(language)

    async def start(self) -> None:
        """Load every model; ModelUnavailable if one cannot be."""
        await self._hearer.start()
        for other in self._others.values():
            await other.start()

    async def aclose(self) -> None:
        """End all workers."""
        for other in self._others.values():
            await other.aclose()
        await self._hearer.aclose()

    async def open(
        self, on_partial: Callable[[str], None], on_lost: Callable[[], None]
    ) -> Listening:
        """See the port."""
        if not self._takes_phrases and not self._told:
            self._told = True
            logger.warning(
                "the speech model takes no run-time grammar: answers are heard among all words"
            )
        listening = Listening(self._hearer if self._takes_phrases else None, self._knows)
        await listening.start(self._hearer, on_partial, on_lost)
        return listening

    async def returned(self) -> None:
        """See the port."""
        await self._hearer.returned()


class Listening:
    """One call's ear: the ports `Recogniser` and `Expecting`."""

    def __init__(self, beside: Recognisers | None, knows: Callable[[str], bool]) -> None:
        """`beside` opens the second recogniser; None if the model takes no phrases."""
        self._beside = beside
        self._knows = knows
        self._free: Recogniser | None = None
        self._guided: Recogniser | None = None
        self._phrases: tuple[str, ...] = ()
        self._opening: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._signal = SignalMeter()
        self._partial = ""
        self._fed = False  # whether the second recogniser holds audio of this turn
        self._closed = False

    async def start(
        self,
        hearer: Recognisers,
        on_partial: Callable[[str], None],
        on_lost: Callable[[], None],
    ) -> None:
        """Open the recogniser of all words; AsrLost."""

        def partial(text: str) -> None:
            self._partial = text
            on_partial(text)

        self._free = await hearer.open(partial, on_lost)

    def feed(self, pcm: bytes) -> None:
        """See the port."""
        if self._free is None:
            return
        self._signal.feed(pcm)
        self._free.feed(pcm)
        if self._guided is not None and self._phrases:
            self._fed = True
            self._guided.feed(pcm)

    def expect(self, phrases: Sequence[str]) -> bool:
        """See the port; phrases with a word that the model lacks are left out."""
        wanted = tuple(phrase for phrase in phrases if self._knows(phrase))
        if self._beside is None or (phrases and not wanted):
            wanted = ()
        if self._fed:
            # What is expected now has nothing to do with what was heard before.
            self._fed = False
            self._run(self._forget())
        if wanted != self._phrases:
            self._phrases = wanted
            if wanted and self._guided is None:
                self._open_guided()
            elif wanted:
                self._tell()
        return bool(wanted) or not phrases

    async def finish(self) -> Utterance:
        """See the port."""
        if self._free is None:
            raise AsrLost("there is no recogniser")
        guided = self._guided if self._fed else None
        self._fed = False
        # Both are asked before either is awaited: they answer for the same audio.
        other = asyncio.ensure_future(guided.finish()) if guided else None
        try:
            said = await self._free.finish()
        except BaseException:
            if other is not None:
                other.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise
        stable, self._partial = said.text == self._partial, ""
        said = replace(said, stable=stable, signal=self._signal.take())
        if other is None:
            return said
        try:
            return replace(said, guided=(await other).words)
        except AsrLost:
            return said  # all words were heard all the same

    async def aclose(self) -> None:
        """See the port."""
        self._closed = True
        for task in (*self._tasks, *([self._opening] if self._opening else [])):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for recogniser in (self._guided, self._free):
            if recogniser is not None:
                await recogniser.aclose()
        self._guided = self._free = None

    def _open_guided(self) -> None:
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open(), name="an ear for what is expected")

    async def _open(self) -> None:
        assert self._beside is not None
        found: list[Recogniser] = []

        def lost() -> None:
            if found and self._guided is found[0]:
                self._guided, self._phrases = None, ()
                self._run(found[0].aclose())

        try:
            guided = await self._beside.open(lambda text: None, lost)
        except AsrLost as error:
            # No call is worse off than without it; the next question tries again.
            logger.warning("answers are heard among all words for now: %s", error)
            self._phrases = ()
            return
        found.append(guided)
        self._guided = guided
        self._tell()

    def _tell(self) -> None:
        if not isinstance(self._guided, Expecting) or not self._guided.expect(self._phrases):
            self._phrases = ()

    async def _forget(self) -> None:
        if self._guided is not None:
            try:
                await self._guided.finish()
            except AsrLost:
                self._guided, self._phrases = None, ()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Beside the call, and never after it."""
        if self._closed:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
