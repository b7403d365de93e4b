"""What a person prefers, from one conversation to the next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ari_app.conversation.events import PreferenceStated
from ari_app.conversation.preferences import Preference, after, carried

WHATS = st.sampled_from(["language", "channel", "hours"])
STATED = st.builds(
    PreferenceStated,
    what=WHATS,
    value=st.sampled_from(["a", "b", "c"]),
    at=st.integers(0, 20),
    by=st.just("person"),
)


def stated(value: str, at: int, what: str = "channel") -> PreferenceStated:
    return PreferenceStated(what=what, value=value, at=at, by="person")


def told(*events: PreferenceStated) -> dict[str, Preference]:
    known: dict[str, Preference] = {}
    for event in events:
        known = dict(after(known, event))
    return known


def test_the_latest_word_counts_also_when_an_older_one_is_told_later() -> None:
    assert told(stated("sms", 2), stated("voice", 1))["channel"].value == "sms"
    assert told(stated("sms", 2), stated("voice", 3))["channel"].value == "voice"


def test_a_new_conversation_begins_with_the_newest_of_each() -> None:
    others = {
        "conv_1": told(stated("sms", 1), stated("es", 5, "language")),
        "conv_2": told(stated("voice", 3)),
    }
    got = carried(others, {})
    assert [(e.what, e.value, e.at, e.origin, e.by) for e in got] == [
        ("channel", "voice", 3, "conv_2", "carried"),
        ("language", "es", 5, "conv_1", "carried"),
    ]


def test_where_it_was_said_first_goes_on_with_it() -> None:
    (first,) = carried({"conv_1": told(stated("sms", 1))}, {})
    (second,) = carried({"conv_2": told(first)}, {})
    assert second.origin == "conv_1"


def test_what_was_said_since_is_not_overruled() -> None:
    assert carried({"conv_1": told(stated("sms", 1))}, told(stated("voice", 2))) == ()


@given(st.lists(STATED), st.lists(STATED))
def test_to_carry_is_to_know_the_same(
    one: list[PreferenceStated], two: list[PreferenceStated]
) -> None:
    here, there = told(*one), told(*two)
    both = told(*two, *carried({"conv_1": here}, there))
    for what in here.keys() | there.keys():
        newest = max(known[what].at for known in (here, there) if what in known)
        assert both[what].at == newest
