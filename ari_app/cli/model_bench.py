"""What one speech model costs: a worker of the service hears clips, with a stop-watch beside it."""

from __future__ import annotations

import asyncio
import statistics
import time
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from ari_app.cli.processes import cpu_seconds
from ari_app.errors import AsrLost, ModelUnavailable, SettingsError
from ari_app.speech.ear import Ear
from ari_app.speech.espeak import RATE as SPOKEN_RATE
from ari_app.speech.espeak import Espeak
from ari_app.speech.model import ModelFacts
from ari_app.speech.recognisers import AsrWorkers
from ari_app.telemetry.meter import PrometheusMeter

Pcm = NDArray[np.int16]

_SENTENCES = (
    "hello i would like to talk to someone about my last bill please",
    "no",
    "my account number is four seven one nine two two",
    "can you send me the address of the office by text message",
    "yes tomorrow at half past nine is fine",
)
_LONGEST_CLIP = 120  # seconds
_PATIENCE = 120.0  # seconds for one turn
_FRAME = 0.02  # seconds
_LIVE_SECONDS = 30.0  # of speech, given as fast as it is spoken; the rest only costs time


@dataclass(frozen=True, slots=True)
class Cost:
    """Figures of one worker; times of the final words with speech coming in as in a call."""

    load_seconds: float
    loaded_mb: float
    peak_mb: float
    real_time_factor: float
    final_p50_ms: float
    final_max_ms: float
    speech_seconds: float

    @property
    def talking_per_core(self) -> int:
        """So many callers may talk at once before a core has no time left."""
        return int(1 / max(self.real_time_factor, 1e-4))


def read_clip(path: Path, rate: int) -> Pcm:
    """The samples of a WAV file at this rate; SettingsError if it cannot be used."""
    try:
        with wave.open(str(path), "rb") as clip:
            kind = (clip.getnchannels(), clip.getsampwidth())
            native, frames = clip.getframerate(), clip.getnframes()
            if kind != (1, 2) or not 8000 <= native <= 48_000:
                raise SettingsError(f"{path} is not 16-bit mono at 8 to 48 kHz: convert it first.")
            if not 0 < frames <= _LONGEST_CLIP * native:
                raise SettingsError(f"{path} is empty or longer than {_LONGEST_CLIP} s: cut it.")
            samples = np.frombuffer(clip.readframes(frames), "<i2")
    except (OSError, EOFError, wave.Error) as error:
        raise SettingsError(f"{path} is no WAV file that can be read ({error}).") from error
    return _at(samples, native, rate)


async def spoken_clips(rate: int) -> list[Pcm]:
    """A few sentences in a synthesized voice; VoiceUnavailable without espeak-ng."""
    async with Espeak() as espeak:
        return [_at(await espeak.synthesize(text), SPOKEN_RATE, rate) for text in _SENTENCES]


async def measure(facts: ModelFacts, clips: list[Pcm]) -> Cost:
    """Load the model in a worker of its own and hear the clips; ModelUnavailable if it fails."""
    speech = sum(map(len, clips)) / facts.rate
    workers = AsrWorkers(
        facts, 1, PrometheusMeter(), _PATIENCE, hang=_PATIENCE, behind=_LONGEST_CLIP
    )
    began = time.monotonic()
    await workers.start()
    try:
        load, pid = time.monotonic() - began, workers.pids[0]
        loaded = _memory(pid, "VmRSS")
        before = sum(cpu_seconds(pid))
        for clip in clips:
            await _hear(workers, clip, live=False)
        spent = sum(cpu_seconds(pid)) - before
        finals = []
        live = 0.0
        for clip in clips:
            if live < _LIVE_SECONDS:
                finals.append(await _hear(workers, clip, live=True))
                live += len(clip) / facts.rate
        peak = _memory(pid, "VmHWM")
    except AsrLost as error:
        raise ModelUnavailable(f"The model at {facts.path} died while it heard: {error}") from error
    finally:
        await workers.aclose()
    return Cost(
        load_seconds=round(load, 3),
        loaded_mb=round(loaded, 1),
        peak_mb=round(peak, 1),
        real_time_factor=round(spent / speech, 4),
        final_p50_ms=round(1000 * statistics.median(finals), 1),
        final_max_ms=round(1000 * max(finals), 1),
        speech_seconds=round(speech, 2),
    )


async def _hear(workers: AsrWorkers, clip: Pcm, *, live: bool) -> float:
    """Seconds from the last sample to the final words; live: a frame every 20 ms."""
    ear = await workers.open(lambda _: None, lambda: None)
    try:
        await _feed(ear, clip, int(workers.rate * _FRAME), _FRAME if live else 0.0)
        ended = time.monotonic()
        await ear.finish()
        return time.monotonic() - ended
    finally:
        await ear.aclose()


async def _feed(ear: Ear, clip: Pcm, frame: int, pause: float) -> None:
    due = time.monotonic()
    for at in range(0, len(clip), frame):
        ear.feed(clip[at : at + frame].tobytes())
        due += pause
        await asyncio.sleep(max(due - time.monotonic(), 0.0))


def _at(samples: Pcm, native: int, rate: int) -> Pcm:
    if native == rate:
        return samples.astype(np.int16)
    resampled: Pcm = soxr.resample(samples.astype(np.int16), native, rate)
    return resampled


def _memory(pid: int, field: str) -> float:
    """Megabytes: proc(5), status; 0 if the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    found = [line for line in lines if line.startswith(f"{field}:")]
    return int(found[0].split()[1]) / 1000 if found else 0.0
