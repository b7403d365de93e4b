"""Figures of the ASR workers: memory over many utterances, CPU for audio, time to the result."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ari_app.speech.recognisers import AsrWorkers

_FRAME = 0.02  # seconds
_TURNS_OF_A_CALL = 5


@dataclass(frozen=True, slots=True)
class Endurance:
    """What many utterances did to one worker."""

    utterances: int
    understood: int  # of which, how many said what they should
    rss_before: int  # octets, when the worker was warm
    rss_after: int
    audio_seconds: float
    cpu_seconds: float  # user and system, of the worker alone


async def endure(
    workers: AsrWorkers, utterances: Sequence[tuple[str, bytes]], times: int
) -> Endurance:
    """Have the first worker hear so many of these (text, audio), one after the other.

    With a new recogniser every few turns, as calls have. AsrLost if the worker does not survive.
    """
    await _hear(workers, utterances, len(utterances))  # all that is cached has been by now
    pid = workers.pids[0]
    rss, cpu = _resident(pid), _cpu(pid)
    understood, audio = await _hear(workers, utterances, times)
    return Endurance(times, understood, rss, _resident(pid), audio, _cpu(pid) - cpu)


async def final_latencies(
    workers: AsrWorkers, utterances: Sequence[tuple[str, bytes]], calls: int, turns: int
) -> list[float]:
    """Seconds from the end of each turn to its result: so many calls at once, in real time."""
    loop = asyncio.get_running_loop()

    async def call(number: int) -> list[float]:
        await asyncio.sleep(number / calls)  # calls do not begin together
        ear = await workers.open(_nothing_heard, _nothing_lost)
        found = []
        for turn in range(turns):
            _, pcm = utterances[(number + turn) % len(utterances)]
            frame = int(workers.rate * _FRAME) * 2
            due = loop.time()
            for at in range(0, len(pcm), frame):
                ear.feed(pcm[at : at + frame])
                due += _FRAME
                await asyncio.sleep(max(0.0, due - loop.time()))
            asked = loop.time()
            await ear.finish()
            found.append(loop.time() - asked)
        await ear.aclose()
        return found

    return [late for found in await asyncio.gather(*map(call, range(calls))) for late in found]


async def _hear(
    workers: AsrWorkers, utterances: Sequence[tuple[str, bytes]], times: int
) -> tuple[int, float]:
    """How many were understood, and the seconds of audio."""
    understood, octets = 0, 0
    for first in range(0, times, _TURNS_OF_A_CALL):
        ear = await workers.open(_nothing_heard, _nothing_lost)
        for turn in range(first, min(first + _TURNS_OF_A_CALL, times)):
            text, pcm = utterances[turn % len(utterances)]
            ear.feed(pcm)
            understood += (await ear.finish()).text == text
            octets += len(pcm)
        await ear.aclose()
    return understood, octets / 2 / workers.rate


def _nothing_heard(text: str) -> None:
    pass


def _nothing_lost() -> None:
    pass


def _resident(pid: int) -> int:
    """proc(5): the second field of statm, in pages."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _cpu(pid: int) -> float:
    """proc(5): fields 14 and 15 of stat, after the name in brackets."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
