"""The life of a text: every pair of state and fate moves or is refused."""

from __future__ import annotations

import itertools

import pytest

from ari_app.conversation.message import (
    NEXT,
    RECEIPT_FATES,
    Fate,
    MessageState,
    advance,
    after_receipt,
)
from ari_app.errors import IllegalMove

PAIRS = list(itertools.product(MessageState, Fate))


@pytest.mark.parametrize(("state", "fate"), [p for p in PAIRS if p in NEXT])
def test_a_move_of_the_table_leads_on(state: MessageState, fate: Fate) -> None:
    assert advance(state, fate) is NEXT[state, fate]
    # Only of a text that may be there twice we learn nothing when the second is taken.
    taken = (state, fate) == (MessageState.POSSIBLE_DUPLICATE, Fate.TAKEN)
    assert (advance(state, fate) is state) is taken


@pytest.mark.parametrize(("state", "fate"), [p for p in PAIRS if p not in NEXT])
def test_any_other_move_is_a_bug_that_names_itself(state: MessageState, fate: Fate) -> None:
    with pytest.raises(IllegalMove) as refused:
        advance(state, fate)
    assert (refused.value.state, refused.value.outcome) == (state.value, fate.value)


FAILURES = [MessageState.EXPIRED, MessageState.UNDELIVERABLE, MessageState.REJECTED]


def test_out_of_a_final_state_leads_only_the_way_to_a_worse_failure() -> None:
    finals = {state for state in MessageState if state.final}
    assert finals == set(MessageState) - {
        MessageState.PROMISED,
        MessageState.SUBMITTED,
        MessageState.UNKNOWN,
        MessageState.POSSIBLE_DUPLICATE,
    }
    for (state, _), after in NEXT.items():
        if state in finals:
            assert FAILURES.index(after) > FAILURES.index(state)


def test_every_state_can_be_reached_and_every_other_can_be_left() -> None:
    assert set(NEXT.values()) == set(MessageState) - {MessageState.PROMISED}
    assert {s for s in MessageState if not s.final} <= {state for state, _ in NEXT}


def test_a_text_is_promised_once_and_nothing_leads_back_there() -> None:
    assert MessageState.PROMISED not in NEXT.values()


RECEIPTS = {Fate.DELIVERED, Fate.FAILED, Fate.EXPIRED, Fate.REJECTED}


def test_a_lost_text_is_settled_by_a_receipt_or_a_late_answer_or_said_to_be_sent_again() -> None:
    ways = {fate for state, fate in NEXT if state is MessageState.UNKNOWN}
    assert ways == {*RECEIPTS, Fate.RESENT, Fate.TAKEN, Fate.REFUSED}
    assert advance(MessageState.UNKNOWN, Fate.TAKEN) is MessageState.SUBMITTED
    assert advance(MessageState.UNKNOWN, Fate.REFUSED) is MessageState.REJECTED


def test_that_the_second_was_not_taken_says_nothing_of_the_first() -> None:
    for fate in (Fate.REFUSED, Fate.LOST_SIGHT):
        assert advance(MessageState.POSSIBLE_DUPLICATE, fate) is MessageState.UNKNOWN


def test_a_text_that_may_be_there_is_never_said_not_to_have_been_sent() -> None:
    for state in (MessageState.UNKNOWN, MessageState.POSSIBLE_DUPLICATE):
        for fate in (Fate.LAPSED, Fate.BLOCKED, Fate.CANCELLED):
            assert (state, fate) not in NEXT


@pytest.mark.parametrize("state", MessageState)
def test_a_rule_an_operator_or_the_time_stops_only_what_was_never_written(
    state: MessageState,
) -> None:
    for fate in (Fate.LAPSED, Fate.BLOCKED, Fate.CANCELLED):
        assert ((state, fate) in NEXT) is (state is MessageState.PROMISED)


# -- receipts -----------------------------------------------------------------------------------


