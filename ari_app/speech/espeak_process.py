"""The espeak-ng process: JSON lines with texts in, samples out; the only place that loads it.

espeak-ng is GPL-3 and keeps global state, so it lives in a process of its own, behind a pipe.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import ctypes.util
import importlib
import itertools
import json
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import IO, Any

from ari_app.speech.child import die_with_parent

# Kind, request, sample rate, beginnings of words (four octets each, in ms) that follow, octets
# that follow them; network byte order.
ANSWER = struct.Struct("!BIIII")
READY, SAMPLES, REFUSED, UNLOADABLE = range(4)  # SAMPLES: 16-bit little-endian; else UTF-8

# speak_lib.h
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_RATE, _VOLUME, _PITCH = 1, 2, 3
_OK = 0
_END_OF_EVENTS, _WORD = 0, 1


class _Event(ctypes.Structure):
    """espeak_EVENT; its last field is a union of at most a pointer's size."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Unloadable(Exception):
    """There is no espeak-ng that works on this machine."""


class Unspeakable(Exception):
    """espeak-ng has refused a request."""


class Library:
    """libespeak-ng, once a process."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._words: list[int] = []
        self._callback = _CALLBACK(self._heard)  # kept: C holds only the address
        self.rate = 0
        reasons = []
        for path, voices in candidates():
            try:
                self._library = ctypes.CDLL(path)
            except OSError as error:
                reasons.append(str(error))
                continue
            self.rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, voices, _DONT_EXIT)
            if self.rate > 0:
                break
            reasons.append(f"{path} does not find its voices")
        if self.rate <= 0:
            raise Unloadable("; ".join(reasons) or "it is not installed")
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: str, rate: int, pitch: int) -> tuple[bytes, list[int]]:
        """The samples of a text, and where its words begin in ms.

        voice is a file such as gmw/en-US, perhaps with +f4; rate in words a minute
        (80-450), pitch 0-100.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != _OK:
            raise Unspeakable(f"espeak-ng has no voice {voice!r}")
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_VOLUME, 100)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._chunks.clear()
        self._words.clear()
        octets = text.encode()
        failed = self._library.espeak_Synth(
            octets, len(octets) + 1, 0, 1, 0, _CHARS_UTF8, None, None
        )
        if failed != _OK:
            raise Unspeakable(f"espeak-ng refused the text (error {failed})")
        self._library.espeak_Synchronize()
        return b"".join(self._chunks), self._words

    def _heard(self, samples: Any, count: int, events: Any) -> int:
        for event in itertools.takewhile(lambda e: e.type != _END_OF_EVENTS, events or ()):
            if event.type == _WORD:
                self._words.append(max(event.audio_position, 0))
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, 2 * count))
        return 0


def candidates() -> Iterator[tuple[str, bytes | None]]:
    """Where the library may be, with the path of its voices: PyPI's first, then the system's."""
    with contextlib.suppress(ImportError, RuntimeError):
        loader = importlib.import_module("espeakng_loader")
        yield loader.get_library_path(), loader.get_data_path().encode()
    yield ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1", None


def serve(requests: IO[bytes], answers: IO[bytes], library: Library) -> None:
    """Answer every line until there are no more."""
    for line in requests:
        request = json.loads(line)
        number = int(request["id"])
        try:
            samples, words = library.speak(
                request["text"], request["voice"], request["rate"], request["pitch"]
            )
        except Unspeakable as error:
            _write(answers, REFUSED, number, 0, str(error).encode())
        else:
            _write(answers, SAMPLES, number, library.rate, samples, words)


def _write(
    answers: IO[bytes], kind: int, number: int, rate: int, body: bytes, words: Sequence[int] = ()
) -> None:
    beginnings = struct.pack(f"!{len(words)}I", *words)
    answers.write(ANSWER.pack(kind, number, rate, len(words), len(body)) + beginnings + body)
    answers.flush()


def main(arguments: list[str] | None = None) -> int:
    """Run as `python -m ari_app.speech.espeak_process`; not for people."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parent", type=int, required=True, help="process to die with")
    die_with_parent(parser.parse_args(arguments).parent)
    try:
        library = Library()
    except Unloadable as error:
        _write(sys.stdout.buffer, UNLOADABLE, 0, 0, str(error).encode())
        return 1
    _write(sys.stdout.buffer, READY, 0, library.rate, b"")
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer, library)
    return 0


if __name__ == "__main__":
    sys.exit(main())
