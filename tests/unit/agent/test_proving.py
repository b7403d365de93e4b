"""Who is asking: a texted code, and what it opens."""

from __future__ import annotations

import re

import pytest

from ari_app.agent.proving import MASK
from ari_app.agent.turn import Turn
from ari_app.conversation.events import CodeTexted, CodeWrong, IdentityProved, TextPromised
from ari_app.conversation.message import Priority
from tests.unit.agent.test_turn import Talk


def code_of(turn: Turn) -> str:
    (effect,) = turn.effects
    found = re.search(r"[0-9]{6}", str(effect.payload["body"]))
    assert found is not None
    return found[0]


def another(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def asked_for_the_balance() -> tuple[Talk, str]:
    talk = Talk()
    turn = talk.says("what is my balance")
    assert turn.decision.rule == "balance_by_code"
    return talk, code_of(turn)


def test_a_balance_is_told_only_after_a_texted_code() -> None:
    talk, code = asked_for_the_balance()
    assert "86 dollars" not in " ".join(s.text for s in talk.says("hello").speech)
    turn = talk.says(" ".join(code))
    assert turn.decision.rule == "code_right"
    assert turn.decision.inputs["verified"] == 2
    assert "86 dollars" in turn.speech[-1].text
    assert talk.says("what is my balance").decision.rule == "balance"


def test_the_code_stands_in_the_effect_and_in_no_event() -> None:
    talk = Talk()
    turn = talk.says("what is my balance")
    code = code_of(turn)
    assert code not in repr(turn.events)
    (promised,) = (e for e in turn.events if isinstance(e, TextPromised))
    assert MASK in promised.body
    assert any(isinstance(e, CodeTexted) for e in turn.events)


@pytest.mark.parametrize("given", ["{}{}", "{} {}", "{}-{}", "it is {} {} thank you"])
def test_the_code_may_be_said_and_written_in_many_ways(given: str) -> None:
    talk, code = asked_for_the_balance()
    turn = talk.says(given.format(code[:3], code[3:]))
    assert turn.decision.inputs["code"] == "right"


def test_the_code_may_be_pressed() -> None:
    talk, code = asked_for_the_balance()
    assert talk.presses(code).decision.rule == "code_right"


def test_a_code_works_once() -> None:
    talk, code = asked_for_the_balance()
    talk.says(code)
    talk.is_asked("enter_code")
    turn = talk.says(code)
    assert turn.decision.inputs["code"] == "used"
    assert not any(isinstance(e, IdentityProved) for e in turn.events)


def test_a_wrong_code_is_asked_for_again_and_after_three_another_is_sent() -> None:
    talk, code = asked_for_the_balance()
    for _ in range(3):
        turn = talk.presses(another(code))
        assert turn.decision.rule == "code_wrong"
        assert any(isinstance(e, CodeWrong) for e in turn.events)
    turn = talk.presses(code)
    assert turn.decision.rule == "code_over"
    assert talk.presses(code_of(turn)).decision.rule == "code_right"


def test_who_guesses_nine_times_is_given_to_people() -> None:
    talk, code = asked_for_the_balance()
    for _ in range(3):
        for _ in range(3):
            talk.presses(another(code))
        turn = talk.presses(another(code))
        if turn.effects and turn.people is None:
            code = code_of(turn)
    assert turn.decision.rule == "code_in_vain"
    assert turn.people == "not verified"
    assert talk.says("what is my balance").people == "not verified"


def test_an_old_code_is_over() -> None:
    talk, code = asked_for_the_balance()
    talk.clock.advance(10 * 60)
    assert talk.says(code).decision.inputs["code"] == "expired"


def test_a_proof_ends() -> None:
    talk, code = asked_for_the_balance()
    talk.says(code)
    talk.clock.advance(60 * 60)
    assert talk.says("what is my balance").decision.rule == "balance_by_code"


def test_who_asks_for_something_else_instead_of_the_code_is_heard() -> None:
    talk, _ = asked_for_the_balance()
    assert talk.says("when are you open").decision.rule == "hours"


def test_without_a_number_or_a_carrier_people_find_out_who_it_is() -> None:
    assert Talk(number=None).says("what is my balance").people == "not verified"
    talk = Talk()
    talk.bind_up = False
    assert talk.says("what is my balance").people == "not verified"


def test_the_record_tells_people_what_was_proved() -> None:
    talk, code = asked_for_the_balance()
    talk.says(code)
    recorded, _ = talk.agent.hand_off("conv_1", talk.state, "to people", "asked")
    (proof,) = recorded.record["proofs"]
    assert (proof["what"], proof["how"], proof["level"]) == ("number", "texted_code", 2)
    talk.clock.advance(60 * 60)
    recorded, _ = talk.agent.hand_off("conv_1", talk.state, "to people", "asked")
    assert recorded.record["proofs"] == []


def test_a_code_goes_first_and_not_when_it_is_of_no_use_any_more() -> None:
    talk = Talk()
    turn = talk.says("what is my balance")
    (effect,) = turn.effects
    assert effect.priority is Priority.URGENT
    assert effect.until == talk.clock.now() + 10 * 60 * 1_000_000
    (promised,) = (e for e in turn.events if isinstance(e, TextPromised))
    assert (promised.priority, promised.valid_until) == ("urgent", effect.until)
