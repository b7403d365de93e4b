"""What waits for a recogniser is bounded: the newest audio and every mark are kept, in order."""

from __future__ import annotations

from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.speech.backlog import Backlog


class Mark(Enum):
    END = "end"


def emptied(backlog: Backlog[Mark], most: int = 4) -> list[bytes | Mark]:
    taken: list[bytes | Mark] = []
    while (item := backlog.take(most)) is not None:
        taken.append(item)
    return taken


def test_audio_comes_out_in_order_and_in_pieces_of_the_wanted_size() -> None:
    backlog: Backlog[Mark] = Backlog(100)
    for pcm in (b"aa", b"bb", b"cccccc", b"d"):
        assert backlog.add_audio(pcm) == 0
    assert emptied(backlog, 4) == [b"aabb", b"cccc", b"ccd"]
    assert (backlog.octets, bool(backlog)) == (0, False)


def test_the_end_of_a_turn_keeps_its_place() -> None:
    backlog: Backlog[Mark] = Backlog(100)
    backlog.add_audio(b"aa")
    backlog.add_mark(Mark.END)
    backlog.add_audio(b"bb")
    assert emptied(backlog, 50) == [b"aa", Mark.END, b"bb"]


def test_the_oldest_audio_is_dropped_first_and_counted() -> None:
    backlog: Backlog[Mark] = Backlog(4)
    assert backlog.add_audio(b"aa") == 0
    assert backlog.add_audio(b"bb") == 0
    assert backlog.add_audio(b"cc") == 2
    assert backlog.dropped == 2
    assert emptied(backlog) == [b"bbcc"]


def test_a_mark_survives_the_audio_around_it() -> None:
    backlog: Backlog[Mark] = Backlog(4)
    backlog.add_audio(b"aa")
    backlog.add_mark(Mark.END)
    backlog.add_audio(b"bbbb")
    assert backlog.dropped == 2
    assert emptied(backlog) == [Mark.END, b"bbbb"]


def test_of_more_than_there_is_room_for_the_end_is_kept() -> None:
    backlog: Backlog[Mark] = Backlog(4)
    backlog.add_audio(b"aa")
    assert backlog.add_audio(b"bbccdd") == 4
    assert emptied(backlog) == [b"ccdd"]


def test_nothing_waits_after_clearing() -> None:
    backlog: Backlog[Mark] = Backlog(4)
    backlog.add_audio(b"aa")
    backlog.add_mark(Mark.END)
    backlog.clear()
    assert (backlog.take(4), backlog.octets) == (None, 0)


def test_room_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="room"):
        Backlog(1)


@given(
    st.integers(2, 30),
    st.lists(st.one_of(st.binary(max_size=40), st.just(Mark.END), st.integers(1, 9))),
)
def test_it_never_grows_loses_no_mark_and_accounts_for_every_octet(
    most: int, steps: list[bytes | Mark | int]
) -> None:
    backlog: Backlog[Mark] = Backlog(most)
    added, marks, taken = b"", 0, []
    for step in steps:
        match step:
            case bytes():
                backlog.add_audio(step)
                added += step
            case Mark():
                backlog.add_mark(step)
                marks += 1
            case int():
                taken += [item] if (item := backlog.take(step)) is not None else []
        assert backlog.octets <= most
    taken += emptied(backlog)
    audio = b"".join(item for item in taken if isinstance(item, bytes))
    assert taken.count(Mark.END) == marks
    assert len(audio) + backlog.dropped == len(added)
    assert added.endswith(audio[-1:])  # the newest is never what was dropped
