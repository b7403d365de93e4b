"""Pure. A call's outgoing audio: the RTP packet of each 20 ms, of a prompt or of silence."""

from __future__ import annotations

from struct import Struct

from ari_app.media.formats import CHUNK
from ari_app.media.g711 import SILENCE
from ari_app.media.rtp import PCMU

_HEADER = Struct("!BBHII")


class Speaking:
    """One call's mouth. The marker is for the first packet after a pause (RFC 3551, 4.1)."""

    def __init__(self, ssrc: int, sequence: int, timestamp: int) -> None:
        self._ssrc = ssrc
        self._sequence = sequence
        self._timestamp = timestamp
        self._silence = bytes(_HEADER.size) + SILENCE * CHUNK
        self._packet = bytearray(self._silence)
        self._prompt: memoryview | None = None
        self._position = 0  # octets of the prompt sent
        self._marker = True

    def play(self, ulaw: bytes) -> None:
        """Start a prompt with the next packet; a running one is replaced and does not end."""
        self._prompt = memoryview(ulaw)
        self._position = 0
        self._marker = True

    def stop(self) -> int:
        """Silence from now on; the milliseconds of the prompt that were sent, 0 if none runs."""
        if self._prompt is None:
            return 0
        self._prompt = None
        self._packet[:] = self._silence
        return self._position // 8

    def next(self) -> tuple[bytearray, bool]:
        """The packet of the next 20 ms, good until the next call; whether a prompt ends with it."""
        packet, ended = self._packet, False
        if self._prompt is not None:
            chunk = self._prompt[self._position : self._position + CHUNK]
            size = len(chunk)
            packet[_HEADER.size : _HEADER.size + size] = chunk
            if size < CHUNK:
                packet[_HEADER.size + size :] = SILENCE * (CHUNK - size)
            self._position += size
            ended = self._position >= len(self._prompt)
        second = 0x80 | PCMU if self._marker else PCMU
        _HEADER.pack_into(packet, 0, 0x80, second, self._sequence, self._timestamp, self._ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + CHUNK) & 0xFFFFFFFF
        self._marker = False
        return packet, ended

    def skip(self, periods: int) -> None:
        """The timestamp keeps the time that passed; the prompt goes on where it was."""
        self._timestamp = (self._timestamp + periods * CHUNK) & 0xFFFFFFFF
        self._marker = True
