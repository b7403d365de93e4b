"""A conversation goes on in the language that the caller prefers, dials, asks for or speaks."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from ari_app.agent.turn import Agent, Heard, Turn
from ari_app.conversation.events import (
    CallAnswered,
    CallerSpoke,
    CallReceived,
    ConversationOpened,
    Event,
    KeyPressed,
    LanguageChosen,
    PreferenceStated,
    TextReceived,
)
from ari_app.conversation.state import Conversation, fold
from ari_app.policy.bundle import read_bundle
from tests.support.bundle import demo_in_two_languages, demo_intents, demo_text
from tests.support.clock import FakeClock
from tests.support.events import in_a_stream


@functools.cache
def agent() -> Agent:
    return Agent(demo_in_two_languages(), demo_intents(), FakeClock(), lambda: True)


class Talk:
    def __init__(self) -> None:
        opened = ConversationOpened(
            channel="voice", did="100", language="en", number="+12025550123"
        )
        received = CallReceived(call="c", channel="SIP/1", did="100")
        self.events: list[Event] = [opened, received, CallAnswered(call="c")]
        self.events.append(agent().open_question())

    @property
    def state(self) -> Conversation:
        return fold(in_a_stream(self.events))

    def says(self, text: str) -> Turn:
        spoke = CallerSpoke(call="c", text=text, words=(), confidence=0.9, endpoint_ms=0)
        return self._turn(spoke, Heard("voice", "speech", text, 0.9))

    def presses(self, key: str) -> Turn:
        return self._turn(KeyPressed(call="c", key=key), Heard("voice", "key", key))

    def writes(self, body: str) -> Turn:
        received = TextReceived(carrier="main", recipient="1", sender="+12025550123", body=body)
        return self._turn(received, Heard("sms", "text", body))

    def _turn(self, happened: Event, heard: Heard) -> Turn:
        self.events.append(happened)
        turn = agent().take_turn("conv_1", self.state, heard)
        self.events.extend(turn.events)
        return turn


def chosen(turn: Turn) -> list[tuple[str, str]]:
    return [(e.language, e.by) for e in turn.events if isinstance(e, LanguageChosen)]


def test_a_key_changes_the_language_and_asks_again_in_it() -> None:
    talk = Talk()
    turn = talk.presses("8")
    assert chosen(turn) == [("es", "key")]
    assert [spoken.text for spoken in turn.speech] == ["¿En qué puedo ayudarle?"]
    assert talk.state.language == "es"
    assert turn.decision.inputs["language"] == "es"


@pytest.mark.parametrize(
    "words", ["spanish please", "do you speak spanish", "español", "en español por favor"]
)
def test_a_language_can_be_asked_for_by_its_name(words: str) -> None:
    turn = Talk().says(words)
    assert chosen(turn) == [("es", "request")]
    assert turn.decision.rule == "command_language"


def test_who_speaks_spanish_is_answered_in_spanish_at_once() -> None:
    talk = Talk()
    turn = talk.says("hola quiero cambiar mi cita por favor")
    assert chosen(turn) == [("es", "words")]
    assert (turn.decision.rule, turn.question) == ("reschedule", "how_reschedule")
    assert turn.speech[0].text.startswith("Puedo ayudarle con su cita.")


def test_a_call_in_spanish_comes_to_its_text_in_spanish() -> None:
    talk = Talk()
    talk.presses("8")
    talk.says("quiero cambiar mi cita")
    talk.says("mándeme un mensaje")
    turn = talk.says("sí por favor")
    (sms,) = (e for e in turn.effects if e.kind == "sms")
    assert str(sms.payload["body"]).startswith("Harbour Clinic: horas libres: 1) lunes 30")
    assert turn.end
    confirmed = talk.writes("la segunda por favor")
    assert confirmed.decision.rule == "time_chosen"
    (sms,) = (e for e in confirmed.effects if e.kind == "sms")
    assert "martes 1 de diciembre" in str(sms.payload["body"])


def test_a_text_in_spanish_is_answered_in_spanish() -> None:
    turn = Talk().writes("Hola, ¿a qué hora abren los sábados?")
    assert chosen(turn) == [("es", "words")]
    (sms,) = (e for e in turn.effects if e.kind == "sms")
    assert "abre de lunes a viernes" in str(sms.payload["body"])


def test_there_is_a_way_back() -> None:
    talk = Talk()
    talk.presses("8")
    assert chosen(talk.says("english please")) == [("en", "request")]
    assert talk.state.language == "en"


def test_a_name_or_a_loan_word_is_no_change() -> None:
    for words in ("my name is de la cruz", "no", "gracias", "opening hours por favor"):
        assert chosen(Talk().says(words)) == []


def test_commands_are_understood_in_spanish() -> None:
    talk = Talk()
    talk.presses("8")
    assert talk.says("un momento por favor").decision.rule == "command_wait"
    assert talk.says("más despacio").decision.rule == "command_slower"
    assert talk.says("repita por favor").decision.rule == "repeat"
    assert talk.says("quiero hablar con una persona").people == "asked for a person"


def test_what_a_person_prefers_is_the_language_of_the_call() -> None:
    known = PreferenceStated(what="language", value="es-MX", at=1, by="carried")
    (event,) = agent().first_language("100", [known])
    assert (event.language, event.by) == ("es", "preference")
    other = PreferenceStated(what="language", value="fr", at=1, by="carried")
    assert agent().first_language("100", [other]) == ()


def test_a_number_may_have_a_language() -> None:
    bundle = demo_in_two_languages()
    spanish = bundle.translations["es"]
    offer = replace(spanish.offer, numbers=frozenset({"200"}), invite="Para español, oprima 8.")
    bundle = replace(bundle, translations={"es": replace(spanish, offer=offer)})
    ours = Agent(bundle, demo_intents(), FakeClock(), lambda: True)
    (event,) = ours.first_language("200", [])
    assert (event.language, event.by) == ("es", "number")
    assert ours.first_language("100", []) == ()
    _, invite, question = ours.greeting("en")
    assert (invite.text, invite.language) == ("Para español, oprima 8.", "es")
    assert [s.text for s in ours.greeting("es")][-1] == "¿En qué puedo ayudarle?"
    assert question.text == "How can I help you?"


def test_a_bundle_of_one_language_never_changes_it() -> None:
    alone = Agent(read_bundle(demo_text()), demo_intents(), FakeClock(), lambda: True)
    talk = Talk()
    turn = alone.take_turn("conv_1", talk.state, Heard("voice", "speech", "en español por favor"))
    assert chosen(turn) == []
