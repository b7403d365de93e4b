"""WAV files as studios deliver them, and what is no recording."""

from __future__ import annotations

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.media.g711 import alaw_encode, ulaw_encode
from ari_app.speech.prompts.wav import BadRecording, read_wav, write_wav
from tests.support.voices import DECODERS

SOUND = np.round(8000 * np.sin(np.arange(1600) / 4)).astype(np.int16)


def wav(body: bytes, coding: int = 1, rate: int = 8000, bits: int = 16, channels: int = 1) -> bytes:
    described = struct.pack("<HHIIHH", coding, channels, rate, rate * bits // 8, bits // 8, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + described
    chunks += b"LIST" + struct.pack("<I", 3) + b"abc\0"  # a title, of odd length
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def test_what_is_written_is_read() -> None:
    assert np.array_equal(read_wav(write_wav(SOUND), DECODERS), SOUND)


def test_mu_law_and_a_law_are_read() -> None:
    for coding, encode in ((7, ulaw_encode), (6, alaw_encode)):
        read = read_wav(wav(encode(SOUND), coding, bits=8), DECODERS)
        assert np.abs(read.astype(np.int32) - SOUND).max() < 400


def test_sixteen_kilohertz_becomes_eight() -> None:
    wide = np.round(8000 * np.sin(np.arange(16000) * 2 * np.pi * 300 / 16000)).astype("<i2")
    read = read_wav(wav(wide.tobytes(), rate=16000), DECODERS)
    assert read.size == 8000
    assert np.argmax(np.abs(np.fft.rfft(read))) == 300


def test_a_file_written_through_a_pipe_has_all_ones_for_its_size() -> None:
    whole = wav(SOUND.tobytes())
    size = whole.index(b"data") + 4
    piped = whole[:size] + b"\xff" * 4 + whole[size + 4 :]
    assert np.array_equal(read_wav(piped, DECODERS), SOUND)


@pytest.mark.parametrize(
    ("octets", "complaint"),
    [
        (b"", "it is no WAV file"),
        (b"ID3 an mp3", "it is no WAV file"),
        (wav(SOUND.tobytes())[:-10], "it is shorter than it says"),
        (wav(SOUND.tobytes())[:20], "it is cut off"),
        (wav(SOUND.tobytes())[:40], "it is cut off"),
        (wav(SOUND.tobytes(), channels=2), "it has 2 channels: record it in mono"),
        (wav(SOUND.tobytes(), rate=44100), "it has 44100 Hz: record it at 8000 or 16000 Hz"),
        (wav(SOUND.tobytes(), bits=24), "coding 1 of 24 bits is not known"),
        (wav(SOUND.tobytes(), coding=85), "coding 85 of 16 bits is not known"),
        (wav(bytes(2 * 8000 * 301)), "longer than 300 seconds"),
        (b"RIFF\0\0\0\0WAVEdata\2\0\0\0ab", "its sound comes before its format"),
        (b"RIFF\0\0\0\0WAVEfmt \2\0\0\0ab", "its format cannot be read"),
    ],
)
def test_what_cannot_be_played_is_refused_in_a_sentence(octets: bytes, complaint: str) -> None:
    with pytest.raises(BadRecording, match=complaint):
        read_wav(octets, DECODERS)


@given(st.binary(max_size=200), st.integers(0, 60))
def test_any_damage_is_refused_or_read_and_never_crashes(noise: bytes, at: int) -> None:
    whole = wav(SOUND[:100].tobytes())
    for octets in (noise, whole[:at] + noise + whole[at + len(noise) :]):
        with contextlib.suppress(BadRecording):
            assert read_wav(octets, DECODERS).dtype == np.int16
