"""What is spoken in training never holds what the evaluation asks for."""

import random

import pytest

from ari_app.speech.recipe.sentences import (
    Corpus,
    compose,
    evaluation_sets,
    expand,
    kept_back,
    language_corpus,
    read_rules,
    read_test,
    written,
)
from ari_app.speech.recipe.tongue import TONGUES

GRAMMAR = """# a comment
top: <greet> <name> | <yes> | my name is <name> | i am <name> of the <name>
gen: <name> <greet>
hes: um | er
greet: hello | good
  morning
name: anna | bob | _
yes: yes | yes please
no: no
cmd: stop
textme: text me
thanks: thanks
bye: bye
maybe: maybe
heard: mm-hm
"""


@pytest.fixture(scope="module", params=sorted(TONGUES))
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def corpus(language: str) -> Corpus:
    return language_corpus(language, 9000, 4000)


def test_the_rules_of_a_grammar_may_go_on_in_the_next_line() -> None:
    rules = read_rules(GRAMMAR)
    assert rules["greet"] == ["hello", "good morning"]
    assert rules["name"] == ["anna", "bob", ""]


@pytest.mark.parametrize(
    ("grammar", "words"),
    [
        ("a: <b>\n", "<b>, which is no rule"),
        ("a: x\na: y\n", "is there twice"),
        ("no colon\n", "none"),
        ("two words: x\n", "none"),
    ],
)
def test_a_grammar_that_makes_no_sense_is_refused(grammar: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_rules(grammar)


def test_every_rule_in_a_sentence_is_replaced() -> None:
    rules = read_rules(GRAMMAR)
    said = expand(random.Random(1), "<greet> <name> <yes>", rules)
    assert "<" not in said
    assert said == " ".join(said.split())


def test_the_same_arguments_make_the_same_corpus() -> None:
    rules = read_rules(GRAMMAR)
    assert compose(rules, {}, 60, 50) == compose(rules, {}, 60, 50)


def test_a_sentence_that_is_kept_back_is_in_no_part_of_the_corpus() -> None:
    rules = read_rules(GRAMMAR)
    secret = "my name is anna"
    there = compose(rules, {}, 200, 500)
    without = compose(rules, {"new": (secret,)}, 200, 500)
    assert secret in {*there.train, *there.dev, *there.read}
    assert secret not in {*without.train, *without.dev, *without.read}


def test_a_sentence_with_a_letter_is_kept_back_however_the_letter_is_written() -> None:
    rules = read_rules(GRAMMAR.replace("my name is <name>", "my letter is <name> A"))
    corpus = compose(rules, {"new": ("my letter is bob A",)}, 200, 500)
    assert "my letter is anna A" in {*corpus.train, *corpus.dev, *corpus.read}
    assert "my letter is bob A" not in {*corpus.train, *corpus.dev, *corpus.read}


def test_a_short_phrase_is_trained_on_though_it_is_also_tested() -> None:
    assert "stop" in compose(read_rules(GRAMMAR), {"new": ("stop",)}, 200, 50).train


def test_some_sentences_hesitate_inside() -> None:
    read = compose(read_rules(GRAMMAR), {}, 10, 2000).read
    inside = [s for s in read if {"um", "er"} & set(s.split()[1:-1])]
    assert 0.01 < len(inside) / len(read) < 0.1


def test_a_test_file_has_named_sets() -> None:
    assert read_test("# a\none two\n\n# b\nthree\n") == {"a": ("one two",), "b": ("three",)}


def test_no_training_hears_or_reads_what_is_kept_back(language: str, corpus: Corpus) -> None:
    fixed = {written(s) for s in evaluation_sets(language)["short phrases"]}
    for name, sentences in kept_back(language).items():
        long = {written(s) for s in sentences if len(s.split()) > 2} - fixed
        assert long, name
        for part in (corpus.train, corpus.dev, corpus.read):
            assert not long & {written(s) for s in part}, name


def test_every_word_that_the_model_knows_is_spoken(corpus: Corpus) -> None:
    spoken = {word for sentence in corpus.train for word in written(sentence).split()}
    assert spoken >= set(corpus.words)


def test_callers_hesitate_spell_and_count_in_both_languages(language: str, corpus: Corpus) -> None:
    wanted = {
        "en": "um uh er mm-hm hmm a b z w seven eleven hundred sorry louder slower",
        "es": "eh este mmm ajá a be zeta uve eñe hache siete once cien perdón sí no despacio",
    }
    assert set(wanted[language].split()) <= set(corpus.words)


def test_what_other_tests_of_the_house_say_is_kept_back() -> None:
    elsewhere = kept_back("en")["elsewhere"]
    assert "hi i would like to reschedule my appointment" in elsewhere
    assert "my account number is five two nine four" in elsewhere
