"""The packet of each 20 ms."""

from __future__ import annotations

from ari_app.media.g711 import SILENCE
from ari_app.media.rtp import RtpPacket
from ari_app.media.speaking import Speaking


def packets(speaking: Speaking, count: int) -> list[RtpPacket]:
    return [RtpPacket.parse(bytes(speaking.next()[0])) for _ in range(count)]


def test_sequence_and_timestamp_wrap() -> None:
    first, second, third = packets(Speaking(7, 0xFFFE, 0xFFFFFFFF - 159), 3)
    assert [p.sequence for p in (first, second, third)] == [0xFFFE, 0xFFFF, 0]
    assert [p.timestamp for p in (first, second, third)] == [0xFFFFFFFF - 159, 0, 160]


def test_a_prompt_ends_with_its_last_packet_and_silence_follows() -> None:
    speaking = Speaking(7, 0, 0)
    speaking.play(b"\x01" * 200)
    assert [speaking.next()[1] for _ in range(2)] == [False, True]
    assert speaking.stop() == 25
    [after] = packets(speaking, 1)
    assert after.payload == SILENCE * 160


def test_time_that_passed_without_packets_is_in_the_timestamp_and_marked() -> None:
    speaking = Speaking(7, 0, 0)
    packets(speaking, 1)
    speaking.skip(10)
    [packet] = packets(speaking, 1)
    assert (packet.sequence, packet.timestamp, packet.marker) == (1, 11 * 160, True)
