"""The steps of the recipe that need its extra: the same network in torch and here, a true graph."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ari_app.cli.recipe import ServiceTelephony
from ari_app.speech.model import load_model_facts
from ari_app.speech.recipe.building import Effort, build
from ari_app.speech.recipe.graph import Graph, graphs
from ari_app.speech.recipe.kaldi import transition_ids
from ari_app.speech.recipe.labels import Labels
from ari_app.speech.recipe.lexicon import Entry, entries
from ari_app.speech.recipe.network import CONTEXT, Network
from ari_app.speech.recipe.ngram import NGram
from ari_app.speech.recipe.speaking import Speech, speak
from ari_app.speech.recipe.tongue import ENGLISH, GARBAGE, SPANISH

HEARD = {"two": {"t u:": 3}, "too": {"t u:": 2}, "tooth": {"t u: T": 1}, "no": {"n oU": 4}}


def spoken(processes: int) -> Speech:
    pytest.importorskip("kaldi_native_fbank", reason="the extra `recipe` is not installed")
    sentences = ["sí por favor", "no gracias", "be de burro"]
    return speak(SPANISH, sentences, ServiceTelephony(), seed=1, count=42, processes=processes)


def test_the_same_seed_is_the_same_speech_with_any_number_of_processes() -> None:
    one, two = spoken(1), spoken(2)
    assert np.array_equal(one.features, two.features)
    assert np.array_equal(one.labels, two.labels)
    assert one.heard == two.heard


def test_every_label_has_three_frames_and_silence_where_nobody_speaks() -> None:
    speech = spoken(2)
    assert len(speech.features) == 3 * len(speech.labels) == 3 * len(speech.words)
    assert speech.offsets[-1] == len(speech.labels)
    silent = [i for i, phones in enumerate(speech.phones) if not phones]
    assert silent == [39]  # every fortieth has no speech in it
    assert set(speech.labels[speech.offsets[39] : speech.offsets[40]]) == {1}
    assert {"D e", "d e"} & set(speech.heard["de"])


def test_a_network_says_the_same_in_torch_and_here_and_learns() -> None:
    training = pytest.importorskip(
        "ari_app.speech.recipe.training", reason="the extra `recipe` is not installed"
    )
    speech = spoken(2)
    told: list[float] = []
    network: Network = training.train(
        speech, SPANISH, 20.0, threads=1, step=lambda now: told.append(now.loss)
    )
    features = speech.features[: 2 * CONTEXT + 30]
    ours = network.scores(features.astype(np.float64))
    # torch multiplies 16-bit floats here.
    assert training.Scorer(network, SPANISH).scores(features) == pytest.approx(ours, abs=0.3)
    assert told[-1] < np.log(SPANISH.pdfs)


def test_a_share_of_the_words_becomes_garbage_whole() -> None:
    training = pytest.importorskip(
        "ari_app.speech.recipe.training", reason="the extra `recipe` is not installed"
    )
    words = np.repeat(np.arange(1000, dtype=np.int16), 3)
    labels: Labels = np.tile(np.array([4, 5, 5], np.int16), 1000)
    speech = Speech(np.zeros((9000, 40), np.float16), labels, words, np.array([0, 3000]), (), {})
    changed = training.garbled(np.random.default_rng(1), speech, ENGLISH).reshape(-1, 3)
    first = 2 * ENGLISH.base.index(GARBAGE)
    became = [row.tolist() for row in changed if row.tolist() != [4, 5, 5]]
    assert became
    assert all(row == [first, first + 1, first + 1] for row in became)
    assert 0.03 < len(became) / 1000 < 0.1


def ways(graph: Graph, phones: tuple[int, ...]) -> Iterator[int]:
    """The words that a sequence of phones gives, from the start."""
    ids = transition_ids(ENGLISH)
    waiting = [(graph.start, 0, 0)]
    seen = set()
    while waiting:
        state, at, word = waiting.pop()
        if (state, at, word) in seen:
            continue
        seen.add((state, at, word))
        if at == len(phones) and word and graph.final[state] < np.inf:
            yield word
        for arc in graph.arcs[state]:
            if arc.gives and word:
                continue
            if arc.enters == 0:
                waiting.append((arc.to, at, word or arc.gives))
            elif at < len(phones) and arc.enters == ids[phones[at]][1]:
                waiting.append((arc.to, at + 1, word or arc.gives))


def test_the_graph_gives_for_the_phones_of_a_word_that_word() -> None:
    pytest.importorskip("kaldifst", reason="the extra `recipe` is not installed")
    lexicon: list[Entry] = entries(sorted(HEARD), HEARD, ENGLISH)
    made = graphs(lexicon, NGram([["no", "two"], ["too", "tooth"]], HEARD), ENGLISH)
    for entry in lexicon:
        given = {made.words[word - 1] for word in ways(made.lexicon, entry.phones)}
        alike = {other.word for other in lexicon if other.phones == entry.phones}
        assert given == alike
    assert sorted(made.words) == sorted({entry.word for entry in lexicon})


def test_a_training_that_was_stopped_half_way_goes_on_from_there(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra `recipe` is not installed")
    spoken(2).save(tmp_path)
    told: list[str] = []

    def run(second: float) -> Network:
        (tmp_path / "network.npz").unlink(missing_ok=True)
        effort = Effort(sentences=2000, first_epochs=2, second_epochs=second)
        build(
            SPANISH,
            ServiceTelephony(),
            tmp_path,
            tmp_path / "model",
            effort,
            processes=1,
            threads=1,
            tell=told.append,
        )
        return Network.load(tmp_path / "network.npz")

    first = run(0)
    assert np.array_equal(first.mean, Network.load(tmp_path / "first.npz").mean)
    again = run(20)
    assert not np.array_equal(again.layers[0].weights, first.layers[0].weights)
    assert sum("espeak-ng's own times" in line for line in told) == 1
    assert "sí" in load_model_facts(tmp_path / "model").words
