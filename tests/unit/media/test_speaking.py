"""The packet of each 20 ms."""

from __future__ import annotations

import numpy as np
import pytest

from ari_app.media.g711 import SILENCE, ulaw_decode, ulaw_encode
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


def words(*loud: int, gap: int = 400) -> bytes:
    """Words of a steady tone, each so many samples long, with quiet between them."""
    parts = []
    for size in loud:
        parts.append(8000 * np.sin(np.arange(size) * 0.4))
        parts.append(np.zeros(gap))
    return ulaw_encode(np.concatenate(parts).astype(np.int16))


def sound(speaking: Speaking, count: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.concatenate([ulaw_decode(p.payload) for p in packets(speaking, count)])


def test_a_pause_fades_over_5_ms_and_is_silent_then() -> None:
    speaking = Speaking(7, 0, 0)
    speaking.play(words(1600))
    packets(speaking, 3)
    assert speaking.pause() == 60
    heard = sound(speaking, 3)
    assert np.abs(heard[:20]).max() > 3000
    assert np.abs(heard[36:40]).max() < 900
    assert not heard[40:].any()


def test_a_paused_prompt_does_not_end_and_stays_where_it_is() -> None:
    speaking = Speaking(7, 0, 0)
    speaking.play(words(1600))
    packets(speaking, 3)
    speaking.pause()
    assert not any(speaking.next()[1] for _ in range(50))
    assert speaking.pause() == speaking.stop() == 60
    assert speaking.stop() == 0


def test_a_prompt_goes_on_at_the_beginning_of_the_word_that_was_cut() -> None:
    speaking = Speaking(7, 0, 0)
    prompt = words(1600, 1600)
    speaking.play(prompt)
    packets(speaking, 17)  # 2720 octets: 720 into the second word, which begins at 2000
    speaking.pause()
    packets(speaking, 5)
    speaking.resume()
    [first] = packets(speaking, 1)
    assert first.marker
    rest = sound(speaking, 12)
    loud = np.flatnonzero(np.abs(rest) > 4000)
    # The quiet between the words, then the second one from its start.
    assert 0 <= loud[0] < 240
    assert loud[-1] - loud[0] > 1500


@pytest.mark.parametrize(
    ("at_ms", "left"), [(0, 1600), (100, 800), (140, 480), (9000, 480), (-5, 1600)]
)
def test_a_prompt_goes_on_from_where_it_is_told_to(at_ms: int, left: int) -> None:
    speaking = Speaking(7, 0, 0)
    speaking.play(words(1600, gap=0))
    packets(speaking, 7)
    speaking.pause()
    speaking.resume(at_ms)
    sent = 0
    while not speaking.next()[1]:
        sent += 160
    assert sent + 160 == left


def test_a_prompt_goes_back_by_400_ms_at_most() -> None:
    speaking = Speaking(7, 0, 0)
    speaking.play(words(160, 16000))
    packets(speaking, 50)
    before = speaking.pause()
    speaking.resume()
    speaking.pause()
    assert 0 <= before - speaking.stop() <= 400


def test_a_prompt_that_goes_on_fades_in() -> None:
    speaking = Speaking(7, 0, 0)
    speaking.play(words(16000))
    packets(speaking, 30)
    speaking.pause()
    packets(speaking, 2)
    speaking.resume()
    heard = sound(speaking, 1)
    assert np.abs(heard[:4]).max() < 900
    assert np.abs(heard[40:]).max() > 6000


def test_without_a_paused_prompt_there_is_nothing_to_go_on_with() -> None:
    speaking = Speaking(7, 0, 0)
    speaking.resume()
    assert speaking.pause() == 0
    speaking.play(words(1600))
    speaking.resume()
    packets(speaking, 2)
    assert speaking.stop() == 40


def test_a_new_prompt_takes_the_place_of_a_paused_one() -> None:
    speaking = Speaking(7, 0, 0)
    speaking.play(words(1600))
    packets(speaking, 1)
    speaking.pause()
    speaking.play(b"\x01" * 160)
    packet, ended = speaking.next()
    assert ended
    assert bytes(packet)[12:] == b"\x01" * 160
