"""What the screens of the handsets show."""

import pytest

from smpp.constants import Status
from smpp.simulator import (
    AcceptedMessage,
    BindAnswered,
    Handsets,
    ReceiptSent,
    TextAnswered,
    TextCancelled,
    TextReplaced,
    TextSent,
    TextUntaken,
)

BOB = "33123456789"


def taken(*ids: str, to: str = BOB, text: str = "hello") -> AcceptedMessage:
    return AcceptedMessage(ids, "36200", to, text, 0.0, 1, 0)


def state(handsets: Handsets, place: int = -1) -> str:
    thread = handsets.find("+" + BOB)
    assert thread is not None
    return thread.bubbles[place].state


def test_a_text_that_was_taken_is_on_the_screen() -> None:
    handsets = Handsets()
    handsets.note(taken("1", "2"), 5.0)
    (thread,) = handsets
    (bubble,) = thread.bubbles
    assert (thread.number, bubble.other, bubble.text, bubble.parts, bubble.at, bubble.outgoing) == (
        BOB, "36200", "hello", 2, 5.0, False,
    )  # fmt: skip
    assert bubble.state == "taken"


@pytest.mark.parametrize(
    ("receipts", "shown"),
    [
        ([("1", "DELIVRD")], "ENROUTE"),
        ([("1", "DELIVRD"), ("2", "DELIVRD")], "DELIVRD"),
        ([("1", "DELIVRD"), ("2", "ENROUTE")], "ENROUTE"),
        ([("1", "UNDELIV"), ("2", "DELIVRD")], "UNDELIV"),
    ],
)
def test_a_text_is_delivered_when_all_its_parts_are(
    receipts: list[tuple[str, str]], shown: str
) -> None:
    handsets = Handsets()
    handsets.note(taken("1", "2"), 0.0)
    for id, word in receipts:
        handsets.note(ReceiptSent("", word, id), 0.0)
    assert state(handsets) == shown


def test_a_receipt_of_a_part_may_come_before_the_text_is_whole() -> None:
    handsets = Handsets()
    handsets.note(ReceiptSent("", "DELIVRD", "1"), 0.0)
    handsets.note(taken("1", "2"), 0.0)
    handsets.note(ReceiptSent("", "DELIVRD", "2"), 0.0)
    assert state(handsets) == "DELIVRD"


def test_what_the_handset_writes_shows_what_became_of_it() -> None:
    handsets = Handsets()
    for number in (1, 2, 3):
        handsets.note(TextSent(number, "+" + BOB, "36200", str(number), 1), 0.0)
    assert state(handsets) == "sending"
    handsets.note(TextAnswered(BOB, "36200", 0, 1), 0.0)
    handsets.note(TextAnswered(BOB, "36200", Status.ESME_RX_P_APPN, 2), 0.0)
    handsets.note(TextUntaken(3), 0.0)
    shown = [state(handsets, place) for place in range(3)]
    assert shown == ["", "ESME_RX_P_APPN", "nobody took it"]


def test_cancelled_and_replaced_texts_are_shown_so() -> None:
    handsets = Handsets()
    handsets.note(taken("1"), 0.0)
    handsets.note(TextReplaced("1", "bye"), 0.0)
    handsets.note(TextCancelled("1"), 0.0)
    handsets.note(TextReplaced("99", "nobody's"), 0.0)
    thread = handsets.find(BOB)
    assert thread is not None
    assert (thread.bubbles[0].text, thread.bubbles[0].state) == ("bye", "DELETED")


def test_the_handset_that_was_active_last_comes_first_and_the_revision_tells() -> None:
    handsets = Handsets()
    handsets.note(taken("1", to="111"), 0.0)
    handsets.note(taken("2", to="222"), 0.0)
    before = handsets.revision
    handsets.note(taken("3", to="111"), 0.0)
    assert [thread.number for thread in handsets] == ["111", "222"]
    assert handsets.revision > before
    before = handsets.revision
    handsets.note(BindAnswered(1, "segue", "bind_transceiver", 0), 0.0)
    assert handsets.revision == before


def test_only_so_much_is_kept() -> None:
    handsets = Handsets(most=3, longest=2)
    for number in range(5000):
        handsets.note(taken(f"id {number}", to=f"+{number % 5}"), 0.0)
        handsets.note(ReceiptSent("", "DELIVRD", f"unknown {number}"), 0.0)
    assert [thread.number for thread in handsets] == ["4", "3", "2"]
    assert all(len(thread.bubbles) == 1 for thread in handsets)
    for number in range(5000):
        handsets.note(taken(f"more {number}", to="4"), 0.0)
    assert sum(len(thread.bubbles) for thread in handsets) == 4
    assert len(handsets._by_key) == 4
    assert len(handsets._early) == 1000
