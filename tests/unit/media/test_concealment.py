"""What is heard in gaps, measured against what would have been said."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ari_app.media.concealment import Concealer

Sound = NDArray[np.float64]


def voice(rate: int, seconds: float = 1.0, pitch: float = 120.0) -> Sound:
    """A vowel: three harmonics."""
    t = np.arange(int(rate * seconds)) / rate
    harmonics = ((1, 8000), (2, 3000), (3, 1500))
    return sum(
        (a * np.sin(2 * np.pi * n * pitch * t) for n, a in harmonics), start=np.zeros(len(t))
    )


def pcm(sound: Sound) -> bytes:
    return sound.astype(np.int16).tobytes()


def samples(data: bytes) -> Sound:
    return np.frombuffer(data, np.int16).astype(np.float64)


def loudness(sound: Sound) -> float:
    return float(np.sqrt(np.mean(sound**2)))


def listener(sound: Sound, rate: int, frames: int = 10) -> Concealer:
    """Has heard so many frames of 20 ms."""
    concealer = Concealer(rate)
    step = rate // 50
    for n in range(frames):
        concealer.heard(pcm(sound[n * step : (n + 1) * step]))
    return concealer


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("pitch", [80.0, 120.0, 210.0, 330.0])
def test_a_vowel_goes_on_at_its_own_pitch(rate: int, pitch: float) -> None:
    sound = voice(rate, pitch=pitch)
    step = rate // 50
    made = samples(listener(sound, rate).lost(step))
    said = sound[10 * step : 11 * step]
    half = step // 2  # at full loudness
    error = loudness(made[:half] - said[:half]) / loudness(said[:half])
    assert error < 0.25


def test_there_is_no_click_where_the_gap_begins_nor_where_it_ends() -> None:
    rate, step = 8000, 160
    sound = voice(rate)
    steepest = np.abs(np.diff(sound)).max()
    concealer = listener(sound, rate)
    made = concealer.lost(step)
    after = concealer.heard(pcm(sound[11 * step : 12 * step]))
    heard = np.concatenate((sound[9 * step : 10 * step], samples(made), samples(after)))
    assert np.abs(np.diff(heard)).max() < 1.3 * steepest


def test_what_came_sets_in_gently_after_a_gap_that_has_faded() -> None:
    concealer = listener(voice(8000), 8000)
    concealer.lost(640)
    after = samples(concealer.heard(pcm(np.full(160, 8000.0))))
    assert np.abs(np.diff(after)).max() < 8000 / 40 + 500  # a room's noise beside the ramp
    assert abs(after[0]) < 1000
    assert after[40] == 8000


def test_a_long_gap_fades_within_60_ms() -> None:
    concealer = listener(voice(8000), 8000)
    loud = [loudness(samples(concealer.lost(80))) for _ in range(8)]
    assert loud[0] > 4000
    assert loud[:6] == sorted(loud[:6], reverse=True)
    assert max(loud[6:]) < 120  # a room's noise at most


def test_one_long_gap_sounds_as_many_short_ones() -> None:
    whole = listener(voice(8000), 8000).lost(640)
    parts = listener(voice(8000), 8000)
    assert b"".join(parts.lost(160) for _ in range(4)) == whole


def test_what_follows_a_gap_is_what_came_but_for_the_first_5_ms() -> None:
    sound = voice(8000)
    concealer = listener(sound, 8000)
    concealer.lost(160)
    came = pcm(sound[1760:1920])
    assert concealer.heard(came)[80:] == came[80:]
    assert concealer.heard(came) == came


def test_a_gap_in_front_of_everything_is_silent() -> None:
    assert Concealer(8000).lost(160) == bytes(320)


def test_a_long_gap_in_a_quiet_room_sounds_like_the_room() -> None:
    rate = 8000
    noise = np.random.default_rng(7).normal(0, 40, 8000)
    concealer = listener(noise, rate, 49)
    concealer.lost(480)
    room = samples(concealer.lost(1600))
    assert loudness(room) == pytest.approx(40, rel=0.2)


def test_somebody_who_never_pauses_is_not_taken_for_the_room() -> None:
    concealer = listener(voice(8000, 4.0), 8000, 199)
    concealer.lost(480)
    assert loudness(samples(concealer.lost(1600))) < 120


def test_silence_that_nobody_sent_is_silence_and_nothing_is_made_up_of_what_was_before() -> None:
    concealer = listener(voice(8000), 8000)
    assert concealer.silence(160) == bytes(320)
    assert loudness(samples(concealer.lost(160))) < 120
    assert (concealer.silent, concealer.concealed) == (160, 160)


def test_silence_is_as_loud_as_the_other_side_says_until_it_speaks() -> None:
    concealer = Concealer(8000)
    concealer.noise(60)
    assert loudness(samples(concealer.silence(4000))) == pytest.approx(32.7, rel=0.1)
    concealer.heard(bytes(320))
    assert concealer.silence(160) == bytes(320)


def test_silence_that_is_said_to_be_loud_is_not_believed() -> None:
    concealer = Concealer(8000)
    concealer.noise(0)
    assert loudness(samples(concealer.silence(4000))) < 120


def test_packets_shorter_than_a_pitch_period_are_enough_in_number() -> None:
    sound = voice(8000)
    concealer = Concealer(8000)
    for n in range(40):
        concealer.heard(pcm(sound[n * 80 : (n + 1) * 80]))
    assert len(concealer.lost(80)) == 160
