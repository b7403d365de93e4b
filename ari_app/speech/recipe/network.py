"""A trained acoustic model as plain arrays: what training gives and the export takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ari_app.speech.recipe.features import CEPSTRA

Array = NDArray[np.float64]

# Frames that each layer sees, relative to its own: every 10 ms below, every 30 ms from the third
# layer on (written in units of 10 ms).
SPLICES: tuple[tuple[int, ...], ...] = (
    (-2, -1, 0, 1, 2),
    (-1, 0, 1),
    *((-3, 0, 3) for _ in range(4)),
)
WIDTH = 224
CONTEXT = sum(splice[-1] for splice in SPLICES)  # frames of 10 ms on each side
_EPSILON = 1e-5  # of torch's batch norm


@dataclass(frozen=True, slots=True)
class Affine:
    """One layer's weights, outputs x (frames of its splice, oldest first, x inputs), and biases."""

    weights: Array
    bias: Array


@dataclass(frozen=True, slots=True)
class Network:
    """A time-delay network: affine, rectifier, batch norm; the last layer is affine alone."""

    mean: Array  # of the cepstra
    deviation: Array
    layers: tuple[Affine, ...]
    norms: tuple[tuple[Array, Array], ...]  # running mean and variance behind each but the last
    priors: Array  # how frequent each output is; sums to 1

    def folded(self) -> tuple[Affine, ...]:
        """The same network without norms: each is folded into the layer above it."""
        scale, shift = 1 / self.deviation, -self.mean / self.deviation
        found = []
        for number, layer in enumerate(self.layers):
            times = layer.weights.shape[1] // len(scale)
            bias = layer.bias + layer.weights @ np.tile(shift, times)
            found.append(Affine(layer.weights * np.tile(scale, times), bias))
            if number < len(self.norms):
                mean, variance = self.norms[number]
                scale = 1 / np.sqrt(variance + _EPSILON)
                shift = -mean * scale
        return tuple(found)

    def scores(self, features: Array) -> Array:
        """Log-posteriors every 30 ms of features with CONTEXT frames on each side; slow."""
        values = features
        for number, layer in enumerate(self.folded()):
            splice = SPLICES[number] if number < len(SPLICES) else (0,)
            # From the second layer on, values stand 10 ms apart once and 30 ms then.
            step = 3 if number > 1 else 1
            offsets = [(o - splice[0]) // step for o in splice]
            rows = np.arange(0, len(values) - offsets[-1], 3 if number == 1 else 1)
            spliced = np.concatenate([values[rows + o] for o in offsets], axis=1)
            values = spliced @ layer.weights.T + layer.bias
            if number < len(SPLICES):
                values = np.maximum(values, 0)
        top = values.max(axis=1, keepdims=True)
        normal: Array = values - top - np.log(np.exp(values - top).sum(axis=1, keepdims=True))
        return normal

    def save(self, file: Path) -> None:
        """Keep it for the next step."""
        arrays = {"mean": self.mean, "deviation": self.deviation, "priors": self.priors}
        for i, layer in enumerate(self.layers):
            arrays |= {f"weights{i}": layer.weights, f"bias{i}": layer.bias}
        for i, (mean, variance) in enumerate(self.norms):
            arrays |= {f"mean{i}": mean, f"variance{i}": variance}
        with file.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, file: Path) -> Network:
        """What was kept."""
        with np.load(file) as kept:
            arrays = dict(kept)
        count = len(SPLICES)
        return cls(
            mean=arrays["mean"],
            deviation=arrays["deviation"],
            layers=tuple(
                Affine(arrays[f"weights{i}"], arrays[f"bias{i}"]) for i in range(count + 1)
            ),
            norms=tuple((arrays[f"mean{i}"], arrays[f"variance{i}"]) for i in range(count)),
            priors=arrays["priors"],
        )


def inputs(layer: int) -> int:
    """How many values of one frame a layer takes."""
    return WIDTH if layer else CEPSTRA


def with_edges(features: NDArray[np.float16]) -> NDArray[np.float16]:
    """Features with their first and last frame repeated for the network's context."""
    return np.concatenate(
        (np.repeat(features[:1], CONTEXT, 0), features, np.repeat(features[-1:], CONTEXT, 0))
    )
