"""When the application counts as dead: never too early, and in time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ari_app.ami.vigil import Sign, Vigil

ALIVE, SILENT, GONE = Sign.ALIVE, Sign.SILENT, Sign.GONE


def verdicts(
    *signs: Sign, every: float = 0.5, grace: float = 2.0, hang: float = 10.0
) -> list[bool]:
    vigil = Vigil(grace, hang)
    return [vigil.saw(sign, 100.0 + n * every) for n, sign in enumerate(signs)]


def test_where_nobody_listens_for_the_grace_it_is_dead() -> None:
    assert verdicts(ALIVE, *[GONE] * 5) == [False] * 5 + [True]


def test_one_answer_in_between_begins_anew() -> None:
    assert verdicts(*[GONE] * 4, ALIVE, *[GONE] * 5) == [False] * 9 + [True]


def test_who_is_silent_has_longer_than_who_is_gone() -> None:
    assert verdicts(*[SILENT] * 21) == [False] * 20 + [True]


def test_gone_and_silent_by_turns_is_dead_in_the_end() -> None:
    assert not any(verdicts(*[GONE, SILENT] * 10))
    assert any(verdicts(*[GONE, SILENT] * 11))


def test_two_signs_are_never_enough() -> None:
    assert verdicts(GONE, GONE, GONE, every=60.0) == [False, False, True]


def test_a_pause_of_the_watchdog_is_not_the_applications() -> None:
    vigil = Vigil(2.0, 10.0)
    for n in range(4):
        assert not vigil.saw(GONE, n * 0.5)
    vigil.begin_anew()
    assert not vigil.saw(GONE, 3600.0)
    assert not vigil.saw(GONE, 3600.5)


def test_it_lives_again_at_the_first_answer() -> None:
    assert verdicts(*[GONE] * 5, ALIVE, GONE)[4:] == [True, False, False]


@given(st.lists(st.sampled_from(Sign), max_size=60), st.floats(0.1, 5), st.floats(2, 20))
def test_dead_is_only_what_has_not_answered_for_the_grace(
    signs: list[Sign], grace: float, hang: float
) -> None:
    for n, dead in enumerate(verdicts(*signs, grace=grace, hang=hang)):
        if dead:
            lately = signs[: n + 1][-int(min(grace, hang) / 0.5 + 1) :]
            assert ALIVE not in lately
            assert len(lately) * 0.5 >= min(grace, hang)
