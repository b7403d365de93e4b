"""The gateway over a real bind: our words for the SMSC's, and the inbox before the answer."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from ari_app.conversation.identity import E164
from ari_app.errors import CarrierUnavailable, SmsRefused, SmsUnknown, StoreUnavailable
from ari_app.ports import IncomingText, OutgoingText, Receipt, SmsGateway
from ari_app.sms.gateway import SmppGateway
from smpp.address import Address
from smpp.constants import Status
from smpp.pdu import DeliverSm
from smpp.profile_sections import Addresses
from smpp.segmentation import split
from smpp.simulator import Smsc
from tests.support.gateway import OURS, carrier

ALICE = E164("+33123456789")


def text(body: str = "hello") -> OutgoingText:
    return OutgoingText("msg_1", ALICE, body)


async def until(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  # the other side is a socket, not an event
            await asyncio.sleep(0.002)


class Inbox:
    """Keeps what comes in; may be unable to first."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.texts: list[IncomingText] = []
        self.tried: list[IncomingText] = []
        self.broken = 0

    async def receipt(self, receipt: Receipt) -> None:
        self._store()
        self.receipts.append(receipt)

    async def text(self, text: IncomingText) -> None:
        self.tried.append(text)
        self._store()
        self.texts.append(text)

    def _store(self) -> None:
        if self.broken > 0:
            self.broken -= 1
            raise StoreUnavailable("locked")


class Time:
    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


class Figures:
    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}

    def count(self, name: str, n: int = 1, **labels: str) -> None:
        self.counted[name + "".join(f" {labels[k]}" for k in sorted(labels))] += n

    def observe(self, name: str, value: float, **labels: str) -> None:
        self.counted[name] += 1

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self.gauges[name] = value


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    smsc = Smsc(accounts={"segue": "secret"}, retry_delay=0.01)
    await smsc.start()
    yield smsc
    await smsc.aclose()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def figures() -> Figures:
    return Figures()


@contextlib.asynccontextmanager
async def gateway_to(
    smsc: Smsc, inbox: Inbox, figures: Figures, **options: Any
) -> AsyncIterator[SmppGateway]:
    wait = options.pop("wait", True)
    profile = options.pop("profile", None) or carrier(smsc.port)
    account = replace(OURS, password=options.pop("password", OURS.password))
    gateway = SmppGateway(
        profile,
        account,
        inbox=inbox,
        clock=Time(),
        meter=figures,
        secret=b"key",
        **{"source": "36200", **options},
    )
    gateway.start()
    try:
        if wait:
            await gateway.wait_up(5.0)
        yield gateway
    finally:
        await gateway.aclose()


