"""A stand-in for the program `piper`: its command line, its protocol, and the faults it can have.

Like piper it takes a line of text on its input, writes a WAV file into --output_dir, and tells
its path. What it says is a tone whose length is that of the text.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import struct
import sys
import time
import wave
from pathlib import Path
from typing import TextIO

RATE = 22050


def tell(said: object, to: TextIO = sys.stdout) -> None:
    to.write(f"{said}\n")
    to.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--output_dir", required=True, type=Path)
    given = parser.parse_args()
    how = given.model.read_text().split()
    with (given.model.parent / "started").open("a") as started:
        started.write(f"{os.getpid()}\n")
    tell("[info] Loaded voice in 0.1 second(s)", sys.stderr)
    for number, line in enumerate(sys.stdin):
        if "dies" in how:
            os.kill(os.getpid(), signal.SIGKILL)
        if "hangs" in how:
            time.sleep(3600)
        if "babbles" in how:
            tell("x" * 1_000_000)
        path = given.output_dir / f"{number}.wav"
        tone = [round(8000 * math.sin(i / 10)) for i in range(len(line) * RATE // 50)]
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(struct.pack(f"<{len(tone)}h", *tone))
        if "late" in how:  # as the C++ piper may: announced before its last octets are there
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
        if "logs" in how:
            tell(f"INFO:__main__:Wrote {path}", sys.stderr)
        else:
            tell(path)
        if "late" in how:
            time.sleep(0.1)
            path.write_bytes(whole)


main()
