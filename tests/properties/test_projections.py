"""Whatever happens, in pages of any size, with crashes between: the views are those of the log."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ari_app.conversation.events import (
    CallAnswered,
    CallEnded,
    CallReceived,
    ConsentRefused,
    Event,
    HandoffDelayed,
    HandoffEscalated,
    TextSightLost,
)
from ari_app.projections.views import Changes, Fact, Rows, fold
from ari_app.store.engine import Link
from ari_app.store.projecting import ReadModels
from tests.support.events import EVENTS
from tests.support.projections import life, views
from tests.support.store import SqliteBase, running

T = TypeVar("T")
# Few of each, so that they meet; two conversations may even speak of one text.
MEETING: list[Event] = [
    *life("1"),
    *life("2"),
    CallAnswered(call="call_2"),
    CallEnded(call="call_1", cause="lost", statistics={}),
    CallReceived(call="call_2", channel="PJSIP/2", did="200"),
    ConsentRefused(purpose="texts", channel="voice", how="speech"),
    HandoffDelayed(handoff="hand_1", route="file", reason="r"),
    HandoffEscalated(handoff="hand_2", reason="r"),
    TextSightLost(message="msg_1", reason="r"),
]
STREAMS = st.sampled_from(["conv_1", "conv_2", "conv_3", "subj_a"])
SUBJECTS = st.sampled_from([None, None, "subj_a", "subj_b"])


@dataclass(frozen=True)
class Told:
    """An append."""

    stream: str
    events: list[Event]
    subject: str | None


TOLD = st.builds(
    Told,
    stream=STREAMS,
    events=st.lists(st.sampled_from(MEETING) | EVENTS, min_size=1, max_size=4),
    subject=SUBJECTS,
)


@dataclass(frozen=True)
class Step:
    """What is told, and then how much of it is projected; the last page of it may be lost."""

    told: list[Told]
    pages: list[int]
    dies: bool


STEPS = st.lists(
    st.builds(
        Step,
        told=st.lists(TOLD, max_size=4),
        pages=st.lists(st.integers(1, 6), max_size=3),
        dies=st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


class Killed(Exception):
    """The process died before the commit."""


def dying(models: ReadModels) -> Callable[[], None]:
    """From the next transaction on all is undone at its end; returns what stops that."""
    write = models._write

    def dies(action: Callable[[Link], T]) -> Awaitable[T]:
        def all_but_committed(link: Link) -> T:
            action(link)
            raise Killed

        return write(all_but_committed)

    def lives() -> None:
        models._write = write

    models._write = dies
    return lives


async def story(folder: Path, steps: list[Step]) -> None:
    base = SqliteBase(folder)
    async with running(base.store()) as store:
        models = store.read_models()
        for step in steps:
            for told in step.told:
                base.clock.advance(1000)
                await store.append(told.stream, told.events, subject=told.subject)
            for number, limit in enumerate(step.pages, start=1):
                lives = dying(models) if step.dies and number == len(step.pages) else None
                try:
                    await models.run_once(limit=limit)
                except Killed:
                    assert lives
                if lives:
                    lives()
            assert await models.verify(folder=folder) == []
        while await models.run_once(limit=2):
            pass
        in_pages = views(base)
        await models.rebuild()
        assert views(base) == in_pages


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_the_views_in_pages_with_crashes_are_those_of_all_at_once(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder), steps))


FACTS = st.lists(
    st.builds(
        Fact,
        stream=STREAMS,
        sequence=st.integers(1, 50),
        at=st.integers(0, 10**10),
        subject=st.just("subj_a"),
        event=st.none() | st.sampled_from(MEETING) | EVENTS,
    ),
    max_size=40,
)


def joined(known: Rows, changes: Changes) -> Rows:
    rows = changes.rows
    return Rows(
        known.conversations | rows.conversations,
        known.calls | rows.calls,
        known.messages | rows.messages,
        known.handoffs | rows.handoffs,
    )


@given(FACTS, st.lists(st.integers(1, 7), min_size=40, max_size=40))
def test_the_fold_of_pages_is_the_fold_of_all(facts: list[Fact], sizes: list[int]) -> None:
    whole = fold(facts, Rows())
    known, figures, place = Rows(), dict[Any, int](), 0
    for size in sizes:
        page = fold(facts[place : place + size], known)
        known = joined(known, page)
        for figure, n in page.figures.items():
            figures[figure] = figures.get(figure, 0) + n
        place += size
    assert known == whole.rows
    assert figures == whole.figures


def test_the_support_can_kill() -> None:
    """Otherwise the story above says nothing."""

    async def killed(folder: Path) -> None:
        base = SqliteBase(folder)
        async with running(base.store()) as store:
            models = store.read_models()
            await store.append("conv_1", life("1"))
            lives = dying(models)
            try:
                await models.run_once()
            except Killed:
                assert not any(views(base).values())
            else:
                raise AssertionError("nobody died")
            lives()
            assert await models.run_once() == len(life("1"))

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(killed(Path(folder)))
