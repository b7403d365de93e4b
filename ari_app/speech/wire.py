"""Pure. The messages between the service and an ASR worker, and their bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from ari_app.ports import Word

# Length (of what follows it), kind, recogniser; network byte order, as everything here.
_HEAD = struct.Struct("!IBI")
_HEAD_COUNTED = _HEAD.size - 4
_WORD = struct.Struct("!dddH")
_FOREVER = 1e9  # seconds

LONGEST = 1 << 20  # octets of a message: hours of words, or a minute of audio
MOST_AUDIO = 1 << 15  # octets of audio in one message: 1 s at 16 kHz


class Malformed(Exception):
    """The other side has not spoken this protocol: end the connection."""


# -- to the worker ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Open:
    """Make a recogniser."""

    recogniser: int


@dataclass(frozen=True, slots=True)
class Audio:
    """Samples of a recogniser's call: 16-bit little-endian at the model's rate."""

    recogniser: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Finish:
    """The turn has ended: say what was said in it."""

    recogniser: int


@dataclass(frozen=True, slots=True)
class Expect:
    """Hear only these phrases from here on; none of them: all words again."""

    recogniser: int
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """Free the recogniser; there is no answer."""

    recogniser: int


@dataclass(frozen=True, slots=True)
class Probe:
    """Say that you have come this far."""


# -- from the worker --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alive:
    """The model is loaded (the first one); later: it goes on, asked by a probe or not."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The recogniser listens."""

    recogniser: int


@dataclass(frozen=True, slots=True)
class Partial:
    """The words of the turn so far, if they have changed."""

    recogniser: int
    text: str


@dataclass(frozen=True, slots=True)
class Final:
    """The words of the finished turn; times in seconds from the start of the call's audio."""

    recogniser: int
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The recogniser is gone; or, with recogniser 0, the model cannot be loaded."""

    recogniser: int
    reason: str


FromService = Open | Audio | Finish | Expect | Close | Probe
FromWorker = Alive | Opened | Partial | Final | Failed
Message = FromService | FromWorker


def encode(message: Message) -> bytes:
    """The bytes of a message; ValueError if it is longer than LONGEST."""
    match message:
        case Open(recogniser):
            kind, body = 1, b""
        case Audio(recogniser, pcm):
            kind, body = 2, pcm
        case Finish(recogniser):
            kind, body = 3, b""
        case Close(recogniser):
            kind, body = 4, b""
        case Probe():
            kind, recogniser, body = 5, 0, b""
        case Alive():
            kind, recogniser, body = 6, 0, b""
        case Opened(recogniser):
            kind, body = 7, b""
        case Partial(recogniser, text):
            kind, body = 8, text.encode()
        case Final(recogniser, words):
            kind, body = 9, b"".join(map(_encode_word, words))
        case Failed(recogniser, reason):
            kind, body = 10, reason.encode()
        case Expect(recogniser, phrases):
            kind, body = 11, "\n".join(phrases).encode()
        case _:
            assert_never(message)
    length = _HEAD_COUNTED + len(body)
    if length > LONGEST:
        raise ValueError(f"a message of {length} octets is longer than {LONGEST}")
    return _HEAD.pack(length, kind, recogniser) + body


class Messages:
    """Bytes in, as they come; whole messages out. Holds at most one unfinished message."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, octets: bytes) -> Iterator[Message]:
        """The messages that are complete now, in order; exhaust it before the next feed.

        Malformed if the bytes are none of ours: nothing after them can be understood.
        """
        self._pending += octets
        start = 0
        try:
            while len(self._pending) - start >= _HEAD.size:
                length, kind, recogniser = _HEAD.unpack_from(self._pending, start)
                if not _HEAD_COUNTED <= length <= LONGEST:
                    raise Malformed(f"a message of {length} octets")
                end = start + 4 + length
                if len(self._pending) < end:
                    break
                body = bytes(self._pending[start + _HEAD.size : end])
                start = end
                yield _decode(kind, recogniser, body)
        finally:
            del self._pending[:start]


def _decode(kind: int, recogniser: int, body: bytes) -> Message:
    match kind:
        case 2:
            return Audio(recogniser, body)
        case 8:
            return Partial(recogniser, _text(body))
        case 9:
            return Final(recogniser, tuple(_decode_words(body)))
        case 10:
            return Failed(recogniser, _text(body))
        case 11:
            return Expect(recogniser, tuple(_text(body).split("\n")) if body else ())
        case _ if body:
            raise Malformed(f"a message of kind {kind} with a body")
        case 1:
            return Open(recogniser)
        case 3:
            return Finish(recogniser)
        case 4:
            return Close(recogniser)
        case 5:
            return Probe()
        case 6:
            return Alive()
        case 7:
            return Opened(recogniser)
        case _:
            raise Malformed(f"a message of kind {kind}")


def _encode_word(word: Word) -> bytes:
    text = word.text.encode()
    if len(text) > 0xFFFF:
        raise ValueError(f"a word of {len(text)} octets")
    return _WORD.pack(word.start, word.end, word.confidence, len(text)) + text


def _decode_words(body: bytes) -> Iterator[Word]:
    at = 0
    while at < len(body):
        try:
            start, end, confidence, length = _WORD.unpack_from(body, at)
        except struct.error:
            raise Malformed("half a word") from None
        at += _WORD.size
        if len(body) < at + length:
            raise Malformed("half a word")
        # A comparison with a number that is none fails too.
        if not (0 <= start <= end < _FOREVER and 0 <= confidence <= 1):
            raise Malformed("a word at no time, or of no confidence")
        yield Word(_text(body[at : at + length]), start, end, confidence)
        at += length


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Malformed("text that is not UTF-8") from None
