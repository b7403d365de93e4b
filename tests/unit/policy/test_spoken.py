"""Marks in the prompts of a bundle: what they say, and mistakes found when it is read."""

from __future__ import annotations

import pytest

from ari_app.errors import BundleError
from ari_app.policy.bundle import Bundle, read_bundle

_BUNDLE = """
bundle: b
language: {language}
people: us
values: {{due: "86.40", opens: "9:00", list: {{first: 2026-11-30}}}}
intents: {{yes: ["yes"], no: ["no"]}}
keys: {{"1": "yes"}}
greeting: {{disclosure: hello, question: what}}
questions: {{what: {{may_repeat: true}}, pick: {{choices: {{"1": "14:30"}}}}}}
prompts: {{hello: Hello., what: "{wording}"}}
texts: {{note: {{body: "Open {{values.opens:time}}."}}}}
rules: [{{rule: rest, then: {{say: hello, end: true}}}}]
"""


def bundle(wording: str, language: str = "en") -> Bundle:
    return read_bundle(_BUNDLE.format(wording=wording, language=language))


@pytest.mark.parametrize(
    ("language", "wording", "said"),
    [
        ("en", "You owe {values.due:money}.", "You owe eighty-six dollars and forty cents."),
        ("es", "Son {values.due:money}.", "Son ochenta y seis euros con cuarenta céntimos."),
        ("en", "From {values.opens:time} on.", "From nine a.m. on."),
        ("en", "On {values.list.first:day}.", "On Monday, November thirtieth."),
        ("en", "Mixed {{ values.opens }} {values.opens:digits}", "Mixed 9:00 nine zero zero"),
    ],
)
def test_a_value_is_said_as_what_it_is(language: str, wording: str, said: str) -> None:
    made = bundle(wording, language)
    assert made.prompt("what") == said
    assert ("what", 1, said) in made.wordings()


def test_what_is_known_only_in_a_call_is_filled_in_there() -> None:
    made = bundle("At {choice:time}?")
    assert made.prompt("what", choice="14:30") == "At two thirty p.m.?"
    assert not [name for name, _, _ in made.wordings() if name == "what"]


def test_a_choice_that_is_not_what_it_was_marked_as_is_said_as_it_is() -> None:
    assert bundle("At {choice:time}?").prompt("what", choice="any time") == "At any time?"


def test_what_a_choice_says_is_never_taken_for_a_mark() -> None:
    said = bundle("You said {{ choice }}.").prompt("what", choice="{values.due:money} {{ 1 }}")
    assert said == "You said {values.due:money} {{ 1 }}."


def test_a_text_has_no_marks() -> None:
    assert bundle("What?").text("note") == "Open {values.opens:time}."


@pytest.mark.parametrize(
    ("wording", "language", "sentence"),
    [
        ("{values.due:monney}", "en", "prompt what: there is no way to say 'monney'"),
        ("{values.due:money}", "fr", "language 'fr' is not understood; known are en, es"),
        ("{values.opens:money}", "en", "prompt what: '9:00' is no amount of money"),
        ("{values.due:money XAU}", "en", "prompt what: en has no words for the currency 'XAU'"),
        ("{values.nothing:money}", "en", "prompt what cannot be rendered"),
        ("{amount:money}", "en", "prompt what uses the unknown variable 'amount'"),
        ("{code:spell}", "en", "prompt what would say a code aloud"),
    ],
)
def test_a_mistake_is_found_when_the_bundle_is_read(
    wording: str, language: str, sentence: str
) -> None:
    with pytest.raises(BundleError, match=sentence):
        bundle(wording, language)
