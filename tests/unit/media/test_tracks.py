"""Two directions stand side by side as they were heard."""

from __future__ import annotations

import numpy as np
import pytest

from ari_app.media.g711 import ulaw_decode, ulaw_encode
from ari_app.media.tracks import RATE, Tracks

FRAME = RATE // 50
QUIET = 0xFF


class Paper:
    """What was written, and a stretch that begins ten seconds into the recording."""

    def __init__(self, rate: int = RATE) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.tracks = Tracks(self._write, rate, 90.0, 100.0)

    def _write(self, at: int, audio: bytes) -> None:
        self.pieces.append((at, audio))

    def channel(self, number: int) -> bytes:
        """All of one direction; the pieces follow each other without a gap."""
        for (at, audio), (then, _) in zip(self.pieces, self.pieces[1:], strict=False):
            assert at + len(audio) // 2 == then
        return b"".join(audio for _, audio in self.pieces)[number::2]


def tone(samples: int, rate: int = RATE, hertz: float = 440.0) -> bytes:
    wave = 8000 * np.sin(2 * np.pi * hertz * np.arange(samples) / rate)
    return wave.astype("<i2").tobytes()


def pcm(value: int) -> bytes:
    return np.full(FRAME, value, "<i2").tobytes()


def at(frame: float) -> float:
    return 100.0 + frame * 0.02


def test_each_direction_has_its_channel_and_its_time() -> None:
    paper = Paper()
    for n in range(1, 201):
        paper.tracks.caller(pcm(1000), at(n))
        if n > 100:
            paper.tracks.ours(b"\x10" * FRAME, at(n))
    paper.tracks.finish(at(200))
    assert paper.pieces[0][0] == 10 * RATE
    assert paper.channel(0) == ulaw_encode(np.full(200 * FRAME, 1000, np.int16))
    assert paper.channel(1) == bytes([QUIET]) * 100 * FRAME + b"\x10" * 100 * FRAME


def test_a_piece_is_written_as_soon_as_a_second_is_certain() -> None:
    paper = Paper()
    for n in range(1, 56):
        paper.tracks.caller(pcm(1000), at(n))
    assert [(a, len(audio)) for a, audio in paper.pieces] == [(10 * RATE, 2 * RATE)]


def test_what_did_not_come_is_silence_and_what_follows_is_in_its_place() -> None:
    paper = Paper()
    paper.tracks.caller(pcm(1000), at(1))
    paper.tracks.caller(pcm(1000), at(100))
    paper.tracks.finish(at(100))
    channel = paper.channel(0)
    assert len(channel) == 100 * FRAME
    assert set(channel[FRAME : 99 * FRAME]) == {QUIET}
    assert QUIET not in channel[99 * FRAME :]


def test_a_frame_that_is_a_little_late_leaves_no_hole() -> None:
    paper = Paper()
    for n in range(1, 50):
        paper.tracks.caller(pcm(1000), at(n + n % 3))
    paper.tracks.finish(at(51))
    assert QUIET not in paper.channel(0)[2 * FRAME : 49 * FRAME]


def test_a_flood_does_not_make_the_recording_longer_than_the_call() -> None:
    paper = Paper()
    for _ in range(1000):
        paper.tracks.caller(pcm(1000), at(1))
    paper.tracks.finish(at(1))
    assert len(paper.channel(0)) <= RATE


def test_a_silent_stretch_is_as_long_as_it_was() -> None:
    paper = Paper()
    for n in range(1, 501):
        paper.tracks.ours(b"", at(n))
    assert sum(len(audio) for _, audio in paper.pieces) // 2 >= 8 * RATE
    assert set(paper.channel(0)) == set(paper.channel(1)) == {QUIET}


@pytest.mark.parametrize(("hertz", "kept"), [(440.0, True), (1000.0, True), (6000.0, False)])
def test_wide_audio_is_narrowed_without_an_alias(hertz: float, kept: bool) -> None:
    paper = Paper(2 * RATE)
    sound = tone(32000, 2 * RATE, hertz)
    for n in range(100):
        paper.tracks.caller(sound[n * 640 : (n + 1) * 640], at(n + 1))
    paper.tracks.finish(at(100))
    heard = ulaw_decode(paper.channel(0)).astype(float)[400:-400]
    loudness = float(np.sqrt(np.mean(heard**2)))
    assert (loudness > 5000) is kept
    if kept:
        peak = np.argmax(np.abs(np.fft.rfft(heard))) * RATE / len(heard)
        assert abs(peak - hertz) < 5


def test_the_first_frame_of_a_stretch_stands_where_it_was_heard() -> None:
    paper = Paper()
    paper.tracks.caller(pcm(1000), at(4))
    paper.tracks.finish(at(4))
    channel = paper.channel(0)
    assert set(channel[: 3 * FRAME]) == {QUIET}
    assert QUIET not in channel[3 * FRAME :]
