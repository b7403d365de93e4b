"""Receipts as carriers differ in them, written by SMSCs that others made: each settles its text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ari_app.conversation.message import MessageState
from ari_app.ports import Receipt
from smpp.constants import Status
from smpp.ids import IdRule
from tests.support.foreign.ours import Ours, ours_in
from tests.support.foreign.smsc_node import NodeSmsc
from tests.support.foreign.smsc_perl import PerlSmsc

EARLY = pytest.mark.parametrize(
    "early", [False, True], ids=["after the answer", "before the answer"]
)
#: How submit_sm_resp writes an id, and how a receipt writes the same.
IDS = {
    "decimal": ("dec", "dec"),
    "hexadecimal": ("hex", "hex"),
    "hexadecimal then decimal": ("hex", "dec"),
    "decimal then hexadecimal": ("dec", "hex"),
}
FORMS = ("both", "tlv", "text")
WRITTEN = pytest.mark.parametrize(("reply_ids", "receipt_ids"), IDS.values(), ids=IDS)


@EARLY
@WRITTEN
async def test_a_receipt_of_every_form_settles_its_text(
    node_smsc: type[NodeSmsc],
    ours: Ours,
    *,
    reply_ids: str,
    receipt_ids: str,
    early: bool,
) -> None:
    conduct: dict[str, Any] = {"reply_ids": reply_ids, "receipt_ids": receipt_ids, "early": early}
    async with node_smsc(**conduct) as smsc, ours.bound(smsc) as gateway:
        fates = {}
        for n, form in enumerate(FORMS, 1):
            await smsc.tell("conduct", changes={"form": form})
            short, long = await ours.text(gateway, "hello", "a" * 400)
            await smsc.told("answered", 4 * n)
            fates[form] = {await ours.state(short), await ours.state(long)}
    assert fates == {form: {MessageState.DELIVERED} for form in FORMS}


@EARLY
async def test_the_last_word_of_the_carrier_counts_and_a_final_one_stands(
    node_smsc: type[NodeSmsc], ours: Ours, *, early: bool
) -> None:
    wanted = {
        "ENROUTE DELIVRD": MessageState.DELIVERED,
        "ACCEPTD ENROUTE DELIVRD": MessageState.DELIVERED,
        "ENROUTE": MessageState.SUBMITTED,
        "UNDELIV": MessageState.UNDELIVERABLE,
        "EXPIRED": MessageState.EXPIRED,
        "REJECTD": MessageState.REJECTED,
        "DELIVRD DELIVRD": MessageState.DELIVERED,
        "DELIVRD ENROUTE": MessageState.DELIVERED,
        "DELIVRD UNDELIV": MessageState.DELIVERED,
    }
    fates = {}
    answers = 0
    async with node_smsc(early=early) as smsc, ours.bound(smsc) as gateway:
        for said in wanted:
            await smsc.tell("conduct", changes={"states": said.split()})
            (message,) = await ours.text(gateway, "hello")
            answers += len(said.split())
            await smsc.told("answered", answers)
            fates[said] = await ours.state(message)
    assert fates == wanted


@WRITTEN
async def test_a_receipt_comes_on_another_bind_of_the_carrier(
    node_smsc: type[NodeSmsc], ours: Ours, *, reply_ids: str, receipt_ids: str
) -> None:
    async with (
        node_smsc(other_bind=True, reply_ids=reply_ids, receipt_ids=receipt_ids) as smsc,
        ours.bound(smsc) as first,
        ours.bound(smsc) as second,
    ):
        (one,) = await ours.text(first, "by the first bind")
        (two,) = await ours.text(second, "by the second bind")
        await smsc.told("answered", 2)
    assert await ours.state(one) is MessageState.DELIVERED
    assert await ours.state(two) is MessageState.DELIVERED


async def test_a_receipt_waits_for_a_bind_that_can_take_it(
    node_smsc: type[NodeSmsc], ours: Ours
) -> None:
    async with node_smsc(other_bind=True) as smsc, ours.bound(smsc) as gateway:
        (message,) = await ours.text(gateway, "hello")
        assert await ours.state(message) is MessageState.SUBMITTED
        async with ours.bound(smsc):
            await smsc.told("answered")
    assert await ours.state(message) is MessageState.DELIVERED


@WRITTEN
async def test_receipts_that_come_late_find_their_text_after_a_restart_of_ours(
    node_smsc: type[NodeSmsc], tmp_path: Path, *, reply_ids: str, receipt_ids: str
) -> None:
    async with node_smsc(other_bind=True, reply_ids=reply_ids, receipt_ids=receipt_ids) as smsc:
        async with ours_in(tmp_path) as ours, ours.bound(smsc) as gateway:
            (message,) = await ours.text(gateway, "hello")
        async with ours_in(tmp_path) as ours, ours.bound(smsc):
            await smsc.told("answered")
            assert await ours.state(message) is MessageState.DELIVERED


@pytest.mark.parametrize(
    ("reply_ids", "receipt_ids", "rule"),
    [
        ("hex", "dec", IdRule.RECEIPT_DECIMAL),
        ("dec", "hex", IdRule.RECEIPT_HEX),
    ],
    ids=["decimal", "hexadecimal"],
)
async def test_with_the_rule_of_the_carrier_the_very_first_receipt_may_come_before_its_answer(
    node_smsc: type[NodeSmsc], ours: Ours, *, reply_ids: str, receipt_ids: str, rule: IdRule
) -> None:
    async with (
        node_smsc(early=True, reply_ids=reply_ids, receipt_ids=receipt_ids) as smsc,
        ours.bound(smsc, id_rule=rule) as gateway,
    ):
        (message,) = await ours.text(gateway, "hello")
        await smsc.told("answered")
    assert await ours.state(message) is MessageState.DELIVERED


@EARLY
async def test_an_id_without_its_nul_is_the_same_id(
    perl_smsc: type[PerlSmsc], ours: Ours, *, early: bool
) -> None:
    async with perl_smsc(early=early) as smsc, ours.bound(smsc) as gateway:
        fates = {}
        for n, form in enumerate(FORMS, 1):
            await smsc.tell("conduct", changes={"form": form})
            short, long = await ours.text(gateway, "hello", "a" * 400)
            await smsc.told("answered", 4 * n)
            fates[form] = {await ours.state(short), await ours.state(long)}
    assert fates == {form: {MessageState.DELIVERED} for form in FORMS}


async def test_a_receipt_that_cannot_be_stored_is_asked_for_again(
    node_smsc: type[NodeSmsc], ours: Ours, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = ours.store.receipts
    tries: list[str] = []

    async def stores_the_second_time(receipts: Sequence[Receipt]) -> list[bool]:
        tries.extend(receipt.id for receipt in receipts)
        if len(tries) == 1:
            raise OSError("the disk is full")
        return await stores(receipts)

    monkeypatch.setattr(ours.store, "receipts", stores_the_second_time)
    async with node_smsc() as smsc, ours.bound(smsc) as gateway:
        (message,) = await ours.text(gateway, "hello")
        answers = await smsc.told("answered", 2)
    assert [answer["status"] for answer in answers] == [Status.ESME_RX_T_APPN, Status.ESME_ROK]
    assert await ours.state(message) is MessageState.DELIVERED
