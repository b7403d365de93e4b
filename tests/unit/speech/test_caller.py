"""What is loud enough to be the caller, beside a room and our own echo."""

from __future__ import annotations

from ari_app.speech.caller import CallerLevel


def spoken(level: float, frames: int = 50) -> CallerLevel:
    """After a second of the caller's voice."""
    caller = CallerLevel()
    for _ in range(frames):
        caller.enough(level)
        caller.spoke(level)
    return caller


def test_a_soft_sound_counts_as_long_as_it_is_near_the_callers_level() -> None:
    caller = spoken(-20)
    assert caller.enough(-40)
    assert not caller.enough(-50)


def test_who_speaks_softly_all_the_time_is_heard_softly() -> None:
    caller = spoken(-38, frames=500)
    assert caller.enough(-60)
    assert not spoken(-20).enough(-60)


def test_somebody_softer_is_heard_after_a_while_without_the_loud_one() -> None:
    caller = spoken(-10)
    assert not caller.enough(-38)
    for _ in range(750):
        caller.enough(-60)
    assert caller.enough(-38)


def test_a_room_that_talks_is_learnt_in_the_callers_pause() -> None:
    caller = spoken(-20)
    heard = [caller.enough(-37) for _ in range(50)]
    assert heard[0]
    assert not any(heard[25:])


def test_the_caller_is_heard_over_a_loud_room() -> None:
    caller = spoken(-20)
    for _ in range(200):
        caller.enough(-33)
    assert caller.enough(-20)


def test_our_echo_is_not_the_caller_even_before_its_loss_is_known() -> None:
    caller = CallerLevel()
    for _ in range(10):
        caller.played(-20)
        assert not caller.enough(-33)


def test_who_speaks_over_a_prompt_is_heard_once_the_loss_is_known() -> None:
    caller = CallerLevel()
    for _ in range(150):
        caller.played(-20)
        caller.enough(-46)
    caller.played(-20)
    assert caller.enough(-30)


def test_the_echo_comes_up_to_a_quarter_of_a_second_later_and_no_more() -> None:
    caller = CallerLevel()
    caller.played(-10)
    for _ in range(12):
        caller.played(-99)
    assert not caller.enough(-24)
    caller.played(-99)
    assert caller.enough(-24)


def test_a_silence_that_we_play_hides_nobody() -> None:
    caller = CallerLevel()
    for _ in range(20):
        caller.played(-75)
    assert caller.enough(-50)
