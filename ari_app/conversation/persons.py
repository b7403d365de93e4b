"""
Which subjects are one person: the fold of what joined and parted them.

A subject is an address: a number, a chat session, a visit to the desk. Two of them are joined by
an event in each of the two streams that are called like the subjects, with one id for the join;
parting names that id. So nothing depends on the order in which streams are read, a join that is
told twice is one, parting undoes exactly one join, and a join whose second event is still to
come counts already.

    for stream, event in join(anna, chat, id=…, reason="proved", by="agent"):
        append event to stream

    gathering = Gathering(anna)
    while streams := gathering.wanted():
        for stream in streams:
            gathering.take(stream, events of that stream)
    gathering.person().subjects          # anna, chat, and whom they are joined with
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from ari_app.conversation.events import Event, SubjectsJoined, SubjectsParted
from ari_app.conversation.identity import is_pseudonym
from ari_app.errors import TooManyJoined

#: Subjects of one person. Nobody has so many addresses: a mistake joins the world otherwise.
MOST_JOINED = 50

#: Why two subjects are taken for one person.
JOIN_REASONS = frozenset({"operator", "proved", "same_number_changed"})
#: Why they are not any more.
PART_REASONS = frozenset({"operator", "mistaken", "number_reassigned"})


@dataclass(frozen=True, slots=True)
class Person:
    """All subjects that are one; at least the one that was asked for."""

    subjects: frozenset[str]

    def __post_init__(self) -> None:
        if len(self.subjects) > MOST_JOINED:
            raise TooManyJoined(
                f"{len(self.subjects)} subjects would be one person, more than {MOST_JOINED}: "
                "part what was joined by mistake"
            )

    @property
    def name(self) -> str:
        """One of the subjects, the same whichever was asked for."""
        return min(self.subjects)

    def joined_with(self, other: Person) -> Person:
        """Both as one; to be asked for before they are joined: TooManyJoined if they cannot be."""
        return Person(self.subjects | other.subjects)


@dataclass(frozen=True, slots=True)
class Link:
    """One join of two subjects."""

    join: str
    ends: frozenset[str]


@dataclass(frozen=True, slots=True)
class Links:
    """What some streams say; any of them can be put together, in any order and repeatedly."""

    joined: frozenset[Link] = frozenset()
    parted: frozenset[str] = frozenset()  # ids of joins: one may be parted before we hear of it

    def __or__(self, other: Links) -> Links:
        return Links(self.joined | other.joined, self.parted | other.parted)

    def now(self) -> frozenset[Link]:
        """The joins that nobody has undone."""
        return frozenset(link for link in self.joined if link.join not in self.parted)


def links(stream: str, events: Iterable[Event]) -> Links:
    """What the stream of one subject says; only joins and partings say something here."""
    joined, parted = set(), set()
    for event in events:
        if isinstance(event, SubjectsJoined):
            joined.add(Link(event.join, frozenset({stream, event.other})))
        elif isinstance(event, SubjectsParted):
            parted.add(event.join)
    return Links(frozenset(joined), frozenset(parted))


def person(subject: str, known: Links) -> Person:
    """Everybody whom joins lead to from this subject, over any number of steps."""
    neighbours: dict[str, set[str]] = {}
    for link in known.now():
        for end in link.ends:
            neighbours.setdefault(end, set()).update(link.ends)
    found, ahead = {subject}, [subject]
    while ahead:
        fresh = neighbours.get(ahead.pop(), set()) - found
        found |= fresh
        ahead += fresh
    return Person(frozenset(found))


class Gathering:
    """Finds the person of a subject when streams are read one after the other."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._known = Links()
        self._taken: set[str] = set()

    def wanted(self) -> list[str]:
        """The streams to read next; empty at the end. TooManyJoined if there are too many."""
        return sorted(self.person().subjects - self._taken)

    def take(self, stream: str, events: Iterable[Event]) -> None:
        """What the stream holds."""
        self._taken.add(stream)
        self._known |= links(stream, events)

    def person(self) -> Person:
        """As far as is known."""
        return person(self._subject, self._known)


def join(
    one: str, other: str, *, id: str, reason: str, by: str
) -> tuple[tuple[str, SubjectsJoined], tuple[str, SubjectsJoined]]:
    """Which events to append to which streams, so that two subjects are one person."""
    _checked(one, other, reason, JOIN_REASONS)
    return (
        (one, SubjectsJoined(join=id, other=other, reason=reason, by=by)),
        (other, SubjectsJoined(join=id, other=one, reason=reason, by=by)),
    )


def part(
    one: str, other: str, known: Links, *, reason: str, by: str
) -> list[tuple[str, SubjectsParted]]:
    """Which events to append to which streams, so that no join of these two is left.

    They are one person still if joins lead from one to the other by way of a third.
    """
    _checked(one, other, reason, PART_REASONS)
    ends = frozenset({one, other})
    ids = sorted(link.join for link in known.now() if link.ends == ends)
    return [
        (stream, SubjectsParted(join=id, other=far, reason=reason, by=by))
        for id in ids
        for stream, far in ((one, other), (other, one))
    ]


def _checked(one: str, other: str, reason: str, reasons: Set[str]) -> None:
    if one == other or not (is_pseudonym(one) and is_pseudonym(other)):
        raise ValueError("a join is of two different subjects, by their pseudonyms")
    if reason not in reasons:
        raise ValueError(f"no reason to join or part: {reason!r}")
