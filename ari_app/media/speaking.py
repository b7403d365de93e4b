"""Pure. A call's outgoing audio: the RTP packet of each 20 ms, of a prompt or of silence."""

from __future__ import annotations

from struct import Struct

from ari_app.media.fading import FADE, fade_in, fade_out, goes_on_at
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
        self._paused = False
        self._position = 0  # octets of the prompt sent
        self._first = b""  # what is sent next instead of the prompt's own octets: a fade
        self._fading = False  # whether the last packet was one, into silence
        self._marker = True

    def play(self, ulaw: bytes) -> None:
        """Start a prompt with the next packet; a running one is replaced and does not end."""
        self._prompt = memoryview(ulaw)
        self._position = 0
        self._first = b""
        self._paused = False
        self._marker = True

    def pause(self) -> int:
        """Silence from now on, faded; the milliseconds of the prompt that were sent."""
        if self._prompt is None:
            return 0
        if not self._paused:
            self._paused = True
            self._hush(self._prompt)
        return self._position // 8

    def resume(self, at_ms: int | None = None) -> None:
        """Go on with a paused prompt from there, or from between two words, as in the port."""
        if self._prompt is None or not self._paused:
            return
        self._paused = False
        self._position = goes_on_at(self._prompt, self._position, at_ms)
        self._first = fade_in(self._prompt[self._position : self._position + CHUNK])
        self._marker = True

    def stop(self) -> int:
        """Silence from now on; the milliseconds of the prompt that were sent, 0 without one."""
        sent = self.pause()
        self._prompt, self._paused = None, False
        return sent

    def _hush(self, prompt: memoryview) -> None:
        self._packet[:] = self._silence
        if 0 < self._position < len(prompt):
            self._first = fade_out(prompt[self._position : self._position + FADE])

    def next(self) -> tuple[bytearray, bool]:
        """The packet of the next 20 ms, good until the next call; whether a prompt ends with it."""
        packet, ended = self._packet, False
        if self._prompt is not None and not self._paused:
            chunk = self._first or self._prompt[self._position : self._position + CHUNK]
            self._fill(chunk)
            self._position += len(chunk)
            ended = self._position >= len(self._prompt)
        elif self._first or self._fading:
            self._fill(self._first)
            self._fading = bool(self._first)
        self._first = b""
        second = 0x80 | PCMU if self._marker else PCMU
        _HEADER.pack_into(packet, 0, 0x80, second, self._sequence, self._timestamp, self._ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + CHUNK) & 0xFFFFFFFF
        self._marker = False
        return packet, ended

    def _fill(self, octets: bytes | memoryview) -> None:
        size = len(octets)
        self._packet[_HEADER.size : _HEADER.size + size] = octets
        self._packet[_HEADER.size + size :] = SILENCE * (CHUNK - size)

    def skip(self, periods: int) -> None:
        """The timestamp keeps the time that passed; the prompt goes on where it was."""
        self._timestamp = (self._timestamp + periods * CHUNK) & 0xFFFFFFFF
        self._marker = True
