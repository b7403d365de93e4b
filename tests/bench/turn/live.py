"""Turns in real calls: a simulated phone, the real Asterisk, the service, all by RTP packets.

Every time is that of a packet at the phone: when the one with the caller's last sound was sent,
when the first one of the answer came.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import re
import socket
import urllib.request
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ari_app.cli.stage import DID, Stage, raised
from ari_app.phone.call import Phone
from ari_app.phone.ear import VOICE, level
from tests.bench.turn.corpus import Clip
from tests.bench.turn.line import RATE

BUNDLE = Path(__file__).with_name("turns.yaml")
KEYS = {"yes_no": "1", "digits": "2", "date": "3", "open": "3"}
STORY = "4"

AT_ONCE = 3  # calls: below half of two cores
PATIENCE = 40.0
_FRAME = 160
_QUIET = 0.7  # seconds of silence, then a prompt is over
_INTO = 1.0  # seconds of the story, then somebody speaks
_GAP = 0.3  # seconds without a voice in a prompt of one breath: it was stopped
_SPOKEN = 0.9  # of the packets of a whole prompt: then all of it was heard


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer in a real call; seconds."""

    clip: Clip
    delay: float | None  # from the last sound to the first packet of the answer; None: none came

    @property
    def cut_off(self) -> bool:
        """Whether the answer began before the caller had finished."""
        return self.delay is not None and self.delay < 0


@dataclass(frozen=True, slots=True)
class Interruption:
    """Somebody or something was heard during a long prompt; seconds."""

    clip: Clip
    stopped: float | None  # from the first sound of the clip to the last packet before a gap
    whole: bool  # all of the prompt was heard in the end


class Site:
    """A stage that asks whatever the benchmark wants."""

    def __init__(self, stage: Stage, metrics: int) -> None:
        self._stage = stage
        self._metrics = metrics
        self._numbers = itertools.count(1000)
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self.worst_lateness = 0.0  # of the phones' own packets, in seconds

    async def answers(self, clips: Sequence[Clip]) -> list[Turn]:
        """Every clip as an answer to a question of its kind, a few in each call."""
        calls = []
        for key in sorted(set(KEYS.values())):
            of_key = [clip for clip in clips if KEYS[clip.kind] == key]
            calls += [self._answers(key, of_key[at : at + 5]) for at in range(0, len(of_key), 5)]
        return [turn for turns in await asyncio.gather(*calls) for turn in turns]

    async def interruptions(self, clips: Sequence[Clip]) -> list[Interruption]:
        """Every clip over the long prompt, each in a call of its own."""
        whole = await self._story(None)
        found = await asyncio.gather(*(self._story(clip) for clip in clips))
        return [
            Interruption(
                clip,
                stopped_after(began, clip.seconds, voiced),
                len(voiced) > _SPOKEN * len(whole[1]),
            )
            for clip, (began, voiced) in zip(clips, found, strict=True)
        ]

    def final_p95(self) -> float:
        """Seconds from an endpoint to its words, as the service counts them: the bucket's bound."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/metrics") as page:  # noqa: S310
            return bucket(page.read().decode(), "segue_asr_final_latency_seconds", 0.95)

    async def _answers(self, key: str, clips: Sequence[Clip]) -> list[Turn]:
        async with self._at_once, await Phone.open() as phone:
            await phone.call(*self._stage.sip, DID, f"+1202555{next(self._numbers)}")
            await phone.until_quiet(_QUIET, PATIENCE)
            await phone.press(key)
            await phone.until_quiet(_QUIET, PATIENCE)
            turns = [await _answer(phone, clip) for clip in clips]
            self.worst_lateness = max(self.worst_lateness, phone.worst_lateness)
        return turns

    async def _story(self, clip: Clip | None) -> tuple[float, list[float]]:
        """When the clip's first sound was sent, and when the story's voiced packets came."""
        async with self._at_once, await Phone.open() as phone:
            await phone.call(*self._stage.sip, DID, f"+1202556{next(self._numbers)}")
            await phone.until_quiet(_QUIET, PATIENCE)
            pressed = await phone.press(STORY)
            await phone.until_prompt(PATIENCE)
            began = 0.0
            if clip is not None:
                await asyncio.sleep(_INTO)
                began = await _sent(phone, clip, clip.voiced[0][0] if clip.voiced else 0.0)
            await phone.until_quiet(2.0, PATIENCE, since=pressed)
            voiced = [at for at, p in phone.packets if at > pressed and level(p.payload) > VOICE]
            self.worst_lateness = max(self.worst_lateness, phone.worst_lateness)
        return began, voiced


async def _answer(phone: Phone, clip: Clip) -> Turn:
    ended = await _sent(phone, clip, clip.ends)
    began = ended - (clip.ends - clip.begins)
    answered = phone.first_voice_after(began)
    if answered is None:
        answered = await phone.until_prompt(PATIENCE, since=began)
    await phone.until_quiet(_QUIET, PATIENCE, since=began)
    return Turn(clip, answered - ended)


async def _sent(phone: Phone, clip: Clip, moment: float) -> float:
    """When the packet with this moment of the clip (s) was sent; its last one is sent as well."""
    last = await phone.say(clip.samples)
    behind = math.ceil(clip.samples.size / _FRAME) - math.ceil(moment * RATE / _FRAME)
    return last - behind * _FRAME / RATE


def stopped_after(began: float, seconds: float, voiced: Sequence[float]) -> float | None:
    """Seconds from `began` to the last packet before a gap that begins within so many seconds."""
    for before, after in zip(voiced, [*voiced[1:], math.inf], strict=False):
        if before >= began and after - before > _GAP:
            return before - began if before < began + seconds else None
    return None


def bucket(page: str, name: str, share: float) -> float:
    """The upper bound of the bucket in which this share of a histogram lies; infinite if empty."""
    found = re.findall(rf'^{name}_bucket{{[^}}]*le="([^"]+)"[^}}]*}} (\S+)$', page, re.MULTILINE)
    counts: dict[float, float] = {}
    for bound, count in found:
        counts[float(bound)] = counts.get(float(bound), 0.0) + float(count)
    total = counts.get(math.inf, 0.0)
    if not total:
        return math.inf
    return min(bound for bound, count in counts.items() if count >= share * total)


@contextlib.asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    """Everything up and running; Unavailable if it does not come up."""
    metrics = _free_port()
    settings = f"""
[policy]
bundle = "{BUNDLE}"
[telemetry]
metrics_port = {metrics}
[calls]
no_input = 30.0
"""
    async with raised(folder, settings=settings) as stage:
        yield Site(stage, metrics)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
