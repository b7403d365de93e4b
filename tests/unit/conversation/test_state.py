"""A conversation is the fold of its events."""

from __future__ import annotations

from dataclasses import replace

from ari_app.conversation.events import (
    CallAnswered,
    CallEnded,
    CallerSilent,
    CallerSpoke,
    CallLeft,
    CallReceived,
    ChoiceMade,
    ConsentGiven,
    ConsentRefused,
    ConversationOpened,
    DecisionMade,
    DisclosurePlayed,
    Event,
    HandoffAcknowledged,
    HandoffEscalated,
    HandoffRecorded,
    HearingLost,
    KeyPressed,
    ReceiptReceived,
    SubjectsJoined,
    SubjectsParted,
    TextDelayed,
    TextPromised,
    TextReceived,
    TextRefused,
    TextSightLost,
    TextSubmitted,
    Unrecognised,
)
from ari_app.conversation.message import MessageState
from ari_app.conversation.state import KEPT, Conversation, Said, fold
from tests.support.events import in_a_stream

OPENED = ConversationOpened(channel="voice", did="100", language="fr", number="+12025550123")
PROMISED = TextPromised(message="m", template="hours", to="+12025550123", body="We are open.")


def after(*happened: Event) -> Conversation:
    return fold(in_a_stream(happened))


def decided(
    *actions: str, by: str = "speech", question: str | None = None, topic: str | None = None
) -> DecisionMade:
    return DecisionMade(
        bundle="b",
        rule="r",
        reason="because",
        actions=actions,
        inputs={"by": by},
        intent="hours",
        confidence=0.9,
        alternatives=(),
        topic=topic,
        question=question,
    )


def submitted(*ids: str) -> TextSubmitted:
    return TextSubmitted(message="m", carrier="main", ids=ids, attempts=1)


def receipt(id: str, state: str) -> ReceiptReceived:
    return ReceiptReceived(message="m", carrier="main", id=id, state=state, error="")


def said(text: str) -> CallerSpoke:
    return CallerSpoke(call="c", text=text, words=(), confidence=0.8, endpoint_ms=300)


def test_who_called_is_known_from_the_first_event() -> None:
    state = after(OPENED)
    assert (state.number, state.did, state.language) == ("+12025550123", "100", "fr")
    assert state.sequence == 1


def test_a_call_is_on_the_line_from_its_answer_to_its_end() -> None:
    received = CallReceived(call="c", channel="SIP/1", did="100")
    assert after(OPENED, received).on_the_line is None
    assert after(OPENED, received, CallAnswered(call="c")).on_the_line == "c"
    left = CallLeft(call="c", exit="done", reason="")
    ended = CallEnded(call="c", cause="hangup", statistics={})
    for end in (left, ended):
        gone = after(OPENED, received, CallAnswered(call="c"), end)
        assert gone.on_the_line is None
        assert gone.calls == ("c",)


def test_turns_of_every_channel_stand_in_order() -> None:
    texted = TextReceived(carrier="main", recipient="1", sender="+12025550123", body="2")
    state = after(said("hello"), KeyPressed(call="c", key="1"), texted)
    assert state.turns == (
        Said("voice", "hello", 0.8),
        Said("keys", "1", 1.0),
        Said("sms", "2", 1.0),
    )


def test_the_latest_turns_are_kept_and_all_are_counted() -> None:
    keys = [KeyPressed(call="c", key=str(n)) for n in range(KEPT + 5)]
    state = after(*keys)
    assert state.turns == tuple(Said("keys", str(n), 1.0) for n in range(5, KEPT + 5))
    assert state.turns_taken == KEPT + 5
    assert after(*keys[:KEPT]).turns_before == 0


def test_the_latest_calls_are_kept() -> None:
    calls = [CallReceived(call=f"c{n}", channel="SIP/1", did="1") for n in range(KEPT + 5)]
    assert after(*calls).calls == tuple(f"c{n}" for n in range(5, KEPT + 5))


def test_a_state_grows_no_more_with_the_events_that_it_was_folded_from() -> None:
    # Each step copies what the state keeps: so each of ten thousand costs what the first cost.
    texted = TextReceived(carrier="main", recipient="1", sender="+12025550123", body="2")
    both: list[Event] = [KeyPressed(call="c", key="1"), texted]
    few, many = after(*both * KEPT), after(*both * 5_000)
    assert many.turns_taken == 10_000
    assert replace(many, sequence=few.sequence, turns_before=few.turns_before) == few


def test_a_call_that_is_told_of_again_is_one_call() -> None:
    received = CallReceived(call="c", channel="SIP/1", did="1")
    assert after(received, received) == replace(after(received), sequence=2)


def test_the_late_end_of_one_call_does_not_end_the_next() -> None:
    ended = CallEnded(call="c", cause="hangup", statistics={})
    left = CallLeft(call="c", exit="done", reason="")
    on_the_line = (CallAnswered(call="c"), left, CallAnswered(call="d"))
    assert after(*on_the_line, ended).on_the_line == "d"
    assert after(*on_the_line, left).on_the_line == "d"


def test_a_promise_that_is_told_again_does_not_undo_what_became_of_it() -> None:
    state = after(PROMISED, submitted("1"), PROMISED)
    assert state.messages["m"].state is MessageState.SUBMITTED


def test_disclosure_and_the_loss_of_hearing_are_remembered_until_the_next_call() -> None:
    played = DisclosurePlayed(call="c", prompt="p", wording="w")
    lost = after(played, HearingLost(call="c"))
    assert lost.disclosed
    assert not lost.hearing
    assert after(played, HearingLost(call="c"), CallAnswered(call="d")).hearing


