"""Pure. OpenFst's binary files, as libvosk reads them (openfst: fst.cc, const-fst.h, add-on.h).

Little-endian. "const" graphs hold states, then arcs; the lexicon's has look-ahead data behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

from ari_app.speech.recipe.graph import FINAL, Arc, Graph

_MAGIC = 2125659606
_ADD_ON_MAGIC = 446681434
_UNALIGNED = 2  # version of the const format
# fst/properties.h
_EXPANDED, _NOT_ACCEPTOR, _SORTED_BY_OUTPUT, _WEIGHTED = 0x1, 0x20000, 0x40000000, 0x100000000


def write_const(stream: BinaryIO, graph: Graph) -> None:
    """A graph whose arcs are in the order of what they take."""
    _header(stream, "const", _UNALIGNED, _EXPANDED, graph.start, graph)
    _body(stream, graph, lambda arc: (arc.enters,))


def write_look_ahead(
    stream: BinaryIO, graph: Graph, next_words: Sequence[Iterable[int]], last: int
) -> None:
    """A graph that knows for each state which words can come next; `last` stands for the end."""
    properties = _EXPANDED | _SORTED_BY_OUTPUT | _NOT_ACCEPTOR | _WEIGHTED
    _header(stream, "olabel_lookahead", 1, properties, -1, None)
    stream.write(struct.pack("<i", _ADD_ON_MAGIC))
    _header(stream, "const", _UNALIGNED, properties, graph.start, graph)
    _body(stream, graph, lambda arc: (arc.gives, arc.enters))
    stream.write(b"\x01")  # there is a pair of add-ons
    stream.write(b"\x00")  # none for the labels taken
    stream.write(b"\x01")  # LabelReachableData for those given
    stream.write(b"\x00\x00")  # not for the input, no relabelling kept
    stream.write(struct.pack("<iq", last, len(next_words)))
    for words in next_words:
        spans = intervals({last if word == FINAL else word for word in words})
        stream.write(struct.pack("<q", len(spans)))
        for begin, end in spans:
            stream.write(struct.pack("<ii", begin, end))
        stream.write(struct.pack("<i", sum(end - begin for begin, end in spans)))


def intervals(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as spans, each from its first to behind its last."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found


def _header(
    stream: BinaryIO, kind: str, version: int, properties: int, start: int, graph: Graph | None
) -> None:
    states = len(graph.arcs) if graph else 0
    arcs = sum(map(len, graph.arcs)) if graph else 0
    stream.write(struct.pack("<i", _MAGIC))
    for name in (kind, "standard"):
        stream.write(struct.pack("<i", len(name)) + name.encode())
    stream.write(struct.pack("<iiQqqq", version, 0, properties, start, states, arcs))


def _body(stream: BinaryIO, graph: Graph, order: Callable[[Arc], tuple[int, ...]]) -> None:
    written = bytearray()
    at = 0
    for leaving, final in zip(graph.arcs, graph.final, strict=True):
        arcs = sorted(leaving, key=order)
        without_input = sum(arc.enters == 0 for arc in arcs)
        without_output = sum(arc.gives == 0 for arc in arcs)
        stream.write(struct.pack("<fIIII", final, at, len(arcs), without_input, without_output))
        for arc in arcs:
            written += struct.pack("<iifi", arc.enters, arc.gives, arc.cost, arc.to)
        at += len(arcs)
    stream.write(written)
