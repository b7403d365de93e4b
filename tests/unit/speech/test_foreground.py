"""Who is near the phone, and who talks behind them."""

from __future__ import annotations

import numpy as np

from ari_app.speech.foreground import Foreground


def frame(decibels: float) -> bytes:
    """20 ms so far below full scale."""
    tone = 32000 * 10 ** (decibels / 20) * np.sin(np.arange(160) * 0.5)
    return bytes(tone.astype("<i2").tobytes())


def near(foreground: Foreground, decibels: float, frames: int) -> list[bool]:
    return [foreground.is_near(frame(decibels)) for _ in range(frames)]


def test_a_word_may_end_faintly() -> None:
    foreground = Foreground()
    assert all(near(foreground, -20, 30))
    assert all(near(foreground, -40, 10))


def test_who_talks_behind_the_caller_is_not_the_caller() -> None:
    foreground = Foreground()
    near(foreground, -20, 30)
    assert near(foreground, -40, 30)[10:] == [False] * 20
    assert near(foreground, -22, 1) == [True]


def test_somebody_faint_alone_is_heard() -> None:
    assert all(near(Foreground(), -45, 100))


def test_a_cough_makes_nobody_faint_for_long() -> None:
    foreground = Foreground()
    near(foreground, -5, 10)
    assert near(foreground, -25, 400)[-1]


def test_the_next_turn_may_be_fainter() -> None:
    foreground = Foreground()
    near(foreground, -10, 30)
    foreground.forget()
    assert all(near(foreground, -40, 30))
