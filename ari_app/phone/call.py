"""A phone that makes one call: dials, speaks, presses keys, listens, hangs up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Self

import numpy as np
import numpy.typing as npt

from ari_app.media.g711 import ulaw_encode
from ari_app.media.rtp import RtpPacket
from ari_app.phone.ear import Ear
from ari_app.phone.errors import CallEnded, NothingHeard, PhoneError
from ari_app.phone.sdp import TELEPHONE_EVENT, Audio
from ari_app.phone.signalling import Signalling
from ari_app.phone.sound import Sound


class Side(Enum):
    """Who hung up."""

    PHONE = "phone"
    FAR_END = "far end"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call that was up ended."""

    by: Side
    reason: str
    at: float  # monotonic


class Phone:
    """A caller made of software, for one call over UDP: SIP, PCMU at 8 kHz, RFC 4733 keys.

    One without `telephone_events` presses its keys as tones in the audio, as old equipment does.
    Like a real phone it sends a packet every 20 ms from the answer on, silence included, and it
    listens from the packets alone: what it says of prompts is what a caller's ear would say.
    All times are monotonic seconds.
    """

    def __init__(self, host: str, telephone_events: bool = True) -> None:
        self._host = host
        self._event = TELEPHONE_EVENT if telephone_events else None
        self._ear = Ear()
        self._news = asyncio.Event()  # a voice was heard, or the call ended
        self._sound = Sound(self._packet_came)
        self._signalling = Signalling(self._sound.connect, self._far_end_hung_up)
        self._called = False
        self._turn = 0.0  # when our own last word, key or the prompt we waited for ended
        self.answered_at: float | None = None
        self.ended = asyncio.Event()
        self.ending: Ending | None = None

    @classmethod
    async def open(cls, host: str = "127.0.0.1", *, telephone_events: bool = True) -> Phone:
        """A phone with its two UDP ports on `host`; close it with aclose() or `async with`."""
        phone = cls(host, telephone_events)
        try:
            await phone._signalling.open(host)
            await phone._sound.open(host)
        except BaseException:
            await phone.aclose()
            raise
        return phone

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # -- the call -----------------------------------------------------------------------------

    async def call(
        self,
        host: str,
        port: int,
        number: str,
        caller: str = "+15551230000",
        deadline: float = 10.0,
    ) -> None:
        """Dial and wait for the answer; CallRefused (with .status) or NoAnswer otherwise.

        An empty `caller` withholds the number. `host` is an IPv4 address.
        """
        if self._called:
            raise PhoneError("a phone makes one call: open another one")
        self._called = True
        ours = Audio(self._host, self._sound.port, self._event)
        await self._signalling.invite((host, port), number, caller, ours, deadline)
        self.answered_at = self._turn = time.monotonic()
        if self.ending is None:
            self._sound.start()

    @property
    def up(self) -> bool:
        """Whether the call is answered and not over."""
        return self._signalling.up and self.ending is None

    async def hang_up(self) -> None:
        """End the call; also good for one that is over or was never answered."""
        if self.up:
            self._over(Side.PHONE, "the phone hung up")
        await self._signalling.end()

    async def until_ended(self, deadline: float) -> Ending:
        """Wait for the end of the call; NothingHeard if it goes on."""
        try:
            async with asyncio.timeout(deadline):
                await self.ended.wait()
        except TimeoutError:
            raise NothingHeard(f"the call was still up after {deadline:g} s") from None
        assert self.ending is not None  # set before the event
        return self.ending

    async def aclose(self) -> None:
        """Hang up and free both sockets and every task."""
        try:
            await self.hang_up()
        finally:
            await self._sound.aclose()
            await self._signalling.aclose()

    # -- speaking -----------------------------------------------------------------------------

    def send_audio(self, pcm: npt.NDArray[np.int16]) -> asyncio.Future[float]:
        """Queue speech (8 kHz) behind what is being said; its future is when it has been sent."""
        self._must_be_up()
        return self._queue(lambda done: self._sound.mouth.say(ulaw_encode(pcm), done))

    async def say(self, pcm: npt.NDArray[np.int16]) -> float:
        """Speak (8 kHz), in real time; returns when the last packet of it was sent."""
        self._turn = await self.send_audio(pcm)
        return self._turn

    async def press(self, key: str) -> float:
        """Press one of 0-9 * # A-D for 100 ms; returns when it is released."""
        self._must_be_up()
        self._turn = await self._queue(lambda done: self._sound.mouth.press(key, done))
        return self._turn

    # -- listening ----------------------------------------------------------------------------

    async def until_prompt(self, deadline: float, since: float | None = None) -> float:
        """When the far side began to speak; NothingHeard if it does not within the deadline.

        Counts what came after `since`; by default after our own last word or key, or the end of
        the prompt that until_quiet returned last.
        """
        after = self._turn if since is None else since
        end = time.monotonic() + deadline
        while (began := self._ear.first_voice_after(after)) is None:
            self._must_be_up()
            if not await self._something_heard(end - time.monotonic()):
                raise NothingHeard(f"no prompt came within {deadline:g} s")
        return began

    async def until_quiet(
        self, silence: float = 0.6, deadline: float = 30.0, since: float | None = None
    ) -> float:
        """Wait until the far side has spoken, then not for `silence` seconds.

        Returns when its last packet with a voice came. A far side that hangs up is quiet too.
        """
        after = self._turn if since is None else since
        end = time.monotonic() + deadline
        while True:
            now = time.monotonic()
            last = self._ear.last_voice_after(after)
            if last is None:
                self._must_be_up()
            elif now >= last + silence or self.ending is not None:
                self._turn = max(self._turn, last)
                return last
            if now >= end:
                spoke = "still speaking" if last is not None else "still silent"
                raise NothingHeard(f"the far side was {spoke} after {deadline:g} s")
            await self._something_heard(
                end - now if last is None else min(end, last + silence) - now
            )

    def first_voice_after(self, at: float) -> float | None:
        """When the first packet with a voice arrived after `at`."""
        return self._ear.first_voice_after(at)

    def heard(self, since: float = 0.0) -> npt.NDArray[np.int16]:
        """The audio received after `since`, packet behind packet, without the pauses."""
        return self._ear.audio(since)

    @property
    def packets(self) -> list[tuple[float, RtpPacket]]:
        """Every audio packet with its arrival, in order."""
        return [(arrival.at, arrival.packet) for arrival in self._ear.arrivals]

    @property
    def worst_lateness(self) -> float:
        """How far the worst packet of ours was behind its schedule: the error of a measurement."""
        return self._sound.worst_lateness

    # -- inside -------------------------------------------------------------------------------

    def _queue(self, put: Callable[[asyncio.Future[float]], None]) -> asyncio.Future[float]:
        done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        put(done)
        return done

    async def _something_heard(self, timeout: float) -> bool:
        self._news.clear()
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _packet_came(self, packet: RtpPacket, at: float) -> None:
        if self._ear.hear(packet, at):
            self._news.set()

    def _far_end_hung_up(self, reason: str) -> None:
        self._over(Side.FAR_END, reason)

    def _over(self, by: Side, reason: str) -> None:
        self.ending = Ending(by, reason, time.monotonic())
        self._sound.stop()
        self.ended.set()
        self._news.set()

    def _must_be_up(self) -> None:
        if not self.up:
            raise CallEnded("there is no call")
