"""From the times of phonemes to labels: each phone has its frames, each frame its phone."""

import numpy as np
import pytest

from ari_app.speech.recipe.alignment import best_path, realigned
from ari_app.speech.recipe.labels import (
    NO_WORD,
    Segment,
    fit,
    pdfs,
    placed,
    pronunciations,
    segments,
)
from ari_app.speech.recipe.network import CONTEXT
from ari_app.speech.recipe.speaking import Speech
from ari_app.speech.recipe.tongue import ENGLISH, HELD_OUT, SILENCE, SPANISH, TONGUES, VARIANTS
from ari_app.speech.recipe.voices import Phoneme, Said

Scores32 = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def said(*phonemes: tuple[str, int, int], words: set[int]) -> Said:
    return Said(np.zeros(2000, np.int16), tuple(Phoneme(*p) for p in phonemes), frozenset(words))


def test_no_variant_is_both_trained_and_held_out() -> None:
    assert not set(VARIANTS) & set(HELD_OUT)
    assert len(HELD_OUT) == 12


def test_stress_is_no_part_of_a_phone() -> None:
    assert ENGLISH.phone("'eI") == "eI"
    assert ENGLISH.phone(",I2") == "I"
    assert SPANISH.phone("'**") == "r"


def test_marks_and_pauses_are_no_phones_of_a_language() -> None:
    assert ENGLISH.phone("_:") == SILENCE
    assert ENGLISH.phone(";") == ""


def test_a_phoneme_that_is_not_known_is_no_guess() -> None:
    with pytest.raises(ValueError, match="none of 'es'"):
        SPANISH.phone("Y~")


@pytest.mark.parametrize("language", sorted(TONGUES))
def test_every_phone_has_its_own_number(language: str) -> None:
    tongue = TONGUES[language]
    assert len(set(tongue.table)) == len(tongue.table)
    assert set(tongue.merged.values()) - {""} <= set(tongue.base)
    assert tongue.pdfs == 2 * len(tongue.base)


def test_a_letter_is_said_by_its_name_and_written_small() -> None:
    assert ENGLISH.spoken("that is A B") == "that is [[eI]] b"


def test_silences_that_follow_each_other_are_one() -> None:
    phonemes = [Phoneme("_", 0, 1), Phoneme("_:", 10, 1), Phoneme("n", 30, 1), Phoneme(";", 60, 1)]
    assert segments(phonemes, 90, ENGLISH) == [
        Segment(SILENCE, 0, 30, 1),
        Segment("n", 30, 90, 1),
    ]


def test_a_sentence_on_the_line_has_silence_around_it() -> None:
    moved = placed([Segment("n", 0, 100, 1)], 50.0, 0.5, 300.0)
    assert moved == [
        Segment(SILENCE, 0, 50, NO_WORD),
        Segment("n", 50, 100, 1),
        Segment(SILENCE, 100, 300, NO_WORD),
    ]


def test_silence_at_the_end_of_the_speech_lasts_to_the_end_of_the_line() -> None:
    moved = placed([Segment("n", 0, 100, 1), Segment(SILENCE, 100, 120, 1)], 0, 1.0, 300.0)
    assert moved[-1] == Segment(SILENCE, 100, 300, NO_WORD)


def test_each_phone_gets_the_frames_of_its_time() -> None:
    parts = [Segment("a", 0, 60, 1), Segment("b", 60, 90, 1), Segment("c", 90, 180, 1)]
    found = fit(parts, 6)
    assert found is not None
    assert found.tolist() == [0, 0, 1, 2, 2, 2]


def test_a_phone_that_is_too_short_still_gets_one_frame() -> None:
    parts = [Segment("a", 0, 89, 1), Segment("b", 89, 91, 1), Segment("c", 91, 180, 1)]
    found = fit(parts, 6)
    assert found is not None
    assert set(found.tolist()) == {0, 1, 2}


def test_there_are_no_labels_for_speech_that_is_too_fast() -> None:
    assert fit([Segment("a", 0, 5, 1), Segment("b", 5, 10, 1)], 1) is None


def test_the_first_frame_of_a_phone_has_a_label_of_its_own() -> None:
    path = np.array([0, 0, 1, 2, 2])
    n = 2 * ENGLISH.base.index("n")
    assert pdfs(path, (SILENCE, "n", "n"), ENGLISH).tolist() == [0, 1, n, n, n + 1]


def test_a_word_is_heard_as_its_phones() -> None:
    spoken = said(("n", 0, 1), ("oU", 10, 1), ("_", 20, 1), ("j", 30, 4), words={1, 4})
    assert pronunciations("no ye", "no ye", spoken, ENGLISH) == [
        ("no", ("n", "oU")),
        ("ye", ("j",)),
    ]


def test_words_that_were_spoken_as_one_unit_tell_nothing_of_each() -> None:
    spoken = said(("n", 0, 1), ("oU", 10, 1), words={1})
    assert pronunciations("no ye", "no ye", spoken, ENGLISH) == []


def test_a_word_in_phonemes_is_found_behind_its_brackets() -> None:
    spoken = said(("eI", 0, 3), ("b", 10, 8), ("i:", 20, 8), words={3, 8})
    assert pronunciations("A B", "[[eI]] b", spoken, ENGLISH) == [
        ("a", ("eI",)),
        ("b", ("b", "i")),
    ]


def test_the_best_path_follows_the_scores_and_visits_every_phone() -> None:
    scores = np.full((5, 6), -9.0)
    for frame, output in enumerate((0, 1, 2, 4, 5)):
        scores[frame, output] = 0
    assert best_path(scores, np.array([0, 1, 2])).tolist() == [0, 0, 1, 2, 2]
    assert best_path(np.zeros((3, 6)), np.array([0, 1, 2])).tolist() == [0, 1, 2]


def test_a_realignment_moves_the_borders_where_the_network_hears_them() -> None:
    n = 2 * ENGLISH.base.index("n")
    speech = Speech(
        np.zeros((24, 40), np.float16),
        np.array([0, 1, n, n + 1, 1, 1, 0, n], np.int16),
        np.array([-1, -1, 1, 1, -1, -1, -1, 1], np.int16),
        np.array([0, 4, 6, 8]),
        (("SIL", "n"), (), ("SIL", "n")),
        {},
    )

    def scores(features: np.ndarray[tuple[int, int], np.dtype[np.float16]]) -> Scores32:
        heard = np.full((8, ENGLISH.pdfs), -9, np.float32)
        assert len(features) == 24 + 2 * CONTEXT
        for frame, output in enumerate((0, n, n + 1, n + 1, n, n, 0, n)):
            heard[frame, output] = 0
        return heard

    even = np.full(ENGLISH.pdfs, 1 / ENGLISH.pdfs)
    made, changed = realigned(speech, scores, even, ENGLISH)
    assert made.labels.tolist() == [0, n, n + 1, n + 1, 1, 1, 0, n]
    assert made.words.tolist() == [-1, 1, 1, 1, -1, -1, -1, 1]
    assert changed == pytest.approx(2 / 8)
