"""The ASR worker: a process of its own that may die, with one Vosk model and many recognisers."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any, assert_never

import vosk

from ari_app.ports import Word
from ari_app.speech import wire
from ari_app.speech.child import die_with_parent

RATES = (8000, 16000)  # libvosk loops for ever at 0

# Kaldi tests for the end of an utterance only between two pieces of audio, and its cost grows
# faster than linearly inside one.
_PIECE = 0.1  # seconds


class Recognition:
    """One call's ear: what was said since the last finish, whatever Kaldi thinks of its ends."""

    def __init__(self, model: Any, rate: int) -> None:
        self._vosk = vosk.KaldiRecognizer(model, rate)
        self._vosk.SetWords(True)
        self._piece = int(rate * _PIECE) * 2
        self._kept: list[Word] = []
        self._told = ""

    def hear(self, pcm: bytes) -> str | None:
        """Take audio; the words of the turn so far if they have changed."""
        whole = len(pcm) & ~1  # libvosk drops half a sample too, but only by luck
        for at in range(0, whole, self._piece):
            if self._vosk.AcceptWaveform(pcm[at : min(at + self._piece, whole)]):
                self._kept += _words(self._vosk.Result())
        going = str(json.loads(self._vosk.PartialResult()).get("partial", ""))
        text = " ".join([*(word.text for word in self._kept), *going.lower().split()])
        if text == self._told:
            return None
        self._told = text
        return text

    def finish(self) -> tuple[Word, ...]:
        """The words of the turn; a new one begins."""
        words = (*self._kept, *_words(self._vosk.FinalResult()))
        self._kept, self._told = [], ""
        return words


class Worker:
    """Answers each message at once and in order, so an answer tells how far it has come."""

    def __init__(self, model: Any, rate: int) -> None:
        self._model = model
        self._rate = rate
        self._recognitions: dict[int, Recognition] = {}

    def answer(self, message: wire.Message) -> wire.Message | None:
        """What to say to a message, if anything; Malformed if only a worker says such things."""
        match message:
            case wire.Probe():
                return wire.Alive()
            case wire.Close(recogniser):
                self._recognitions.pop(recogniser, None)
                return None
            case wire.Open(recogniser) | wire.Audio(recogniser) | wire.Finish(recogniser):
                try:
                    return self._listen(recogniser, message)
                except Exception as error:  # noqa: BLE001  # vosk raises no narrower class
                    self._recognitions.pop(recogniser, None)
                    return wire.Failed(recogniser, str(error)[:500])
            case wire.Alive() | wire.Opened() | wire.Partial() | wire.Final() | wire.Failed():
                raise wire.Malformed(f"a service that says {type(message).__name__}")
            case _:
                assert_never(message)

    def _listen(
        self, recogniser: int, message: wire.Open | wire.Audio | wire.Finish
    ) -> wire.Message | None:
        if isinstance(message, wire.Open):
            self._recognitions[recogniser] = Recognition(self._model, self._rate)
            return wire.Opened(recogniser)
        recognition = self._recognitions.get(recogniser)
        if recognition is None:
            # Audio that was on its way when the recogniser failed is no second failure.
            if isinstance(message, wire.Audio):
                return None
            return wire.Failed(recogniser, "there is no such recogniser")
        if isinstance(message, wire.Finish):
            return wire.Final(recogniser, recognition.finish())
        text = recognition.hear(message.pcm)
        return None if text is None else wire.Partial(recogniser, text)


def serve(connection: socket.socket, model: Any, rate: int) -> None:
    """Answer until the service closes the connection."""
    worker = Worker(model, rate)
    messages = wire.Messages()
    connection.sendall(wire.encode(wire.Alive()))
    while octets := connection.recv(1 << 16):
        for message in messages.feed(octets):
            answer = worker.answer(message)
            if answer is not None:
                connection.sendall(wire.encode(answer))


def main(arguments: list[str] | None = None) -> int:
    """Run as `python -m ari_app.speech.worker`; not for people."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="our end of the socket pair")
    parser.add_argument("--parent", type=int, required=True, help="process to die with")
    parser.add_argument("--rate", type=int, choices=RATES, required=True)
    parser.add_argument("--model", type=Path, required=True)
    given = parser.parse_args(arguments)
    die_with_parent(given.parent)
    with socket.socket(fileno=given.fd) as connection:
        vosk.SetLogLevel(-1)
        try:
            # Always with a path: by name it would go to the network.
            model = vosk.Model(model_path=os.fspath(given.model))
        except Exception as error:  # noqa: BLE001  # vosk raises no narrower class
            connection.sendall(wire.encode(wire.Failed(0, str(error)[:500])))
            return 1
        try:
            serve(connection, model, given.rate)
        except (BrokenPipeError, ConnectionResetError, wire.Malformed):
            return 1
    return 0


def _words(result: str) -> list[Word]:
    """The words of a Vosk result, which has no `result` if nothing was said."""
    return [
        Word(str(w["word"]).lower(), float(w["start"]), float(w["end"]), float(w["conf"]))
        for w in json.loads(result).get("result", ())
    ]


if __name__ == "__main__":
    sys.exit(main())
