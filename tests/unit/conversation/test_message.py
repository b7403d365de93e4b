"""The life of a text: every pair of state and fate moves or is refused."""

from __future__ import annotations

import itertools

import pytest

from ari_app.conversation.message import NEXT, RECEIPT_FATES, Fate, MessageState, advance
from ari_app.errors import IllegalMove

PAIRS = list(itertools.product(MessageState, Fate))


@pytest.mark.parametrize(("state", "fate"), [p for p in PAIRS if p in NEXT])
def test_a_move_of_the_table_leads_on(state: MessageState, fate: Fate) -> None:
    assert advance(state, fate) is NEXT[state, fate]
    assert advance(state, fate) is not state


@pytest.mark.parametrize(("state", "fate"), [p for p in PAIRS if p not in NEXT])
def test_any_other_move_is_a_bug_that_names_itself(state: MessageState, fate: Fate) -> None:
    with pytest.raises(IllegalMove) as refused:
        advance(state, fate)
    assert (refused.value.state, refused.value.outcome) == (state.value, fate.value)


def test_nothing_leads_out_of_a_final_state() -> None:
    finals = {state for state in MessageState if state.final}
    assert finals == set(MessageState) - {
        MessageState.PROMISED,
        MessageState.SUBMITTED,
        MessageState.UNKNOWN,
    }
    assert not finals & {state for state, _ in NEXT}


def test_every_state_can_be_reached_and_every_other_can_be_left() -> None:
    assert set(NEXT.values()) == set(MessageState) - {MessageState.PROMISED}
    assert {state for state, _ in NEXT} == {s for s in MessageState if not s.final}


def test_a_text_is_promised_once_and_nothing_leads_back_there() -> None:
    assert MessageState.PROMISED not in NEXT.values()


def test_a_lost_text_is_settled_by_a_receipt_and_never_sent_anew() -> None:
    ways = {fate for state, fate in NEXT if state is MessageState.UNKNOWN}
    assert ways == {Fate.DELIVERED, Fate.FAILED, Fate.EXPIRED, Fate.REJECTED}


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
