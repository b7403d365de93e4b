"""Calls that listen through recognisers, and the voices that they hear."""

from __future__ import annotations

import asyncio
import contextlib

from ari_app.errors import AsrLost
from ari_app.media.g711 import ulaw_decode, ulaw_encode
from ari_app.ports import Recogniser, Recognisers, Returning, Utterance
from ari_app.speech.espeak import Espeak

FRAME = 320  # octets of 20 ms at 8 kHz
MOMENT = bytes(8000)  # half a second of silence


class Call:
    """One caller: what they were told by the recogniser."""

    def __init__(self) -> None:
        self.partials: list[str] = []
        self.losses = 0
        self.lost = asyncio.Event()
        self.ear: Recogniser

    async def begin(self, recognisers: Recognisers) -> Call:
        self.ear = await recognisers.open(self.partials.append, self._lost)
        return self

    async def begin_again(self, recognisers: Recognisers) -> Call:
        """As the port `Returning` tells a call to do after a loss."""
        assert isinstance(recognisers, Returning)
        while True:
            await recognisers.returned()
            with contextlib.suppress(AsrLost):
                return await self.begin(recognisers)

    def say(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), FRAME):
            self.ear.feed(pcm[at : at + FRAME])

    async def ask(self, pcm: bytes) -> Utterance:
        self.say(pcm)
        return await self.ear.finish()

    def _lost(self) -> None:
        self.losses += 1
        self.lost.set()


async def spoken(espeak: Espeak, text: str, variant: str = "f4", rate: int = 160) -> bytes:
    """The text over a telephone line: mu-law, with a moment of silence around it."""
    samples = await espeak.synthesize(text + ".", variant=variant, rate=rate)
    return MOMENT + ulaw_decode(ulaw_encode(samples)).tobytes() + MOMENT
