"""A translation has all the words of its bundle, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ari_app.errors import BundleError
from ari_app.policy.bundle import Bundle, read_bundle
from ari_app.understanding.answers import Kind
from tests.support.bundle import demo_in_two_languages

BASE: dict[str, Any] = {
    "bundle": "small",
    "language": "en",
    "people": "the desk",
    "values": {"brand": "Quay", "hours": "8 to 6"},
    "intents": {"hours": ["when are you open"], "goodbye": ["bye"]},
    "keys": {"1": "hours"},
    "greeting": {"disclosure": "hello", "question": "what"},
    "questions": {
        "what": {"prompt": "what", "expects": {"phrases": {"red": ["red", "crimson"]}}},
        "pick": {"choices": {"1": "Monday"}},
    },
    "prompts": {"hello": "I am {{ people }}.", "what": ["What?", "Pardon?"]},
    "texts": {"hours": {"body": "{{ values.brand }}: {{ values.hours }}", "question": "pick"}},
    "rules": [{"rule": "rest", "then": {"text": "hours", "end": True}}],
}
SPANISH: dict[str, Any] = {
    "language": "es-MX",
    "people": "la recepción",
    "values": {"hours": "de 8 a 6"},
    "intents": {"hours": ["a qué hora abren"], "goodbye": ["adiós"]},
    "prompts": {"hello": "Soy {{ people }}.", "what": ["¿Qué?", "¿Cómo?"]},
    "texts": {"hours": "{{ values.brand }}: {{ values.hours }}."},
    "choices": {"pick": {"1": "lunes"}},
    "expects": {"what": {"phrases": {"red": ["rojo"]}}},
    "offer": {"key": "8", "numbers": ["200"], "invite": "Para español, oprima 8."},
}


def translated(
    change: Callable[[dict[str, Any]], object] = lambda _: None,
    base: Callable[[dict[str, Any]], object] = lambda _: None,
) -> Bundle:
    ours, theirs = copy.deepcopy(BASE), copy.deepcopy(SPANISH)
    base(ours)
    change(theirs)
    return read_bundle(yaml.safe_dump(ours), translations=[yaml.safe_dump(theirs)])


def test_the_words_are_translated_and_the_rules_are_kept() -> None:
    bundle = translated()
    spanish = bundle.translations["es"]
    assert spanish.prompt("hello") == "Soy la recepción."
    assert spanish.text("hours") == "Quay: de 8 a 6."
    assert spanish.texts["hours"].question == "pick"
    assert spanish.choices("pick") == {"1": "lunes"}
    assert spanish.rules == bundle.rules
    assert spanish.prompts["command_wait"] == ("No hay prisa, espero.",)
    expects = spanish.questions["what"].expects
    assert expects is not None
    assert (expects.kind, expects.named) == (Kind.PHRASES, {"red": ("rojo",)})
    assert (spanish.offer.key, spanish.offer.numbers) == ("8", frozenset({"200"}))


def test_a_translation_has_a_hash_of_both_texts() -> None:
    bundle = translated()
    other = translated(lambda d: d.update(people="la mesa"))
    assert bundle.hash == other.hash
    assert bundle.translations["es"].hash != other.translations["es"].hash != bundle.hash


def test_all_that_is_said_in_any_language_is_known_before_a_call() -> None:
    bundle = translated()
    assert "I am the desk." in bundle.spoken()
    spanish = bundle.translations["es"]
    assert "Soy la recepción." in spanish.spoken()
    assert ("invite", 1, "Para español, oprima 8.") in spanish.wordings()


def test_a_disclosure_tells_of_recordings_in_its_own_words() -> None:
    def english(document: dict[str, Any]) -> None:
        document["recording"] = {"when": "always", "told": "recorded"}
        document["prompts"]["hello"] = "This call is recorded."

    def spanish(document: dict[str, Any]) -> None:
        document["recording"] = {"told": "se graba"}
        document["prompts"]["hello"] = "Esta llamada se graba."

    with pytest.raises(BundleError, match="must tell the caller"):
        translated(base=english)
    assert translated(spanish, english).translations["es"].recording.told == "se graba"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d["prompts"].pop("what"), "translation to es-MX lacks prompts 'what'"),
        (lambda d: d["intents"].pop("goodbye"), "lacks intents 'goodbye'"),
        (lambda d: d.pop("texts"), "lacks texts 'hours'"),
        (lambda d: d["prompts"].update(more="x"), "has prompts 'more', which the bundle has not"),
        (lambda d: d.pop("choices"), "lacks the choices of question 'pick'"),
        (lambda d: d["choices"]["pick"].update({"2": "martes"}), "must have the same names"),
        (lambda d: d["expects"]["what"]["phrases"].update(blue=["azul"]), "the same names"),
        (lambda d: d["choices"].update(none={"1": "x"}), "names the unknown question 'none'"),
        (lambda d: d.update(rules=[]), "unknown section 'rules'"),
        (lambda d: d.update(language="fr"), "language 'fr' is not understood; known are en, es"),
        (lambda d: d.pop("language"), "names its language"),
        (lambda d: d.update(language="en-GB"), "two bundles in the language 'en'"),
        (lambda d: d["offer"].update(key="1"), "key 1 has a meaning already"),
        (lambda d: d["offer"].update(key="88"), "key cannot be '88'"),
        (lambda d: d["offer"].update(number="5"), "unknown key 'number'"),
        (lambda d: d["offer"].update(numbers="5"), "numbers is a list"),
        (lambda d: d["offer"].update(invite="{{ x }}"), "invite uses the unknown variable 'x'"),
        (lambda d: d["prompts"].update(hello="{{ nobody }}"), "unknown variable 'nobody'"),
        (lambda d: d["prompts"].update(what="¿Qué?"), "asked in one wording only"),
        (lambda d: d.update(prompts=[]), "lacks prompts"),
        (lambda d: d.update(prompts=["x"]), "must be a mapping"),
    ],
)
def test_a_translation_that_is_wrong_says_where(
    change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    with pytest.raises(BundleError, match=sentence):
        translated(change)


@pytest.mark.parametrize("text", ["", "[]", "language: [", "language: 7", "x"])
def test_what_is_no_translation_is_refused(text: str) -> None:
    with pytest.raises(BundleError):
        read_bundle(yaml.safe_dump(BASE), translations=[text])


def test_a_bundle_in_a_language_that_is_not_understood_is_refused() -> None:
    with pytest.raises(BundleError, match="'de' is not understood; known are en, es"):
        translated(base=lambda d: d.update(language="de"))


def test_the_example_has_every_word_in_spanish() -> None:
    spanish = demo_in_two_languages().translations["es"]
    english = demo_in_two_languages()
    same = [
        name
        for name, wordings in spanish.prompts.items()
        if set(wordings) & set(english.prompts[name])
    ]
    assert same == []
