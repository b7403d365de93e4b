"""What a synthetic call should lead to is known before it is placed."""

from __future__ import annotations

from ari_app.agent.turn import Agent
from ari_app.phone.rehearsal import Expected, is_key, rehearse
from tests.support.bundle import demo_bundle, demo_intents
from tests.support.clock import FakeClock

NUMBER, DID = "+12025550190", "+15550100"


def rehearsed(*lines: str, bind_up: bool = True) -> Expected:
    agent = Agent(demo_bundle(), demo_intents(), FakeClock(), lambda: bind_up)
    return rehearse(agent, lines, NUMBER, DID)


def test_every_call_begins_with_who_is_speaking_and_a_question() -> None:
    expected = rehearsed()
    assert expected.disclosure[0] == "disclosure"
    assert expected.question == ("how_can_i_help", "How can I help you?")
    assert expected.replies == ()


def test_a_sentence_leads_to_its_intent_and_the_next_prompt() -> None:
    (reply,) = rehearsed("i would like to reschedule my appointment").replies
    assert (reply.intent, reply.rule) == ("reschedule", "reschedule")
    assert [name for name, _ in reply.prompts] == ["how_reschedule"]
    assert not reply.is_key
    assert not reply.over


def test_a_key_is_pressed_and_leads_where_the_menu_says() -> None:
    (reply,) = rehearsed("1").replies
    assert reply.is_key
    assert reply.rule == "menu_yes"
    assert [name for name, _ in reply.prompts] == ["how_hours"]


def test_several_keys_are_a_sentence_and_not_keys() -> None:
    assert is_key("#")
    assert not is_key("12")
    assert not is_key("")


def test_a_call_that_would_send_a_text_says_so() -> None:
    expected = rehearsed("what are your opening hours", "yes please", "yes please")
    assert [reply.texts for reply in expected.replies] == [0, 0, 1]
    assert expected.texts == 1
    assert expected.replies[-1].over


def test_a_code_is_a_text_too() -> None:
    assert rehearsed("what is my balance").texts == 1


def test_without_a_carrier_the_same_words_lead_elsewhere() -> None:
    expected = rehearsed("what are your opening hours", "yes please", bind_up=False)
    assert expected.texts == 0
    assert expected.replies[-1].rule == "text_wanted_in_vain"


def test_lines_behind_the_end_of_the_call_are_not_said() -> None:
    expected = rehearsed("operator", "what are your opening hours")
    assert len(expected.replies) == 1
    assert expected.replies[0].over


def test_words_that_mean_nothing_have_no_intent() -> None:
    (reply,) = rehearsed("purple elephants waltz sideways").replies
    assert reply.intent is None
