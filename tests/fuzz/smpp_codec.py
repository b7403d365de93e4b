"""Frames and codec.

Invariant: any octets are cut into frames of 16 octets to MAX_PDU, or refused with
RemoteProtocolError, and nothing else; each frame is read, or refused with MalformedPdu; a request
that was read is written so that it reads the same, or refused with LocalProtocolError. Fed octet by
octet it is the same as fed whole, and the reader never holds more than one PDU.
"""

from __future__ import annotations

import contextlib

from smpp.codec import FrameReader, decode, encode
from smpp.constants import HEADER, MAX_PDU, RESPONSE
from smpp.errors import LocalProtocolError, MalformedPdu, RemoteProtocolError
from smpp.pdu import Pdu

Cut = tuple[list[bytes], str]


def one(data: bytes) -> None:
    """Raises if the invariant does not hold."""
    frames, refusal = cut([data])
    assert (frames, refusal) == cut([data[at : at + 1] for at in range(len(data))])
    assert b"".join(frames) == data[: sum(map(len, frames))]
    for frame in (*frames, data):
        read(frame)


def cut(chunks: list[bytes]) -> Cut:
    """The frames of a stream, and why it ended."""
    reader = FrameReader()
    frames: list[bytes] = []
    try:
        for chunk in chunks:
            for frame in reader.feed(chunk):
                assert HEADER <= len(frame) <= MAX_PDU
                frames.append(frame)
            assert len(reader._buffer) <= MAX_PDU
    except RemoteProtocolError as error:
        assert not reader.halfway
        return frames, str(error)
    return frames, ""


def read(frame: bytes) -> None:
    """One frame, or what is none."""
    try:
        pdu = decode(frame)
    except MalformedPdu as error:
        refusal = error
    else:
        rewrite(pdu)
        return
    assert refusal.status
    assert len(str(refusal)) < 200


def rewrite(pdu: Pdu) -> None:
    """One PDU that was read."""
    repr(pdu)
    with contextlib.suppress(LocalProtocolError):
        written = encode(pdu)
        if not pdu.command_id & RESPONSE:
            assert decode(written) == pdu
