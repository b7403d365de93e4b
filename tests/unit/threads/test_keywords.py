"""STOP, START and HELP are answered as they are stored: once each, and by nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ari_app.agent.turn import Agent
from ari_app.conversation.events import (
    ConsentGiven,
    ConsentRefused,
    ConversationOpened,
    DecisionMade,
    HandoffRecorded,
    HelpAsked,
    OptedIn,
    OptedOut,
    OptOutRepeated,
    RevocationHeard,
    TextBlocked,
    TextPromised,
)
from ari_app.conversation.identity import E164
from ari_app.conversation.message import Priority
from ari_app.outbox.overdue import KIND
from ari_app.policy.sending.rules import ALL, Rules
from ari_app.policy.sending.words import Answer
from ari_app.ports import IncomingText
from ari_app.store.gate import SendingGate
from ari_app.store.store import EventStore
from ari_app.store.suppressions import Suppressions
from ari_app.threads.inbox import Inbox
from ari_app.threads.keywords import Keywords, Manners
from ari_app.threads.replies import Replies
from tests.support.bundle import demo_bundle, demo_intents
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import opened
from tests.unit.policy.sending.sending_story import vocabulary

KEY = b"k" * 32
CALLER = E164("+12025550123")
SUBJECT = CALLER.subject(KEY)
OURS = "+15550199"
_E = TypeVar("_E")

WORDS = vocabulary()


def answer(kind: Answer, language: str) -> str:
    return WORDS.answer(kind, language, "Harbour Clinic", "the front desk")


class Story:
    """A caller has called; then the handset writes, the agent answers, and texts leave."""

    def __init__(self, store: EventStore, clock: FakeClock) -> None:
        self.store, self.clock = store, clock
        self.meter = RecordingMeter()
        gate = SendingGate(store.engine, Rules(), self.meter, subject_key=KEY, sender=OURS)
        store._texts._gates = (*store._texts._gates, gate)
        self.outs: Suppressions = store.suppressions()
        self.has(Manners(answer))
        agent = Agent(demo_bundle(), demo_intents(), clock, lambda: True)
        self.replies = Replies(store, agent, clock, self.meter)
        self._written = 0

    def has(self, manners: Manners) -> None:
        keywords = Keywords(WORDS, self.outs, manners, self.clock)
        self.inbox = Inbox(self.store, self.clock, self.meter, KEY, keywords=keywords)

    async def call(self) -> None:
        call = ConversationOpened(channel="voice", did="100", language="en", number=CALLER.value)
        await self.store.append("conv_1", [call], subject=SUBJECT)

    async def writes(self, body: str, to: str = OURS, sender: str = CALLER.value) -> None:
        self._written += 1
        await self.inbox.text(IncomingText("main", sender, to, body, f"mo_{self._written}"))

    async def repeated(self) -> None:
        """The SMSC brings the last text once more."""
        self._written -= 1

    async def arrives(self) -> list[str]:
        """What leaves for the handset now, after whatever the agent says."""
        while await self.replies.run_once():
            pass
        sent = []
        while (claim := await self.store.claim_texts(self.clock.now(), 10)).moved:
            for job in claim.send:
                sent.append(str(job.payload["body"]))
                await self.store.settle(job, [])
        return sent

    async def all(self, kind: type[_E]) -> list[_E]:
        return [e.event for e in await self.store.read("conv_1") if isinstance(e.event, kind)]

    async def one(self, kind: type[_E]) -> _E:
        (found,) = await self.all(kind)
        return found

    async def is_out(self) -> bool:
        return await self.outs.holds(SUBJECT, "15550199")


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    clock = FakeClock()
    async with opened(tmp_path, clock) as store:
        story = Story(store, clock)
        await story.call()
        yield story


STOPPED = answer(Answer.STOPPED, "en")


async def test_stop_is_kept_with_its_words_and_confirmed_once(story: Story) -> None:
    await story.writes("STOP!")
    assert await story.one(OptedOut) == OptedOut(
        subject=SUBJECT, source=ALL, how="word", word="stop", message="mo:main:mo_1", body="STOP!"
    )
    assert (await story.one(ConsentRefused)).purpose == "texts"
    assert (await story.one(DecisionMade)).rule == "stop"
    assert await story.is_out()
    assert await story.arrives() == [STOPPED]
    assert story.meter.counts["segue_sms_keywords_total", "stop"] == 1


async def test_the_confirmation_goes_first_and_not_later_than_it_may(story: Story) -> None:
    await story.writes("STOP")
    promised = await story.one(TextPromised)
    assert promised.priority == "urgent"
    assert promised.valid_until == story.clock.now() + 300 * 1_000_000
    (job,) = (await story.store.claim_texts(story.clock.now(), 10)).send
    assert (job.priority, job.until) == (Priority.URGENT, promised.valid_until)


async def test_a_confirmation_that_could_not_leave_in_time_never_does(story: Story) -> None:
    await story.writes("STOP")
    story.clock.advance(301)
    assert await story.arrives() == []


async def test_its_receipt_is_waited_for_as_that_of_any_text(story: Story) -> None:
    await story.writes("STOP")
    promised = await story.one(TextPromised)
    (timer,) = await story.store.due_timers(story.clock.now() + 901 * 1_000_000)
    assert timer.id == f"{KIND}:{promised.message}"


async def test_two_machines_that_say_stop_to_each_other_fall_silent(story: Story) -> None:
    for _ in range(5):
        await story.writes("stop")
    assert await story.arrives() == [STOPPED]
    assert len(await story.all(OptedOut)) == 1
    assert len(await story.all(OptOutRepeated)) == 4
    assert len(await story.all(TextPromised)) == 1


async def test_the_agent_does_not_answer_what_was_answered(story: Story) -> None:
    for body in ("STOP", "stop", "HELP", "START"):
        await story.writes(body)
        await story.arrives()
    rules = [d.rule for d in await story.all(DecisionMade)]
    assert rules == ["stop", "stop", "help", "start"]


async def test_what_the_agent_says_after_a_stop_does_not_leave(story: Story) -> None:
    await story.writes("STOP")
    await story.arrives()
    await story.writes("when are you open?")
    assert await story.arrives() == []
    assert (await story.all(TextBlocked))[-1].rule in ("opt_out", "consent")


async def test_stop_is_confirmed_in_the_language_of_the_word(story: Story) -> None:
    await story.writes("ARRÊT")
    assert await story.arrives() == [answer(Answer.STOPPED, "fr")]


async def test_the_same_deliver_sm_again_changes_nothing(story: Story) -> None:
    for _ in range(3):
        await story.writes("STOP")
        await story.repeated()
    assert len(await story.all(OptedOut)) == 1
    assert await story.all(OptOutRepeated) == []
    assert story.meter.counts["segue_sms_keywords_total", "stop"] == 1


async def test_start_undoes_stop(story: Story) -> None:
    await story.writes("STOP")
    await story.arrives()
    await story.writes("START")
    assert await story.one(OptedIn) == OptedIn(
        subject=SUBJECT,
        source="15550199",
        how="word",
        word="start",
        message="mo:main:mo_2",
        body="START",
    )
    assert (await story.one(ConsentGiven)).how == "text"
    assert not await story.is_out()
    assert await story.arrives() == [answer(Answer.STARTED, "en")]
    await story.writes("when are you open?")
    assert len(await story.arrives()) == 1


async def test_who_stops_again_is_confirmed_again(story: Story) -> None:
    for body in ("STOP", "START", "STOP"):
        story.clock.advance(10)
        await story.writes(body)
        sent = await story.arrives()
    assert sent == [STOPPED]
    assert await story.is_out()


async def test_yes_starts_only_who_has_stopped(story: Story) -> None:
    await story.writes("yes")
    assert await story.all(OptedIn) == []
    await story.writes("STOP")
    await story.arrives()
    await story.writes("Yes")
    assert not await story.is_out()
    assert len(await story.all(OptedIn)) == 1


async def test_start_from_who_never_stopped_is_a_text_like_any_other(story: Story) -> None:
    await story.writes("START")
    assert await story.all(OptedIn) == []
    await story.arrives()
    assert [d.bundle for d in await story.all(DecisionMade)] == [demo_bundle().hash]


async def test_who_refused_on_the_phone_may_start_by_text(story: Story) -> None:
    refused = ConsentRefused(purpose="texts", channel="voice", how="speech")
    await story.store.append("conv_1", [refused])
    await story.writes("START")
    assert not await story.is_out()
    assert await story.arrives() == [answer(Answer.STARTED, "en")]


async def test_who_refused_before_there_was_a_ledger_may_start_too(story: Story) -> None:
    refused = ConsentRefused(purpose="texts", channel="voice", how="speech")
    await story.store.append("conv_1", [refused])
    await story.store._writer.run(lambda link: link.run("DELETE FROM suppression"))
    await story.writes("START")
    assert await story.arrives() == [answer(Answer.STARTED, "en")]


async def test_help_is_answered_whoever_asks_and_asks_nothing_away(story: Story) -> None:
    question = DecisionMade(
        bundle="b",
        rule="r",
        reason="x",
        actions=(),
        inputs={},
        intent=None,
        confidence=1.0,
        alternatives=(),
        topic="reschedule",
        question="reply_reschedule",
    )
    await story.store.append("conv_1", [question])
    await story.writes("HELP")
    assert (await story.one(HelpAsked)).word == "help"
    assert await story.arrives() == [answer(Answer.HELP, "en")]
    state = await story.store.state("conv_1")
    assert (state.topic, state.question) == ("reschedule", "reply_reschedule")


async def test_help_is_answered_to_who_has_stopped(story: Story) -> None:
    await story.writes("STOP")
    await story.arrives()
    await story.writes("INFO")
    assert await story.arrives() == [answer(Answer.HELP, "en")]
    assert await story.is_out()


async def test_a_stranger_who_writes_stop_is_not_texted_either(story: Story) -> None:
    stranger = E164("+12025550177")
    await story.writes("STOP", sender=stranger.value)
    assert await story.outs.holds(stranger.subject(KEY), "15550199")
    assert not await story.is_out()
    assert await story.arrives() == [STOPPED]


async def test_a_sender_that_is_no_number_cannot_opt_out(story: Story) -> None:
    await story.writes("STOP", sender="PARCELS")
    assert await story.outs.page() == []


async def test_words_of_ones_own_stop_and_a_person_looks(story: Story) -> None:
    await story.writes("please don't text me any more")
    assert (await story.one(OptedOut)).how == "words"
    assert (await story.one(RevocationHeard)).subject == SUBJECT
    record = (await story.one(HandoffRecorded)).record
    assert record["reason"] == "they may want no more texts"
    assert record["consent"] == {"texts": False}
    (job,) = await story.store.claim("handoff", story.clock.now())
    assert job.payload["handoff"] == record["handoff"]
    assert await story.arrives() == [STOPPED]
    assert story.meter.counts["segue_sms_keywords_total", "revokes"] == 1


async def test_a_site_may_leave_it_to_the_person(story: Story) -> None:
    story.has(replace(Manners(answer), revocation_stops=False))
    await story.writes("please don't text me any more")
    assert not await story.is_out()
    assert len(await story.all(RevocationHeard)) == 1
    assert len(await story.all(HandoffRecorded)) == 1
    # And the agent answers as it always does.
    await story.arrives()
    assert [d.bundle for d in await story.all(DecisionMade)] == [demo_bundle().hash]


async def test_who_has_stopped_and_complains_needs_no_second_person(story: Story) -> None:
    await story.writes("STOP")
    await story.writes("I said stop texting me!")
    assert await story.all(HandoffRecorded) == []
    assert len(await story.all(RevocationHeard)) == 1


async def test_a_site_may_have_stop_end_the_texts_of_one_sender(story: Story) -> None:
    story.has(replace(Manners(answer), opt_out_of_all=False))
    await story.writes("STOP", to="36111")
    assert await story.outs.holds(SUBJECT, "36111")
    assert not await story.is_out()


async def test_a_site_may_confirm_nothing(story: Story) -> None:
    story.has(replace(Manners(answer), confirm=False))
    await story.writes("STOP")
    assert await story.is_out()
    assert await story.arrives() == []


async def test_the_log_of_the_service_has_neither_number_nor_words(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ari_app")
    await story.writes("do not text me, I am Jane")
    assert CALLER.value not in caplog.text
    assert "Jane" not in caplog.text
    assert "it says revokes (en)" in caplog.text


async def test_what_is_about_nothing_of_this_goes_to_the_agent(story: Story) -> None:
    await story.writes("when are you open?")
    sent: list[Any] = await story.arrives()
    assert len(sent) == 1
    assert [d.bundle for d in await story.all(DecisionMade)] == [demo_bundle().hash]
