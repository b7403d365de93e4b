"""Every question to Segue ends in one of its words, and the dialplan goes on."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import pytest

from ari_app.phone.call import Phone
from asterisk.private import PrivateAsterisk
from tests.dialplan.fastagi import fastagi
from tests.support.pbx import PATIENCE, Ami, eventually, setting

NUMBER = "7004"  # of the carrier's, for this file


class Question(NamedTuple):
    """Extension of [fake-site], the variables that answer it, and a word of its own."""

    name: str
    word: str
    beside: str
    one: str


QUESTIONS = [
    Question("eligibility", "SEGUE_ELIGIBILITY", "SEGUE_ELIGIBILITY_REASON", "yes"),
    Question("open-conversation", "SEGUE_CONVERSATION_STATE", "SEGUE_CONVERSATION_TOPIC", "open"),
    Question("text", "SEGUE_TEXT", "SEGUE_TEXT_REASON", "promised"),
    Question("callback", "SEGUE_CALLBACK", "SEGUE_CALLBACK_REASON", "blocked"),
]
each = pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)


def asked(pbx: PrivateAsterisk, ami: Ami, question: Question) -> tuple[str, str]:
    """The word and what stands beside it; the dialplan has gone on, without a time-out."""
    pbx.cli(f"channel originate Local/{question.name}@fake-site/n application Wait 60")
    heard = ami.user_event("FakeAsked")
    assert float(ami.user_event("FakeWentOn")["Absolute"]) == 0
    return heard["Word"], heard["Reason"]


def unknown(question: Question) -> tuple[str, str]:
    return "unknown", "" if question.name == "open-conversation" else "no_answer"


def says(question: Question, word: str, beside: str = "because") -> tuple[str, str]:
    quoted = word.replace('"', '\\"')
    return (
        f'SET VARIABLE {question.beside} "{beside}"',
        f'SET VARIABLE {question.word} "{quoted}"',
    )


@each
def test_an_answer_reaches_the_dialplan(pbx: PrivateAsterisk, ami: Ami, question: Question) -> None:
    with fastagi(pbx, *says(question, question.one)):
        assert asked(pbx, ami, question) == (question.one, "because")


@each
def test_without_a_server_it_is_unknown(pbx: PrivateAsterisk, ami: Ami, question: Question) -> None:
    assert asked(pbx, ami, question) == unknown(question)


@each
def test_a_server_that_hangs_costs_only_the_limit(
    pbx: PrivateAsterisk, ami: Ami, question: Question
) -> None:
    # Even one that has said something before it hangs.
    with setting(pbx, "SEGUE_AGI_LIMIT", "1"), fastagi(pbx, *says(question, "x"), hang=True):
        assert asked(pbx, ami, question) == unknown(question)


@each
def test_a_server_that_ends_before_the_word_has_said_nothing(
    pbx: PrivateAsterisk, ami: Ami, question: Question
) -> None:
    with fastagi(pbx, says(question, question.one)[0]):
        assert asked(pbx, ami, question)[0] == "unknown"


@each
@pytest.mark.parametrize("word", ["YES", "promised,blocked", 'x" | "1', "1", ""])
def test_a_word_that_is_none_of_its_words_is_unknown(
    pbx: PrivateAsterisk, ami: Ami, question: Question, word: str
) -> None:
    with fastagi(pbx, *says(question, word)):
        assert asked(pbx, ami, question) == unknown(question)


def test_what_stands_beside_a_word_is_filtered(pbx: PrivateAsterisk, ami: Ami) -> None:
    question = QUESTIONS[0]
    with fastagi(pbx, *says(question, "yes", "be,Conversation: forged")):
        assert asked(pbx, ami, question) == ("yes", "beonversationforged")


@each
async def test_a_caller_who_hangs_up_meanwhile_leaves_nothing_behind(
    pbx: PrivateAsterisk, ami: Ami, question: Question
) -> None:
    steps = ["Answer", f"Goto,fake-site,{question.name},1"]
    for priority, step in enumerate(steps, 1):
        pbx.cli(f"dialplan add extension {NUMBER},{priority},{step} into from-carrier")
    try:
        # Longer than the test is patient: only the hang-up can end the question.
        with setting(pbx, "SEGUE_AGI_LIMIT", "60"), fastagi(pbx, hang=True) as met:
            async with await Phone.open() as phone:
                await phone.call("127.0.0.1", pbx.sip_port, NUMBER)
                assert await asyncio.to_thread(met.wait, PATIENCE)
                await phone.hang_up()
                await asyncio.to_thread(nobody_is_there, pbx)
    finally:
        pbx.cli(f"dialplan remove extension {NUMBER}@from-carrier")
    assert not ami.saw_user_event("FakeAsked")


def nobody_is_there(pbx: PrivateAsterisk) -> None:
    def gone() -> bool:
        return "0 active channels" in pbx.cli("core show channels count")

    eventually(gone, "the caller's channel is gone")
