"""Conditions over facts; the first rule that matches decides."""

from __future__ import annotations

from typing import Any

import pytest

from ari_app.errors import BundleError
from ari_app.policy.rules import Rule, Then, decide, read_rule


def rule(name: str = "r", when: dict[str, Any] | None = None, **then: Any) -> Rule:
    return read_rule({"rule": name, "when": when or {}, "then": then or {"end": True}})


@pytest.mark.parametrize(
    ("condition", "fact", "holds"),
    [
        ({"intent": "yes"}, {"intent": "yes"}, True),
        ({"intent": "yes"}, {"intent": "no"}, False),
        ({"intent": "yes"}, {"intent": None}, False),
        ({"intent": "yes"}, {}, False),
        ({"intent": ["yes", "text_me"]}, {"intent": "text_me"}, True),
        ({"intent": ["yes", "text_me"]}, {"intent": "no"}, False),
        ({"intent": None}, {"intent": None}, True),
        ({"intent": None}, {"intent": "yes"}, False),
        ({"question": "offer_*"}, {"question": "offer_hours"}, True),
        ({"question": "offer_*"}, {"question": "how_hours"}, False),
        ({"question": "offer_*"}, {"question": None}, False),
        ({"topic": "*"}, {"topic": "hours"}, True),
        ({"topic": "*"}, {"topic": None}, False),
        ({"heard": "<0.6"}, {"heard": 0.59}, True),
        ({"heard": "<0.6"}, {"heard": 0.6}, False),
        ({"heard": "<=0.6"}, {"heard": 0.6}, True),
        ({"heard": ">0.6"}, {"heard": 0.6}, False),
        ({"heard": ">= 0.6"}, {"heard": 0.6}, True),
        ({"misses": "<2"}, {"misses": 1}, True),
        ({"misses": "<2"}, {"misses": None}, False),
        ({"misses": ["<1", ">3"]}, {"misses": 4}, True),
        ({"misses": ["<1", ">3"]}, {"misses": 2}, False),
        ({"misses": 2}, {"misses": 2}, True),
        ({"misses": 2}, {"misses": 1}, False),
        ({"can_text": True}, {"can_text": True}, True),
        ({"can_text": True}, {"can_text": False}, False),
        ({"can_text": False}, {"can_text": False}, True),
        ({"choice": 2}, {"choice": "2"}, True),
        ({"choice": "2"}, {"choice": "1"}, False),
        ({}, {}, True),
    ],
)
def test_a_condition_holds_or_not(
    condition: dict[str, Any], fact: dict[str, Any], holds: bool
) -> None:
    assert rule(when=condition).matches(fact) is holds


def test_every_condition_must_hold() -> None:
    both = rule(when={"channel": "voice", "intent": "yes"})
    assert both.matches({"channel": "voice", "intent": "yes"})
    assert not both.matches({"channel": "sms", "intent": "yes"})
    assert not both.matches({"channel": "voice", "intent": "no"})


def test_the_first_rule_that_matches_decides() -> None:
    rules = [
        rule("texts", {"channel": "sms"}),
        rule("yes", {"intent": "yes"}),
        rule("also_yes", {"intent": "yes"}),
        rule("rest"),
    ]
    assert decide(rules, {"channel": "voice", "intent": "yes"}).name == "yes"
    assert decide(rules, {"channel": "sms", "intent": "yes"}).name == "texts"
    assert decide(rules, {"channel": "voice", "intent": "no"}).name == "rest"


def test_no_rule_at_all_is_an_error_and_no_silence() -> None:
    with pytest.raises(BundleError, match="no rule matches"):
        decide([rule("texts", {"channel": "sms"})], {"channel": "voice"})


def test_a_rule_says_whether_it_takes_a_channel() -> None:
    assert rule().takes("channel", "voice")
    assert rule(when={"channel": ["voice", "sms"]}).takes("channel", "sms")
    assert not rule(when={"channel": "voice"}).takes("channel", "sms")


def test_a_rule_without_a_reason_gives_its_name_as_one() -> None:
    assert rule("hearing_lost").because == "hearing lost"
    given = read_rule({"rule": "r", "because": "I say so", "then": {"end": True}})
    assert given.because == "I say so"


def test_actions_are_recorded_short_and_in_their_order() -> None:
    then = rule(say=["a", "b"], ask="same", miss=True, topic="hours", text="hours").then
    assert then.names() == ("topic hours", "miss", "text hours", "say a b", "ask same")
    assert Then().names() == ()
