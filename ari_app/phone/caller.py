"""A caller who waits for each prompt to end, answers, and measures the reply by its packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ari_app.phone.call import Phone
from ari_app.phone.errors import CallEnded, NothingHeard

Pcm = npt.NDArray[np.int16]
_LOUD = 0.02  # of the peak: below it the end of a recording is silence


@dataclass(frozen=True, slots=True)
class Line:
    """What the caller says, as sound, or a row of keys."""

    text: str
    pcm: Pcm | None = None
    keys: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line and its answer; monotonic seconds, from packets."""

    text: str
    spoken_until: float  # the last packet with speech, or of the last key, left the phone
    answered_at: float | None  # the first packet of the answer arrived; None: the call ended


def trimmed(pcm: Pcm) -> Pcm:
    """The samples without the silence at either end, so that the end of speech is known."""
    if pcm.size == 0:
        return pcm
    size = np.abs(pcm.astype(np.int32))
    loud = np.flatnonzero(size > max(int(size.max() * _LOUD), 1))
    return pcm[loud[0] : loud[-1] + 1] if loud.size else pcm[:0]


async def converse(
    phone: Phone, lines: Sequence[Line], *, pause: float = 0.7, patience: float = 40.0
) -> list[Exchange]:
    """Say the lines, each after the prompt before it has ended; stops when the far side hangs up.

    `pause` is how long the far side must be silent to have finished; NothingHeard if it is not
    heard within `patience` seconds.
    """
    exchanges: list[Exchange] = []
    await phone.until_quiet(pause, patience)
    for line in lines:
        try:
            until = await _speak(phone, line)
        except CallEnded:
            break
        answered: float | None = None
        try:
            answered = await phone.until_prompt(patience, since=until)
            await phone.until_quiet(pause, patience)
        except (CallEnded, NothingHeard):
            if phone.up:
                raise
        exchanges.append(Exchange(line.text, until, answered))
    return exchanges


async def _speak(phone: Phone, line: Line) -> float:
    until = 0.0
    for key in line.keys:
        until = await phone.press(key)
    if line.pcm is not None:
        until = await phone.say(line.pcm)
    return until
