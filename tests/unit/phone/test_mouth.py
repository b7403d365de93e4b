"""What a phone sends, packet by packet."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.media.g711 import ulaw_decode
from ari_app.media.rtp import RtpPacket
from ari_app.phone.mouth import FRAME, Mouth


def a_mouth() -> Mouth[str]:
    mouth: Mouth[str] = Mouth(ssrc=7, sequence=65_534, timestamp=2**32 - FRAME)
    mouth.telephone_event = 101
    return mouth


def until(mouth: Mouth[str], done: str) -> list[RtpPacket]:
    packets = []
    while True:
        packet, completed = mouth.next()
        packets.append(packet)
        if completed == done:
            return packets


def test_silence_is_continuous_and_its_numbers_wrap_around() -> None:
    mouth = a_mouth()

    packets = [mouth.next()[0] for _ in range(4)]

    assert [p.sequence for p in packets] == [65_534, 65_535, 0, 1]
    assert [p.timestamp for p in packets] == [2**32 - FRAME, 0, FRAME, 2 * FRAME]
    assert {p.payload for p in packets} == {b"\xff" * FRAME}
    assert not any(p.marker for p in packets)


@given(st.lists(st.binary(min_size=1, max_size=1000), min_size=1, max_size=5))
def test_all_that_is_said_is_sent_in_order(utterances: list[bytes]) -> None:
    mouth = a_mouth()
    for i, said in enumerate(utterances):
        mouth.say(said, str(i))

    for i, said in enumerate(utterances):
        sent = b"".join(p.payload for p in until(mouth, str(i)))
        assert sent.startswith(said)
        assert set(sent[len(said) :]) <= {0xFF}
        assert len(sent) - len(said) < FRAME


def test_only_the_first_packet_of_speech_is_marked() -> None:
    mouth = a_mouth()
    mouth.next()
    mouth.say(b"a" * 3 * FRAME, "said")
    assert [p.marker for p in until(mouth, "said")] == [True, False, False]


def test_a_key_keeps_its_timestamp_grows_and_says_its_end_three_times() -> None:
    mouth = a_mouth()
    mouth.press("#", "pressed", length=3, gap=2)

    packets = until(mouth, "pressed")
    assert len(packets) == 3  # done when the end is said for the first time
    mouth.say(b"a", "said")
    packets += until(mouth, "said")

    events = [p for p in packets if p.payload_type == 101]
    assert [p.payload_type for p in packets[len(events) :]] == [0, 0, 0]
    assert len({p.timestamp for p in events}) == 1
    assert [p.marker for p in events] == [True, False, False, False, False]
    fields = [struct.unpack("!BBH", p.payload) for p in events]
    assert [event for event, _, _ in fields] == [11] * 5
    assert [bool(end & 0x80) for _, end, _ in fields] == [False, False, True, True, True]
    assert [duration for _, _, duration in fields] == [160, 320, 480, 480, 480]
    # The clock went on meanwhile: what follows is where it would be without the key.
    assert packets[-1].timestamp == (events[0].timestamp + 7 * FRAME) & 0xFFFFFFFF


@pytest.mark.parametrize("key", ["", "12", "x", "é"])
def test_there_is_no_other_key(key: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        a_mouth().press(key, "pressed")


@pytest.mark.parametrize(
    ("key", "row", "column"),
    [("1", 697, 1209), ("6", 770, 1477), ("0", 941, 1336), ("D", 941, 1633)],
)
def test_without_telephone_events_a_key_is_two_tones_in_the_audio(
    key: str, row: int, column: int
) -> None:
    mouth = a_mouth()
    mouth.telephone_event = None
    mouth.press(key, "pressed")
    packets = [mouth.next() for _ in range(9)]

    assert [done for _, done in packets] == [None] * 8 + ["pressed"]
    assert {packet.payload_type for packet, _ in packets} == {0}
    tone = ulaw_decode(b"".join(packet.payload for packet, _ in packets[:5]))
    spectrum = np.abs(np.fft.rfft(tone, 8000))  # a bin for each Hz
    assert np.argmax(spectrum[:1100]) == pytest.approx(row, abs=3)
    assert np.argmax(spectrum[1100:]) + 1100 == pytest.approx(column, abs=3)
    assert {packet.payload for packet, _ in packets[5:]} == {b"\xff" * FRAME}


def test_dropped_speech_is_given_back_and_never_sent() -> None:
    mouth = a_mouth()
    mouth.say(b"a" * 1000, "one")
    mouth.press("1", "two")
    mouth.next()

    assert mouth.drop() == ["one", "two"]
    assert mouth.drop() == []
    assert mouth.next() == (
        RtpPacket(0, 65_535, 0, 7, b"\xff" * FRAME),
        None,
    )
