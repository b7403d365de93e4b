"""What a phone makes of the packets it hears."""

from __future__ import annotations

import numpy as np
import pytest

from ari_app.media.g711 import ulaw_encode
from ari_app.media.rtp import RtpPacket
from ari_app.phone import ear
from ari_app.phone.ear import Ear

VOICE = ulaw_encode((3000 * np.sin(np.arange(160) / 4)).astype(np.int16))
HISS = ulaw_encode((40 * np.sin(np.arange(160) / 4)).astype(np.int16))


def hears(*payloads: bytes) -> Ear:
    """One packet a second from 1.0 on."""
    listening = Ear()
    for i, payload in enumerate(payloads, start=1):
        listening.hear(RtpPacket(0, i, i * 160, 1, payload), float(i))
    return listening


def test_a_voice_is_found_where_it_begins_and_ends() -> None:
    heard = hears(HISS, VOICE, VOICE, HISS, VOICE, HISS)

    assert heard.first_voice_after(0.0) == 2.0
    assert heard.first_voice_after(2.0) == 3.0
    assert heard.last_voice_after(0.0) == 5.0
    assert heard.first_voice_after(5.0) is None
    assert heard.last_voice_after(5.0) is None


def test_hiss_and_silence_are_no_voice() -> None:
    assert hears(HISS, b"\xff" * 160, b"\x7f" * 160).first_voice_after(0.0) is None


def test_keys_and_foreign_codecs_are_not_audio() -> None:
    listening = Ear()
    assert not listening.hear(RtpPacket(101, 1, 1, 1, b"\x01\x0a\x00\xa0"), 1.0)
    assert not listening.hear(RtpPacket(8, 1, 1, 1, VOICE), 1.0)
    assert not listening.hear(RtpPacket(0, 1, 1, 1, b""), 1.0)
    assert listening.audio().size == 0


def test_the_audio_since_a_moment_is_what_arrived_after_it() -> None:
    assert hears(VOICE, HISS, VOICE).audio(since=1.0).size == 320


def test_a_call_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ear, "MAX_PACKETS", 2)
    heard = hears(VOICE, VOICE, VOICE)
    assert (len(heard.arrivals), heard.dropped) == (2, 1)
