"""The ASR worker: a process of its own that may die, with one Vosk model and many recognisers."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any, assert_never

import vosk

from ari_app.ports import Word
from ari_app.speech import results, wire
from ari_app.speech.child import die_with_parent
from ari_app.speech.grammar import UNKNOWN

RATES = (8000, 16000)  # libvosk loops for ever at 0

# Kaldi tests for the end of an utterance only between two pieces of audio, and its cost grows
# faster than linearly inside one.
_PIECE = 0.1  # seconds

_SIGN_OF_LIFE = 0.2  # seconds; so often it is given, however much there is to do


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
                self._keep(self._vosk.Result())
        # Between two of Kaldi's utterances it is an empty result.
        going = results.read(self._vosk.PartialResult()) or ""
        assert isinstance(going, str)
        text = " ".join([*(word.text for word in self._kept), *going.split()])
        if text == self._told:
            return None
        self._told = text
        return text

    def finish(self) -> tuple[Word, ...]:
        """The words of the turn; a new one begins."""
        self._keep(self._vosk.FinalResult())
        words = tuple(self._kept)
        self._kept, self._told = [], ""
        return words

    def expect(self, phrases: tuple[str, ...]) -> None:
        """Hear only these from here on; what was said before is kept as it was heard."""
        # Kaldi's utterance must be over: a new grammar inside one ends the process.
        self._keep(self._vosk.FinalResult())
        # And so does an empty one, or what is not JSON. "[]" stands for all words of the model.
        self._vosk.SetGrammar(json.dumps([*phrases, UNKNOWN] if phrases else []))

    def _keep(self, result: str) -> None:
        words = results.read(result)
        assert isinstance(words, tuple)
        self._kept = results.newest([*self._kept, *words])


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
            case wire.Open() | wire.Audio() | wire.Finish() | wire.Expect():
                try:
                    return self._listen(message)
                except Exception as error:  # noqa: BLE001  # vosk raises no narrower class
                    self._recognitions.pop(message.recogniser, None)
                    return wire.Failed(message.recogniser, str(error)[:500])
            case wire.Alive() | wire.Opened() | wire.Partial() | wire.Final() | wire.Failed():
                raise wire.Malformed(f"a service that says {type(message).__name__}")
            case _:
                assert_never(message)

    def _listen(
        self, message: wire.Open | wire.Audio | wire.Finish | wire.Expect
    ) -> wire.Message | None:
        number = message.recogniser
        if isinstance(message, wire.Open):
            self._recognitions[number] = Recognition(self._model, self._rate)
            return wire.Opened(number)
        recognition = self._recognitions.get(number)
        if recognition is None:
            # What was on its way when the recogniser failed is no second failure.
            if not isinstance(message, wire.Finish):
                return None
            return wire.Failed(number, "there is no such recogniser")
        match message:
            case wire.Finish():
                return wire.Final(number, recognition.finish())
            case wire.Expect(phrases=phrases):
                recognition.expect(phrases)
                return None
            case wire.Audio(pcm=pcm):
                text = recognition.hear(pcm)
                return None if text is None else wire.Partial(number, text)


def serve(connection: socket.socket, model: Any, rate: int) -> None:
    """Answer until the service closes the connection."""
    worker = Worker(model, rate)
    messages = wire.Messages()
    connection.sendall(wire.encode(wire.Alive()))
    said = time.monotonic()
    while octets := connection.recv(1 << 16):
        for message in messages.feed(octets):
            answer = worker.answer(message)
            if answer is None and time.monotonic() - said > _SIGN_OF_LIFE:
                answer = wire.Alive()
            if answer is not None:
                connection.sendall(wire.encode(answer))
                said = time.monotonic()


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


if __name__ == "__main__":
    sys.exit(main())
