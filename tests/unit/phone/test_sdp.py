"""Session descriptions are read or refused, and hold is understood."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.phone import sdp
from ari_app.phone.sdp import Audio

# As Asterisk 22.10.1 answers.
ASTERISK = (
    b"v=0\r\no=- 1 3 IN IP4 127.0.0.1\r\ns=Asterisk\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 15062 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
    b"a=maxptime:140\r\na=sendrecv\r\n"
)


@given(st.binary(max_size=300))
def test_any_body_is_read_or_refused_and_never_crashes(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        sdp.parse(body)


@given(
    st.integers(0, 65_535),
    st.one_of(st.none(), st.integers(96, 127)),
    st.sampled_from(sorted(sdp.ANSWER)),
)
def test_what_is_written_is_read_back(port: int, key: int | None, direction: str) -> None:
    audio = Audio("192.0.2.7", port, key, direction)
    assert sdp.parse(sdp.write(audio, 1, 1)) == audio


def test_asterisks_answer_is_understood() -> None:
    assert sdp.parse(ASTERISK) == Audio("127.0.0.1", 15062, 101, "sendrecv")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"a=sendrecv", b"a=sendonly"),
        (b"a=sendrecv", b"a=inactive"),
        (b"c=IN IP4 127.0.0.1", b"c=IN IP4 0.0.0.0"),
        (b"audio 15062", b"audio 0"),
    ],
)
def test_a_far_side_on_hold_wants_no_audio(old: bytes, new: bytes) -> None:
    assert not sdp.parse(ASTERISK.replace(old, new)).receives


def test_the_streams_own_connection_line_wins_and_a_second_stream_is_ignored() -> None:
    body = ASTERISK + b"c=IN IP4 10.0.0.9\r\nm=video 9 RTP/AVP 96\r\nc=IN IP4 10.0.0.8\r\n"
    assert sdp.parse(body).host == "10.0.0.9"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"m=audio", b"m=video", "no RTP audio"),
        (b"AVP 0 101", b"AVP 8 101", "no PCMU"),
        (b"c=IN IP4 127.0.0.1", b"c=IN IP6 ::1", "no IPv4"),
        (b"c=IN IP4 127.0.0.1", b"c=IN IP4 evil.example", "no IPv4"),
        (b"15062", b"99999", "no RTP audio"),
        (b"Asterisk", b"\xff", "not UTF-8"),
        (b"Asterisk", b"A" * 20_000, "too long"),
    ],
)
def test_audio_that_we_could_not_talk_to_is_refused(old: bytes, new: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        sdp.parse(ASTERISK.replace(old, new))


def test_without_keys_in_the_answer_there_are_none() -> None:
    assert sdp.parse(ASTERISK.replace(b"AVP 0 101", b"AVP 0")).telephone_event is None