def told(*receipts: tuple[str, str], segments: int = 3) -> MessageState:
    """The state of a submitted text after these receipts: (id, state)."""
    state, settled = MessageState.SUBMITTED, frozenset[str]()
    for id, written in receipts:
        state, settled = after_receipt(state, settled, segments, id, written)
    return state


def test_a_text_is_delivered_when_every_segment_is() -> None:
    assert told(("1", "DELIVRD"), ("2", "DELIVRD")) is MessageState.SUBMITTED
    assert told(("1", "DELIVRD"), ("2", "DELIVRD"), ("3", "DELIVRD")) is MessageState.DELIVERED


ENDS = [("1", "DELIVRD"), ("2", "EXPIRED"), ("3", "UNDELIV"), ("4", "REJECTD")]


@pytest.mark.parametrize("order", list(itertools.permutations(ENDS)))
def test_the_worst_end_of_a_segment_counts_in_any_order(
    order: tuple[tuple[str, str], ...],
) -> None:
    assert told(*order, segments=4) is MessageState.REJECTED
    without = [end for end in order if end[1] != "REJECTD"]
    assert told(*without, segments=4) is MessageState.UNDELIVERABLE


def test_a_failed_segment_is_told_before_the_others_have_come_to_an_end() -> None:
    assert told(("2", "EXPIRED")) is MessageState.EXPIRED
    assert told(("2", "EXPIRED"), ("1", "DELIVRD"), ("3", "DELIVRD")) is MessageState.EXPIRED


@pytest.mark.parametrize("second", ["EXPIRED", "DELIVRD", "REJECTD", "ENROUTE"])
def test_the_first_final_receipt_of_a_segment_counts(second: str) -> None:
    assert told(("1", "UNDELIV"), ("1", second)) is MessageState.UNDELIVERABLE
    assert told(("1", "DELIVRD"), ("1", second), segments=1) is MessageState.DELIVERED
    assert told(("1", "DELIVRD"), ("1", second), segments=2) is MessageState.SUBMITTED


def test_a_receipt_on_the_way_never_overwrites_what_was_final() -> None:
    state, settled = after_receipt(MessageState.UNDELIVERABLE, frozenset({"1"}), 2, "2", "ENROUTE")
    assert (state, settled) == (MessageState.UNDELIVERABLE, frozenset({"1"}))


@pytest.mark.parametrize("state", [MessageState.UNKNOWN, MessageState.POSSIBLE_DUPLICATE])
def test_a_late_receipt_settles_what_nobody_knew_of(state: MessageState) -> None:
    assert after_receipt(state, frozenset(), 0, "1", "DELIVRD")[0] is MessageState.DELIVERED
    assert after_receipt(state, frozenset(), 2, "1", "DELIVRD")[0] is state
    assert after_receipt(state, frozenset(), 2, "1", "EXPIRED")[0] is MessageState.EXPIRED


@pytest.mark.parametrize("state", [MessageState.BLOCKED, MessageState.CANCELLED])
def test_a_receipt_for_what_was_never_sent_is_another_texts(state: MessageState) -> None:
    assert after_receipt(state, frozenset(), 1, "1", "DELIVRD") == (state, frozenset())


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ("DELIVRD", MessageState.DELIVERED),
        ("UNDELIV", MessageState.UNDELIVERABLE),
        ("DELETED", MessageState.UNDELIVERABLE),
        ("UNKNOWN", MessageState.UNDELIVERABLE),
        ("EXPIRED", MessageState.EXPIRED),
        ("REJECTD", MessageState.REJECTED),
    ],
)
def test_each_final_receipt_settles_a_submitted_text(written: str, state: MessageState) -> None:
    assert advance(MessageState.SUBMITTED, RECEIPT_FATES[written]) is state


def test_receipts_on_the_way_settle_nothing() -> None:
    assert not {"ENROUTE", "ACCEPTD", "SCHEDULED", ""} & RECEIPT_FATES.keys()
