"""Answers that are expected, read back and noted; what can be said at every question."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from ari_app.agent.turn import Agent, Heard, Turn
from ari_app.conversation.events import (
    AnswerConfirmed,
    AnswerHeard,
    CallAnswered,
    CallerSilent,
    CallerSpoke,
    CallReceived,
    ConversationOpened,
    DeliveryChosen,
    Event,
    KeyPressed,
    PromptInterrupted,
    WaitGranted,
)
from ari_app.conversation.state import Conversation, fold
from ari_app.policy.bundle import Bundle, read_bundle
from ari_app.ports import Signal, Utterance, Word
from ari_app.understanding.intents import Intents
from tests.support.clock import FakeClock
from tests.support.events import in_a_stream

CLEAN = Signal(level_db=-20.0, snr_db=30.0)


@functools.cache
def answers() -> tuple[Bundle, Intents]:
    text = (Path(__file__).parents[2] / "fixtures/answers.yaml").read_text(encoding="utf-8")
    bundle = read_bundle(text)
    return bundle, Intents(bundle.intents)


class Talk:
    """A call under the bundle of answers."""

    def __init__(self, bundle: Bundle | None = None, intents: Intents | None = None) -> None:
        ours, known = (bundle, intents) if bundle and intents else answers()
        self.agent = Agent(ours, known, FakeClock(), lambda: True)
        opened = ConversationOpened(channel="voice", did="100", language="en", number=None)
        received = CallReceived(call="c", channel="SIP/1", did="100")
        self.events: list[Event] = [opened, received, CallAnswered(call="c")]
        self.events.append(self.agent.open_question())

    @property
    def state(self) -> Conversation:
        return fold(in_a_stream(self.events))

    def says(self, text: str, confidence: float = 0.9, level: float | None = None) -> Turn:
        evidence = {} if level is None else {"level_db": level, "pace": 2.5}
        spoke = CallerSpoke(
            call="c",
            text=text,
            words=(),
            confidence=confidence,
            endpoint_ms=0,
            evidence=evidence,
        )
        return self.turn(spoke, Heard("voice", "speech", text, confidence))

    def presses(self, keys: str) -> Turn:
        return self.turn(KeyPressed(call="c", key=keys), Heard("voice", "key", keys))

    def turn(self, happened: Event, heard: Heard) -> Turn:
        self.events.append(happened)
        turn = self.agent.take_turn("conv_1", self.state, heard)
        self.events.extend(turn.events)
        return turn

    def reaches(self, question: str) -> None:
        asked = self.agent.open_question()
        values = {name: getattr(asked, name) for name in asked.__slots__}
        self.events.append(type(asked)(**{**values, "question": question}))


def said(turn: Turn) -> list[str]:
    return [spoken.text for spoken in turn.speech]


def of(kind: type[Event], turn: Turn) -> list[Event]:
    return [event for event in turn.events if isinstance(event, kind)]


# -- answers ----------------------------------------------------------------------------------


def test_digits_are_read_back_and_confirmed() -> None:
    talk = Talk()
    asked = talk.says("four seven double one")
    assert said(asked) == ["I heard 4 7 1 1, is that right?"]
    assert of(AnswerHeard, asked) == [
        AnswerHeard(question="account", kind="digits", value="4711", confidence=0.9)
    ]
    assert not talk.state.answers["account"].confirmed
    confirmed = talk.says("that's right")
    assert of(AnswerConfirmed, confirmed) == [AnswerConfirmed(question="account")]
    assert talk.state.answers["account"].confirmed
    assert confirmed.question == "day"


def test_digits_that_were_heard_wrong_are_asked_again() -> None:
    talk = Talk()
    talk.says("four seven one two")
    assert talk.says("no").question == "account"
    assert said(talk.says("four seven one one")) == ["I heard 4 7 1 1, is that right?"]
    assert talk.state.answers["account"].value == "4711"


def test_the_read_back_is_repeated_with_the_answer_in_it() -> None:
    talk = Talk()
    talk.says("four seven one one")
    assert said(talk.says("repeat that please")) == ["I heard 4 7 1 1, is that right?"]


def test_too_few_digits_are_a_miss_and_asked_in_other_words() -> None:
    short = Talk().says("four seven")
    assert said(short) == ["Those were not four digits.", "The four digits of your account number."]
    assert not of(AnswerHeard, short)


def test_digits_may_be_keyed() -> None:
    talk = Talk()
    assert talk.agent.keys_of_an_answer(talk.state) == 4
    assert said(talk.presses("4711")) == ["I heard 4 7 1 1, is that right?"]


def test_a_date_is_noted_as_one_day_where_the_site_is() -> None:
    talk = Talk()
    talk.reaches("day")
    noted = talk.says("the third of march twenty thirty")
    assert of(AnswerHeard, noted)[0] == AnswerHeard(
        question="day", kind="date", value="2030-03-03", confidence=0.9
    )
    assert said(noted)[0] == "3 March 2030 is noted."


def test_a_name_is_spelled() -> None:
    talk = Talk()
    talk.reaches("name")
    assert said(talk.says("b as in bravo o double t"))[0] == "B O T T is noted."


@pytest.mark.parametrize(
    "words", ["in the afternoon", "two", "the second one", "number two please"]
)
def test_a_choice_is_made_by_its_words_or_its_number(words: str) -> None:
    talk = Talk()
    talk.reaches("part")
    assert talk.says(words).decision.rule == "afternoon"


def test_a_phrase_stands_for_its_value() -> None:
    talk = Talk()
    talk.reaches("colour")
    assert talk.says("crimson").decision.rule == "red"


def test_who_says_something_else_at_a_question_is_understood_too() -> None:
    turn = Talk().says("i have a question about my invoice")
    assert (turn.decision.intent, turn.decision.inputs["answer"]) == ("invoice", None)


def test_a_code_stands_in_no_answer() -> None:
    text = (Path(__file__).parents[2] / "fixtures/answers.yaml").read_text(encoding="utf-8")
    coded = read_bundle(text.replace("expects: {digits: 4}", "code: true"))
    turn = Talk(coded, answers()[1]).says("one two three four five six")
    assert turn.decision.rule == "account_given"
    assert not of(AnswerHeard, turn)


# -- which result counts ----------------------------------------------------------------------


def words(text: str, confidence: float = 0.95) -> tuple[Word, ...]:
    return tuple(
        Word(word, 0.3 * n, 0.3 * n + 0.2, confidence) for n, word in enumerate(text.split())
    )


def heard(
    free: str, guided: str | None, signal: Signal | None = CLEAN, confidence: float = 0.95
) -> Heard:
    talk = Talk()
    utterance = Utterance(
        free,
        words(free, confidence),
        guided=None if guided is None else words(guided, confidence),
        signal=signal,
    )
    return talk.agent.weigh(talk.state, utterance)


def test_a_whole_answer_that_was_expected_counts() -> None:
    assert heard("for seven one on", "four seven one one").text == "four seven one one"


@pytest.mark.parametrize(
    "guided",
    ["[unk]", "four [unk] one one", "four seven one", "four seven one one one", "", None],
)
def test_what_is_no_whole_answer_leaves_all_words(guided: str | None) -> None:
    free = "i want to talk about my invoice"
    assert heard(free, guided).text == free


def test_an_answer_in_noise_that_nobody_else_hears_is_nothing() -> None:
    assert heard("", "four seven one one").text == ""


def test_agreement_raises_confidence() -> None:
    both = heard("four seven one one", "four seven one one")
    alone = heard("four seven one one", None)
    against = heard("four seven one nine", "four seven one one")
    assert max(against.confidence, alone.confidence) < both.confidence
    assert (both.evidence["agrees"], against.evidence["agrees"]) == (1.0, -1.0)


def test_without_a_measured_line_the_recogniser_is_believed() -> None:
    alone = heard("four seven one one", None, signal=None, confidence=0.83)
    assert alone.confidence == pytest.approx(0.83)
    assert alone.evidence == {}


def test_a_turn_tells_its_level_and_pace() -> None:
    evidence = heard("four seven one one", None).evidence
    assert evidence["level_db"] == -20.0
    assert evidence["pace"] == pytest.approx(4 / 1.1, abs=0.01)


# -- at every question ------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["account", "account_right", "day", "name", "part", "colour"])
def test_commands_work_at_every_question(question: str) -> None:
    for command in ("repeat", "slower", "louder", "wait", "help", "operator"):
        talk = Talk()
        talk.reaches(question)
        turn = talk.says(
            {"wait": "one moment please", "repeat": "say that again"}.get(command, command)
        )
        assert turn.decision.rule == f"command_{command}"
        assert turn.decision.inputs["command"] == command
        assert turn.people == ("asked for a person" if command == "operator" else None)
        assert turn.question == (None if command == "operator" else question)


def test_slower_and_louder_are_facts_of_the_conversation() -> None:
    talk = Talk()
    assert of(DeliveryChosen, talk.says("slower please")) == [DeliveryChosen(slower=1, louder=0)]
    assert of(DeliveryChosen, talk.says("louder")) == [DeliveryChosen(slower=1, louder=1)]
    assert of(DeliveryChosen, talk.says("louder")) == [DeliveryChosen(slower=1, louder=1)]
    assert (talk.state.slower, talk.state.louder) == (1, 1)


def test_who_asks_for_a_moment_gets_it_and_the_question_stays_open() -> None:
    talk = Talk()
    turn = talk.says("hold on a second")
    assert (turn.patience, turn.question, said(turn)) == (30.0, "account", ["Take your time."])
    assert of(WaitGranted, turn) == [WaitGranted(seconds=30)]
    assert talk.says("four seven one one").decision.rule == "account_given"


def test_a_command_that_was_heard_badly_is_none() -> None:
    assert Talk().says("operator", confidence=0.4).people is None


# -- how the caller seems ---------------------------------------------------------------------


def test_an_upset_caller_meets_people_and_the_decision_says_why() -> None:
    talk = Talk()
    for level in (-30.0, -30.0, -29.0):
        talk.says("blah", level=level)
    for _ in range(3):
        talk.events.append(PromptInterrupted(call="c", prompt="account", after_ms=300))
    turn = talk.says("blah blah", level=-17.0)
    assert turn.people == "upset"
    because = turn.decision.inputs["frustration_because"]
    assert list(because)[0] == "misses"
    assert {"misses", "louder", "interruptions"} <= because.keys()
    assert turn.decision.inputs["frustration"] >= 0.6


def test_a_caller_who_was_only_silent_is_not_upset() -> None:
    talk = Talk()
    turn = talk.turn(CallerSilent(call="c"), Heard("voice", "silence"))
    assert turn.decision.inputs["frustration"] < 0.1
