"""Who is one person: joins and partings in the streams of subjects."""

from __future__ import annotations

import pytest

from ari_app.conversation.events import SubjectsJoined, SubjectsParted, Unrecognised
from ari_app.conversation.identity import E164, Visitor
from ari_app.conversation.persons import (
    JOIN_REASONS,
    MOST_JOINED,
    PART_REASONS,
    Gathering,
    Links,
    Person,
    join,
    links,
    part,
    person,
)
from ari_app.errors import TooManyJoined

KEY = b"k" * 32
ANNA = E164("+12025550123").subject(KEY)
CHAT = Visitor("chat", "session-7").subject(KEY)
DESK = Visitor("desk", "2026-11-21/4").subject(KEY)
Streams = dict[str, list[SubjectsJoined | SubjectsParted]]


def subject(n: int) -> str:
    return f"subj_{n:032x}"


def joined(streams: Streams, one: str, other: str, id: str) -> None:
    for stream, event in join(one, other, id=id, reason="proved", by="agent"):
        streams.setdefault(stream, []).append(event)


def known(streams: Streams) -> Links:
    told = Links()
    for stream, events in streams.items():
        told |= links(stream, events)
    return told


def gathered(streams: Streams, first: str) -> Person:
    gathering = Gathering(first)
    while wanted := gathering.wanted():
        for stream in wanted:
            gathering.take(stream, streams.get(stream, []))
    return gathering.person()


def test_a_subject_that_nothing_is_told_of_is_a_person_alone() -> None:
    assert gathered({}, ANNA).subjects == {ANNA}
    assert gathered({}, ANNA).name == ANNA


def test_a_call_a_chat_and_a_visit_to_the_desk_are_one_person_over_two_joins() -> None:
    streams: Streams = {}
    joined(streams, ANNA, CHAT, "join_1")
    joined(streams, CHAT, DESK, "join_2")
    for first in (ANNA, CHAT, DESK):
        assert gathered(streams, first).subjects == {ANNA, CHAT, DESK}
        assert gathered(streams, first).name == min(ANNA, CHAT, DESK)


def test_the_same_event_stands_in_both_streams() -> None:
    (one, mine), (other, theirs) = join(ANNA, CHAT, id="join_1", reason="operator", by="op_3")
    assert (one, other) == (ANNA, CHAT)
    assert mine == SubjectsJoined(join="join_1", other=CHAT, reason="operator", by="op_3")
    assert theirs == SubjectsJoined(join="join_1", other=ANNA, reason="operator", by="op_3")


def test_parting_undoes_the_joins_of_these_two_and_no_other() -> None:
    streams: Streams = {}
    joined(streams, ANNA, CHAT, "join_1")
    joined(streams, ANNA, CHAT, "join_2")
    joined(streams, CHAT, DESK, "join_3")
    parting = part(ANNA, CHAT, known(streams), reason="mistaken", by="op_3")
    assert [(s, e.join) for s, e in parting] == [
        (ANNA, "join_1"),
        (CHAT, "join_1"),
        (ANNA, "join_2"),
        (CHAT, "join_2"),
    ]
    for stream, event in parting:
        streams[stream].append(event)
    assert gathered(streams, ANNA).subjects == {ANNA}
    assert gathered(streams, DESK).subjects == {CHAT, DESK}
    assert part(ANNA, CHAT, known(streams), reason="mistaken", by="op_3") == []


def test_who_was_parted_can_be_joined_again() -> None:
    streams: Streams = {}
    joined(streams, ANNA, CHAT, "join_1")
    for stream, event in part(ANNA, CHAT, known(streams), reason="operator", by="op_3"):
        streams[stream].append(event)
    joined(streams, CHAT, ANNA, "join_2")
    assert gathered(streams, ANNA).subjects == {ANNA, CHAT}


def test_a_join_counts_when_only_the_first_of_its_two_events_was_written() -> None:
    (stream, event), _ = join(ANNA, CHAT, id="join_1", reason="proved", by="agent")
    told = links(stream, [event])
    assert person(ANNA, told) == person(CHAT, told) == Person(frozenset({ANNA, CHAT}))


def test_what_is_no_join_says_nothing() -> None:
    newer = Unrecognised(name="subjects.joined", version=2, payload={"other": CHAT})
    assert links(ANNA, [newer]) == Links()


def test_nobody_is_more_than_fifty_subjects() -> None:
    streams: Streams = {}
    for n in range(1, MOST_JOINED):
        joined(streams, subject(n), subject(n - 1), f"join_{n}")
    assert len(gathered(streams, subject(0)).subjects) == MOST_JOINED == 50
    joined(streams, subject(MOST_JOINED), subject(0), "join_too_many")
    with pytest.raises(TooManyJoined, match="51 subjects"):
        gathered(streams, subject(0))


def test_two_persons_are_asked_for_before_they_are_joined() -> None:
    few = Person(frozenset(map(subject, range(25))))
    others = Person(frozenset(map(subject, range(25, 51))))
    assert len(few.joined_with(few).subjects) == 25
    with pytest.raises(TooManyJoined):
        few.joined_with(others)


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (ANNA, ANNA, "proved"),
        (ANNA, "+12025550123", "proved"),
        ("subj_1", CHAT, "proved"),
        (ANNA, CHAT, "they look alike"),
        (ANNA, CHAT, "mistaken"),
    ],
)
def test_a_join_of_nobody_or_for_no_reason_is_refused(one: str, other: str, reason: str) -> None:
    with pytest.raises(ValueError, match="join"):
        join(one, other, id="join_1", reason=reason, by="op_3")


def test_an_operator_may_both_join_and_part() -> None:
    assert {"operator"} == JOIN_REASONS & PART_REASONS