def test_silences_are_counted_until_something_is_said() -> None:
    silent = CallerSilent(call="c")
    assert after(silent, silent).silences == 2
    assert after(silent, silent, said("yes")).silences == 0
    assert after(silent, silent, KeyPressed(call="c", key="1")).silences == 0


def test_misses_are_counted_until_something_is_understood() -> None:
    missed = decided("miss", "ask same")
    assert after(missed, missed).misses == 2
    assert after(missed, missed, decided("ask how_hours")).misses == 0


def test_silence_between_misses_does_not_start_the_count_again() -> None:
    missed, silent = decided("miss", "ask same"), decided("ask same", by="silence")
    assert after(missed, silent, missed).misses == 2
    assert after(missed, decided("ask same", by="hearing_lost")).misses == 1


def test_the_last_decision_says_what_is_open() -> None:
    state = after(decided("ask offer_hours", topic="hours", question="offer_hours"))
    assert (state.topic, state.question, state.last_intent) == ("hours", "offer_hours", "hours")
    assert after(decided(question="x"), decided("end")).question is None


def test_the_last_word_on_consent_counts() -> None:
    yes = ConsentGiven(purpose="texts", channel="voice", how="speech", confidence=0.9, wording="w")
    no = ConsentRefused(purpose="texts", channel="sms", how="text")
    assert after(yes).consent == {"texts": True}
    assert after(yes, no).consent == {"texts": False}
    assert after(no, yes).consent == {"texts": True}
    assert "texts" not in after(OPENED).consent


def test_a_choice_is_kept_under_its_question() -> None:
    state = after(
        ChoiceMade(question="q", choice="1", value="Monday"),
        ChoiceMade(question="q", choice="2", value="Tuesday"),
    )
    assert state.choices == {"q": "2"}


def test_a_text_goes_from_promise_to_receipt() -> None:
    assert after(PROMISED).messages["m"].state is MessageState.PROMISED
    delayed = TextDelayed(message="m", reason="throttled", attempts=1)
    assert after(PROMISED, delayed).messages["m"].state is MessageState.PROMISED
    assert after(PROMISED, delayed, submitted("1")).messages["m"].state is MessageState.SUBMITTED
    done = after(PROMISED, submitted("1"), receipt("1", "DELIVRD"))
    assert done.messages["m"].state is MessageState.DELIVERED


def test_a_long_text_is_delivered_when_its_last_segment_is() -> None:
    story: list[Event] = [PROMISED, submitted("1", "2", "3")]
    for id in ("2", "1"):
        story.append(receipt(id, "DELIVRD"))
        assert after(*story).messages["m"].state is MessageState.SUBMITTED
    story.append(receipt("2", "DELIVRD"))  # the SMSC repeats itself
    assert after(*story).messages["m"].state is MessageState.SUBMITTED
    assert after(*story, receipt("3", "DELIVRD")).messages["m"].state is MessageState.DELIVERED


def test_one_failed_segment_fails_the_whole_text() -> None:
    state = after(PROMISED, submitted("1", "2"), receipt("1", "DELIVRD"), receipt("2", "EXPIRED"))
    assert state.messages["m"].state is MessageState.EXPIRED


def test_receipts_on_the_way_change_nothing() -> None:
    story = (PROMISED, submitted("1"))
    assert after(*story, receipt("1", "ENROUTE")).messages == after(*story).messages


def test_a_refused_text_and_a_lost_one_are_different() -> None:
    refused = TextRefused(message="m", reason="ESME_RINVDSTADR", attempts=1)
    lost = TextSightLost(message="m", reason="the session ended")
    assert after(PROMISED, refused).messages["m"].state is MessageState.REJECTED
    assert after(PROMISED, lost).messages["m"].state is MessageState.UNKNOWN
    found = after(PROMISED, lost, receipt("1", "DELIVRD"))
    assert found.messages["m"].state is MessageState.DELIVERED


def test_what_is_told_of_an_unknown_text_is_ignored() -> None:
    assert after(OPENED, submitted("1"), receipt("1", "DELIVRD")).messages == {}


def test_a_hand_off_ends_acknowledged_or_escalated() -> None:
    recorded = HandoffRecorded(handoff="h", route="first", record={})
    taken = HandoffAcknowledged(handoff="h", route="file", receipt="h.json")
    lost = HandoffEscalated(handoff="h", reason="no route")
    assert after(recorded).handoffs == {"h": "recorded"}
    assert after(recorded, taken).handoffs == {"h": "acknowledged"}
    assert after(recorded, lost).handoffs == {"h": "escalated"}
    for late in (recorded, lost):
        assert after(recorded, taken, late).handoffs == {"h": "acknowledged"}
    assert after(recorded, lost, taken).handoffs == {"h": "escalated"}


def test_no_more_segments_are_counted_than_a_text_can_have() -> None:
    receipts = [receipt(str(n), "DELIVRD") for n in range(300)]
    assert len(after(PROMISED, *receipts).messages["m"].settled) == 255


def test_receipts_of_a_text_whose_fate_is_settled_are_not_collected() -> None:
    story = (PROMISED, submitted("1"), receipt("1", "DELIVRD"))
    assert after(*story, receipt("2", "DELIVRD")).messages == after(*story).messages


def test_who_is_one_person_with_whom_is_no_matter_of_a_conversation() -> None:
    joined = SubjectsJoined(join="j", other="subj_1", reason="proved", by="agent")
    parted = SubjectsParted(join="j", other="subj_1", reason="mistaken", by="op_1")
    assert after(OPENED, joined, parted) == replace(after(OPENED), sequence=3)


def test_what_is_not_understood_only_moves_the_position() -> None:
    newer = Unrecognised(name="call.teleported", version=3, payload={})
    assert fold(in_a_stream([OPENED, newer])).sequence == 2
    assert fold(in_a_stream([OPENED, newer])).number == "+12025550123"
