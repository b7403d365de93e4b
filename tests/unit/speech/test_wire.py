"""The worker's protocol: what goes in comes out, however it is cut."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.ports import Word
from ari_app.speech import wire

numbers = st.integers(0, 2**32 - 1)
texts = st.text(st.characters(codec="utf-8"), max_size=40)
times = st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)).map(sorted)
words = st.builds(
    lambda text, span, confidence: Word(text, span[0], span[1], confidence),
    *(texts, times, st.floats(0, 1)),
)
# As the service has checked them: not empty, on one line.
phrases = st.lists(st.text("abc de", min_size=1, max_size=9), max_size=4).map(tuple)
messages: st.SearchStrategy[wire.Message] = st.one_of(
    st.builds(wire.Open, numbers),
    st.builds(wire.Audio, numbers, st.binary(max_size=400)),
    st.builds(wire.Finish, numbers),
    st.builds(wire.Expect, numbers, phrases),
    st.builds(wire.Close, numbers),
    st.just(wire.Probe()),
    st.just(wire.Alive()),
    st.builds(wire.Opened, numbers),
    st.builds(wire.Partial, numbers, texts),
    st.builds(wire.Final, numbers, st.lists(words, max_size=5).map(tuple)),
    st.builds(wire.Failed, numbers, texts),
)


@given(st.lists(messages, max_size=5), st.integers(1, 50))
def test_messages_survive_any_cutting_of_their_bytes(sent: list[wire.Message], size: int) -> None:
    octets = b"".join(map(wire.encode, sent))
    reader = wire.Messages()
    received: list[wire.Message] = []
    for at in range(0, len(octets), size):
        received += reader.feed(octets[at : at + size])
    assert received == sent


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_any_bytes_are_read_or_refused_and_never_crash(pieces: list[bytes]) -> None:
    reader = wire.Messages()
    with contextlib.suppress(wire.Malformed):
        for piece in pieces:
            list(reader.feed(piece))


@given(messages, st.data())
def test_a_message_with_one_wrong_byte_is_read_or_refused(
    sent: wire.Message, data: st.DataObject
) -> None:
    octets = bytearray(wire.encode(sent))
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(wire.Malformed):
        list(wire.Messages().feed(bytes(octets)))


def test_a_message_that_claims_to_be_huge_is_refused_before_it_is_collected() -> None:
    with pytest.raises(wire.Malformed):
        list(wire.Messages().feed(b"\xff\xff\xff\xff\x02\x00\x00\x00\x01"))


def test_a_message_that_is_too_long_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="longer than"):
        wire.encode(wire.Audio(1, bytes(wire.LONGEST)))


@pytest.mark.parametrize(
    "lie",
    [
        Word("yes", -1.0, 1.0, 0.5),
        Word("yes", 2.0, 1.0, 0.5),
        Word("yes", 0.0, math.inf, 0.5),
        Word("yes", math.nan, 1.0, 0.5),
        Word("yes", 0.0, 1.0, math.nan),
        Word("yes", 0.0, 1.0, 1.5),
        Word("yes", 0.0, 1.0, -0.5),
    ],
)
def test_a_word_at_no_time_or_of_no_confidence_is_refused(lie: Word) -> None:
    with pytest.raises(wire.Malformed):
        list(wire.Messages().feed(wire.encode(wire.Final(1, (lie,)))))
