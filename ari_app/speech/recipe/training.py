"""Trains the network: framewise cross-entropy, on the processor, seeded. Needs torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ari_app.speech.recipe.labels import Labels
from ari_app.speech.recipe.network import (
    CONTEXT,
    SPLICES,
    WIDTH,
    Affine,
    Network,
    inputs,
    with_edges,
)
from ari_app.speech.recipe.speaking import Speech
from ari_app.speech.recipe.tongue import GARBAGE, Tongue

_CHUNK = 64  # labels
_BATCH = 48  # chunks
_GARBAGE_SHARE = 0.06  # of the words, relabelled at random
_SEED = 7
_TELL_EVERY = 50  # steps


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the training is."""

    step: int
    steps: int
    loss: float
    accuracy: float  # share of the frames


def garbled(rng: np.random.Generator, speech: Speech, tongue: Tongue) -> Labels:
    """The labels with a random share of the words as garbage, the phone behind [unk]."""
    labels = speech.labels.copy()
    words = speech.words.astype(np.int64)
    begins = np.concatenate(([True], words[1:] != words[:-1]))
    number = np.cumsum(begins) - 1
    chosen = (rng.random(number[-1] + 1) < _GARBAGE_SHARE)[number] & (words >= 0)
    garbage = 2 * tongue.base.index(GARBAGE)
    labels[chosen] = garbage + 1
    labels[chosen & begins] = garbage
    return labels


def train(
    speech: Speech,
    tongue: Tongue,
    epochs: float,
    *,
    start: Network | None = None,
    threads: int = 2,
    step: Callable[[Progress], None] = lambda _: None,
) -> Network:
    """A network for the labels of the speech; `start` is one to go on from."""
    torch.manual_seed(_SEED)
    torch.set_num_threads(threads)
    rng = np.random.default_rng(_SEED)
    sample = speech.features[::7].astype(np.float32)
    mean = start.mean if start else sample.mean(0).astype(np.float64)
    deviation = start.deviation if start else sample.std(0).astype(np.float64)
    net = _torch_net(tongue)
    if start:
        _take_over(net, start)
    chunks = _Chunks(speech, mean, deviation)
    steps = int(epochs * len(chunks) / _BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.2e-3 if start else 2.5e-3, total_steps=steps + 1, pct_start=0.15
    )
    order = np.zeros(0, np.int64)
    labels = speech.labels
    seen: list[tuple[float, float]] = []
    net.train()
    for number in range(1, steps + 1):
        if len(order) < _BATCH:
            order, labels = rng.permutation(len(chunks)), garbled(rng, speech, tongue)
        (batch, order) = (order[:_BATCH], order[_BATCH:])
        heard, wanted = chunks.batch(batch, labels)
        with _half_precision():
            given = net(heard).transpose(1, 2).float()
        loss = nn.functional.cross_entropy(given.reshape(-1, tongue.pdfs), wanted.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        seen.append((loss.item(), (given.argmax(-1) == wanted).float().mean().item()))
        if number % _TELL_EVERY == 0 or number == steps:
            average = np.mean(seen[-_TELL_EVERY:], axis=0)
            step(Progress(number, steps, float(average[0]), float(average[1])))
    counts = np.bincount(garbled(rng, speech, tongue), minlength=tongue.pdfs) + 10.0
    return _arrays(net, mean, deviation, counts / counts.sum())


class Scorer:
    """A network's log-posteriors, at torch's speed."""

    def __init__(self, network: Network, tongue: Tongue) -> None:
        self._net = _torch_net(tongue)
        _take_over(self._net, network)
        self._net.eval()
        self._network = network

    def scores(self, features: NDArray[np.float16]) -> NDArray[np.float32]:
        """Every 30 ms of features with CONTEXT frames on each side."""
        normal = (features.astype(np.float32) - self._network.mean) / self._network.deviation
        with torch.no_grad(), _half_precision():
            given = self._net(torch.from_numpy(normal.astype(np.float32).T.copy())[None])[0]
            found: NDArray[np.float32] = torch.log_softmax(given.T.float(), -1).numpy()
        return found


class _Chunks:
    """The speech in equal pieces, each with its context."""

    def __init__(self, speech: Speech, mean: Any, deviation: Any) -> None:
        self._features = torch.from_numpy(with_edges(speech.features))
        self._mean = torch.from_numpy(mean.astype(np.float32))
        self._deviation = torch.from_numpy(deviation.astype(np.float32))
        self._count = len(speech.labels) // _CHUNK

    def __len__(self) -> int:
        return self._count

    def batch(self, numbers: NDArray[np.int64], labels: Labels) -> tuple[Any, Any]:
        frames = _CHUNK * 3
        heard = torch.stack(
            [self._features[i * frames : (i + 1) * frames + 2 * CONTEXT] for i in numbers]
        ).float()
        wanted = np.stack([labels[i * _CHUNK : (i + 1) * _CHUNK] for i in numbers])
        normal = (heard - self._mean) / self._deviation
        return normal.transpose(1, 2), torch.from_numpy(wanted.astype(np.int64))


def _half_precision() -> Any:
    """Products of 16-bit floats, where the processor has them: nearly twice as fast."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


def _torch_net(tongue: Tongue) -> Any:
    """Convolutions in time; the second one steps from 10 to 30 ms."""
    parts: list[Any] = []
    for number, splice in enumerate(SPLICES):
        stride = 3 if number == 1 else 1
        parts.append(nn.Conv1d(inputs(number), WIDTH, len(splice), stride=stride))
        parts += [nn.ReLU(), nn.BatchNorm1d(WIDTH, affine=False), nn.Dropout(0.1)]
    return nn.Sequential(*parts, nn.Conv1d(WIDTH, tongue.pdfs, 1))


def _convolutions(net: Any) -> list[Any]:
    return [part for part in net if isinstance(part, nn.Conv1d)]


def _norms(net: Any) -> list[Any]:
    return [part for part in net if isinstance(part, nn.BatchNorm1d)]


def _arrays(net: Any, mean: Any, deviation: Any, priors: Any) -> Network:
    layers = []
    for part in _convolutions(net):
        weights = part.weight.detach().double().numpy()  # outputs x inputs x frames
        flat = np.transpose(weights, (0, 2, 1)).reshape(len(weights), -1)
        layers.append(Affine(flat, part.bias.detach().double().numpy()))
    norms = tuple(
        (part.running_mean.double().numpy(), part.running_var.double().numpy())
        for part in _norms(net)
    )
    return Network(mean, deviation, tuple(layers), norms, priors)


def _take_over(net: Any, network: Network) -> None:
    with torch.no_grad():
        for part, layer in zip(_convolutions(net), network.layers, strict=True):
            outputs, entering, frames = part.weight.shape
            weights = layer.weights.reshape(outputs, frames, entering).transpose(0, 2, 1)
            part.weight.copy_(torch.from_numpy(weights.copy()))
            part.bias.copy_(torch.from_numpy(layer.bias))
        for part, (mean, variance) in zip(_norms(net), network.norms, strict=True):
            part.running_mean.copy_(torch.from_numpy(mean))
            part.running_var.copy_(torch.from_numpy(variance))
