"""A stream of octets is cut into frames, whatever its chunks, and absurd lengths end it."""

import struct
import tracemalloc

import pytest

from smpp.constants import HEADER, MAX_PDU
from smpp.errors import RemoteProtocolError
from smpp.frames import FrameReader
from tests.fuzz.seeds import octets

STREAM = octets("enquire_link") + octets("deliver_sm_receipt") + octets("unbind")
FRAMES = [octets("enquire_link"), octets("deliver_sm_receipt"), octets("unbind")]


@pytest.mark.parametrize("size", [1, 3, 4, 15, 16, 17, len(STREAM)])
def test_frames_are_cut_from_any_chunks(size: int) -> None:
    reader = FrameReader()
    chunks = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert [frame for chunk in chunks for frame in reader.feed(chunk)] == FRAMES
    assert not reader.halfway


def test_half_a_frame_is_kept_and_known() -> None:
    reader = FrameReader()
    assert list(reader.feed(STREAM[:20])) == FRAMES[:1]
    assert reader.halfway


def test_a_reader_that_is_stopped_early_keeps_the_rest() -> None:
    reader = FrameReader()
    first = reader.feed(STREAM)
    next(first)
    del first
    assert list(reader.feed(b"")) == FRAMES[1:]


@pytest.mark.parametrize("length", [*range(HEADER), MAX_PDU + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_absurd_length_is_refused_at_its_fourth_octet(length: int) -> None:
    reader = FrameReader()
    head = struct.pack(">I", length)
    assert list(reader.feed(head[:3])) == []
    with pytest.raises(RemoteProtocolError, match="absurd"):
        list(reader.feed(head[3:]))


def test_what_was_whole_before_the_absurd_length_is_read() -> None:
    found = []
    with pytest.raises(RemoteProtocolError):  # noqa: PT012  # which frames came first is the point
        for frame in FrameReader().feed(octets("unbind") + octets("odd_length_of_15")):
            found.append(frame)
    assert found == [octets("unbind")]


def test_the_longest_frame_is_read() -> None:
    longest = struct.pack(">I", MAX_PDU) + b"x" * (MAX_PDU - 4)
    assert list(FrameReader().feed(longest)) == [longest]


def test_a_stream_that_is_lost_stays_lost_and_costs_no_memory() -> None:
    reader = FrameReader()
    with pytest.raises(RemoteProtocolError):
        list(reader.feed(octets("odd_length_of_4_gib")))
    assert not reader.halfway
    rubbish = b"\0\0\0\x10" * 4096
    tracemalloc.start()
    try:
        for _ in range(100):
            with pytest.raises(RemoteProtocolError):
                list(reader.feed(rubbish))
        assert tracemalloc.get_traced_memory()[0] < 1_000_000  # of 1.6 MB fed
    finally:
        tracemalloc.stop()


def test_a_lost_stream_does_not_come_back_with_a_sound_frame() -> None:
    reader = FrameReader()
    with pytest.raises(RemoteProtocolError):
        list(reader.feed(octets("odd_length_of_15")))
    with pytest.raises(RemoteProtocolError):
        list(reader.feed(octets("unbind")))
