"""webrtcvad and Silero on clips from stdin; imports nothing of the house.

In: 16-bit samples at 8 kHz, each clip after its length in octets (4, network order). Out: for each
clip a line of JSON, {detector: {"voiced": "0110…", "cpu": seconds}}, a digit for each 20 ms: what
was known when those 20 ms were over.
"""

from __future__ import annotations

import importlib.util
import json
import struct
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-not-found]
import webrtcvad  # type: ignore[import-not-found]

RATE = 8000
FRAME = RATE // 50
WINDOW, CONTEXT = 256, 32  # samples: Silero at 8 kHz
BEGINS, ENDS = 0.5, 0.35  # silero_vad.VADIterator: threshold, and 0.15 below it


def webrtc(samples: np.ndarray, mode: int) -> list[bool]:
    """Aggressiveness 0 to 3."""
    vad = webrtcvad.Vad(mode)
    octets = samples.tobytes()
    size = 2 * FRAME
    return [
        vad.is_speech(octets[at : at + size], RATE) for at in range(0, len(octets) - size + 1, size)
    ]


class Silero:
    """The network, window by window."""

    def __init__(self) -> None:
        found = importlib.util.find_spec("silero_vad")
        assert found is not None
        assert found.origin is not None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(Path(found.origin).parent / "data" / "silero_vad.onnx"),
            providers=["CPUExecutionProvider"],
            sess_options=options,
        )

    def voiced(self, samples: np.ndarray) -> list[bool]:
        """By frames of 20 ms: the last window that was complete by then."""
        state = np.zeros((2, 1, 128), np.float32)
        signal = samples.astype(np.float32) / 32768
        context: np.ndarray = np.zeros(CONTEXT, np.float32)
        known, speaks = [], False
        for at in range(0, signal.size - WINDOW + 1, WINDOW):
            window = signal[at : at + WINDOW]
            heard, state = self._session.run(
                None,
                {
                    "input": np.concatenate([context, window])[None],
                    "state": state,
                    "sr": np.array(RATE, np.int64),
                },
            )
            context = window[-CONTEXT:]
            speaks = float(heard[0, 0]) > (ENDS if speaks else BEGINS)
            known.append(speaks)
        ends = range(FRAME, samples.size + 1, FRAME)
        return [end >= WINDOW and known[min(end // WINDOW, len(known)) - 1] for end in ends]


def main() -> None:
    """Until stdin ends."""
    silero = Silero()
    detectors: dict[str, Callable[[np.ndarray], list[bool]]] = {"Silero": silero.voiced}
    for mode in (1, 2, 3):
        detectors[f"webrtcvad {mode}"] = partial(webrtc, mode=mode)
    while head := sys.stdin.buffer.read(4):
        samples = np.frombuffer(sys.stdin.buffer.read(*struct.unpack("!I", head)), "<i2")
        answer = {}
        for name, detect in detectors.items():
            began = time.process_time()
            voiced = detect(samples)
            spent = time.process_time() - began
            answer[name] = {"voiced": "".join("01"[v] for v in voiced), "cpu": spent}
        sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
