"""Fuzz the targets, each for so many seconds: `python -m tests.fuzz.run --seconds 60 [target…]`.

With atheris where it is installed, by coverage; else with hypothesis, from the seeds of
tests/fixtures/smpp. An input that breaks an invariant is saved in build/fuzz/ and ends the run
with 1; `--again FILE` feeds it to its target once more.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import importlib.util
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import seeds
from tests.fuzz.mutation import mutated, smallest

Target = Callable[[bytes], None]

TARGETS = ("smpp_codec", "smpp_receipt", "smpp_text", "smpp_session", "rtp")
FOUND = Path("build/fuzz")

_BATCH = 100  # examples between two looks at the clock
_EACH = 20  # changed seeds in each example
_SLOWEST = 5.0  # seconds that one input may take
_LONGEST = 70_000  # octets of one input, a little more than the longest PDU


def target(name: str) -> Target:
    """The function of a target."""
    one: Target = importlib.import_module(f"tests.fuzz.{name}").one
    return one


class Hung(Exception):
    """One input took longer than _SLOWEST."""


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    # Without `alarm` nobody hears it: a test has a time-out of its own, on the same signal.
    if signal.getsignal(signal.SIGALRM) is not _ring:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _ring(*_: object) -> None:
    raise Hung(f"more than {_SLOWEST} s")


class Watched:
    """A target that is counted, and whose last broken input is kept."""

    def __init__(self, one: Target) -> None:
        self._one = one
        self.count = 0
        self.broken: bytes | None = None

    def __call__(self, data: bytes) -> None:
        """Feed it."""
        self.count += 1
        try:
            with _within(_SLOWEST):
                self._one(data)
        except BaseException:
            self.broken = data
            raise


# -- runs -------------------------------------------------------------------------------------


def by_hypothesis(
    watched: Watched, seconds: float, *, batch: int = _BATCH, each: int = _EACH
) -> None:
    """Raise what the target raises, with what made it do so in `.broken`.

    Hypothesis makes octets of its own and the numbers from which seeds are changed: `each` inputs
    of an example, because most of an example's time would be hypothesis's otherwise.
    """
    end = time.monotonic() + seconds
    for data in seeds.frames():
        watched(data)

    @settings(
        max_examples=batch,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.binary(max_size=300), st.integers(0, 2**64))
    def examples(octets: bytes, number: int) -> None:
        watched(octets)
        random = Random(number)
        for _ in range(each):
            watched(mutated(random))

    while True:
        hypothesis.seed(time.time_ns())(examples)()
        if time.monotonic() >= end:
            return


def by_atheris(name: str, seconds: float) -> int:
    """The exit status of a process of its own: atheris does not return."""
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(seeds.frames()):
            (Path(corpus) / str(number)).write_bytes(data)
        command = [sys.executable, "-m", "tests.fuzz.run", "--inside", name, corpus]
        command += [f"-max_total_time={int(seconds)}", f"-max_len={_LONGEST}"]
        command += [f"-timeout={int(_SLOWEST)}", f"-artifact_prefix={FOUND}/{name}-"]
        return subprocess.run(command, check=False).returncode


def inside(name: str, arguments: list[str]) -> None:
    """What `by_atheris` starts."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports():
        one = target(name)
    atheris.Setup([name, *arguments], one)
    atheris.Fuzz()


def breaks(one: Target, data: bytes, kind: type[Exception]) -> bool:
    """Whether the target raises that on the input."""
    try:
        one(data)
    except Exception as error:
        return isinstance(error, kind)
    return False


def fuzz(name: str, one: Target, seconds: float) -> bool:
    """Whether the invariant held; if not, the traceback is told and the input saved."""
    watched = Watched(one)
    began = time.monotonic()
    try:
        by_hypothesis(watched, seconds)
    except Exception as error:
        kind = type(error)
        traceback.print_exc()
        data = smallest(lambda shorter: breaks(watched, shorter, kind), watched.broken or b"")
        FOUND.mkdir(parents=True, exist_ok=True)
        path = FOUND / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        say(f"{name}: BROKEN by {len(data)} octets, saved as {path}; --again {path} repeats it")
        return False
    rate = watched.count / (time.monotonic() - began)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    say(f"{name}: {watched.count} inputs, {rate:,.0f}/s, at most {memory} MiB in all, held")
    return True


def say(line: str) -> None:
    """One line, now."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def alarm() -> Iterator[None]:
    """Make an input that takes too long a Hung; only in the main thread."""
    before = signal.signal(signal.SIGALRM, _ring)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)


def main(arguments: list[str]) -> int:
    """0 if every invariant held."""
    if arguments[:1] == ["--inside"]:
        inside(arguments[1], arguments[2:])
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--again", type=Path, metavar="FILE", help="a saved input, once")
    chosen = parser.parse_args(arguments)
    for name in chosen.targets:
        if name not in TARGETS:
            parser.error(f"no target {name!r}; there are {', '.join(TARGETS)}")
    if chosen.again:
        target(chosen.again.name.partition("-")[0])(chosen.again.read_bytes())
        return 0
    names = chosen.targets or TARGETS
    if importlib.util.find_spec("atheris"):
        FOUND.mkdir(parents=True, exist_ok=True)
        return max(by_atheris(name, chosen.seconds) for name in names)
    with alarm():
        held = [fuzz(name, target(name), chosen.seconds) for name in names]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
