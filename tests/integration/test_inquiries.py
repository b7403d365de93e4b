"""What query_sm says finds its text by the id of submit_sm_resp, however receipts write ids."""

from __future__ import annotations

import pytest

from ari_app.conversation.events import TextPromised
from ari_app.conversation.message import MessageState
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import Accepted, Effect, Receipt
from ari_app.store.store import EventStore
from smpp.ids import IdRule
from tests.support.carrier import BatchCarrier
from tests.support.meter import RecordingMeter
from tests.support.store import Base, running

TO = "+12025550123"


async def submitted(base: Base, store: EventStore, **ids: str) -> None:
    """Texts that the carrier has, by their ids there."""
    smsc = BatchCarrier()
    meter = RecordingMeter()
    sender = TextSender(smsc, store, base.clock, meter, RetryPolicy())
    relay = Relay(store, base.clock, meter, {"sms": sender})
    for message, id in ids.items():
        smsc.says[message] = [Accepted("main", (id,))]
        promised = TextPromised(message=message, template="t", to=TO, body="b")
        effect = Effect("sms", message, base.clock.now(), {"to": TO, "body": "b"})
        await store.append(f"conv_{message}", [promised], effects=[effect])
        await relay.run_once()


async def state(store: EventStore, message: str) -> MessageState:
    return (await store.state(f"conv_{message}")).messages[message].state


@pytest.mark.parametrize("rule", [None, *IdRule])
@pytest.mark.parametrize("id", ["F4241", "1000001", "A-b_7"])
async def test_an_answer_finds_its_text_under_every_rule(
    base: Base, rule: IdRule | None, id: str
) -> None:
    async with running(base.store()) as store:
        await store.give_id_rule("main", rule)
        await submitted(base, store, msg_1=id)
        assert await store.receipt(Receipt("main", id, "DELIVRD", "000", asked=True))
        assert await state(store, "msg_1") is MessageState.DELIVERED


async def test_an_answer_is_not_taken_for_a_receipt_of_another_text(base: Base) -> None:
    # A receipt with the id 1000001 would be of the second: that is 0xF4241.
    async with running(base.store()) as store:
        await store.give_id_rule("main", IdRule.RECEIPT_DECIMAL)
        await submitted(base, store, msg_1="1000001", msg_2="F4241")
        assert await store.receipt(Receipt("main", "1000001", "DELIVRD", "000", asked=True))
        assert await state(store, "msg_1") is MessageState.DELIVERED
        assert await state(store, "msg_2") is MessageState.SUBMITTED
        assert await store.receipt(Receipt("main", "1000001", "UNDELIV", "001"))
        assert await state(store, "msg_2") is MessageState.UNDELIVERABLE


async def test_an_answer_about_a_text_that_nobody_knows_is_not_kept(base: Base) -> None:
    async with running(base.store()) as store:
        assert not await store.receipt(Receipt("main", "7", "DELIVRD", "000", asked=True))
        await submitted(base, store, msg_1="7")
        assert await state(store, "msg_1") is MessageState.SUBMITTED
