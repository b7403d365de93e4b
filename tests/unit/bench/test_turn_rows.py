"""What `make bench-turn` makes of real calls, and of what was recognised."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ari_app.policy.bundle import read_bundle
from ari_app.ports import Utterance
from ari_app.ports import Word as HeardWord
from tests.bench.scores import calibration_error, reliability
from tests.bench.turn.__main__ import _answers, _barge_in
from tests.bench.turn.corpus import Clip, Word
from tests.bench.turn.drive import Outcome
from tests.bench.turn.live import BUNDLE, KEYS, STORY, Interruption, Turn, bucket, stopped_after
from tests.bench.turn.recognition import Heard, answer, word_error_rate

CLIP = Clip("a", "digits", np.zeros(8000, np.int16), voiced=((0.2, 0.6),))


def heard(kind: str, said: str, text: str) -> Heard:
    words = tuple(Word(word, 0.0, 0.1) for word in said.split())
    made = tuple(HeardWord(word, 0.0, 0.1, 0.9) for word in text.split())
    return Heard(Clip("a", kind, np.zeros(1, np.int16), words), Utterance(text, made))


def test_an_answer_is_right_if_it_means_the_same() -> None:
    assert heard("yes_no", "yes that is the one", "yes hat is the sun").right
    assert not heard("yes_no", "yes that is the one", "know that").right
    assert heard("digits", "it is four two", "[unk] four two").right
    assert not heard("digits", "four two", "four two two").right
    assert heard("open", "i would um like", "i would like").right


def test_yes_and_no_together_are_neither() -> None:
    assert (answer("yeah"), answer("yes no"), answer("perhaps")) == ("yes", "", "")


def test_words_are_wrong_missing_or_invented() -> None:
    one, two = heard("open", "a b c d", "a x c"), heard("open", "a b", "a b e")
    assert word_error_rate([one, two]) == pytest.approx(3 / 6)


def test_who_is_as_sure_as_they_are_right_is_calibrated() -> None:
    assert calibration_error([(0.75, True)] * 3 + [(0.75, False)]) == pytest.approx(0)
    assert calibration_error([(1.0, False), (0.0, True)]) == pytest.approx(1)
    with pytest.raises(ValueError, match="nothing"):
        calibration_error([])


def test_turns_of_the_same_confidence_stand_together() -> None:
    low, high = reliability([(1.0, True), (0.15, False), (0.95, False), (0.15, True)])
    assert (low.begins, low.turns, low.right) == (0.1, 2, 0.5)
    assert (high.begins, high.turns) == (0.9, 2)
    assert high.said == pytest.approx(0.975)


def test_the_bundle_has_a_key_for_every_question() -> None:
    bundle = read_bundle(BUNDLE.read_text(encoding="utf-8"))
    for kind, key in KEYS.items():
        profile = bundle.questions[bundle.keys[key]].profile
        assert profile == (kind if kind in ("yes_no", "digits") else "open")
    assert bundle.keys[STORY] == "story"


def test_an_answer_before_the_last_sound_is_a_cut_off_and_no_delay() -> None:
    turns = [Turn(CLIP, 0.3), Turn(CLIP, -0.1)]
    outcomes = [Outcome(CLIP, 0.3, 0.85, ())]
    rows = {row.name: row for row in _answers(turns, outcomes)}
    assert rows["live: turns cut off"].value == 50
    assert rows["live: end of speech -> first prompt packet, p50"].value == pytest.approx(300)
    assert rows["live: media path added to the endpoint, p50"].value == pytest.approx(50)


def test_a_prompt_stops_where_its_packets_have_a_gap() -> None:
    packets = [n * 0.02 for n in range(100)]  # two seconds, then nothing
    assert stopped_after(0.5, 3.0, packets) == pytest.approx(1.48)
    assert stopped_after(0.5, 1.0, packets) is None  # its own end, after the clip
    resumed = packets + [at + 3.0 for at in packets]
    assert stopped_after(0.5, 3.0, resumed) == pytest.approx(1.48)
    assert stopped_after(0.5, 3.0, []) is None


def test_false_barge_ins_are_counted_and_those_that_were_resumed() -> None:
    noisy = [Interruption(CLIP, 0.2, True), Interruption(CLIP, None, True)]
    rows = {row.name: row for row in _barge_in([Interruption(CLIP, 0.2, False)], noisy)}
    assert rows["live: prompts that a noise stopped"].value == 50
    assert rows["live: of those, heard to the end all the same"].holds
    assert rows["live: barge-in: speech -> silence, p50"].value == pytest.approx(200)


def test_the_bound_of_a_bucket_is_read_from_the_metrics_page() -> None:
    page = 'x_bucket{le="0.05"} 90\nx_bucket{le="0.1"} 99\nx_bucket{le="+Inf"} 100\n'
    assert bucket(page, "x", 0.95) == 0.1
    assert bucket(page, "x", 0.5) == 0.05
    assert bucket("", "x", 0.5) == math.inf
