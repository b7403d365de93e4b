"""A log is attacked in every way that a row can be, and the check says where and what."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from ari_app.ledger.canonical import event_hash, payload_hash
from ari_app.ledger.chain import (
    NO_EVENT,
    Break,
    ChainCheck,
    Fault,
    Head,
    LinkedRow,
    genesis,
    link,
)
from tests.unit.ledger.log import BLUE, RED, event, heads_of, interleaved, linked


def breaks(rows: list[LinkedRow], known: dict[str, Head] | None = None) -> list[Break]:
    check = ChainCheck(known)
    check.feed(rows)
    return check.finish()


def with_column(row: LinkedRow, column: int, value: Any) -> LinkedRow:
    changed: Any = (*row[:column], value, *row[column + 1 :])
    return changed  # type: ignore[no-any-return]  # also with what no column should hold


def place(rows: list[LinkedRow], stream: str, sequence: int) -> int:
    return next(i for i, row in enumerate(rows) if (row[1], row[2]) == (stream, sequence))


def test_a_sound_log_has_no_break_and_yields_the_leaves_of_the_tree() -> None:
    rows = interleaved()
    check = ChainCheck(heads_of(rows))
    assert check.feed(rows) == [event_hash(row[:9]) for row in rows]
    assert check.finish() == []
    assert check.events == 10


def test_rows_may_come_in_pages_and_stream_by_stream() -> None:
    rows = sorted(interleaved(), key=lambda row: (row[1], row[2]))
    check = ChainCheck(heads_of(rows))
    for start in range(0, len(rows), 3):
        check.feed(rows[start : start + 3])
    assert check.finish() == []
    assert check.events == len(rows)


# Another stream or sequence (1, 2) is another place: below.
@pytest.mark.parametrize("column", [0, 3, 4, 5, 6, 7, 8])
def test_a_changed_field_is_found_where_it_is(column: int) -> None:
    rows = interleaved()
    at = place(rows, RED, 3)
    value = 99 if column in (3, 7) else "other"
    rows[at] = with_column(rows[at], column, value)
    assert breaks(rows) == [Break(RED, 3, Fault.CHANGED)]


def test_a_changed_link_is_found_where_it_is() -> None:
    rows = interleaved()
    at = place(rows, BLUE, 2)
    rows[at] = with_column(rows[at], 9, bytes(32))
    assert breaks(rows) == [Break(BLUE, 2, Fault.CHANGED)]


def test_a_change_with_a_new_link_is_found_at_the_next_event() -> None:
    rows = interleaved()
    at = place(rows, BLUE, 3)
    forged = event(BLUE, 3, payload="{}")
    rows[at] = (*forged, link(rows[place(rows, BLUE, 2)][9] or b"", event_hash(forged)))
    assert breaks(rows) == [Break(BLUE, 4, Fault.CHANGED)]


def test_a_stream_written_anew_is_found_by_its_known_head() -> None:
    sound = interleaved()
    forged = linked(event(BLUE, n, payload="{}") for n in range(1, 6))
    rows = [row for row in sound if row[1] == RED] + forged
    assert breaks(rows) == []
    assert breaks(rows, heads_of(sound)) == [Break(BLUE, 5, Fault.CHANGED)]


def test_a_stream_written_anew_and_longer_is_found_by_an_older_head() -> None:
    forged = linked(event(BLUE, n, payload="{}") for n in range(1, 9))
    known = heads_of(linked(event(BLUE, n) for n in range(1, 4)))
    assert breaks(forged, known) == [Break(BLUE, 3, Fault.CHANGED)]


def test_a_known_head_may_be_older_than_the_rows() -> None:
    assert breaks(interleaved(8), heads_of(interleaved(3))) == []


def test_a_removed_event_is_found() -> None:
    rows = interleaved()
    del rows[place(rows, RED, 2)]
    assert breaks(rows) == [Break(RED, 2, Fault.REMOVED)]


def test_a_removed_first_event_is_found() -> None:
    rows = interleaved()
    del rows[place(rows, RED, 1)]
    assert breaks(rows) == [Break(RED, 1, Fault.REMOVED)]


def test_two_events_that_changed_places_are_found() -> None:
    rows = interleaved()
    one, other = place(rows, RED, 2), place(rows, RED, 4)
    rows[one], rows[other] = rows[other], rows[one]
    assert breaks(rows) == [Break(RED, 2, Fault.REORDERED)]


def test_two_neighbours_that_changed_places_are_found() -> None:
    rows = linked(event(BLUE, n) for n in range(1, 5))
    rows[1], rows[2] = rows[2], rows[1]
    assert breaks(rows) == [Break(BLUE, 2, Fault.REORDERED)]


def test_two_events_that_exchanged_their_numbers_are_found() -> None:
    rows = linked(event(BLUE, n) for n in range(1, 5))
    rows[1], rows[2] = with_column(rows[2], 2, 2), with_column(rows[1], 2, 3)
    assert breaks(rows) == [Break(BLUE, 2, Fault.CHANGED)]


def test_an_event_that_comes_twice_is_found() -> None:
    rows = linked(event(BLUE, n) for n in range(1, 5))
    assert breaks([*rows[:3], rows[1], rows[3]]) == [Break(BLUE, 2, Fault.REORDERED)]


def test_an_event_moved_to_another_stream_is_found_in_both() -> None:
    rows = interleaved()
    at = place(rows, RED, 3)
    rows[at] = with_column(rows[at], 1, BLUE)
    assert breaks(rows) == [Break(BLUE, 3, Fault.REORDERED), Break(RED, 3, Fault.REMOVED)]


def test_a_whole_stream_under_another_name_is_found() -> None:
    rows = [with_column(row, 1, "conv_green") for row in interleaved() if row[1] == RED]
    assert breaks(rows) == [Break("conv_green", 1, Fault.CHANGED)]


def test_a_cut_end_is_found_if_the_head_is_known() -> None:
    sound = interleaved()
    rows = [row for row in sound if row[1] == BLUE or row[2] <= 3]
    assert breaks(rows) == []
    assert breaks(rows, heads_of(sound)) == [Break(RED, 4, Fault.TRUNCATED)]


def test_a_stream_that_is_gone_is_found_if_its_head_is_known() -> None:
    sound = interleaved()
    rows = [row for row in sound if row[1] == BLUE]
    assert breaks(rows, heads_of(sound)) == [Break(RED, 1, Fault.TRUNCATED)]


def test_only_the_first_break_of_a_stream_is_told_and_every_broken_stream_is() -> None:
    rows = interleaved()
    known = heads_of(rows)
    for stream, sequence in ((RED, 2), (RED, 4), (BLUE, 5)):
        at = place(rows, stream, sequence)
        rows[at] = with_column(rows[at], 8, "{}")
    assert breaks(rows, known) == [
        Break(RED, 2, Fault.CHANGED),
        Break(BLUE, 5, Fault.CHANGED),
    ]


def test_an_erased_payload_breaks_nothing_and_is_counted() -> None:
    rows = interleaved()
    payload = rows[4][8]
    assert isinstance(payload, str)
    rows[4] = with_column(rows[4], 8, payload_hash(payload))
    check = ChainCheck(heads_of(rows))
    check.feed(rows)
    assert check.finish() == []
    assert check.erased == 1


def test_a_payload_erased_with_another_hash_is_a_change() -> None:
    rows = interleaved()
    at = place(rows, BLUE, 3)
    rows[at] = with_column(rows[at], 8, payload_hash("{}"))
    assert breaks(rows) == [Break(BLUE, 3, Fault.CHANGED)]


@pytest.mark.parametrize("value", [None, 1.5, "x\ny", b"\xff", "\ud800", ""])
@pytest.mark.parametrize("column", range(10))
def test_no_column_whatever_it_holds_crashes_the_check(column: int, value: object) -> None:
    rows = linked(event(BLUE, n) for n in range(1, 5))
    if column == 2:
        value = value if not isinstance(value, float) else "three"
    rows[2] = with_column(rows[2], column, value)
    check = ChainCheck(heads_of(linked(event(BLUE, n) for n in range(1, 5))))
    assert len(check.feed(rows)) == 4
    assert [found for found in check.finish() if found.stream == BLUE and found.sequence == 3]


def test_a_row_that_is_no_event_keeps_its_place_among_the_leaves() -> None:
    rows = interleaved()
    sound = ChainCheck().feed(rows)
    rows[3] = with_column(rows[3], 8, None)
    assert ChainCheck().feed(rows) == [*sound[:3], NO_EVENT, *sound[4:]]
    assert len(NO_EVENT) == 32


def test_a_break_is_told_in_a_sentence() -> None:
    assert str(Break(BLUE, 3, Fault.REMOVED)) == "event 3 of stream conv_blue was removed"


def test_numbers_left_out_by_whoever_wrote_the_links_are_found() -> None:
    assert breaks(linked([event(BLUE, 1), event(BLUE, 3)])) == [Break(BLUE, 2, Fault.REMOVED)]
    assert breaks(linked([event(BLUE, 0), event(BLUE, 1)])) == [Break(BLUE, 0, Fault.REORDERED)]


def test_the_links_are_what_the_documentation_says() -> None:
    before, leaf = bytes(range(32)), bytes(range(1, 33))
    assert genesis("conv_1") == sha256(b"\x03segue.chain.v1\nconv_1").digest()
    assert link(before, leaf) == sha256(b"\x02" + before + leaf).digest()


def test_streams_begin_differently_and_no_kind_of_hash_passes_for_another() -> None:
    leaf = event_hash(event())
    assert genesis(BLUE) != genesis(RED)
    assert link(genesis(BLUE), leaf) != link(genesis(RED), leaf)
    assert link(leaf, leaf) != link(genesis(BLUE), leaf)
