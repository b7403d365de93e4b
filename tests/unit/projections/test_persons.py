"""Numbers that are one person share what is latest; a half-written join is completed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.conversation.events import CallAnswered, IdentityProved, PreferenceStated
from ari_app.conversation.persons import Person
from ari_app.conversation.verification import proof
from ari_app.errors import StoreUnavailable, TooManyJoined
from ari_app.projections.persons import Persons
from ari_app.store.store import EventStore
from tests.support.clock import FakeClock
from tests.support.store import opened

ANNA, BEN, CARL = (f"subj_{letter * 32}" for letter in "abc")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[EventStore]:
    async with opened(tmp_path, clock) as store:
        for stream, subject in (("conv_1", ANNA), ("conv_2", BEN), ("conv_3", CARL)):
            clock.advance(1)
            await store.append(stream, [CallAnswered(call="c")], subject=subject)
        yield store


@pytest.fixture
def persons(store: EventStore, clock: FakeClock) -> Persons:
    return Persons(store, clock)


async def test_everybody_is_alone_at_first(persons: Persons) -> None:
    assert (await persons.of(ANNA)).subjects == {ANNA}
    assert await persons.latest(ANNA) == "conv_1"
    assert await persons.latest("subj_" + "f" * 32) is None


async def test_who_is_joined_shares_the_latest_conversation(persons: Persons) -> None:
    await persons.join(ANNA, BEN, reason="operator", by="operator:x")
    joined = await persons.join(BEN, CARL, reason="operator", by="operator:x")
    assert joined.subjects == {ANNA, BEN, CARL}
    assert {await persons.latest(s) for s in (ANNA, BEN, CARL)} == {"conv_3"}


async def test_who_is_parted_goes_their_own_way(persons: Persons) -> None:
    await persons.join(ANNA, BEN, reason="operator", by="x")
    assert await persons.part(BEN, ANNA, reason="mistaken", by="x") == 1
    assert await persons.part(BEN, ANNA, reason="mistaken", by="x") == 0
    assert await persons.latest(ANNA) == "conv_1"
    again = await persons.join(ANNA, BEN, reason="proved", by="x")
    assert again.subjects == {ANNA, BEN}


async def test_a_join_that_was_cut_in_half_is_completed_when_it_is_repeated(
    persons: Persons, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = store.append

    async def dies(stream: str, *rest: object, **named: object) -> object:
        if stream == BEN:
            raise StoreUnavailable("the process dies here")
        return await append(stream, *rest, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(store, "append", dies)
        with pytest.raises(StoreUnavailable):
            await persons.join(ANNA, BEN, reason="operator", by="x")
    await persons.join(ANNA, BEN, reason="operator", by="x")
    assert (await persons.of(BEN)).subjects == {ANNA, BEN}
    assert [len(await store.read(s)) for s in (ANNA, BEN)] == [1, 1]  # and not made twice
    assert await persons.part(ANNA, BEN, reason="operator", by="x") == 1
    assert (await persons.of(BEN)).subjects == {BEN}


async def test_nobody_is_joined_with_themselves_or_for_no_reason(persons: Persons) -> None:
    with pytest.raises(ValueError, match="two different subjects"):
        await persons.join(ANNA, ANNA, reason="operator", by="x")
    with pytest.raises(ValueError, match="no reason"):
        await persons.join(ANNA, BEN, reason="because", by="x")
    assert (await persons.of(ANNA)).subjects == {ANNA}


async def test_proofs_and_preferences_of_all_that_is_one_person_go_on(
    persons: Persons, store: EventStore, clock: FakeClock
) -> None:
    now = clock.now()
    proved = proof("number", "texted_code", 2, now, lasts=3600 * 1_000_000)
    stated = PreferenceStated(what="language", value="es", at=now, by="person")
    await store.append("conv_1", [proved])
    await store.append("conv_2", [stated])
    assert [type(e) for e in await persons.brings(ANNA, 3)] == [IdentityProved]
    await persons.join(ANNA, BEN, reason="operator", by="x")
    brought = await persons.brings(ANNA, 3)
    assert [(type(e), e.origin) for e in brought] == [
        (IdentityProved, "conv_1"),
        (PreferenceStated, "conv_2"),
    ]
    assert [type(e) for e in await persons.brings(BEN, 1)] == [PreferenceStated]
    clock.advance(3600)
    assert [type(e) for e in await persons.brings(BEN, 3)] == [PreferenceStated]


async def test_a_person_of_too_many_subjects_brings_what_their_own_conversations_know(
    persons: Persons, store: EventStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    proved = proof("number", "texted_code", 2, clock.now(), lasts=3600 * 1_000_000)
    await store.append("conv_1", [proved])

    async def too_many(subject: str) -> Person:
        raise TooManyJoined

    monkeypatch.setattr(persons, "of", too_many)
    assert [type(e) for e in await persons.brings(ANNA, 3)] == [IdentityProved]
