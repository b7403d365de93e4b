"""What a format is on the wire, and 8 kHz made 16."""

from __future__ import annotations

import numpy as np
import pytest

from ari_app.media import formats, g711


@pytest.mark.parametrize(
    ("name", "sizes"), [("ulaw", (1, 80, 160, 480, 960)), ("slin16", (2, 640, 3840))]
)
def test_packets_of_up_to_120_ms_fit(name: str, sizes: tuple[int, ...]) -> None:
    wire = formats.named(name)
    assert all(wire.fits(size) for size in sizes)
    assert not wire.fits(0)
    assert not wire.fits(sizes[-1] + wire.sample_size)
    assert wire.fits(3) == (name == "ulaw")


@pytest.mark.parametrize("name", ["ulaw", "slin16"])
def test_silence_is_20_ms_and_silent(name: str) -> None:
    wire = formats.named(name)
    pcm = wire.decode(wire.silence)
    assert pcm == bytes(wire.frame)
    assert len(pcm) == wire.rate // 50 * 2


def test_an_unknown_format_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"'opus', not one of \['slin16', 'ulaw'\]"):
        formats.named("opus")


@pytest.mark.parametrize("pitch", [200, 1000, 3000])
def test_a_tone_at_8_khz_is_the_same_tone_at_16_khz(pitch: int) -> None:
    t = np.arange(8000) / 8000
    narrow = g711.ulaw_encode((8000 * np.sin(2 * np.pi * pitch * t)).astype(np.int16))
    wide = np.frombuffer(formats.widen(narrow), "<i2").astype(np.float64)
    assert len(wide) == 16000
    spectrum = np.abs(np.fft.rfft(wide * np.hanning(len(wide))))
    assert spectrum.argmax() == pytest.approx(pitch, abs=1)
    image = spectrum[8000 - pitch - 20 : 8000 - pitch + 20].max()
    assert 20 * np.log10(image / spectrum.max()) < -35


@pytest.mark.parametrize("size", [0, 1, 2, 7])
def test_even_the_shortest_sound_is_twice_as_many_samples(size: int) -> None:
    assert len(formats.widen(b"\x80" * size)) == size * 4


def test_the_loudest_sound_does_not_wrap() -> None:
    square = (b"\x80" * 20 + b"\x00" * 20) * 10
    wide = np.frombuffer(formats.widen(square), "<i2").astype(np.int32)
    assert np.abs(np.diff(wide)).max() <= 65535
    assert (wide[10:30] > 20000).all()
    assert (wide[50:70] < -20000).all()
