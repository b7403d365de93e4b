"""Pure. From the times of phonemes to a label for every 30 ms frame of the network's output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ari_app.speech.recipe.tongue import SILENCE, Tongue
from ari_app.speech.recipe.voices import Phoneme, Said

Labels = NDArray[np.int16]

FRAME_MS = 30.0  # one output: libvosk takes three frames of 10 ms together
_FIRST_MS = 12.5  # the middle of the first window of 25 ms
NO_WORD = -1


@dataclass(frozen=True, slots=True)
class Segment:
    """A phone in time; `word` is the position of its word in the text."""

    phone: str
    start: float
    end: float
    word: int


def segments(phonemes: Sequence[Phoneme], end: int, tongue: Tongue) -> list[Segment]:
    """The phones of a sentence that ends at sample `end`, silences merged; times in samples."""
    found: list[Segment] = []
    ends = [phoneme.sample for phoneme in phonemes[1:]] + [end]
    for phoneme, until in zip(phonemes, ends, strict=True):
        phone = tongue.phone(phoneme.mnemonic)
        last = found[-1] if found else None
        if last is not None and (not phone or phone == last.phone == SILENCE):
            found[-1] = Segment(last.phone, last.start, until, last.word)
        elif phone:
            found.append(Segment(phone, phoneme.sample, until, phoneme.position))
    return found


def placed(parts: Sequence[Segment], before: float, each: float, end: float) -> list[Segment]:
    """The segments on a line, in ms: `before` ms of silence first, `each` ms a sample, to `end`."""
    moved = [Segment(SILENCE, 0, before, NO_WORD)]
    moved += [
        Segment(s.phone, before + s.start * each, before + s.end * each, s.word) for s in parts
    ]
    last = moved[-1]
    if last.phone == SILENCE:
        moved[-1] = Segment(SILENCE, last.start, end, NO_WORD)
    else:
        moved.append(Segment(SILENCE, last.end, end, NO_WORD))
    return moved


def fit(parts: Sequence[Segment], frames: int) -> NDArray[np.int64] | None:
    """The segment of each frame: at least one frame each, as near to its time as possible.

    None if there are fewer frames than segments.
    """
    count = len(parts)
    if frames < count:
        return None
    time = _FIRST_MS + FRAME_MS * np.arange(frames)
    starts, ends = np.array([s.start for s in parts]), np.array([s.end for s in parts])
    cost = np.maximum(0, np.maximum(starts - time[:, None], time[:, None] - ends))
    best = np.full(count, np.inf)
    best[0] = cost[0, 0]
    moved = np.zeros((frames, count), bool)
    for frame in range(1, frames):
        before = np.concatenate(([np.inf], best[:-1]))
        moved[frame] = before < best
        best = np.where(moved[frame], before, best) + cost[frame]
    return backtrace(moved)


def backtrace(moved: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The path that ends in the last column; `moved` says where it came from the column before."""
    frames, count = moved.shape
    path = np.empty(frames, np.int64)
    at = count - 1
    for frame in range(frames - 1, -1, -1):
        path[frame] = at
        at -= int(moved[frame, at])
    return path


def pdfs(path: NDArray[np.int64], phones: Sequence[str], tongue: Tongue) -> Labels:
    """The label of each frame: twice the number of its phone, one more after its first frame."""
    numbers = np.array([tongue.base.index(phone) for phone in phones])
    first = np.concatenate(([True], path[1:] != path[:-1]))
    return (2 * numbers[path] + np.where(first, 0, 1)).astype(np.int16)


def pronunciations(
    sentence: str, spoken: str, said: Said, tongue: Tongue
) -> list[tuple[str, tuple[str, ...]]]:
    """The words of a sentence that were spoken as units of their own, each with its phones."""
    phones: dict[int, list[str]] = {}
    for phoneme in said.phonemes:
        phone = tongue.phone(phoneme.mnemonic)
        if phone and phone != SILENCE:
            phones.setdefault(phoneme.position, []).append(phone)
    words = _positions(sentence, spoken)
    found = []
    for i, (position, word) in enumerate(words):
        alone = i + 1 == len(words) or words[i + 1][0] in said.words
        if position in said.words and alone and phones.get(position):
            found.append((word, tuple(phones[position])))
    return found


def _positions(sentence: str, spoken: str) -> list[tuple[int, str]]:
    """Where espeak-ng sees each word: from 1, and behind the brackets of phonemes."""
    found, at = [], 1
    for word, told in zip(sentence.lower().split(), spoken.split(), strict=True):
        found.append((at + 2 * told.startswith("[["), word))
        at += len(told) + 1
    return found
