"""Kaldi's and OpenFst's files, octet by octet: libvosk aborts over the smallest difference."""

import io
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from ari_app.speech.model import mini_model_path
from ari_app.speech.recipe.fst_files import intervals, write_const, write_look_ahead
from ari_app.speech.recipe.graph import FINAL, Arc, Graph, next_words, with_transitions
from ari_app.speech.recipe.kaldi import (
    Writer,
    transition_ids,
    write_acoustic_model,
    write_transitions,
)
from ari_app.speech.recipe.network import CONTEXT, SPLICES, WIDTH, Affine, Network, inputs
from ari_app.speech.recipe.tongue import ENGLISH, Tongue

TINY = Tongue("xx", "Tiny", (), (), phones=("a",), merged={})


def network(tongue: Tongue = TINY) -> Network:
    rng = np.random.default_rng(1)

    def affine(outputs: int, width: int) -> Affine:
        return Affine(rng.standard_normal((outputs, width)) / width, rng.standard_normal(outputs))

    return Network(
        mean=rng.standard_normal(40),
        deviation=rng.uniform(1, 2, 40),
        layers=(
            *(affine(WIDTH, len(splice) * inputs(i)) for i, splice in enumerate(SPLICES)),
            affine(tongue.pdfs, WIDTH),
        ),
        norms=tuple((rng.standard_normal(WIDTH), rng.uniform(1, 2, WIDTH)) for _ in SPLICES),
        priors=np.full(tongue.pdfs, 1 / tongue.pdfs),
    )


def test_kaldi_s_numbers_have_their_size_before_them() -> None:
    stream = io.BytesIO()
    writer = Writer(stream)
    writer.begin()
    writer.token("<Dim>")
    writer.integers(7)
    writer.single(0.5)
    writer.double(0.5)
    writer.list([1, 2])
    writer.vector([1.0])
    writer.matrix(np.array([[1.0, 2.0]]))
    assert stream.getvalue().hex(" ") == (
        "00 42 3c 44 69 6d 3e 20 04 07 00 00 00 04 00 00 00 3f 08 00 00 00 00 00 00 e0 3f "
        "04 02 00 00 00 01 00 00 00 02 00 00 00 46 56 20 04 01 00 00 00 00 00 80 3f "
        "46 4d 20 04 01 00 00 00 04 02 00 00 00 00 00 80 3f 00 00 00 40"
    )


def test_the_transitions_of_the_english_phones_are_those_of_the_model_that_ships() -> None:
    stream = io.BytesIO()
    writer = Writer(stream)
    writer.begin()
    write_transitions(writer, ENGLISH)
    shipped = (mini_model_path() / "am/final.mdl").read_bytes()
    assert shipped.startswith(stream.getvalue())


def test_the_whole_model_holds_every_weight_and_the_priors() -> None:
    stream = io.BytesIO()
    write_acoustic_model(stream, network(), TINY)
    model = stream.getvalue()
    last = network().folded()[-1]
    assert np.ascontiguousarray(last.weights, "<f4").tobytes() in model
    assert "input=Append(Offset(tdnn1.relu, -3), tdnn1.relu, Offset(tdnn1.relu, 3))" in str(model)
    priors = np.frombuffer(model[-4 * TINY.pdfs :], "<f4")
    assert priors.sum() == pytest.approx(1)
    assert priors[2] < priors[0]  # garbage is made likelier


def test_folding_the_norms_changes_nothing_of_what_the_network_says() -> None:
    made = network()
    features = np.random.default_rng(2).standard_normal((2 * CONTEXT + 9, 40))
    values = (features - made.mean) / made.deviation
    for number, layer in enumerate(made.layers):
        width = layer.weights.shape[1] // values.shape[1]
        step = 3 if number == 1 else 1
        rows = range(0, len(values) - width + 1, step)
        spliced = np.stack([values[row : row + width].ravel() for row in rows])
        values = spliced @ layer.weights.T + layer.bias
        if number < len(made.norms):
            mean, variance = made.norms[number]
            values = (np.maximum(values, 0) - mean) / np.sqrt(variance + 1e-5)
    wanted = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    assert made.scores(features) == pytest.approx(wanted, abs=1e-9)
    assert len(wanted) == 3  # one in 30 ms


