"""An ASR worker that does one thing wrong: the environment variable LIE says which.

Run as the service runs the real one, and all but the lie is the real one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import vosk

from ari_app.speech import wire, worker


def _garbage(message: wire.Message) -> None:
    """What is not our protocol, in the middle of an utterance."""
    wire.encode = lambda message: b"\xff" * 40


def _die_in_libvosk(message: wire.Message) -> None:
    """What libvosk does not survive: a grammar that is not JSON, in a constructor."""
    model = vosk.Model(model_path=sys.argv[sys.argv.index("--model") + 1])
    vosk.KaldiRecognizer(model, 8000, "this is not JSON")


def _hang(message: wire.Message) -> None:
    while True:
        pass


def _be_slow(message: wire.Message) -> None:
    time.sleep(0.05)


LIES: dict[str, tuple[type[wire.Message], Callable[[wire.Message], None]]] = {
    "garbage": (wire.Audio, _garbage),
    "abort": (wire.Audio, _die_in_libvosk),
    "hang": (wire.Finish, _hang),
    "slow": (wire.Audio, _be_slow),
}


def main() -> int:
    lie = os.environ["LIE"]
    if lie == "crash":
        return 3
    answer = worker.Worker.answer
    if lie in ("unasked", "echo"):

        def lying(self: worker.Worker, message: wire.Message) -> wire.Message | None:
            if isinstance(message, wire.Audio):
                return wire.Final(message.recogniser, ()) if lie == "unasked" else message
            return answer(self, message)

    else:
        when, what = LIES[lie]

        def lying(self: worker.Worker, message: wire.Message) -> wire.Message | None:
            if isinstance(message, when):
                what(message)
            return answer(self, message)

    worker.Worker.answer = lying  # type: ignore[method-assign]
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
