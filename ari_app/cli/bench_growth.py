"""What an event costs in a log that grows: it should cost the same in a long log as in a short."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ari_app.cli.bench_fold import LIFE
from ari_app.cli.bench_place import Place, place
from ari_app.cli.curve import Curve, drawn
from ari_app.cli.figures import Figure, above, below, free
from ari_app.conversation.state import fold
from ari_app.ledger.note import VerifierKey
from ari_app.privacy import audit
from ari_app.privacy.sealing import Sealer
from ari_app.store.seals import AuditedDatabase
from ari_app.store.sqlite import SqliteEngine
from ari_app.telemetry.clock import SystemClock

_SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
_AT_ONCE = 200  # conversations
_LAST = 10_000  # events whose append is measured at each size
_ORIGIN = "bench"
# A log that is a hundred or a thousand times as long may cost this much more for each event.
_FLAT = 2.0


@dataclass(frozen=True, slots=True)
class Costs:
    """Microseconds for each event at one size of the log."""

    events: int
    append: float
    tail: float
    conversation: float
    rebuild: float
    verify: float


class _Log:
    """A log that is filled as production fills it, and sealed."""

    def __init__(self, there: Place, advance: Callable[[int], None]) -> None:
        self._there = there
        self._advance = advance
        self._key = Ed25519PrivateKey.generate()
        self._sealer = Sealer(there.store.seals(), _ORIGIN, self._key, SystemClock())
        self.events = 0

    async def grow(self, to: int) -> float:
        """Microseconds for each of the last events."""
        await self._append(to - _LAST)
        began = time.perf_counter()
        await self._append(to)
        seconds = time.perf_counter() - began
        while await self._sealer.run_once() is not None:
            pass
        return seconds / _LAST * 1e6

    async def _append(self, to: int) -> None:
        while self.events < to:
            batch = min(_AT_ONCE, (to - self.events) // len(LIFE))
            first = self.events // len(LIFE)
            await asyncio.gather(*(self._live(first + n) for n in range(batch)))
            self.events += batch * len(LIFE)
            self._advance(batch * len(LIFE))
            if self.events % 200_000 < batch * len(LIFE):
                await self._sealer.run_once()

    async def _live(self, number: int) -> None:
        subject = f"subj_{number // 3:032}"  # who has called once calls again
        await self._there.store.append(f"conv_{number:032}", LIFE, subject=subject)

    async def measured(self, append: float) -> Costs:
        """All costs at the present size."""
        store = self._there.store
        await store.advance("bench", 0)
        began = time.perf_counter()
        seen = 0
        for _ in range(20):
            page = await store.tail("bench", 200)
            await store.advance("bench", page[-1].position)
            seen += len(page)
        tail = (time.perf_counter() - began) / seen * 1e6

        began = time.perf_counter()
        step = max(1, self.events // len(LIFE) // 100)
        streams = [f"conv_{n * step:032}" for n in range(100)]
        for stream in streams:
            fold(await store.read(stream))
        conversation = (time.perf_counter() - began) / len(streams) / len(LIFE) * 1e6

        models = store.read_models()
        began = time.perf_counter()
        await models.rebuild()
        rebuild = (time.perf_counter() - began) / self.events * 1e6
        verify = await asyncio.to_thread(self._verify)
        return Costs(self.events, append, tail, conversation, rebuild, verify)

    def _verify(self) -> float:
        with contextlib.closing(AuditedDatabase(self._there.engine)) as log:
            began = time.perf_counter()
            key = VerifierKey.of(_ORIGIN, self._key)
            report = audit.verify(log, key, hands=os.cpu_count() or 1)
            seconds = time.perf_counter() - began
        assert report.sound, report.findings
        assert report.sealed == self.events
        return seconds / self.events * 1e6


async def growth(
    folder: Path,
    largest: int,
    advance: Callable[[int], None],
    plot: Path | None,
) -> list[Figure]:
    """Costs at 10 thousand, 100 thousand, … up to `largest` events; `plot` is an SVG file."""
    found: list[Costs] = []
    engine = SqliteEngine(folder / "growth.db", SystemClock())
    async with place(folder / "growth", engine) as there:
        log = _Log(there, advance)
        for size in (size for size in _SIZES if size <= largest):
            found.append(await log.measured(await log.grow(size)))
    if plot is not None:
        names = ("append", "tail", "conversation", "rebuild", "verify")
        curves = [Curve(n, [(c.events, getattr(c, n)) for c in found]) for n in names]
        text = drawn("Cost of an event as the log grows", "events in the log", "µs", curves)
        await asyncio.to_thread(plot.write_text, text, encoding="utf-8")
    return _figures(found)


def _figures(found: list[Costs]) -> list[Figure]:
    first, last = found[0], found[-1]
    size = f"{last.events:,} events"
    flat = [
        below(f"{name}, per event, at {size} / at {first.events:,}", after / before, "", _FLAT)
        for name, before, after in (
            ("append", first.append, last.append),
            ("tail", first.tail, last.tail),
            ("read of a conversation", first.conversation, last.conversation),
            ("rebuild of all projections", first.rebuild, last.rebuild),
            ("audit verify", first.verify, last.verify),
        )
    ]
    return [
        above(f"audit verify of {size}", 1e6 / last.verify, "events/s", 200_000),
        free(f"rebuild of all projections from {size}", 1e6 / last.rebuild, "events/s"),
        free(f"append of whole conversations at {size}", 1e6 / last.append, "events/s"),
        *flat,
    ]