def test_a_network_that_was_kept_is_the_same(tmp_path: Path) -> None:

    file = tmp_path / "network.npz"
    made = network()
    made.save(file)
    features = np.random.default_rng(2).standard_normal((2 * CONTEXT + 3, 40))
    assert np.array_equal(Network.load(file).scores(features), made.scores(features))


# -- graphs ------------------------------------------------------------------------------------

SMALL = Graph([[Arc(2, 0, 0.5, 1), Arc(1, 3, 0.0, 1), Arc(3, 4, 0, 1)], []], [math.inf, 0.0], 0)


def test_a_const_graph_is_header_states_arcs() -> None:
    stream = io.BytesIO()
    write_const(stream, SMALL)
    octets = stream.getvalue()
    head = struct.pack("<i", 2125659606) + struct.pack("<i", 5) + b"const"
    head += struct.pack("<i", 8) + b"standard" + struct.pack("<iiQqqq", 2, 0, 1, 0, 2, 3)
    states = struct.pack("<fIIII", math.inf, 0, 3, 0, 1) + struct.pack("<fIIII", 0.0, 3, 0, 0, 0)
    arcs = struct.pack("<iifi", 1, 3, 0.0, 1) + struct.pack("<iifi", 2, 0, 0.5, 1)
    arcs += struct.pack("<iifi", 3, 4, 0.0, 1)
    assert octets == head + states + arcs


def test_a_look_ahead_graph_says_behind_it_which_words_can_come() -> None:
    stream = io.BytesIO()
    write_look_ahead(stream, SMALL, [{3, 4, FINAL}, {FINAL}], 9)
    octets = stream.getvalue()
    assert octets[4:24] == struct.pack("<i", 16) + b"olabel_lookahead"
    tail = struct.pack("<iq", 9, 2)
    tail += struct.pack("<q", 2) + struct.pack("<iiii", 3, 5, 9, 10) + struct.pack("<i", 3)
    tail += struct.pack("<q", 1) + struct.pack("<ii", 9, 10) + struct.pack("<i", 1)
    assert octets.endswith(b"\x01\x00\x01\x00\x00" + tail)
    by_output = struct.pack("<iifi", 2, 0, 0.5, 1) + struct.pack("<iifi", 1, 3, 0.0, 1)
    assert by_output in octets


def test_numbers_become_spans() -> None:
    assert intervals({5, 1, 2, 3}) == [(1, 4), (5, 6)]
    assert intervals([]) == []


def test_transitions_are_numbered_from_one_and_staying_comes_first() -> None:
    assert transition_ids(TINY)[1] == (1, 2)
    assert transition_ids(TINY)[3] == (5, 6)


def test_a_phone_is_entered_once_and_then_stayed_in() -> None:
    stays, enters = transition_ids(TINY)[1]
    made = with_transitions(Graph([[Arc(1, 7, 0.25, 1)], []], [math.inf, 0.0], 0), TINY)
    assert made.arcs[0] == [Arc(enters, 7, 0.25, 1)]
    assert made.arcs[1] == [Arc(stays, 0, 0, 1)]


def test_a_state_that_two_phones_enter_is_stayed_in_apart() -> None:
    made = with_transitions(Graph([[Arc(1, 0, 0, 1), Arc(2, 0, 0, 1)], []], [math.inf, 0], 0), TINY)
    ids = transition_ids(TINY)
    targets = [arc.to for arc in made.arcs[0]]
    assert len(set(targets)) == 2
    for phone, state in zip((1, 2), targets, strict=True):
        assert made.arcs[state] == [Arc(ids[phone][0], 0, 0, state), Arc(0, 0, 0, 1)]
        assert made.final[state] == math.inf


def test_marks_that_tell_words_apart_are_gone_from_the_graph() -> None:
    mark = len(TINY.table) + 1
    made = with_transitions(Graph([[Arc(mark, 0, 0, 1)], []], [math.inf, 0.0], 0), TINY)
    assert made.arcs[0] == [Arc(0, 0, 0, 1)]


def test_the_words_that_can_come_are_found_over_any_way_without_one() -> None:
    graph = Graph(
        [[Arc(1, 0, 0, 1)], [Arc(2, 5, 0, 2), Arc(3, 0, 0, 0)], [Arc(1, 6, 0, 0)]],
        [math.inf, math.inf, 0.0],
        0,
    )
    assert next_words(graph) == [{5}, {5}, {6, FINAL}]
