"""The tone that a caller hears who waits for a person."""

from __future__ import annotations

import numpy as np

from ari_app.media.g711 import ulaw_decode
from ari_app.media.ringback import ringback

RATE = 8000


def test_a_second_of_tone_is_followed_by_three_of_silence() -> None:
    heard = ulaw_decode(ringback())
    assert len(heard) == 4 * RATE
    assert np.abs(heard[:RATE]).max() > 1000
    assert not heard[RATE:].any()


def test_the_tone_is_of_two_frequencies_and_softer_than_speech() -> None:
    tone = ulaw_decode(ringback())[:RATE].astype(float)
    strength = np.abs(np.fft.rfft(tone))  # a bin is 1 Hz
    assert set(np.argsort(strength)[-2:]) == {440, 480}
    assert np.delete(strength, [440, 480]).max() < strength[440] / 20
    assert 20 * np.log10(np.abs(tone).max() / 32767) < -15


def test_it_begins_and_ends_without_a_click() -> None:
    heard = ulaw_decode(ringback()).astype(int)
    assert np.abs(np.diff(heard)).max() < 2000
    assert abs(heard[RATE - 1]) < 1600
