"""Kaldi's acoustic model file: the transition model and the nnet3 network, binary.

After base/io-funcs.cc, hmm/transition-model.cc, hmm/hmm-topology.cc and nnet3/nnet-nnet.cc. Each
phone has Kaldi's "chain" topology: one state whose first frame and whose others have their own pdf.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ari_app.speech.recipe.features import CEPSTRA
from ari_app.speech.recipe.network import SPLICES, Affine, Network
from ari_app.speech.recipe.tongue import GARBAGE, Tongue

_CONTEXT = 3 + 3 * (len(SPLICES) - 2)  # of the whole network, as nnet3 counts it
_LOOP = 0.5  # probability of staying in a phone
_GARBAGE_BOOST = 1.0  # natural logarithm, of the scaled likelihood of garbage


class Writer:
    """Kaldi's binary tokens and numbers, little-endian."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def begin(self) -> None:
        """The mark of a binary file."""
        self._stream.write(b"\0B")

    def text(self, text: str) -> None:
        """Octets as they are."""
        self._stream.write(text.encode())

    def token(self, *names: str) -> None:
        """Words, each with a space behind it."""
        self.text("".join(f"{name} " for name in names))

    def integers(self, *values: int) -> None:
        """32-bit integers, each with its size before it."""
        for value in values:
            self._stream.write(b"\x04" + struct.pack("<i", value))

    def single(self, value: float) -> None:
        """A 32-bit float."""
        self._stream.write(b"\x04" + struct.pack("<f", value))

    def double(self, value: float) -> None:
        """A 64-bit float."""
        self._stream.write(b"\x08" + struct.pack("<d", value))

    def list(self, values: Sequence[int]) -> None:
        """A vector of 32-bit integers."""
        octets = np.asarray(values, "<i4").tobytes()
        self._stream.write(b"\x04" + struct.pack("<i", len(values)) + octets)

    def vector(self, values: NDArray[np.float64] | Sequence[float]) -> None:
        """A vector of 32-bit floats."""
        self.token("FV")
        self.integers(len(values))
        self._stream.write(np.asarray(values, "<f4").tobytes())

    def matrix(self, values: NDArray[np.float64]) -> None:
        """A matrix of 32-bit floats, row by row."""
        self.token("FM")
        self.integers(*values.shape)
        self._stream.write(np.ascontiguousarray(values, "<f4").tobytes())


def transition_ids(tongue: Tongue) -> dict[int, tuple[int, int]]:
    """Phone -> its transition ids: staying in it, and entering it."""
    return {phone: (2 * phone - 1, 2 * phone) for phone in range(1, len(tongue.table))}


def write_acoustic_model(stream: BinaryIO, network: Network, tongue: Tongue) -> None:
    """am/final.mdl: transitions, network, priors."""
    writer = Writer(stream)
    writer.begin()
    write_transitions(writer, tongue)
    _nnet3(writer, network.folded())
    writer.token("<LeftContext>")
    writer.integers(_CONTEXT)
    writer.token("<RightContext>")
    writer.integers(_CONTEXT)
    priors = network.priors.copy()
    garbage = 2 * tongue.base.index(GARBAGE)
    priors[garbage : garbage + 2] *= np.exp(-_GARBAGE_BOOST)
    writer.token("<Priors>")
    writer.vector(priors / priors.sum())


def write_transitions(writer: Writer, tongue: Tongue) -> None:
    """The topology and the transition probabilities of every phone."""
    phones = range(1, len(tongue.table))
    writer.token("<TransitionModel>", "<Topology>")
    writer.list(phones)
    writer.list([-1, *(0 for _ in phones)])
    writer.integers(-1)  # states have a pdf of their own for staying
    writer.integers(1, 2)  # one topology, of two states
    writer.integers(0, 1, 2)  # pdf classes of entering and of staying, transitions
    writer.integers(0)
    writer.single(_LOOP)
    writer.integers(1)
    writer.single(1 - _LOOP)
    writer.integers(-1, -1, 0)  # the final state
    writer.token("</Topology>", "<Tuples>")
    writer.integers(len(phones))
    for phone in phones:
        pdf = 2 * tongue.base.index(tongue.table[phone].rsplit("_", 1)[0])
        writer.integers(phone, 0, pdf, pdf + 1)
    writer.token("</Tuples>", "<LogProbs>")
    writer.vector([0.0] + [np.log(_LOOP), np.log(1 - _LOOP)] * len(phones))
    writer.token("</LogProbs>", "</TransitionModel>")


def _nnet3(writer: Writer, layers: Sequence[Affine]) -> None:
    writer.token("<Nnet3>")
    writer.text("\n" + "\n".join(_nodes()) + "\n\n")
    writer.token("<NumComponents>")
    writer.integers(2 * len(layers))
    for number, layer in enumerate(layers):
        last = number == len(SPLICES)
        name = "output" if last else f"tdnn{number}"
        writer.token("<ComponentName>", f"{name}.affine", "<FixedAffineComponent>")
        writer.token("<LinearParams>")
        writer.matrix(layer.weights)
        writer.token("<BiasParams>")
        writer.vector(layer.bias)
        writer.token("</FixedAffineComponent>")
        writer.token("<ComponentName>", f"{name}.{'log-softmax' if last else 'relu'}")
        kind = "LogSoftmaxComponent" if last else "RectifiedLinearComponent"
        _nonlinearity(writer, kind, len(layer.bias))
    writer.token("</Nnet3>")


def _nonlinearity(writer: Writer, kind: str, width: int) -> None:
    writer.token(f"<{kind}>", "<Dim>")
    writer.integers(width)
    for statistics in ("<ValueAvg>", "<DerivAvg>"):
        writer.token(statistics)
        writer.vector([])
    for count in ("<Count>", "<NumDimsSelfRepaired>", "<NumDimsProcessed>"):
        writer.token(count)
        writer.double(0.0)
    writer.token(f"</{kind}>")


def _nodes() -> list[str]:
    """How the components are wired, in nnet3's configuration language."""
    lines = [f"input-node name=input dim={CEPSTRA}"]
    before = "input"
    for number, splice in enumerate(SPLICES):
        frames = ", ".join(f"Offset({before}, {o})" if o else before for o in splice)
        name = f"tdnn{number}"
        lines += [
            f"component-node name={name}.affine component={name}.affine input=Append({frames})",
            f"component-node name={name}.relu component={name}.relu input={name}.affine",
        ]
        before = f"{name}.relu"
    return [
        *lines,
        f"component-node name=output.affine component=output.affine input={before}",
        "component-node name=output.log-softmax component=output.log-softmax input=output.affine",
        "output-node name=output input=output.log-softmax objective=linear",
    ]
