"""Finding a person, step by step, with a clock that is moved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.calls.ringing import Do, Missed, Phase, Ring, Ringing
from ari_app.policy.people import Agent, Outcome, Reach, missed

FIRST, SECOND = Agent("first", "PJSIP/1", 20), Agent("second", "PJSIP/2", 10)
REACH = Reach(agents=(FIRST, SECOND), whisper="A caller.")


@pytest.fixture
def ringing() -> Ringing:
    machine = Ringing(REACH)
    assert machine.start(0) == [Ring(FIRST)]
    return machine


def test_whoever_picks_up_hears_who_waits_and_takes_the_caller_by_the_key(
    ringing: Ringing,
) -> None:
    assert ringing.picked_up(3) == [Do.WHISPER]
    assert ringing.whispered(5) == []
    assert ringing.key("7", 6) == []
    assert ringing.key("1", 6) == [Do.JOIN]
    assert ringing.phase is Phase.JOINED
    assert not ringing.due(1000)
    assert ringing.gone(16, 0, 7) == []


def test_a_key_counts_before_the_whisper_is_over(ringing: Ringing) -> None:
    ringing.picked_up(3)
    assert ringing.key("1", 3.1) == [Do.JOIN]


def test_a_key_of_a_phone_that_only_rings_does_nothing(ringing: Ringing) -> None:
    assert ringing.key("1", 1) == []
    assert ringing.whispered(1) == []
    assert ringing.phase is Phase.RINGING


def test_who_declines_is_hung_up_and_the_next_phone_rings(ringing: Ringing) -> None:
    ringing.picked_up(3)
    assert ringing.key("2", 4) == [Missed(FIRST, Outcome.DECLINED, True), Ring(SECOND)]


def test_who_hangs_up_in_the_whisper_has_declined(ringing: Ringing) -> None:
    ringing.picked_up(3)
    assert ringing.gone(16, 0, 4) == [
        Missed(FIRST, Outcome.DECLINED, False, 16, 0),
        Ring(SECOND),
    ]


def test_a_phone_rings_for_as_long_as_the_policy_says(ringing: Ringing) -> None:
    assert ringing.tick(19.9) == []
    assert ringing.tick(20) == [Missed(FIRST, Outcome.NO_ANSWER, True), Ring(SECOND)]
    assert ringing.tick(29.9) == []
    assert ringing.tick(30) == [Missed(SECOND, Outcome.NO_ANSWER, True), Do.NOBODY]
    assert ringing.phase is Phase.OVER
    assert not ringing.due(1000)


def test_the_whisper_is_said_three_times_to_somebody_who_presses_nothing(
    ringing: Ringing,
) -> None:
    ringing.picked_up(0)
    for at in (10.0, 20.0):
        ringing.whispered(at)
        assert ringing.tick(at + 3.9) == []
        assert ringing.tick(at + 4) == [Do.WHISPER]
    ringing.whispered(30)
    assert ringing.tick(34) == [Missed(FIRST, Outcome.SILENT, True), Ring(SECOND)]


def test_the_next_person_hears_it_three_times_too(ringing: Ringing) -> None:
    ringing.picked_up(0)
    for at in (30, 60, 90):
        ringing.tick(at)
    assert ringing.picked_up(91) == [Do.WHISPER]
    for at in (121, 151):
        assert ringing.tick(at) == [Do.WHISPER]
    assert ringing.tick(181) == [Missed(SECOND, Outcome.SILENT, True), Do.NOBODY]


def test_a_whisper_that_never_ends_is_not_waited_for_for_ever(ringing: Ringing) -> None:
    ringing.picked_up(0)
    for at in (30, 60):
        assert ringing.tick(at) == [Do.WHISPER]
    assert ringing.tick(90)[0] == Missed(FIRST, Outcome.SILENT, True)


def test_a_phone_that_there_is_not_is_left_at_once(ringing: Ringing) -> None:
    assert ringing.unreachable(0) == [Missed(FIRST, Outcome.UNREACHABLE, True), Ring(SECOND)]


def test_a_person_who_cannot_be_joined_with_the_caller_is_left(ringing: Ringing) -> None:
    ringing.picked_up(1)
    ringing.key("1", 2)
    assert ringing.unreachable(3)[-1] == Ring(SECOND)


def test_when_the_caller_has_gone_nothing_rings_any_more(ringing: Ringing) -> None:
    assert ringing.caller_gone() == [Missed(FIRST, Outcome.CALLER_GONE, True)]
    assert ringing.caller_gone() == []
    assert ringing.tick(1000) == []


@pytest.mark.parametrize(
    ("cause", "status", "outcome"),
    [
        (17, 0, Outcome.BUSY),
        (0, 486, Outcome.BUSY),
        (21, 603, Outcome.DECLINED),
        (19, 480, Outcome.NO_ANSWER),
        (16, 0, Outcome.NO_ANSWER),
        (1, 404, Outcome.UNREACHABLE),
        (0, 0, Outcome.UNREACHABLE),
        (38, 503, Outcome.UNREACHABLE),
    ],
)
def test_what_the_network_says_is_a_word_of_ours(cause: int, status: int, outcome: Outcome) -> None:
    assert missed(cause, status) is outcome


_HAPPENS = st.one_of(
    st.just(("picked_up",)),
    st.just(("whispered",)),
    st.just(("unreachable",)),
    st.just(("caller_gone",)),
    st.tuples(st.just("key"), st.sampled_from("12#")),
    st.tuples(st.just("gone"), st.integers(0, 127), st.integers(0, 699)),
    st.tuples(st.just("tick"), st.integers(0, 60)),
)


@given(st.lists(_HAPPENS, max_size=40))
def test_every_phone_that_rings_is_missed_once_or_takes_the_caller(
    happens: list[tuple[object, ...]],
) -> None:
    machine, now = Ringing(REACH), 0.0
    steps = machine.start(now)
    for name, *arguments in happens:
        match name, arguments:
            case "tick", [int() as seconds]:
                now += seconds
                steps += machine.tick(now)
            case "gone", [int() as cause, int() as status]:
                steps += machine.gone(cause, status, now)
            case "key", [str() as key]:
                steps += machine.key(key, now)
            case "caller_gone", _:
                steps += machine.caller_gone()
            case _:
                steps += getattr(machine, str(name))(now)
    rung = [s.agent for s in steps if isinstance(s, Ring)]
    ended = [s.agent for s in steps if isinstance(s, Missed)]
    assert rung == [FIRST, SECOND][: len(rung)]
    assert ended == rung[: len(ended)]
    assert len(rung) - len(ended) == (machine.phase is not Phase.OVER)
    assert steps.count(Do.NOBODY) <= 1
