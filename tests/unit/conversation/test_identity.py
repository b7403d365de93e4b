"""Numbers as trunks and carriers write them, and the ids that we make."""

from __future__ import annotations

import uuid

import pytest

from ari_app.conversation.identity import E164, Visitor, is_pseudonym, new_id
from tests.support.clock import NOON

CALLER = E164("+12025550123")


@pytest.mark.parametrize(
    ("written", "region"),
    [
        ("+12025550123", None),
        ("12025550123", None),  # SMPP: TON says international, the plus is left out
        ("0012025550123", None),
        ("2025550123", "US"),
        ("(202) 555-0123", "US"),
        ("202.555.0123", "US"),
        ("1-202-555-0123", "US"),
        ("+1 (202) 555-0123", "FR"),
        ("12025550123", "FR"),
        ("0012025550123", "FR"),
        (" +12025550123 ", None),
    ],
)
def test_a_number_is_read_however_it_is_written(written: str, region: str | None) -> None:
    assert E164.read(written, region) == CALLER


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("01 23 45 67 89", "FR", "+33123456789"),
        ("07911 123456", "GB", "+447911123456"),
        ("0033123456789", None, "+33123456789"),
        ("0033123456789", "US", "+33123456789"),
        ("33123456789", "US", "+33123456789"),
    ],
)
def test_a_number_of_another_country_is_read(written: str, region: str | None, number: str) -> None:
    assert E164.read(written, region) == E164(number)


@pytest.mark.parametrize(
    ("written", "region"),
    [
        ("", "US"),
        ("anonymous", "US"),
        ("Restricted", None),
        ("36200", None),  # a short code
        ("5550123", "US"),  # without its area code it is everybody's
        ("+1", None),
        ("+", None),
        ("000000", None),
        ("+12025550123456789", None),
        ("alice@example.com", "US"),
        ("Bank 2025550123", "US"),  # a sender's name that has digits in it
        ("2025550123;DROP", "US"),
        ("1" * 400, "US"),
        ("٢٠٢٥٥٥٠١٢٣", "US"),
    ],
)
def test_what_is_no_number_is_nobody(written: str, region: str | None) -> None:
    assert E164.read(written, region) is None


@pytest.mark.parametrize("value", ["12025550123", "+0123456789", "+1202", "+1202555o123", "+1" * 9])
def test_a_value_that_exists_is_a_number(value: str) -> None:
    with pytest.raises(ValueError, match=r"not an E\.164 number$") as refused:
        E164(value)
    assert value not in str(refused.value)


def test_masked_shows_the_ends_and_never_the_middle() -> None:
    assert CALLER.masked == "+120******23"
    assert E164("+33123456789").masked == "+331******89"
    assert len(CALLER.masked) == len(CALLER.value)


def test_a_subject_is_the_same_for_ever_and_shows_nothing_of_the_number() -> None:
    subject = CALLER.subject(b"key")
    assert subject == E164("+12025550123").subject(b"key")
    assert subject.startswith("subj_")
    assert "2025550123" not in subject


def test_a_subject_is_another_for_another_key_or_number() -> None:
    others = [CALLER.subject(b"other"), E164("+12025550124").subject(b"key")]
    assert CALLER.subject(b"key") not in others


def test_a_chat_session_and_a_visit_to_the_desk_are_subjects_like_a_number() -> None:
    chat, desk = Visitor("chat", "session-7"), Visitor("desk", "session-7")
    subjects = {CALLER.subject(b"key"), chat.subject(b"key"), desk.subject(b"key")}
    assert len(subjects) == 3
    assert all(map(is_pseudonym, subjects))
    assert chat.subject(b"key") == Visitor("chat", "session-7").subject(b"key")
    assert chat.subject(b"key") != chat.subject(b"other")
    assert not any("session-7" in subject for subject in subjects)


@pytest.mark.parametrize(
    ("channel", "visit"), [("voice", "1"), ("", "1"), ("chat", ""), ("desk", "1" * 201)]
)
def test_a_visitor_comes_by_chat_or_to_the_desk_with_an_id(channel: str, visit: str) -> None:
    with pytest.raises(ValueError, match="without a number|a visit has"):
        Visitor(channel, visit)


@pytest.mark.parametrize(
    "text",
    ["", "subj_", "+12025550123", "subj_" + "A" * 32, "subj_" + "a" * 33, "conv_" + "a" * 32],
)
def test_what_is_no_pseudonym_is_told_apart(text: str) -> None:
    assert not is_pseudonym(text)


def test_an_id_is_a_uuid_of_version_7_and_of_its_time() -> None:
    prefix, _, digits = new_id("msg", NOON, b"\xff" * 10).partition("_")
    made = uuid.UUID(digits)
    assert prefix == "msg"
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == NOON // 1000


def test_entropy_is_all_that_tells_ids_of_one_moment_apart() -> None:
    assert new_id("msg", NOON, bytes(10)) != new_id("msg", NOON, bytes(9) + b"\1")
    assert new_id("msg", NOON, b"0123456789") == new_id("msg", NOON, b"0123456789")
