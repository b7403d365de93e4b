"""What carriers do differently, done by SMSCs that others wrote."""

from __future__ import annotations

import contextlib

import pytest

from ari_app.conversation.message import MessageState
from smpp.constants import Status
from tests.support.foreign.ours import ALICE, CROWD, SHORT_CODE, Ours
from tests.support.foreign.smsc_node import NodeSmsc
from tests.support.foreign.smsc_perl import PerlSmsc
from tests.support.wait import until

# -- too fast ---------------------------------------------------------------------------------


async def test_throttled_segments_go_again_and_the_text_arrives_once(
    node_smsc: type[NodeSmsc], ours: Ours
) -> None:
    async with node_smsc(throttle=2) as smsc, ours.bound(smsc) as gateway:
        (message,) = await ours.text(gateway, "a" * 400)
        await smsc.told("answered", 3)
    assert [text["text"] for text in smsc.of("text")] == ["a" * 400]
    assert (len(smsc.of("throttled")), len(smsc.of("submit"))) == (2, 3)
    assert await ours.state(message) is MessageState.DELIVERED


async def test_a_throttled_text_waits_in_the_outbox_and_arrives_once(
    node_smsc: type[NodeSmsc], ours: Ours
) -> None:
    async with node_smsc(throttle=1) as smsc, ours.bound(smsc) as gateway:
        (message,) = await ours.text(gateway, "hello")
        assert await ours.state(message) is MessageState.PROMISED
        ours.clock.advance(10)
        await ours.send_due(gateway)
        await smsc.told("answered")
    assert [text["text"] for text in smsc.of("text")] == ["hello"]
    assert await ours.state(message) is MessageState.DELIVERED


async def test_no_more_texts_are_unanswered_than_the_window_allows(
    node_smsc: type[NodeSmsc], ours: Ours
) -> None:
    window = 4
    async with (
        node_smsc(slow=5, receipts=False) as smsc,
        ours.bound(smsc, window=window) as gateway,
    ):
        await ours.text(gateway, *(f"text {n}" for n in range(20)), to=CROWD)
    assert max(submit["unanswered"] for submit in smsc.of("submit")) == window
    assert await ours.fates() == {MessageState.SUBMITTED: 20}


# -- replies ----------------------------------------------------------------------------------


async def test_a_long_reply_whose_segments_come_backwards_is_put_in_order(
    node_smsc: type[NodeSmsc], ours: Ours
) -> None:
    body = "".join(f"{n:04d} " for n in range(100))
    async with node_smsc() as smsc, ours.bound(smsc):
        order = {"from": ALICE.value, "to": SHORT_CODE, "text": body, "backwards": True}
        await smsc.tell("mo", **order)
        await smsc.told("answered", 4)
    assert await ours.replies() == [body]


@pytest.mark.parametrize(
    "pdu",
    [
        {"message_payload": "in the payload"},
        {"short_message": "in the payload", "data_coding": 0xF1},
        {"short_message": "in the payload", "service_type": "CMT", "protocol_id": 0x7F},
        {"short_message": "in the payload", "user_message_reference": 7, "source_port": 9200},
    ],
    ids=["message_payload", "message class 1", "other fields", "other TLVs"],
)
async def test_a_reply_is_read_however_the_pdu_is_filled(
    node_smsc: type[NodeSmsc], ours: Ours, pdu: dict[str, object]
) -> None:
    addresses = {
        "source_addr_ton": 1,
        "source_addr": ALICE.value.removeprefix("+"),
        "destination_addr": SHORT_CODE,
    }
    async with node_smsc() as smsc, ours.bound(smsc):
        await smsc.tell("deliver", pdu={"data_coding": 0, **addresses, **pdu})
        (answer,) = await smsc.told("answered")
    assert answer["status"] == Status.ESME_ROK
    assert await ours.replies() == ["in the payload"]


# -- binds ------------------------------------------------------------------------------------


async def test_a_bind_over_the_cap_comes_up_when_another_leaves(
    node_smsc: type[NodeSmsc], ours: Ours
) -> None:
    async with node_smsc(most_binds=2) as smsc, contextlib.AsyncExitStack() as others:
        await others.enter_async_context(ours.bound(smsc))
        await others.enter_async_context(ours.bound(smsc))
        third = ours.gateway_to(smsc)
        third.start()
        try:
            await smsc.told("bind", 4)  # refused, and tried again
            assert not third.up
            assert ours.alarms == []
            await others.aclose()
            await third.wait_up(5.0)
        finally:
            await third.aclose()
    refused = [bind["status"] for bind in smsc.of("bind")][2:4]
    assert refused == [Status.ESME_RALYBND] * 2


async def test_an_smsc_that_serves_one_at_a_time_serves_the_next_when_we_leave(
    perl_smsc: type[PerlSmsc], ours: Ours
) -> None:
    async with perl_smsc() as smsc, contextlib.AsyncExitStack() as first:
        await first.enter_async_context(ours.bound(smsc))
        second = ours.gateway_to(smsc, response_timeout=0.1)
        second.start()
        try:
            with pytest.raises(TimeoutError):  # its connection is taken, its bind is not answered
                await second.wait_up(0.3)
            await first.aclose()
            await second.wait_up(5.0)
        finally:
            await second.aclose()


async def test_the_smsc_hears_that_we_are_there(node_smsc: type[NodeSmsc], ours: Ours) -> None:
    async with node_smsc() as smsc, ours.bound(smsc):
        await smsc.tell("enquire")
        await smsc.told("alive")


async def test_a_quiet_bind_stays_up_by_our_asking(node_smsc: type[NodeSmsc], ours: Ours) -> None:
    async with node_smsc() as smsc, ours.bound(smsc, enquire_link_interval=1.0) as gateway:
        await smsc.told("enquired", 3)
        assert gateway.up
    assert len(smsc.of("bind")) == 1


@pytest.mark.parametrize("sequence", [0x7FFFFFFF, 12345])
async def test_a_nack_of_what_we_never_sent_is_no_reason_to_leave(
    node_smsc: type[NodeSmsc], ours: Ours, sequence: int
) -> None:
    async with node_smsc() as smsc, ours.bound(smsc) as gateway:
        await smsc.tell("nack", status=Status.ESME_RINVCMDID, sequence=sequence)
        (message,) = await ours.text(gateway, "hello")
        await smsc.told("answered")
    assert await ours.state(message) is MessageState.DELIVERED
    assert len(smsc.of("bind")) == 1


async def test_a_connection_that_falls_again_and_again_loses_no_reply(
    node_smsc: type[NodeSmsc], ours: Ours
) -> None:
    wanted = [f"reply {n}" for n in range(12)]
    async with node_smsc() as smsc, ours.bound(smsc) as gateway:
        for n, body in enumerate(wanted):
            order = {"from": ALICE.value, "to": SHORT_CODE, "text": body}
            await smsc.tell("mo", **order)
            if n % 4 == 3:
                await smsc.tell("drop")
                await smsc.told("bind", 2 + n // 4)
        await gateway.wait_up(5.0)
        await until(lambda: ours.meter.counts["segue_sms_replies_total",] >= len(wanted))
    assert sorted(await ours.replies()) == sorted(wanted)
