"""What holds for every history of joins and partings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ari_app.conversation.events import Event, SubjectsJoined, SubjectsParted
from ari_app.conversation.persons import Gathering, Links, Person, join, links, part, person

SUBJECTS = [f"subj_{n:032x}" for n in range(8)]
PAIRS = st.lists(st.sampled_from(SUBJECTS), min_size=2, max_size=2, unique=True)
#: What operators and agents did: (join or part, two subjects).
HISTORIES = st.lists(st.tuples(st.booleans(), PAIRS), max_size=20)
Streams = dict[str, list[Event]]


def told(streams: Streams) -> Links:
    known = Links()
    for stream, events in streams.items():
        known |= links(stream, events)
    return known


def written(history: list[tuple[bool, list[str]]]) -> Streams:
    """The streams that such a history leaves."""
    streams: Streams = {subject: [] for subject in SUBJECTS}
    for n, (joins, (one, other)) in enumerate(history):
        events: list[tuple[str, SubjectsJoined]] | list[tuple[str, SubjectsParted]] = (
            list(join(one, other, id=f"join_{n}", reason="operator", by="op_1"))
            if joins
            else part(one, other, told(streams), reason="operator", by="op_1")
        )
        for stream, event in events:
            streams[stream].append(event)
    return streams


def components(history: list[tuple[bool, list[str]]]) -> dict[str, frozenset[str]]:
    """The model: pairs that were joined last, and whom they connect, by merging sets."""
    last = {frozenset(pair): joins for joins, pair in history}
    groups = {subject: frozenset({subject}) for subject in SUBJECTS}
    for pair, joins in last.items():
        if joins:
            one, other = pair
            merged = groups[one] | groups[other]
            groups |= dict.fromkeys(merged, merged)
    return groups


def gathered(streams: Streams, first: str) -> Person:
    gathering = Gathering(first)
    while wanted := gathering.wanted():
        for stream in wanted:
            gathering.take(stream, streams[stream])
    return gathering.person()


@given(HISTORIES)
def test_a_person_is_whom_joins_that_are_not_undone_connect(
    history: list[tuple[bool, list[str]]],
) -> None:
    streams = written(history)
    for subject, expected in components(history).items():
        assert person(subject, told(streams)).subjects == expected
        assert gathered(streams, subject).subjects == expected


@given(HISTORIES, st.data())
def test_neither_order_nor_repetition_of_what_streams_say_matters(
    history: list[tuple[bool, list[str]]], data: st.DataObject
) -> None:
    streams = written(history)
    mixed: Streams = {}
    for stream in data.draw(st.permutations(SUBJECTS)):
        again = data.draw(st.lists(st.sampled_from(streams[stream]))) if streams[stream] else []
        mixed[stream] = data.draw(st.permutations(streams[stream] + again))
    assert told(mixed) == told(streams)


@given(HISTORIES)
def test_everybody_in_a_person_is_the_same_person(
    history: list[tuple[bool, list[str]]],
) -> None:
    known = told(written(history))
    for subject in SUBJECTS:
        whole = person(subject, known)
        assert subject in whole.subjects
        assert all(person(other, known) == whole for other in whole.subjects)
        assert whole.name in whole.subjects


@given(HISTORIES)
def test_one_of_the_two_streams_is_enough_to_know_a_join(
    history: list[tuple[bool, list[str]]],
) -> None:
    streams = written(history)
    # Each join and parting is kept in the stream of the lesser subject only.
    halved: Streams = {
        stream: [
            e for e in events if isinstance(e, SubjectsJoined | SubjectsParted) and stream < e.other
        ]
        for stream, events in streams.items()
    }
    assert told(halved) == told(streams)
