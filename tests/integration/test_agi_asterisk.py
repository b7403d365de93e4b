"""The real dialplan asks the FastAGI server about a real caller, with a real store behind it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from ari_app.agi.callers import Callers, Reach
from ari_app.agi.server import AgiServer, Answer, Use
from ari_app.agi.uses import uses
from ari_app.conversation.events import CallBackRequested, ConsentGiven, TextPromised
from ari_app.conversation.identity import E164
from ari_app.phone.call import Phone
from ari_app.policy.bundle import read_bundle
from ari_app.store.store import EventStore
from asterisk.private import PrivateAsterisk
from tests.support.clock import FakeClock
from tests.support.pbx import Ami, AmiEvent, hang_up_everything
from tests.support.store import opened

DID = "7001"
CALLER = "+12025550123"
KEY = b"k" * 32
_SHORT = Path(__file__).parents[1] / "fixtures/short.yaml"


@pytest.fixture
def asking(pbx: PrivateAsterisk) -> Iterator[None]:
    """A number of the carrier's whose callers are asked about."""
    yield
    pbx.cli(f"dialplan remove extension {DID}@from-carrier")
    hang_up_everything(pbx)


@contextlib.asynccontextmanager
async def serving(pbx: PrivateAsterisk, answers: Mapping[str, Use | Answer]) -> AsyncIterator[None]:
    host, _, port = pbx.agi.partition(":")
    server = AgiServer(host, int(port), answers)
    await server.start()
    try:
        yield
    finally:
        await server.aclose()


async def called(pbx: PrivateAsterisk, target: str, event: str, caller: str = CALLER) -> AmiEvent:
    """What the dialplan tells of a caller whom it sends to this target."""
    pbx.cli(f"dialplan add extension {DID},1,Goto,{target},1 into from-carrier replace")
    with Ami(pbx) as ami:
        async with await Phone.open() as phone:
            await phone.call("127.0.0.1", pbx.sip_port, DID, caller=caller)
            return await asyncio.to_thread(ami.user_event, event)


@pytest.mark.usefixtures("asking")
@pytest.mark.parametrize(
    ("caller", "word", "heard"),
    [
        ("+15551230000", "granted", "granted"),
        ("+15551230001", "denied", "denied"),
        ("+15551230002", "maybe", "unknown"),
        ("", "unknown", "unknown"),
    ],
)
async def test_the_dialplan_hears_what_the_application_knows(
    pbx: PrivateAsterisk, caller: str, word: str, heard: str
) -> None:
    asked: list[tuple[str, str]] = []

    async def consent(caller: str, did: str) -> str:
        asked.append((caller, did))
        return word

    async with serving(pbx, {"consent": consent}):
        event = await called(pbx, "text-if-allowed,1000", "SegueConsent", caller)

    assert event["Consent"] == heard
    assert asked == [(caller, DID)]


@contextlib.asynccontextmanager
async def site(pbx: PrivateAsterisk, folder: Path) -> AsyncIterator[EventStore]:
    """Everything that can be asked, on an empty store."""
    clock = FakeClock()
    async with opened(folder, clock) as store:
        callers = Callers(store, clock, KEY, region="US")
        bundle = read_bundle(_SHORT.read_text(encoding="utf-8"))
        async with serving(pbx, uses(callers, bundle, Reach(), lambda: True)):
            yield store


async def kinds(store: EventStore) -> list[type]:
    stream = await store.latest(E164(CALLER).subject(KEY))
    return [type(e.event) for e in await store.read(stream)] if stream else []


@pytest.mark.usefixtures("asking")
async def test_a_caller_of_a_site_is_asked_about_texted_and_promised_a_call(
    pbx: PrivateAsterisk, tmp_path: Path
) -> None:
    async with site(pbx, tmp_path) as store:

        async def ask(question: str) -> tuple[str, str]:
            event = await called(pbx, f"fake-site,{question}", "FakeAsked")
            return event["Word"], event["Reason"]

        assert await ask("open-conversation") == ("none", "")
        assert await ask("eligibility") == ("unknown", "not_asked")
        assert await ask("text-unasked") == ("blocked", "not_asked")
        assert await kinds(store) == []

        assert await ask("text") == ("promised", "asked")
        assert {TextPromised, ConsentGiven} <= set(await kinds(store))
        claim = await store.claim_texts(store._clock.now(), 10)
        assert [job.payload["to"] for job in claim.send] == [CALLER]
        assert await ask("eligibility") == ("yes", "agreed")
        assert await ask("text-unasked") == ("promised", "agreed")

        assert await ask("callback") == ("promised", "curious")
        assert await ask("callback") == ("promised", "already")
        assert (await kinds(store)).count(CallBackRequested) == 1
        event = await called(pbx, "fake-site,open-conversation", "FakeAsked")
        assert event["Word"] == "open"
        assert event["Conversation"] == await store.latest(E164(CALLER).subject(KEY))


@pytest.mark.usefixtures("asking")
@pytest.mark.parametrize(
    ("question", "word"),
    [("eligibility", "no"), ("text", "blocked"), ("callback", "blocked")],
)
async def test_a_caller_who_withholds_the_number_is_not_turned_to(
    pbx: PrivateAsterisk, tmp_path: Path, question: str, word: str
) -> None:
    async with site(pbx, tmp_path):
        event = await called(pbx, f"fake-site,{question}", "FakeAsked", caller="")
    assert (event["Word"], event["Reason"]) == (word, "no_number")


@pytest.mark.usefixtures("asking")
@pytest.mark.parametrize("question", ["eligibility", "text", "callback", "open-conversation"])
async def test_a_store_that_hangs_is_unknown_and_the_dialplan_goes_on(
    pbx: PrivateAsterisk, tmp_path: Path, question: str
) -> None:
    async def endless(*_: object, **__: object) -> object:
        return await asyncio.Event().wait()

    async with site(pbx, tmp_path) as store:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "read", endless)
            event = await called(pbx, f"fake-site,{question}", "FakeAsked")
    assert event["Word"] == "unknown"
