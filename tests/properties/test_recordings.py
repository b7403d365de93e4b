"""Whatever becomes of a recording, nobody hears what was not said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.recordings.errors import RecordingDamaged, RecordingErased
from ari_app.recordings.sealed import Piece
from tests.support.recordings import Studio

STUDIO = Studio()
WHOLE = STUDIO.made(4, 32)
PIECES, END = STUDIO.read(WHOLE)


def prefix(pieces: list[Piece]) -> bool:
    return pieces == PIECES[: len(pieces)]


@given(st.integers(0, len(WHOLE) - 1))
def test_any_beginning_of_it_is_read_as_cut_or_refused(size: int) -> None:
    try:
        pieces, end = STUDIO.read(WHOLE[:size])
    except RecordingDamaged:
        assert size < len(WHOLE) / 2  # only in the label, and that is the smaller half
        return
    assert end is None
    assert prefix(pieces)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_changed_octet_is_noticed(at: int, by: int) -> None:
    changed = bytearray(WHOLE)
    changed[at] ^= by
    try:
        pieces, end = STUDIO.read(bytes(changed))
    except (RecordingDamaged, RecordingErased):  # the label names a key that nobody has
        return
    # A length that now points behind the file looks as if the file had been cut there.
    assert end is None
    assert prefix(pieces)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail_in_another_way(found: bytes) -> None:
    for start in (b"", b"segue recording 1\n"):
        with pytest.raises(RecordingDamaged):
            STUDIO.read(start + b"\xff" + found)


@given(st.lists(st.tuples(st.integers(0, 2**40), st.binary(max_size=64)), max_size=8))
def test_everything_that_was_written_is_read(written: list[tuple[int, bytes]]) -> None:
    sealing = STUDIO.sealing()
    parts = [sealing.piece(at, audio) for at, audio in written]
    pieces, end = STUDIO.read(b"".join((sealing.head, *parts, sealing.end("people"))))
    assert [(p.at, p.audio) for p in pieces] == written
    assert end is not None
    assert end.samples == sum(len(audio) // 2 for _, audio in written)
