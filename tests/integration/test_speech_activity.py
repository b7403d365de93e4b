"""Voice activity and endpointing on synthesized speech whose ends are known to the sample.

The voices and sentences are not those the thresholds were chosen with.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest
from numpy.typing import NDArray

from ari_app.media.g711 import ulaw_decode, ulaw_encode
from ari_app.media.tones import KeyTones
from ari_app.speech.endpointing import OPEN, EndOfTurn, Endpointer
from ari_app.speech.espeak import Espeak, Samples
from ari_app.speech.vad import VoiceActivity
from ari_app.understanding.completeness import Standing

FRAME = 160
LEVEL = 32768 * 10 ** (-22 / 20)
SPOKEN = (
    ("please send the invoice to my email", "f1"),
    ("how long do i have to wait", "m2"),
    ("the package was damaged and i want my money back", "f3"),
    ("is there parking near the hospital", "m5"),
)

Signal = NDArray[np.float64]


@pytest.fixture
async def voices() -> AsyncIterator[list[Signal]]:
    """Speech from its first to its last audible sample, at -22 dBFS."""
    async with Espeak() as espeak:
        yield [cut(await espeak.synthesize(t + ".", variant=v)) for t, v in SPOKEN]


def cut(samples: Samples) -> Signal:
    (audible,) = np.nonzero(np.abs(samples) > 100)
    speech = samples[audible[0] : audible[-1] + 1].astype(np.float64)
    loud = speech[np.abs(speech) > 0.02 * np.abs(speech).max()]
    return speech * (LEVEL / float(np.sqrt(np.mean(loud**2))))


def frames(signal: Signal) -> list[bytes]:
    line = ulaw_decode(ulaw_encode(np.clip(signal, -32768, 32767).astype(np.int16)))
    return [line[i : i + FRAME].tobytes() for i in range(0, line.size - FRAME + 1, FRAME)]


def noise(kind: str, size: int, level: float, seed: int = 20) -> Signal:
    """Line noise of this root mean square."""
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal(size)
    if kind == "pink":
        spectrum = np.fft.rfft(signal)
        signal = np.fft.irfft(spectrum / np.sqrt(np.arange(1, spectrum.size + 1)), size)
    if kind == "hum":
        time = np.arange(size) / 8000
        signal = 0.2 * signal + np.sin(2 * np.pi * 50 * time) + np.sin(2 * np.pi * 150 * time)
    return signal * (level / float(np.sqrt(np.mean(signal**2))))


@pytest.mark.parametrize(
    ("kind", "below_speech", "early", "least_heard"),
    [
        ("silence", 0, 0.10, 0.80),
        ("white", 40, 0.12, 0.80),  # comfort noise
        ("white", 20, 0.16, 0.65),
        ("pink", 20, 0.16, 0.65),
        ("hum", 15, 0.16, 0.65),
        ("white", 10, 0.22, 0.50),
        ("pink", 10, 0.22, 0.50),
    ],
)
def test_speech_is_told_from_noise_and_its_end_is_found(
    voices: list[Signal], kind: str, below_speech: float, early: float, least_heard: float
) -> None:
    for speech in voices:
        lead = tail = 16000
        signal = np.concatenate([np.zeros(lead), speech, np.zeros(tail)])
        if kind != "silence":
            signal += noise(kind, signal.size, LEVEL * 10 ** (-below_speech / 20))
        meter = VoiceActivity(8000)
        heard = np.array([meter.is_speech(frame) for frame in frames(signal)])

        first, last = lead // FRAME, (lead + speech.size) // FRAME
        assert heard[:first].sum() + heard[last + 2 :].sum() <= 1  # a frame of 20 ms by chance
        assert heard[first : last + 1].mean() > least_heard
        (voiced,) = np.nonzero(heard[: last + 2])
        end = (voiced[-1] + 1) * FRAME - (lead + speech.size)
        assert -early <= end / 8000 <= 0.03


def test_the_turn_ends_when_the_profile_says_so_counted_from_the_true_end(
    voices: list[Signal],
) -> None:
    for speech in voices:
        end = 8000 + speech.size
        signal = np.concatenate([np.zeros(8000), speech, np.zeros(12000)])
        meter, endpointer = VoiceActivity(8000), Endpointer(OPEN, lambda _: Standing.POSSIBLE)
        ends = []
        for number, frame in enumerate(frames(signal + noise("white", signal.size, 15)), 1):
            now = number * 0.02
            decision = endpointer.voice(meter.is_speech(frame), now)
            if isinstance(decision, EndOfTurn):
                ends.append(decision)
                break
            endpointer.partial("words" if now > 1.6 else "", now)
        (turn,) = ends
        assert turn.at - end / 8000 == pytest.approx(OPEN.silence, abs=0.12)


def test_a_noise_that_sets_in_is_known_after_two_seconds() -> None:
    signal = np.concatenate([np.zeros(8000), noise("white", 40000, 400)])
    meter = VoiceActivity(8000)
    heard = [meter.is_speech(frame) for frame in frames(signal)]
    assert not any(heard[:50])
    assert sum(heard[50 + 130 :]) <= 1


def test_a_call_that_begins_in_noise_is_not_taken_for_speech() -> None:
    for seed in range(12):
        meter = VoiceActivity(8000)
        assert sum(meter.is_speech(f) for f in frames(noise("white", 16000, 900, seed))) <= 1


def test_a_quiet_voice_is_heard_half_a_second_after_a_loud_noise(voices: list[Signal]) -> None:
    meter = VoiceActivity(8000)
    for frame in frames(np.concatenate([noise("white", 32000, 2500), np.zeros(4000)])):
        meter.is_speech(frame)
    heard = [meter.is_speech(frame) for frame in frames(voices[0] / 6)]
    assert np.mean(heard[:50]) > 0.6


def test_a_caller_who_speaks_at_once_is_heard_after_the_first_gap(voices: list[Signal]) -> None:
    for speech in voices:
        meter = VoiceActivity(8000)
        heard = [meter.is_speech(frame) for frame in frames(speech)]
        assert any(heard[:30])
        assert np.mean(heard) > 0.4


def test_digital_silence_is_no_speech_and_speech_after_it_is(voices: list[Signal]) -> None:
    meter = VoiceActivity(8000)
    assert not any(meter.is_speech(bytes(320)) for _ in range(500))
    assert sum(meter.is_speech(frame) for frame in frames(voices[0])) > 20


def test_a_wideband_line_is_measured_alike(voices: list[Signal]) -> None:
    speech = voices[0].astype(np.int16)
    wide = np.repeat(speech, 2)  # mirrors above 4 kHz, which a telephone does not carry
    narrow_meter, wide_meter = VoiceActivity(8000), VoiceActivity(16000)
    agree = [
        narrow_meter.is_speech(speech[i : i + 160].tobytes())
        == wide_meter.is_speech(wide[2 * i : 2 * i + 320].tobytes())
        for i in range(0, speech.size - 159, 160)
    ]
    assert np.mean(agree) > 0.9


@pytest.mark.parametrize("pcm", [b"", bytes(318), bytes(321), bytes(640)])
def test_what_is_not_20_ms_is_refused(pcm: bytes) -> None:
    with pytest.raises(ValueError, match="20 ms"):
        VoiceActivity(8000).is_speech(pcm)


def test_full_scale_and_noise_of_any_bits_are_survived() -> None:
    rng = np.random.default_rng(3)
    meter = VoiceActivity(8000)
    for _ in range(100):
        meter.is_speech(rng.bytes(320))
        meter.is_speech(b"\xff\x7f\x00\x80" * 80)


async def test_speech_is_never_taken_for_keys(voices: list[Signal]) -> None:
    keys = KeyTones(8000)
    spoken = [frame for voice in voices for frame in frames(voice)]
    muted = sum(keys.muted(frame) != frame for frame in spoken)
    assert len(spoken) > 300
    assert muted <= 1
