"""How callers meet people, read from a bundle; and who is called back when."""

from __future__ import annotations

from typing import Any

import pytest

from ari_app.conversation.identity import E164
from ari_app.policy.callbacks import (
    CallbackRules,
    Step,
    Verdict,
    check_callbacks,
    may_be_called,
    read_callbacks,
)
from ari_app.policy.people import Agent, Fallback, Reach, check_reach, read_reach

MINUTE = 60_000_000
MONDAY_10 = 1_762_164_000_000_000  # 2025-11-03 10:00 UTC
RULES = CallbackRules(confirm="confirm")


def test_without_the_section_the_dialplan_alone_has_people() -> None:
    assert read_reach(None) == Reach()
    assert Reach().fallback(tried=(), can_call=True) is Fallback.DIALPLAN


def test_agents_are_tried_as_they_are_written() -> None:
    reach = read_reach(
        {"agents": [{"endpoint": "PJSIP/a"}, {"name": "b", "endpoint": "Local/b@c", "ring": 5}],
         "whisper": "hello", "keys": {"2": "voicemail"}, "nobody": "voicemail"}
    )  # fmt: skip
    assert reach.agents == (Agent("PJSIP/a", "PJSIP/a", 20), Agent("b", "Local/b@c", 5))
    assert reach.keys == {"2": Fallback.VOICEMAIL}
    assert reach.nobody == (Fallback.VOICEMAIL,)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "must be a mapping"),
        ({"agent": []}, "unknown key 'agent'"),
        ({"agents": [{"endpoint": "desk"}], "whisper": "x"}, "like PJSIP/desk1"),
        ({"agents": [{"endpoint": "PJSIP/a b"}], "whisper": "x"}, "like PJSIP/desk1"),
        ({"agents": [{"endpoint": "PJSIP/a", "ring": 0}], "whisper": "x"}, "1 to 300"),
        ({"agents": [{"endpoint": "PJSIP/a"}]}, "need a `whisper`"),
        ({"agents": [{"endpoint": "PJSIP/a"}] * 11, "whisper": "x"}, "at most 10"),
        ({"accept": "2"}, "two keys"),
        ({"accept": "12"}, "two keys"),
        ({"every": 1}, "5 to 300"),
        ({"nobody": ["people"]}, "none of callback, voicemail, dialplan"),
    ],
)
def test_a_section_that_is_wrong_says_where(document: Any, said: str) -> None:
    if document == []:
        document = ["agents"]
    with pytest.raises(ValueError, match="reach") as refused:
        read_reach(document)
    assert said in str(refused.value)


def test_what_is_said_must_be_a_prompt() -> None:
    with pytest.raises(ValueError, match="unknown prompt 'w'"):
        check_reach(Reach(waiting="w"), {"v"})
    with pytest.raises(ValueError, match="needs the prompts"):
        check_reach(Reach(nobody=(Fallback.CALLBACK,)), {"v"})
    with pytest.raises(ValueError, match="unknown prompt 'confirm'"):
        check_callbacks(RULES, {"v"})


def test_each_fallback_is_tried_once_and_the_dialplan_is_always_left() -> None:
    reach = Reach(nobody=(Fallback.CALLBACK, Fallback.VOICEMAIL))
    assert reach.fallback(tried=(), can_call=True) is Fallback.CALLBACK
    assert reach.fallback(tried=(), can_call=False) is Fallback.VOICEMAIL
    assert reach.fallback(tried={Fallback.CALLBACK}, can_call=True) is Fallback.VOICEMAIL
    assert reach.fallback(tried=set(Fallback), can_call=True) is Fallback.DIALPLAN


def verdict(rules: CallbackRules = RULES, **known: Any) -> Verdict:
    facts: dict[str, Any] = {"now": MONDAY_10, "attempts": 0, "preferred": None}
    facts |= {"room": True, "on_the_line": False}
    return rules.verdict(**facts | known)


def test_who_is_due_is_called_until_the_attempts_are_used_up() -> None:
    assert verdict(attempts=2).step is Step.DIAL
    assert verdict(attempts=3) == Verdict(Step.GIVE_UP, "attempts")
    assert verdict(CallbackRules()) == Verdict(Step.GIVE_UP, "no_confirm")


def test_nobody_is_called_in_quiet_hours_of_the_site_or_of_their_own() -> None:
    rules = read_callbacks({"confirm": "c", "hours": "mon-fri 11:00-12:00 UTC"})
    assert verdict(rules) == Verdict(Step.WAIT, "quiet_hours", MONDAY_10 + 5 * MINUTE)
    assert verdict(rules, now=MONDAY_10 + 60 * MINUTE).step is Step.DIAL
    own = verdict(preferred="sat 09:00-17:00 UTC")
    assert (own.step, own.reason) == (Step.WAIT, "preferred_hours")


def test_a_call_back_waits_for_room() -> None:
    assert verdict(room=False) == Verdict(Step.WAIT, "full", MONDAY_10 + MINUTE)


def test_nobody_is_called_who_is_on_the_line() -> None:
    waits = verdict(on_the_line=True)
    assert waits == Verdict(Step.WAIT, "on_the_line", MONDAY_10 + MINUTE // 12)


def test_each_pause_is_twice_as_long() -> None:
    waits = [(RULES.again(0, nth)) // MINUTE for nth in (1, 2, 3)]
    assert waits == [15, 30, 60]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (["confirm"], "must be a mapping"),
        ({"attempts": 2}, "`confirm` is missing"),
        ({"confirm": "c", "tries": 2}, "unknown key 'tries'"),
        ({"confirm": "c", "attempts": 0}, "1 to 10"),
        ({"confirm": "c", "pause": True}, "1 to 1440"),
        ({"confirm": "c", "hours": ["at noon"]}, "hours are written like"),
    ],
)
def test_rules_that_are_wrong_say_where(document: Any, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read_callbacks(document)
    assert said in str(refused.value)


def test_who_earns_by_being_called_is_not() -> None:
    assert may_be_called(E164("+12025550123"))
    assert not may_be_called(E164("+19005550123"))
    assert not may_be_called(E164("+12025550123"), {"GB"})