async def test_a_text_is_taken_and_its_receipt_comes_in(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    async with gateway_to(smsc, inbox, figures) as gateway:
        port: SmsGateway = gateway
        accepted = await port.send(text())
        await until(lambda: bool(inbox.receipts))
        assert port.up
        assert figures.gauges["segue_smpp_bind_up"] == 1
    assert accepted.carrier == "main"
    assert inbox.receipts == [Receipt("main", accepted.ids[0], "DELIVRD", "000")]
    (taken,) = smsc.accepted
    assert (taken.text, taken.sender, taken.recipient) == ("hello", "36200", "33123456789")
    assert not gateway.up
    assert figures.gauges["segue_smpp_bind_up"] == 0
    assert figures.counted["segue_smpp_submits_total main accepted"] == 1


@pytest.mark.parametrize(
    ("source", "ton", "npi", "digits"),
    [("+33600000001", 1, 1, "33600000001"), ("36200", 3, 0, "36200"), ("Segue", 5, 0, "Segue")],
)
async def test_the_sender_has_its_ton_and_npi(
    smsc: Smsc, inbox: Inbox, figures: Figures, source: str, ton: int, npi: int, digits: str
) -> None:
    async with gateway_to(smsc, inbox, figures, source=source) as gateway:
        await gateway.send(text())
    sent = smsc.submits[0].source
    assert (sent.ton, sent.npi, sent.digits) == (ton, npi, digits)
    assert smsc.submits[0].registered_delivery == 1


async def test_a_carrier_may_want_its_own_ton(smsc: Smsc, inbox: Inbox, figures: Figures) -> None:
    addresses = Addresses(source_short_code=(0, 1))
    profile = replace(carrier(smsc.port), addresses=addresses)
    async with gateway_to(smsc, inbox, figures, profile=profile) as gateway:
        await gateway.send(text())
    assert (smsc.submits[0].source.ton, smsc.submits[0].source.npi) == (0, 1)


async def test_a_long_text_has_an_id_for_each_segment_in_order(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    async with gateway_to(smsc, inbox, figures, profile=carrier(smsc.port, window=2)) as gateway:
        accepted = await gateway.send(text("ж" * 200))
        await until(lambda: len(inbox.receipts) == 3)
    assert smsc.accepted[0].text == "ж" * 200
    assert smsc.accepted[0].ids == accepted.ids
    assert sorted(r.id for r in inbox.receipts) == sorted(accepted.ids)


@pytest.mark.parametrize(
    ("status", "transient"),
    [
        (Status.ESME_RTHROTTLED, True),
        (Status.ESME_RMSGQFUL, True),
        (Status.ESME_RSYSERR, True),
        (Status.ESME_RINVDSTADR, False),
        (0x400, True),
    ],
)
async def test_a_refusal_says_whether_to_try_again(
    smsc: Smsc, inbox: Inbox, figures: Figures, status: int, transient: bool
) -> None:
    smsc.faults.refuse_status = status
    async with gateway_to(smsc, inbox, figures) as gateway:
        with pytest.raises(SmsRefused) as refusal:
            await gateway.send(text())
    assert refusal.value.transient is transient
    assert len(smsc.submits) == 1  # to send it again is the outbox's decision


async def test_without_a_bind_a_text_is_refused_for_now(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    smsc.faults.bind_status = Status.ESME_RBINDFAIL
    async with gateway_to(smsc, inbox, figures, wait=False) as gateway:
        assert not gateway.up
        with pytest.raises(SmsRefused) as refusal:
            await gateway.send(text())
    assert refusal.value.transient


async def test_throttled_parts_go_again_and_the_others_do_not(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    smsc.faults.throttle_first = 2
    async with gateway_to(smsc, inbox, figures) as gateway:
        accepted = await gateway.send(text("a" * 400))
    assert len(accepted.ids) == 3
    assert len(smsc.submits) == 5
    assert smsc.accepted[0].text == "a" * 400


async def test_parts_that_stay_throttled_are_refused_for_now(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    smsc.faults.throttle_first = 1000
    async with gateway_to(smsc, inbox, figures) as gateway:
        with pytest.raises(SmsRefused) as refusal:
            await gateway.send(text("a" * 400))
    assert refusal.value.transient


async def test_a_text_too_long_for_255_segments_is_refused_for_good(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    async with gateway_to(smsc, inbox, figures) as gateway:
        with pytest.raises(SmsRefused) as refusal:
            await gateway.send(text("a" * 40_000))
    assert not refusal.value.transient
    assert smsc.submits == []


async def test_a_session_lost_after_the_write_leaves_the_fate_unknown(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    smsc.faults.drop_after = 1
    async with gateway_to(smsc, inbox, figures) as gateway:
        with pytest.raises(SmsUnknown):
            await gateway.send(text())
        await gateway.wait_up(5.0)
        assert (await gateway.send(text())).ids
    assert figures.counted["segue_smpp_submits_total main unknown"] == 1


async def test_one_part_of_unknown_fate_makes_the_text_unknown(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    smsc.faults.drop_after = 2
    async with gateway_to(smsc, inbox, figures) as gateway:
        with pytest.raises(SmsUnknown):
            await gateway.send(text("a" * 400))


async def test_no_answer_in_time_leaves_the_fate_unknown(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    smsc.faults.never_answer = True
    profile = carrier(smsc.port, response_timeout=0.1)
    async with gateway_to(smsc, inbox, figures, profile=profile) as gateway:
        with pytest.raises(SmsUnknown):
            await gateway.send(text())


async def test_a_wrong_password_alarms(smsc: Smsc, inbox: Inbox, figures: Figures) -> None:
    alarms: list[CarrierUnavailable] = []
    async with gateway_to(
        smsc, inbox, figures, password="wrong", on_alarm=alarms.append, wait=False
    ):
        await until(lambda: bool(alarms))
    assert "ESME_RINVPASWD" in str(alarms[0])
    assert smsc.binds == 1


@pytest.mark.parametrize("tlvs", [True, False])
async def test_a_decimal_receipt_of_a_hexadecimal_id_is_handed_in_as_it_came(
    smsc: Smsc, inbox: Inbox, figures: Figures, tlvs: bool
) -> None:
    smsc.faults.hex_ids = True
    smsc.faults.receipt_tlvs = tlvs
    async with gateway_to(smsc, inbox, figures) as gateway:
        accepted = await gateway.send(text())
        await until(lambda: bool(inbox.receipts))
    assert inbox.receipts[0].id == str(int(accepted.ids[0], 16))


@pytest.mark.parametrize("fault", ["receipt_first", "duplicate_receipts"])
async def test_receipts_early_or_twice_are_all_handed_in(
    smsc: Smsc, inbox: Inbox, figures: Figures, fault: str
) -> None:
    setattr(smsc.faults, fault, True)
    async with gateway_to(smsc, inbox, figures) as gateway:
        accepted = await gateway.send(text())
        count = 2 if fault == "duplicate_receipts" else 1
        await until(lambda: len(inbox.receipts) == count)
    assert {receipt.id for receipt in inbox.receipts} == set(accepted.ids)


async def test_a_receipt_that_cannot_be_stored_comes_again(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    inbox.broken = 2
    async with gateway_to(smsc, inbox, figures) as gateway:
        await gateway.send(text())
        await until(lambda: len(inbox.receipts) == 1)


async def test_an_unreadable_receipt_is_answered_and_counted(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    async with gateway_to(smsc, inbox, figures):
        pdu = DeliverSm(source=Address.of("36200"), esm_class=4, short_message=b"?")
        (connection,) = smsc.connections
        assert await connection.deliver(pdu, 5.0) == 0
        assert await connection.deliver(DeliverSm(esm_class=8), 5.0) == 0
    assert figures.counted["segue_smpp_received_total main unreadable_receipt"] == 1
    assert figures.counted["segue_smpp_received_total main acknowledgement"] == 1
    assert inbox.texts == []


async def test_a_text_comes_in_with_its_numbers_written_out(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    async with gateway_to(smsc, inbox, figures):
        assert await smsc.send_mo("+33123456789", "36200", "2 €") == 0
    (came,) = inbox.texts
    assert (came.sender, came.recipient, came.body) == ("+33123456789", "36200", "2 €")
    assert "33123456789" not in came.dedupe


async def test_a_long_text_comes_in_whole(smsc: Smsc, inbox: Inbox, figures: Figures) -> None:
    body = "длинно 😀 " * 40
    async with gateway_to(smsc, inbox, figures):
        assert await smsc.send_mo("+33123456789", "36200", body) == 0
    assert [came.body for came in inbox.texts] == [body]


@pytest.mark.parametrize("body", ["2", "long " * 60])
async def test_a_text_that_cannot_be_stored_comes_again_with_the_same_key(
    smsc: Smsc, inbox: Inbox, figures: Figures, body: str
) -> None:
    inbox.broken = 2
    async with gateway_to(smsc, inbox, figures):
        assert await smsc.send_mo("+33123456789", "36200", body) == 0
    assert len(inbox.tried) == 3
    assert len({came.dedupe for came in inbox.tried}) == 1
    assert [came.body for came in inbox.texts] == [body]


async def test_the_same_answer_given_twice_is_two_texts(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    async with gateway_to(smsc, inbox, figures):
        for _ in range(2):
            await smsc.send_mo("+33123456789", "36200", "2")
    assert len({came.dedupe for came in inbox.texts}) == 2


async def test_a_text_whose_rest_never_comes_is_handed_in_with_its_gap(
    smsc: Smsc, inbox: Inbox, figures: Figures
) -> None:
    first, second, _ = split("a" * 400, 7)
    async with gateway_to(smsc, inbox, figures, part_patience=0.02):
        (connection,) = smsc.connections
        for part in (first, second):
            pdu = DeliverSm(
                source=Address.of("+33123456789"),
                destination=Address.of("36200"),
                esm_class=part.esm_class,
                short_message=part.octets,
            )
            assert await connection.deliver(pdu, 5.0) == 0
        await until(lambda: bool(inbox.texts))
    assert inbox.texts[0].body == "a" * 306 + "[…]"
    assert figures.counted["segue_smpp_received_total main text_with_gaps"] == 1


async def test_no_log_line_has_a_password_text_or_number(
    smsc: Smsc, inbox: Inbox, figures: Figures, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with gateway_to(smsc, inbox, figures) as gateway:
        await gateway.send(text("my appointment"))
        await smsc.send_mo("+33123456789", "36200", "my reply")
    assert "+331******89" in caplog.text
    for secret in ("secret", "my appointment", "my reply", "33123456789"):
        assert secret not in caplog.text
