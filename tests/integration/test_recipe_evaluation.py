"""The table of the mini models: the same figures each time, and they tell good from bad."""

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

import pytest

from ari_app.cli.recipe import ServiceTelephony
from ari_app.speech.model import mini_model_path
from ari_app.speech.recipe.evaluation import Row, evaluate
from ari_app.speech.recipe.tongue import TONGUES

pytestmark = pytest.mark.vosk

SETS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "en": {
        "new sentences": ("can i change my appointment from monday to thursday", "no thank you"),
        "elsewhere": ("text me",),
    },
    "es": {"new sentences": ("quiero cambiar mi cita para el jueves", "no gracias")},
}


def rows(language: str, model: str) -> list[Row]:
    """In a process of its own: espeak-ng keeps global state."""
    sets = SETS[language]
    return evaluate(mini_model_path(model), TONGUES[language], sets, ServiceTelephony())


def elsewhere(language: str, model: str) -> list[Row]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(rows, language, model).result()


@pytest.mark.parametrize("language", sorted(TONGUES))
def test_a_mini_model_hears_voices_that_it_was_not_trained_on(language: str) -> None:
    found = elsewhere(language, language)
    assert found[0].name == "new sentences"
    assert found[0].word_error_rate <= 40  # of a dozen words
    assert sum(row.errors for row in found) < 0.3 * sum(row.words for row in found)


def test_the_table_is_the_same_each_time_and_has_every_condition() -> None:
    found = elsewhere("en", "en")
    assert elsewhere("en", "en") == found
    names = " ".join(row.name for row in found)
    for condition in ("SNR 20 dB", "SNR 10 dB", "A-law", "2 % of the packets lost", "control"):
        assert condition in names
    assert "elsewhere" not in names


def test_a_model_of_another_language_is_wrong_about_most_words() -> None:
    assert elsewhere("es", "en")[0].word_error_rate > 60


def test_the_rate_counts_wrong_words_of_all_that_were_said() -> None:
    assert Row("x", 2, 50, 3, 1).word_error_rate == pytest.approx(6)
    assert Row("x", 0, 0, 0, 0).word_error_rate == 0
