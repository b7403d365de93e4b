"""A recording can be read as it was written, or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ari_app.recordings.errors import RecordingDamaged, RecordingErased
from ari_app.recordings.sealed import End, Piece, file_key, has_end, read_label
from tests.support.recordings import LABEL, Studio


def frames(written: bytes) -> tuple[bytes, list[bytes]]:
    """The head and each piece with its length."""
    _, _, head = read_label(io.BytesIO(written))
    rest, found = written[len(head) :], []
    while rest:
        size = 5 + struct.unpack(">I", rest[:4])[0]
        found.append(rest[:size])
        rest = rest[size:]
    return head, found


def test_what_was_written_is_read() -> None:
    studio = Studio()
    pieces, end = studio.read(studio.made(2, 4))
    assert pieces == [Piece(0, b"\0" * 8), Piece(4, b"\1" * 8)]
    assert end == End("call_ended", 8)


def test_the_label_is_readable_without_a_key() -> None:
    label, _, _ = read_label(io.BytesIO(Studio().made()))
    assert label == LABEL


def test_no_sound_is_in_the_file() -> None:
    studio = Studio()
    sealing = studio.sealing()
    sound = b"never to be found here" * 10
    assert b"never" not in sealing.head + sealing.piece(0, sound) + sealing.end("call_ended")


def test_two_recordings_of_one_sound_are_different() -> None:
    studio = Studio()
    one, other = (frames(studio.made())[1] for _ in range(2))
    assert not {p[5:] for p in one} & {p[5:] for p in other}


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (0, 0, 1, 2, 3), (0, 2, 3), (1, 2, 3), (3,)])
def test_pieces_that_were_moved_or_removed_are_noticed(order: tuple[int, ...]) -> None:
    studio = Studio()
    head, pieces = frames(studio.made(3))
    with pytest.raises(RecordingDamaged, match="was changed, moved or removed"):
        studio.read(head + b"".join(pieces[n] for n in order))


def test_a_piece_of_another_recording_is_noticed() -> None:
    studio = Studio()
    head, pieces = frames(studio.made())
    _, others = frames(studio.made())
    with pytest.raises(RecordingDamaged, match="piece 2"):
        studio.read(head + pieces[0] + others[1])


def test_a_piece_is_not_taken_for_the_end() -> None:
    studio = Studio()
    head, pieces = frames(studio.made())
    forged = pieces[0][:4] + b"\1" + pieces[0][5:]
    with pytest.raises(RecordingDamaged, match="piece 1"):
        studio.read(head + forged)


def test_nothing_may_follow_the_end() -> None:
    studio = Studio()
    with pytest.raises(RecordingDamaged, match="behind the end"):
        studio.read(studio.made() + b"x")


def test_a_label_of_somebody_else_does_not_open() -> None:
    studio = Studio()
    _, pieces = frames(studio.made())
    other = studio.sealing(replace(LABEL, conversation="conv_2")).head
    with pytest.raises(RecordingDamaged, match="piece 1"):
        studio.read(other + b"".join(pieces))


def test_without_its_owners_key_it_is_erased() -> None:
    studio = Studio()
    written = studio.made()
    studio.keys.keys.clear()
    studio.keys.moved = 2
    with pytest.raises(RecordingErased, match="key is shredded"):
        studio.read(written)


@pytest.mark.parametrize(
    "written",
    [b"", b"segue", b"RIFF....", b"segue recording 1\n", b"segue recording 1\n\xff\xff\xff\xff"],
)
def test_what_is_no_recording_is_refused(written: bytes) -> None:
    with pytest.raises(RecordingDamaged):
        read_label(io.BytesIO(written))


def test_an_end_can_be_seen_without_a_key() -> None:
    written = Studio().made()
    assert has_end(io.BytesIO(written))
    assert not has_end(io.BytesIO(written[:-1]))
    assert not has_end(io.BytesIO(written + b"x"))


def test_a_piece_that_could_not_be_read_again_is_not_written() -> None:
    with pytest.raises(ValueError, match="too long"):
        Studio().sealing().piece(0, bytes(1 << 16))


def test_the_format_is_as_it_is_described() -> None:
    studio = Studio()
    written = studio.made(2, 4)
    label, sealed, head = read_label(io.BytesIO(written))
    cipher = AESGCM(file_key(label, sealed, studio.vault.open))
    _, pieces = frames(written)
    for number, piece in enumerate(pieces):
        place = number.to_bytes(12, "big")
        aad = hashlib.sha256(head).digest() + place + piece[4:5]
        plain = cipher.decrypt(place, piece[5:], aad)
        assert piece[4] == (number == 2)
        if number < 2:
            assert plain == (4 * number).to_bytes(8, "big") + bytes([number]) * 8
        else:
            assert json.loads(plain) == {"why": "call_ended", "samples": 8}


def test_a_changed_label_is_noticed_before_there_is_a_piece() -> None:
    studio = Studio()
    head, _ = frames(studio.made())
    changed = head.replace(b"conv_1", b"conv_2")
    assert changed != head
    with pytest.raises(RecordingDamaged, match="label"):
        studio.read(changed)
