"""Labels by the network's own hearing: the best path through each sentence's phones (Viterbi).

espeak-ng's times are exact at its own clock, but every phone must have a frame of 30 ms; the
network is more consistent about which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ari_app.speech.recipe.labels import Labels, backtrace, pdfs
from ari_app.speech.recipe.network import CONTEXT, Array, with_edges
from ari_app.speech.recipe.speaking import Speech
from ari_app.speech.recipe.tongue import Tongue

_PRIOR_WEIGHT = 0.7
_BLOCK = 50  # utterances that are scored together, which is faster
Scores = Callable[[NDArray[np.float16]], NDArray[np.float32]]


def best_path(scores: Array | NDArray[np.float32], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which of the phones (by number, in order) each frame is of; at least one frame each."""
    enters, stays = scores[:, 2 * numbers], scores[:, 2 * numbers + 1]
    frames, count = enters.shape
    best = np.full(count, -1e9)
    best[0] = enters[0, 0]
    moved = np.zeros((frames, count), bool)
    for frame in range(1, frames):
        entering = np.concatenate(([-1e9], best[:-1])) + enters[frame]
        staying = best + stays[frame]
        moved[frame] = entering > staying
        best = np.where(moved[frame], entering, staying)
    return backtrace(moved)


def realigned(
    speech: Speech, scores: Scores, priors: Array, tongue: Tongue
) -> tuple[Speech, float]:
    """The speech with new labels, and the share of the frames that have changed."""
    features = with_edges(speech.features)
    weights = _PRIOR_WEIGHT * np.log(priors)
    labels, words = speech.labels.copy(), speech.words.copy()
    for first in range(0, len(speech.phones), _BLOCK):
        numbers = range(first, min(first + _BLOCK, len(speech.phones)))
        begin, stop = int(speech.offsets[first]), int(speech.offsets[numbers.stop])
        likely = scores(features[begin * 3 : stop * 3 + 2 * CONTEXT]) - weights
        for number in numbers:
            phones = speech.phones[number]
            start, end = int(speech.offsets[number]), int(speech.offsets[number + 1])
            if phones:
                order = np.array([tongue.base.index(phone) for phone in phones])
                path = best_path(likely[start - begin : end - begin], order)
                words[start:end] = _words(speech.labels[start:end], speech.words[start:end])[path]
                labels[start:end] = pdfs(path, phones, tongue)
    changed = float(np.mean(labels != speech.labels))
    return replace(speech, labels=labels, words=words), changed


def _words(labels: Labels, words: Labels) -> Labels:
    """The word of each phone, from labels whose even numbers begin one."""
    begins = labels % 2 == 0
    of_phones: Labels = words[begins]
    return of_phones
