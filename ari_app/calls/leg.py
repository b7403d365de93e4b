"""One call's audio: a line of ours, and the media leg that Asterisk has towards it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping

from ari_app.calls.instruments import Instruments
from ari_app.errors import AriRefused, PbxUnavailable, Unavailable
from ari_app.ports import AudioSink, Line

# Seconds between two looks at the trunk.
_LOOK_AGAIN = 5.0
logger = logging.getLogger(__name__)

_MOST_LOST = 3  # media legs that a call may lose before it is given up


class Leg:
    """Opened, made anew when Asterisk ends it, and freed, once each."""

    def __init__(self, call: str, channel: str, tools: Instruments) -> None:
        """`call` names the bridge and the leg, `channel` is who is bridged with it."""
        self._call = call
        self._channel = channel
        self._tools = tools
        self._lost = 0
        self._trunk: Mapping[str, object] = {}  # what Asterisk said of it last
        self._asked_at = tools.clock.monotonic()
        self.line: Line | None = None

    async def open(self, sink: AudioSink) -> Line:
        """Our side of it. Unavailable if no port is free."""
        self.line = await self._tools.lines.open(sink, self._format)
        return self.line

    async def connect(self) -> None:
        """Asterisk's side: bridge the channel with a new leg. AriRefused, PbxUnavailable."""
        assert self.line is not None, "open() comes first"
        await self._tools.telephone.connect_media(
            self._channel,
            self._call,
            self.line.host,
            self.line.port,
            self._format,
            self.line.connect,
        )

    async def connect_again(self) -> None:
        """After the leg has ended by itself. PbxUnavailable if that happens again and again."""
        self._lost += 1
        if self._lost > _MOST_LOST:
            raise PbxUnavailable("Asterisk ends the media leg again and again")
        logger.warning("call %s has lost its media leg: it gets another", self._call)
        await self.connect()

    async def look(self) -> None:
        """Ask what the trunk is like, if that is long ago: who hangs up leaves nobody to ask."""
        now = self._tools.clock.monotonic()
        if now - self._asked_at >= _LOOK_AGAIN:
            self._asked_at = now
            await self._ask()

    async def statistics(self, *, gone: bool) -> dict[str, int]:
        """What the record keeps of the audio; `gone`: of the trunk only what was known."""
        if self.line is None:
            return {}
        if not gone:
            await self._ask()
        return self._tools.with_trunk(self.line.statistics(), self._trunk)

    async def _ask(self) -> None:
        self._trunk = await self._tools.telephone.trunk_audio(self._channel) or self._trunk

    async def release(self) -> None:
        """Asterisk's side ends; what is gone already is fine."""
        with contextlib.suppress(AriRefused, Unavailable):
            await self._tools.telephone.release(self._call)

    async def aclose(self) -> None:
        """Our side ends."""
        if self.line is not None:
            await self.line.aclose()

    @property
    def _format(self) -> str:
        return "slin16" if self._tools.recognisers.rate == 16000 else "ulaw"
