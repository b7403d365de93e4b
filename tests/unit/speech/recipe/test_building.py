"""The steps are kept: what is there is not made again, and what is missing is said."""

import sys
from pathlib import Path

import numpy as np
import pytest

from ari_app.cli.recipe import ServiceTelephony
from ari_app.errors import Unavailable
from ari_app.speech.recipe import building
from ari_app.speech.recipe.building import Effort, build
from ari_app.speech.recipe.network import Network
from ari_app.speech.recipe.sentences import language_corpus
from ari_app.speech.recipe.speaking import Speech
from ari_app.speech.recipe.tongue import SPANISH

SPOKEN = Speech(
    np.zeros((6, 40), np.float16),
    np.array([0, 1], np.int16),
    np.array([-1, -1], np.int16),
    np.array([0, 2]),
    (("SIL",),),
    {"sí": {"s i": 2}},
)


def run(work: Path, told: list[str]) -> None:
    build(
        SPANISH,
        ServiceTelephony(),
        work,
        work / "model",
        Effort(sentences=2000),
        processes=1,
        threads=1,
        tell=told.append,
    )


def test_speech_that_was_kept_is_what_was_spoken(tmp_path: Path) -> None:
    SPOKEN.save(tmp_path)
    again = Speech.load(tmp_path)
    assert np.array_equal(again.labels, SPOKEN.labels)
    assert (again.phones, again.heard) == (SPOKEN.phones, SPOKEN.heard)


def test_without_the_extra_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SPOKEN.save(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "ari_app.speech.recipe.training", raising=False)
    with pytest.raises(Unavailable, match=r"torch is not there\): install `segue\[recipe\]`"):
        run(tmp_path, [])


def test_what_was_spoken_before_is_not_spoken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SPOKEN.save(tmp_path)
    written: list[tuple[object, ...]] = []
    monkeypatch.setattr(building, "_train", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(Network, "load", lambda _: "network")

    def write(*given: object) -> list[str]:
        written.append(given)
        return ["nadie"]

    monkeypatch.setattr(building, "write_model", write)
    (tmp_path / "network.npz").write_bytes(b"")
    told: list[str] = []
    run(tmp_path, told)
    corpus = language_corpus("es", 2000, 150_000)
    hours = pytest.approx(2 * 0.03 / 3600)
    assert written == [(tmp_path / "model", SPANISH, corpus, SPOKEN.heard, "network", hours)]
    assert told == [
        "no voice has said, so the model cannot hear: nadie",
        f"the model is at {tmp_path / 'model'}",
    ]
