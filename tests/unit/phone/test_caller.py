"""What the simulated caller says begins and ends with speech."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ari_app.phone.caller import trimmed


def test_silence_at_either_end_is_cut() -> None:
    speech = np.full(800, 9000, np.int16)
    silence = np.zeros(400, np.int16)
    assert trimmed(np.concatenate([silence, speech, silence])).size == 800


def test_a_pause_inside_stays() -> None:
    speech = np.full(80, -9000, np.int16)
    pause = np.zeros(800, np.int16)
    assert trimmed(np.concatenate([speech, pause, speech])).size == 960


def test_nothing_but_silence_is_nothing() -> None:
    assert trimmed(np.zeros(400, np.int16)).size == 0
    assert trimmed(np.zeros(0, np.int16)).size == 0


@given(arrays.arrays(np.int16, st.integers(0, 300)))
def test_what_is_left_is_a_part_of_it_that_begins_and_ends_loud(pcm: np.ndarray) -> None:
    left = trimmed(pcm)
    assert left.size <= pcm.size
    if left.size:
        assert left[0] != 0
        assert left[-1] != 0
        assert np.abs(left.astype(int)).max() == np.abs(pcm.astype(int)).max()
