"""Traces of packets as networks make them, from the datagram to the frames that are heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pytest

from ari_app.media import formats, g711
from ari_app.media.receiving import Receiving
from ari_app.media.rtp import RtpPacket
from ari_app.media.source import Source

ASTERISK = ("192.0.2.1", 4000)
STRANGER = ("198.51.100.9", 666)


@dataclass(frozen=True, slots=True)
class Arrival:
    at: float
    packet: RtpPacket
    address: tuple[str, int] = ASTERISK


def tone(samples: int) -> bytes:
    t = np.arange(samples) / 8000
    return g711.ulaw_encode((6000 * np.sin(2 * np.pi * 200 * t)).astype(np.int16))


def talk(
    count: int, *, ssrc: int = 7, sequence: int = 65500, size: int = 160, began: float = 0.0
) -> list[Arrival]:
    """So many packets on a perfect network, soon to wrap in sequence and timestamp."""
    sound = tone(count * size)
    first = (1 << 32) - 20 * size
    return [
        Arrival(
            began + n * size / 8000,
            RtpPacket(
                0,
                (sequence + n) & 0xFFFF,
                (first + n * size) & 0xFFFFFFFF,
                ssrc,
                sound[n * size : (n + 1) * size],
            ),
        )
        for n in range(count)
    ]


class Listener:
    """Given a line that believes Asterisk; hears a trace, a beat of 20 ms after the other."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.receiving = Receiving(formats.named("ulaw"), Source(), self._refuse)
        self.frames: list[bytes] = []
        self.receiving.lock(ASTERISK, 0.0)

    def hears(self, trace: Iterable[Arrival], seconds: float = 0.0) -> dict[str, int]:
        arrivals = sorted(trace, key=lambda arrival: arrival.at)
        beats = self._beats(max(seconds, arrivals[-1].at + 0.3))
        beat = next(beats)
        for arrival in arrivals:
            while beat <= arrival.at:
                self.frames += self.receiving.tick(beat)
                beat = next(beats)
            data = arrival.packet.serialize()
            self.frames += self.receiving.datagram(data, arrival.address, arrival.at)
        for rest in beats:
            self.frames += self.receiving.tick(rest)
        return self.receiving.figures()

    @property
    def sound(self) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        return np.frombuffer(b"".join(self.frames), np.int16)

    def _refuse(self, reason: str) -> None:
        self.refused[reason] += 1

    @staticmethod
    def _beats(until: float) -> Iterator[float]:
        n = 0
        while n * 0.02 < until:
            n += 1
            yield n * 0.02 + 0.003


def likeness(heard: np.ndarray[tuple[int], np.dtype[np.int16]], count: int) -> float:
    said = g711.ulaw_decode(tone(count)).astype(float)
    return float(np.corrcoef(heard[:count].astype(float), said)[0, 1])


def test_on_a_perfect_network_everything_is_heard_as_it_was_said() -> None:
    listener = Listener()
    figures = listener.hears(talk(100))
    assert listener.sound[:16000].tobytes() == g711.ulaw_decode(tone(16000)).tobytes()
    assert (figures["received"], figures["lost"], figures["refused"]) == (100, 0, 0)
    assert figures["mos_x100"] > 430


@pytest.mark.parametrize("size", [80, 160, 240, 320, 480])
def test_packets_of_10_to_60_ms_are_heard_as_frames_of_20_ms(size: int) -> None:
    listener = Listener()
    listener.hears(talk(24, size=size))
    assert {len(frame) for frame in listener.frames} == {320}
    assert listener.sound[: 24 * size].tobytes() == g711.ulaw_decode(tone(24 * size)).tobytes()


def test_with_a_fifth_of_the_packets_lost_no_time_is_and_what_is_missing_is_made_up() -> None:
    random = Random(20)
    trace = talk(500)
    kept = [a for n, a in enumerate(trace) if n in (0, 499) or random.random() > 0.2]
    listener = Listener()
    figures = listener.hears(kept)
    assert figures["lost"] == 500 - len(kept)
    assert figures["concealed_ms"] == 20 * figures["lost"]
    assert likeness(listener.sound, 500 * 160) > 0.9
    assert 100 < figures["mos_x100"] < 300


def test_with_200_ms_of_jitter_all_is_heard_in_order_once_the_line_is_known() -> None:
    random = Random(200)
    trace = [replace(a, at=a.at + random.uniform(0, 0.2)) for a in talk(1000)]
    listener = Listener()
    figures = listener.hears(trace)
    assert figures["received"] == 1000
    assert figures["reordered"] > 400
    assert figures["lost"] == figures["late"] < 30
    assert 50_000 < figures["jitter_us"] < 90_000


def test_jitter_that_changes_no_order_delays_nothing() -> None:
    trace = [replace(a, at=a.at + (0.15 if n % 50 > 40 else 0.0)) for n, a in enumerate(talk(500))]
    last = 0.0
    in_order = []
    for arrival in trace:
        last = max(last, arrival.at)
        in_order.append(replace(arrival, at=last))
    listener = Listener()
    figures = listener.hears(in_order)
    assert (figures["lost"], figures["reordered"]) == (0, 0)
    assert listener.sound[: 500 * 160].tobytes() == g711.ulaw_decode(tone(500 * 160)).tobytes()


