"""What the dialplan may ask, answered from a real store on either engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from ari_app.agi.callers import Callers, Reach
from ari_app.agi.protocol import AgiRequest
from ari_app.agi.server import Use
from ari_app.agi.uses import uses
from ari_app.calls.promising import KIND
from ari_app.conversation.events import (
    CallAnswered,
    CallBackRequested,
    CallEnded,
    ConsentGiven,
    ConsentRefused,
    ConversationOpened,
    DecisionMade,
    Event,
    HandoffAcknowledged,
    HandoffRecorded,
    TextPromised,
    TextRefused,
)
from ari_app.conversation.identity import E164
from ari_app.errors import StoreUnavailable
from ari_app.policy.bundle import read_bundle
from ari_app.store.store import EventStore
from tests.support.clock import FakeClock
from tests.support.store import Base, running

KEY = b"k" * 32
CALLER = "+12025550123"
DID = "+15550100"
BUNDLE = read_bundle((Path(__file__).parents[1] / "fixtures/short.yaml").read_text())
OPENED = ConversationOpened(channel="voice", did=DID, language="en", number=CALLER)
AGREED = ConsentGiven(purpose="texts", channel="voice", how="key", confidence=1.0, wording="w")
REFUSED = ConsentRefused(purpose="texts", channel="voice", how="speech")
DAY = 24 * 3600.0


class Outs:
    """Who has said STOP."""

    def __init__(self) -> None:
        self.out: set[tuple[str, str]] = set()

    async def holds(self, subject: str, sender: str) -> bool:
        return (subject, sender) in self.out


class Site:
    """All uses on one store, and a caller."""

    def __init__(self, store: EventStore, clock: FakeClock) -> None:
        self.store, self.clock = store, clock
        self.outs = Outs()
        self.bind_up = True
        self.callers = Callers(
            store, clock, KEY, region="US", language="en", outs=self.outs, sender="+15550199"
        )
        reach = Reach(frozenset({"US", "FR"}), frozenset({"fixed_line"}))
        self.uses: Mapping[str, Use] = {
            name: use
            for name, use in uses(self.callers, BUNDLE, reach, lambda: self.bind_up).items()
            if not callable(use)
        }

    async def ask(
        self, script: str, *arguments: str, caller: str = CALLER, unique: str = "pbx-1.1"
    ) -> list[str]:
        """The values in the order in which they are set, of a channel of this id."""
        headers = {f"agi_arg_{n}": value for n, value in enumerate(("", "", *arguments), 1)}
        headers |= {"agi_callerid": caller, "agi_dnid": DID, "agi_uniqueid": unique}
        use = self.uses[script]
        said = await use.answer(AgiRequest(headers))
        assert said.keys() == use.unknown.keys()
        return list(said.values())

    async def knows(self, *events: Event, stream: str = "conv_1", number: str = CALLER) -> None:
        await self.store.append(stream, events, subject=E164(number).subject(KEY))
        self.clock.advance(1)

    async def events(self) -> list[Event]:
        """Of the conversation that the caller turned to last."""
        stream = await self.store.latest(E164(CALLER).subject(KEY))
        return [e.event for e in await self.store.read(stream)] if stream else []

    async def texts(self) -> Sequence[TextPromised]:
        return [e for e in await self.events() if isinstance(e, TextPromised)]


@pytest.fixture
async def site(base: Base) -> AsyncIterator[Site]:
    async with running(base.store()) as store:
        yield Site(store, base.clock)


# -- consent ----------------------------------------------------------------------------------


async def test_consent_is_what_the_person_said_last(site: Site) -> None:
    assert await site.ask("consent") == ["unknown"]
    await site.knows(OPENED, AGREED)
    assert await site.ask("consent") == ["granted"]
    # A later conversation that did not touch it leaves it as it was.
    await site.knows(OPENED, stream="conv_2")
    assert await site.ask("consent") == ["granted"]
    await site.knows(REFUSED, stream="conv_2")
    assert await site.ask("consent") == ["denied"]


async def test_stop_denies_whatever_was_agreed_to(site: Site) -> None:
    await site.knows(OPENED, AGREED)
    site.outs.out.add((E164(CALLER).subject(KEY), "+15550199"))
    assert await site.ask("consent") == ["denied"]


async def test_of_a_withheld_number_nothing_is_known(site: Site) -> None:
    assert await site.ask("consent", caller="anonymous") == ["unknown"]


# -- eligibility ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "reason"),
    [
        ("anonymous", "no_number"),
        ("17", "no_number"),
        ("+33123456789", "unreachable"),  # a fixed line
        ("+4915112345678", "unreachable"),  # no country of this site
        ("+19002345678", "unreachable"),  # premium rate
    ],
)
async def test_who_cannot_be_texted_is_told_apart(site: Site, caller: str, reason: str) -> None:
    assert await site.ask("eligibility", caller=caller) == [reason, "no"]


async def test_eligibility_follows_consent_and_the_bind(site: Site) -> None:
    assert await site.ask("eligibility") == ["not_asked", "unknown"]
    await site.knows(OPENED, AGREED)
    assert await site.ask("eligibility") == ["agreed", "yes"]
    site.bind_up = False
    assert await site.ask("eligibility") == ["no_carrier", "no"]
    await site.knows(REFUSED)
    assert await site.ask("eligibility") == ["refused", "no"]


async def test_a_national_number_is_read_as_callers_are(site: Site) -> None:
    await site.knows(OPENED, AGREED)
    assert await site.ask("eligibility", caller="2025550123") == ["agreed", "yes"]


# -- open-conversation ------------------------------------------------------------------------


def question(open_: str | None, topic: str | None = "hours") -> DecisionMade:
    return DecisionMade(
        bundle="b",
        rule="r",
        reason="because",
        actions=(),
        inputs={},
        intent=None,
        confidence=1.0,
        alternatives=(),
        topic=topic,
        question=open_,
    )


async def test_what_is_open_is_what_is_not_done(site: Site) -> None:
    assert await site.ask("open-conversation") == ["", "", "none"]
    await site.knows(OPENED)
    assert await site.ask("open-conversation") == ["conv_1", "", "closed"]
    await site.knows(CallAnswered(call="call_1"), question("reply_hours"))
    assert await site.ask("open-conversation") == ["conv_1", "hours", "live"]
    await site.knows(CallEnded(call="call_1", cause="hangup", statistics={}))
    assert await site.ask("open-conversation") == ["conv_1", "hours", "open"]
    await site.knows(question(None))
    assert await site.ask("open-conversation") == ["conv_1", "hours", "closed"]
    await site.knows(HandoffRecorded(handoff="hand_1", route="first", record={}))
    assert (await site.ask("open-conversation"))[-1] == "open"
    await site.knows(HandoffAcknowledged(handoff="hand_1", route="desk", receipt="17"))
    assert (await site.ask("open-conversation"))[-1] == "closed"
    await site.ask("callback", "10")
    assert (await site.ask("open-conversation"))[-1] == "open"


async def test_a_text_on_its_way_keeps_a_conversation_open(site: Site) -> None:
    await site.ask("text", "person_will_write", "asked")  # leaves no question open
    assert (await site.ask("open-conversation"))[-1] == "open"
    (promised,) = await site.texts()
    await site.knows(
        TextRefused(message=promised.message, reason="no such number", attempts=1),
        stream=str(await site.store.latest(E164(CALLER).subject(KEY))),
    )
    assert (await site.ask("open-conversation"))[-1] == "closed"


async def test_a_topic_that_a_dialplan_cannot_take_is_left_out(site: Site) -> None:
    await site.knows(OPENED, question(None, 'hours"; Öffnung'))
    assert await site.ask("open-conversation") == ["conv_1", "", "closed"]


async def test_of_a_withheld_number_it_is_unknown_what_is_open(site: Site) -> None:
    assert await site.ask("open-conversation", caller="") == ["", "", "unknown"]


# -- text -------------------------------------------------------------------------------------


async def test_a_text_is_promised_with_its_event_and_its_effect(site: Site) -> None:
    await site.knows(OPENED, AGREED)
    assert await site.ask("text", "hours") == ["agreed", "promised"]
    (promised,) = await site.texts()
    assert (promised.template, promised.to) == ("hours", CALLER)
    claim = await site.store.claim_texts(site.clock.now(), 10)
    assert [(job.id, job.payload["body"]) for job in claim.send] == [
        (promised.message, promised.body)
    ]
    # The answer to it is understood: its question is open, and the log says why it was sent.
    state = await site.store.state("conv_1")
    assert state.question == "reply_hours"
    decision = next(e for e in await site.events() if isinstance(e, DecisionMade))
    assert decision.actions == ("text hours",)
    assert await site.store.due_timers(site.clock.now() + 10**12)


async def test_a_new_caller_who_pressed_a_key_gets_a_text_and_a_conversation(site: Site) -> None:
    assert await site.ask("text", "hours") == ["not_asked", "blocked"]
    assert await site.events() == []
    assert await site.ask("text", "hours", "asked") == ["asked", "promised"]
    opened, agreed, _, promised = await site.events()
    assert isinstance(opened, ConversationOpened)
    assert (opened.number, opened.did) == (CALLER, DID)
    assert isinstance(agreed, ConsentGiven)
    assert agreed.wording == f"{BUNDLE.hash}/dialplan/hours"
    assert isinstance(promised, TextPromised)
    assert await site.ask("consent") == ["granted"]


async def test_asked_again_on_one_channel_it_is_one_text(site: Site) -> None:
    for _ in range(3):
        assert (await site.ask("text", "hours", "asked"))[-1] == "promised"
    assert len(await site.texts()) == 1
    # Another text, and another call, are others.
    await site.ask("text", "person_will_write")
    await site.ask("text", "hours", unique="pbx-2.1")
    assert [t.template for t in await site.texts()] == ["hours", "person_will_write", "hours"]


async def test_two_questions_at_once_open_one_conversation(site: Site) -> None:
    asked = [site.ask("text", "hours", "asked", unique=f"pbx-{n}.1") for n in range(5)]
    assert [said[-1] for said in await asyncio.gather(*asked)] == ["promised"] * 5
    assert len(await site.store.streams_of(E164(CALLER).subject(KEY))) == 1
    assert len(await site.texts()) == 5


@pytest.mark.parametrize("template", ["", "weather", "code", "confirmed", "hours; drop"])
async def test_a_text_that_is_none_is_blocked(site: Site, template: str) -> None:
    # `code` needs a code and `confirmed` a choice, which a dialplan has not got.
    assert await site.ask("text", template, "asked") == ["no_template", "blocked"]
    assert await site.events() == []


@pytest.mark.parametrize("asked", [(), ("asked",)])
async def test_who_refused_is_not_texted_asked_or_not(site: Site, asked: tuple[str, ...]) -> None:
    await site.knows(OPENED, REFUSED)
    assert await site.ask("text", "hours", *asked) == ["refused", "blocked"]
    assert await site.texts() == []


async def test_without_a_bind_nothing_is_promised(site: Site) -> None:
    site.bind_up = False
    assert await site.ask("text", "hours", "asked") == ["no_carrier", "blocked"]


async def test_a_stop_that_comes_while_it_is_decided_is_kept_to(site: Site) -> None:
    await site.knows(OPENED, AGREED)
    store, asked = site.store, 0

    async def agrees(number: E164) -> bool | None:
        nonlocal asked
        asked += 1
        if asked == 1:  # what was read is overtaken before it is written
            await site.knows(REFUSED)
            return True
        return (await store.state("conv_1")).consent["texts"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.callers, "agrees", agrees)
        assert await site.ask("text", "hours") == ["refused", "blocked"]
    assert await site.texts() == []


# -- callback ---------------------------------------------------------------------------------


async def test_a_call_back_is_an_event_and_a_timer(site: Site) -> None:
    assert await site.ask("callback", "30", "nobody_there") == ["nobody_there", "promised"]
    opened, wanted = await site.events()
    assert isinstance(opened, ConversationOpened)
    assert isinstance(wanted, CallBackRequested)
    due = site.clock.now() + 30 * 60 * 1_000_000
    assert (wanted.number, wanted.did, wanted.due) == (CALLER, DID, due)
    assert await site.store.due_timers(due - 1) == []
    (timer,) = await site.store.due_timers(due)
    assert (timer.kind, timer.id) == (KIND, f"{KIND}:{wanted.callback}")
    state = await site.store.state(timer.stream)
    assert state.callbacks == {wanted.callback: due}


async def test_one_call_back_is_waited_for_at_a_time(site: Site) -> None:
    await site.ask("callback")
    assert await site.ask("callback") == ["already", "promised"]
    assert await site.ask("callback", unique="pbx-2.1") == ["already", "promised"]
    assert sum(isinstance(e, CallBackRequested) for e in await site.events()) == 1
    site.clock.advance(DAY + 1)
    # The same channel never asks twice; another may, once the first is long overdue.
    assert (await site.ask("callback"))[-1] == "promised"
    assert sum(isinstance(e, CallBackRequested) for e in await site.events()) == 1
    assert await site.ask("callback", unique="pbx-3.1") == ["asked", "promised"]
    assert sum(isinstance(e, CallBackRequested) for e in await site.events()) == 2


@pytest.mark.parametrize(
    ("caller", "reason"),
    [
        ("", "no_number"),
        ("+19002345678", "unreachable"),  # premium rate: whoever calls from it wants to be called
        ("+881612345678", "unreachable"),  # a satellite phone
        ("+4915112345678", "unreachable"),  # no country of this site
    ],
)
async def test_who_is_never_called_is_told_so(site: Site, caller: str, reason: str) -> None:
    assert await site.ask("callback", caller=caller) == [reason, "blocked"]


async def test_a_fixed_line_can_be_called(site: Site) -> None:
    assert (await site.ask("callback", caller="+33123456789"))[-1] == "promised"


@pytest.mark.parametrize("arguments", [("soon",), ("-1",), ("10000",), ("5", "Why?"), ("٣",)])
async def test_a_wrong_argument_is_blocked(site: Site, arguments: tuple[str, ...]) -> None:
    assert await site.ask("callback", *arguments) == ["bad_argument", "blocked"]


# -- what fails -------------------------------------------------------------------------------


@pytest.mark.parametrize("script", ["consent", "eligibility", "open-conversation"])
async def test_a_store_that_is_gone_is_an_error_and_no_answer(tmp_path: Path, script: str) -> None:
    class Gone:
        async def lately(self, *_: str, limit: int) -> list[str]:
            raise StoreUnavailable("the disk is full")

        async def read(self, *_: object) -> list[Event]:
            raise StoreUnavailable("the disk is full")

    site = Site(Gone(), FakeClock())  # type: ignore[arg-type]  # only what is asked of it
    with pytest.raises(StoreUnavailable):
        await site.ask(script)
