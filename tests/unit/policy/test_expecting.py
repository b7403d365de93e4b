"""What a question expects, what it does at any question, and in how many wordings it asks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ari_app.errors import BundleError
from ari_app.policy.bundle import Bundle, read_bundle
from ari_app.policy.expecting import read_expected
from ari_app.policy.rules import decide
from ari_app.understanding.answers import Expected, Kind
from tests.unit.policy.test_bundle import SMALL


def small(change: Callable[[dict[str, Any]], object]) -> Bundle:
    document = copy.deepcopy(SMALL)
    change(document)
    return read_bundle(yaml.safe_dump(document))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (None, None),
        ("yes_no", Expected(Kind.YES_NO)),
        ("digits", Expected(Kind.DIGITS)),
        ({"digits": 6}, Expected(Kind.DIGITS, (6, 6))),
        ({"digits": [4, 8]}, Expected(Kind.DIGITS, (4, 8))),
        ({"spelling": [2, 12]}, Expected(Kind.SPELLING, (2, 12))),
        ("date", Expected(Kind.DATE)),
        ({"date": "past"}, Expected(Kind.DATE, past=True)),
        ({"phrases": {"a": "one"}}, Expected(Kind.PHRASES, named={"a": ("one",)})),
        ({"choices": {1: ["x", "y"]}}, Expected(Kind.CHOICES, named={"1": ("x", "y")})),
    ],
)
def test_what_is_expected_is_written_in_words(written: Any, expected: Expected | None) -> None:
    assert read_expected("q", written) == expected


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("numbers", "known are yes_no, digits, date"),
        ({"digits": 0}, "from 1 to 64"),
        ({"digits": [8, 4]}, "8 is more than 4"),
        ({"digits": True}, "from 1 to 64"),
        ({"digits": [1, 2, 3]}, "from 1 to 64"),
        ({"date": "soon"}, "past or future"),
        ({"yes_no": 1}, "of no use"),
        ("phrases", "name what can be answered"),
        ({"choices": []}, "name what can be answered"),
        ({"phrases": {"a": []}}, "phrases are words"),
        ({"phrases": {"a": [7]}}, "phrases are words"),
        ({"digits": 4, "date": "past"}, "known are"),
        (7, "known are"),
    ],
)
def test_what_cannot_be_expected_says_so(written: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_expected("q", written)


def test_a_question_may_expect_by_its_profile_or_its_code() -> None:
    bundle = small(lambda d: None)
    assert bundle.questions["offer_hours"].expects == Expected(Kind.YES_NO)
    assert bundle.questions["what"].expects is None
    given = small(lambda d: d["questions"]["what"].update(expects={"digits": 4}))
    assert given.questions["what"].profile == "digits"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d["prompts"].update(what="What?"), "question what is asked in one wording"),
        (lambda d: d["questions"]["what"].update(may_repeat=1), "may_repeat is true or false"),
        (lambda d: d["questions"]["what"].update(expect="date"), "unknown key 'expect'"),
        (lambda d: d["questions"]["what"].update(expects="soon"), "question what expects 'soon'"),
        (lambda d: d.update(zone="Mars/Olympus"), "no time zone 'Mars/Olympus'"),
        (lambda d: d.update(commands={"dance": "hours"}), "unknown command 'dance'"),
        (lambda d: d.update(commands={"repeat": "no"}), "command repeat means the unknown intent"),
        (lambda d: d["rules"][0]["then"].update(take=True), "takes an answer without `answer`"),
        (lambda d: d["rules"][0]["then"].update(wait="soon"), "wait is seconds up to 120"),
        (lambda d: d["rules"][0]["then"].update(wait=121), "wait is seconds up to 120"),
        (lambda d: d["rules"][0]["when"].update(frustration="high"), "frustration cannot be"),
    ],
)
def test_a_bundle_that_is_wrong_about_answers_says_where(
    change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    with pytest.raises(BundleError, match=sentence):
        small(change)


def test_one_wording_is_enough_where_the_words_matter() -> None:
    def change(document: dict[str, Any]) -> None:
        document["prompts"]["what"] = "What?"
        document["questions"]["what"]["may_repeat"] = True

    assert small(change).questions["what"].may_repeat


def facts(command: str | None, heard: float = 0.9) -> dict[str, Any]:
    return {"channel": "voice", "command": command, "heard": heard}


def test_a_command_is_decided_by_the_default_rules() -> None:
    bundle = small(lambda d: None)
    assert decide(bundle.rules, facts("slower")).name == "command_slower"
    assert decide(bundle.rules, facts("slower", heard=0.3)).name == "rest"
    assert decide(bundle.rules, facts(None)).name == "rest"


def test_a_rule_of_the_bundle_takes_the_place_of_a_default() -> None:
    mine = {"rule": "mine", "when": {"command": ["wait", "help"]}, "then": {"say": "bye"}}
    bundle = small(lambda d: d["rules"].insert(0, mine))
    assert decide(bundle.rules, facts("wait")).name == "mine"
    assert decide(bundle.rules, facts("help")).name == "mine"
    assert decide(bundle.rules, facts("louder")).name == "command_louder"


def test_a_prompt_of_the_bundle_takes_the_place_of_a_default() -> None:
    bundle = small(lambda d: d["prompts"].update(command_wait="Sure."))
    assert bundle.prompt("command_wait") == "Sure."
    assert "the desk" in bundle.prompt("command_help")
