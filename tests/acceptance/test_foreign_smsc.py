"""Bound to SMSCs that others wrote: what they read is what we sent, and nothing is lost unsaid."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ari_app.conversation.message import MessageState
from smpp.constants import Status
from smpp.profile_sections import Tls
from tests.support.foreign.certificates import Authority
from tests.support.foreign.ours import ALICE, CROWD, SHORT_CODE, Ours
from tests.support.foreign.smsc import ForeignSmsc
from tests.support.wait import until

GSM = "Réponse à 12€ [ici] {là} ~ Ångström ÆØÅ ñ ß Ω ¿qué?\n"
EMOJI = "Ваша запись 😀👩‍👩‍👧 завтра в 9:00, ответьте 1 — да. "
TEXTS = {
    "short": "Your appointment is tomorrow at 9:00.",
    "every character of the GSM alphabet": (
        "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
        "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
    ),
    "long in the GSM alphabet": GSM * 9,
    "an escape where segments end": "a" * 152 + "€" + "b" * 151 + "€" * 60,
    "in Latin-1 for some": "leçon à côté",
    "short in UCS-2": "Встреча завтра 😀",
    "long in UCS-2": EMOJI * 6,
    "a surrogate pair where segments end": "я" * 66 + "😀" * 70,
}
FEW = {"window": 3, "response_timeout": 5.0}


def has_half_a_pair(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)


@dataclass
class Peer:
    """A kind of foreign SMSC, and what our side must know to reach it."""

    kind: type[ForeignSmsc]
    conduct: dict[str, Any] = field(default_factory=dict)
    reached: dict[str, Any] = field(default_factory=dict)

    def smsc(self, **conduct: Any) -> ForeignSmsc:
        return self.kind(**self.conduct, **conduct)


@pytest.fixture(params=["node", "node over TLS", "perl"])
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Peer:
    if request.param == "perl":
        return Peer(request.getfixturevalue("perl_smsc"))
    kind = request.getfixturevalue("node_smsc")
    if request.param == "node":
        return Peer(kind)
    authority = Authority(tmp_path / "authority")
    trust = Tls(on=True, ca_file=authority.root)
    return Peer(
        kind,
        {"tls": authority.certify("localhost").switch},
        {"host": "localhost", "tls": trust},
    )


# -- texts ------------------------------------------------------------------------------------


async def test_every_text_arrives_whole_and_its_receipts_settle_it(peer: Peer, ours: Ours) -> None:
    async with peer.smsc() as smsc, ours.bound(smsc, **peer.reached) as gateway:
        for text in TEXTS.values():
            await ours.text(gateway, text)
        arrived = await smsc.told("text", len(TEXTS))
        await smsc.told("answered", sum(text["segments"] for text in arrived))
    assert dict(zip(TEXTS, (text["text"] for text in arrived), strict=True)) == TEXTS
    # Each segment can be read by itself: no escape and no surrogate pair is cut.
    segments = "".join(segment["text"] for segment in smsc.of("submit"))
    assert segments == "".join(TEXTS.values())
    assert not any(has_half_a_pair(segment["text"]) for segment in smsc.of("submit"))
    ways = {(text["from"], text["to"]) for text in arrived}
    assert ways == {(SHORT_CODE, ALICE.value.removeprefix("+"))}
    assert {answer["status"] for answer in smsc.of("answered")} == {Status.ESME_ROK}
    assert await ours.fates() == {MessageState.DELIVERED: len(TEXTS)}


async def test_long_texts_to_one_person_are_not_mixed_up(peer: Peer, ours: Ours) -> None:
    bodies = [f"{n} {GSM * 5}" for n in range(20)]
    async with peer.smsc() as smsc, ours.bound(smsc, **FEW, **peer.reached) as gateway:
        await ours.text(gateway, *bodies)
        arrived = await smsc.told("text", len(bodies))
        await smsc.told("answered", sum(text["segments"] for text in arrived))
    assert sorted(text["text"] for text in arrived) == sorted(bodies)
    assert len({text["reference"] for text in arrived}) == len(bodies)
    assert await ours.fates() == {MessageState.DELIVERED: len(bodies)}


async def test_every_reply_comes_in_whole(peer: Peer, ours: Ours) -> None:
    async with peer.smsc() as smsc, ours.bound(smsc, **peer.reached):
        for text in TEXTS.values():
            order = {"from": ALICE.value, "to": SHORT_CODE, "text": text, "size": 60}
            await smsc.tell("mo", **order)
        # One event for all segments of a reply, however many there are.
        await until(lambda: ours.meter.counts["segue_sms_replies_total",] == len(TEXTS))
    heard = await ours.heard()
    assert dict(zip(TEXTS, (text.body for text in heard), strict=True)) == TEXTS
    assert {(text.sender, text.recipient) for text in heard} == {(ALICE.value, SHORT_CODE)}
    assert {answer["status"] for answer in smsc.of("answered")} <= {Status.ESME_ROK}


async def test_replies_join_the_conversation_in_their_order(peer: Peer, ours: Ours) -> None:
    wanted = [f"reply {n}" for n in range(20)]
    async with peer.smsc() as smsc, ours.bound(smsc, **peer.reached) as gateway:
        await ours.text(gateway, "Which day suits you?")
        for body in wanted:
            await smsc.tell("mo", **{"from": ALICE.value, "to": SHORT_CODE, "text": body})
        await smsc.told("answered", len(wanted) + 1)
    assert await ours.replies() == wanted
    assert len(await ours.store.recent(10)) == 1


# -- binds ------------------------------------------------------------------------------------


async def test_a_wrong_password_alarms_and_is_not_tried_again(peer: Peer, ours: Ours) -> None:
    async with peer.smsc() as smsc:
        gateway = ours.gateway_to(smsc, password="guess", **peer.reached)
        gateway.start()
        await until(lambda: bool(ours.alarms))
        await smsc.told("disconnected")
        # Time enough for another try, if there were one.
        async with ours.bound(smsc, **peer.reached) as allowed:
            await ours.text(allowed, "hello")
            await smsc.told("answered")
        await gateway.aclose()
    assert "ESME_RINVPASWD" in str(ours.alarms[0])
    statuses = [bind["status"] for bind in smsc.of("bind")]
    assert statuses == [Status.ESME_RINVPASWD, Status.ESME_ROK]


async def test_a_stranger_alarms(peer: Peer, ours: Ours) -> None:
    async with peer.smsc() as smsc:
        gateway = ours.gateway_to(smsc, system_id="nobody", **peer.reached)
        gateway.start()
        await until(lambda: bool(ours.alarms))
        await gateway.aclose()
    assert "ESME_RINVSYSID" in str(ours.alarms[0])


async def test_we_say_goodbye(peer: Peer, ours: Ours) -> None:
    async with peer.smsc() as smsc:
        async with ours.bound(smsc, **peer.reached):
            pass
        assert await smsc.told("unbound") == [{"event": "unbound", "asked": "esme"}]


async def test_an_smsc_that_says_goodbye_is_bound_again(peer: Peer, ours: Ours) -> None:
    async with peer.smsc() as smsc, ours.bound(smsc, **peer.reached) as gateway:
        await smsc.tell("unbind")
        assert await smsc.told("unbound") == [{"event": "unbound", "asked": "smsc"}]
        await smsc.told("bind", 2)
        await gateway.wait_up(5.0)
        (message,) = await ours.text(gateway, "hello")
        await smsc.told("answered")
    assert await ours.state(message) is MessageState.DELIVERED


async def test_after_a_restart_of_the_smsc_texts_go_on(peer: Peer, ours: Ours) -> None:
    async with peer.smsc() as smsc, ours.bound(smsc, **peer.reached) as gateway:
        await ours.text(gateway, "before")
        await smsc.told("answered")
        await smsc.stop()
        await until(lambda: not gateway.up)
        (waiting,) = await ours.text(gateway, "while it is away")
        assert await ours.state(waiting) is MessageState.PROMISED
        await smsc.start()
        await gateway.wait_up(5.0)
        ours.clock.advance(10)
        await ours.send_due(gateway)
        await ours.text(gateway, "after")
        await smsc.told("answered", 3)
    assert [text["text"] for text in smsc.of("text")] == ["before", "while it is away", "after"]
    assert await ours.fates() == {MessageState.DELIVERED: 3}


# -- fates ------------------------------------------------------------------------------------


async def test_after_a_drop_every_text_has_a_fate_and_none_is_sent_twice(
    peer: Peer, ours: Ours
) -> None:
    bodies = [f"text {n}" for n in range(30)]
    async with (
        peer.smsc(drop_after=8, receipts=False) as smsc,
        ours.bound(smsc, **FEW, **peer.reached) as gateway,
    ):
        await ours.text(gateway, *bodies, to=CROWD)
        for _ in range(10):  # those that were not written are tried again
            await gateway.wait_up(5.0)
            ours.clock.advance(10)
            await ours.send_due(gateway)
        taken = [text["text"] for text in smsc.of("text")]
    assert len(taken) == len(set(taken))
    fates = await ours.fates()
    assert set(fates) == {MessageState.SUBMITTED, MessageState.UNKNOWN}
    assert 1 <= fates[MessageState.UNKNOWN] <= FEW["window"]
    # What the SMSC has not got is said to be of unknown fate, and nothing else.
    states = await ours.states()
    lost = [id for id, body in zip(states, bodies, strict=True) if body not in taken]
    assert {states[id] for id in lost} <= {MessageState.UNKNOWN}
    assert len(smsc.of("dropped")) == 1


async def test_receipts_of_a_lost_connection_come_on_the_next(peer: Peer, ours: Ours) -> None:
    async with (
        peer.smsc() as smsc,
        ours.bound(smsc, **FEW, **peer.reached) as gateway,
    ):
        await ours.text(gateway, *(f"text {n}" for n in range(6)), to=CROWD)
        await smsc.told("answered", 6)
        await smsc.tell("conduct", changes={"drop_after": 2})
        await ours.text(gateway, *(f"more {n}" for n in range(2)), to=CROWD)
        # The fate of both is unknown to us; their receipts were kept over there.
        await smsc.told("bind", 2)
        await smsc.told("answered", 8)
    fates = await ours.fates()
    assert fates[MessageState.DELIVERED] >= 6
    assert sum(fates.values()) == 8
    assert set(fates) <= {MessageState.DELIVERED, MessageState.UNKNOWN}


async def test_a_text_that_is_never_answered_has_an_unknown_fate(peer: Peer, ours: Ours) -> None:
    async with (
        peer.smsc(lose=1, receipts=False) as smsc,
        ours.bound(smsc, window=3, response_timeout=0.2, **peer.reached) as gateway,
    ):
        (lost,) = await ours.text(gateway, "one")
        await gateway.wait_up(5.0)
        await ours.text(gateway, "two", "three")
        await smsc.told("text", 3)
    assert await ours.state(lost) is MessageState.UNKNOWN
    assert await ours.fates() == {MessageState.UNKNOWN: 1, MessageState.SUBMITTED: 2}


async def test_a_kill_in_the_middle_of_many_texts_leaves_none_without_a_fate(
    peer: Peer, ours: Ours
) -> None:
    bodies = [f"text {n}" for n in range(20)]
    async with (
        peer.smsc(receipts=False) as smsc,
        ours.bound(smsc, window=2, **peer.reached) as gateway,
    ):
        await ours.promise(*bodies, to=CROWD)
        sending = asyncio.create_task(ours.send_due(gateway))
        await smsc.told("submit", 3)
        await smsc.stop()
        await sending
        await smsc.start()
        for _ in range(10):
            await gateway.wait_up(5.0)
            ours.clock.advance(10)
            await ours.send_due(gateway)
        taken = [text["text"] for text in smsc.of("text")]
    assert len(taken) == len(set(taken))
    fates = await ours.fates()
    assert set(fates) <= {MessageState.SUBMITTED, MessageState.UNKNOWN}
    assert fates[MessageState.UNKNOWN] <= 2
    assert sum(fates.values()) == len(bodies)
