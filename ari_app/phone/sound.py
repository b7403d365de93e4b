"""A phone's RTP socket: one paced packet per 20 ms out, the far side's packets in."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from ari_app.media.rtp import RtpPacket
from ari_app.phone.errors import CallEnded
from ari_app.phone.mouth import Mouth
from ari_app.phone.sdp import Audio

logger = logging.getLogger(__name__)

FRAME_TIME = 0.02
_STALL = 0.2  # further behind than this, missed packets are not made up for: a phone stalls too


class Sound(asyncio.DatagramProtocol):
    """Sends from its mouth on a schedule that does not drift; hands what comes to `on_packet`.

    Only packets from where the far side said that its audio is are taken.
    """

    def __init__(self, on_packet: Callable[[RtpPacket, float], None]) -> None:
        self._on_packet = on_packet
        self._transport: asyncio.DatagramTransport | None = None
        self._pacing: asyncio.Task[None] | None = None
        self._source: tuple[str, int] | None = None
        self._target: tuple[str, int] | None = None
        self.mouth: Mouth[asyncio.Future[float]] = Mouth(
            random.getrandbits(32), random.getrandbits(16), random.getrandbits(32)
        )
        self.port = 0
        self.worst_lateness = 0.0
        self.sent = 0
        self.refused = 0

    async def open(self, host: str) -> None:
        """Take a free even port (RFC 3550 §11: the odd one behind it is for RTCP)."""
        loop = asyncio.get_running_loop()
        odd: list[asyncio.DatagramTransport] = []
        try:
            while True:
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: self, local_addr=(host, 0)
                )
                self.port = transport.get_extra_info("sockname")[1]
                if self.port % 2 == 0 or len(odd) == 16:
                    self._transport = transport
                    return
                odd.append(transport)  # kept until the end, or the same port may come again
        finally:
            for transport in odd:
                transport.close()

    def connect(self, audio: Audio) -> None:
        """The far side takes audio here, or on hold: none; a later word replaces it."""
        self._source = (audio.host, audio.port)
        self._target = (audio.host, audio.port) if audio.receives else None
        self.mouth.telephone_event = audio.telephone_event

    def start(self) -> None:
        """Begin to send: silence until there is something else."""
        if self._pacing is None:
            self._pacing = asyncio.create_task(self._pace())

    def stop(self) -> None:
        """Send no more; whoever waits for the end of an utterance gets CallEnded."""
        if self._pacing is not None:
            self._pacing.cancel()
        for waiting in self.mouth.drop():
            if not waiting.done():
                waiting.set_exception(CallEnded("the call ended before all was said"))
                waiting.exception()  # nobody has to ask for it

    async def aclose(self) -> None:
        """Free the socket."""
        self.stop()
        if self._pacing is not None:
            await asyncio.gather(self._pacing, return_exceptions=True)
        if self._transport is not None:
            self._transport.close()
            await asyncio.sleep(0)  # the transport closes its socket in the next turn of the loop

    async def _pace(self) -> None:
        due = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            late = time.monotonic() - due
            self.worst_lateness = max(self.worst_lateness, late)
            if late > _STALL:
                due += late
            self._send_one()
            # From the schedule, not from now: lateness does not add up.
            due += FRAME_TIME

    def _send_one(self) -> None:
        if self._target is None or self._transport is None or self._transport.is_closing():
            return  # on hold: what is queued waits
        packet, done = self.mouth.next()
        self._transport.sendto(packet.serialize(), self._target)
        self.sent += 1
        if done is not None and not done.done():
            done.set_result(time.monotonic())

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        at = time.monotonic()
        if addr != self._source:
            self.refused += 1
            return
        try:
            packet = RtpPacket.parse(data)
        except ValueError as error:
            self.refused += 1
            logger.debug("dropped a datagram from %s:%d: %s", addr[0], addr[1], error)
            return
        self._on_packet(packet, at)