def test_packets_that_changed_places_and_copies_of_packets_change_nothing() -> None:
    trace = talk(300)
    for n in range(10, 290, 7):
        trace[n], trace[n + 1] = (
            replace(trace[n], at=trace[n + 1].at),
            replace(trace[n + 1], at=trace[n].at),
        )
    copies = [replace(a, at=a.at + 0.005) for a in trace[::5]]
    listener = Listener()
    figures = listener.hears(trace + copies)
    assert listener.sound[: 300 * 160].tobytes() == g711.ulaw_decode(tone(300 * 160)).tobytes()
    assert (figures["lost"], figures["duplicate"], figures["reordered"]) == (0, 60, 40)


def test_a_telephone_that_sends_nothing_in_pauses_loses_nothing() -> None:
    trace = [a for n, a in enumerate(talk(300)) if n % 100 < 60]
    dtx = [replace(a, packet=replace(a.packet, sequence=n)) for n, a in enumerate(trace)]
    listener = Listener()
    figures = listener.hears(dtx)
    assert (figures["lost"], figures["concealed_ms"]) == (0, 0)
    # Two pauses of 0.8 s between, and what passes after the last packet.
    assert 1600 <= figures["silent_ms"] < 1800
    assert not listener.sound[60 * 160 : 100 * 160].any()
    assert listener.sound[100 * 160 : 160 * 160].any()


def test_a_pause_with_comfort_noise_is_as_loud_as_the_telephone_says() -> None:
    trace = [a for n, a in enumerate(talk(200)) if not 60 < n < 120]
    marked = [replace(a, packet=replace(a.packet, sequence=n)) for n, a in enumerate(trace)]
    noise = replace(marked[60].packet, payload_type=13, payload=b"\x37\x01\x02")
    marked[60] = replace(marked[60], packet=noise)
    listener = Listener()
    figures = listener.hears(marked)
    pause = listener.sound[62 * 160 : 118 * 160].astype(float)
    assert 20 * np.log10(np.sqrt(np.mean(pause**2)) / 32767) == pytest.approx(-55, abs=1)
    assert figures["concealed_ms"] == 0


def test_after_a_transfer_the_other_source_is_heard_from_its_first_packet_on() -> None:
    before = talk(50)
    after = talk(50, ssrc=8, sequence=300, began=1.0)
    listener = Listener()
    figures = listener.hears([*before, *after])
    assert figures["received"] == 100
    assert (figures["sources"], figures["refused"], figures["lost"]) == (1, 0, 0)
    assert len(listener.sound) >= 100 * 160


def test_a_stranger_who_sends_what_asterisk_would_is_never_heard() -> None:
    said = talk(100)
    injected = [replace(a, at=a.at + 0.001, address=STRANGER) for a in talk(100, sequence=65500)]
    listener = Listener()
    figures = listener.hears([*said, *injected])
    assert listener.sound[:16000].tobytes() == g711.ulaw_decode(tone(16000)).tobytes()
    assert figures["refused_source"] == listener.refused["source"] == 100


def test_one_who_pretends_to_be_asterisk_is_not_heard_while_asterisk_speaks() -> None:
    said = talk(100)
    spoofed = [replace(a, at=a.at + 0.001) for a in talk(100, ssrc=666, sequence=1)]
    listener = Listener()
    figures = listener.hears([*said, *spoofed, replace(said[-1], at=2.0)])
    assert listener.sound[:16000].tobytes() == g711.ulaw_decode(tone(16000)).tobytes()
    assert figures["refused_ssrc"] == 100


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "malformed"),
        (b"\x80", "malformed"),
        (b"\x80\x00" + bytes(9), "malformed"),
        (b"\x41\x00" + bytes(40), "malformed"),
        (b"\x8f\x00" + bytes(12), "malformed"),
        (b"\x80\x65" + bytes(170), "payload_type"),
        (b"\x80\x00" + bytes(10), "size"),
        (b"\x80\x0d" + bytes(10), "size"),
        (b"\x80\x00" + bytes(2000), "size"),
    ],
)
def test_what_is_not_audio_is_refused_by_a_reason(datagram: bytes, reason: str) -> None:
    listener = Listener()
    assert listener.receiving.datagram(datagram, ASTERISK, 0.0) == []
    assert listener.refused == {reason: 1}
    assert not listener.receiving.began


def test_extensions_contributors_and_padding_are_read_over() -> None:
    listener = Listener()
    plain = RtpPacket(0, 1, 160, 7, bytes(160)).serialize()
    extended = bytes([0xB1]) + plain[1:12] + bytes(4) + b"\xbe\xde\x00\x01" + bytes(4)
    datagram = extended + bytes(160) + b"\x00\x00\x00\x04"
    assert len(listener.receiving.datagram(datagram, ASTERISK, 0.0)) == 1
