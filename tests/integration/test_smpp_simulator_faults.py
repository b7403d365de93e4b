"""Each misbehaviour of our SMSC, as an ESME sees it on the wire."""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smpp.address import Address
from smpp.constants import Command, EsmClass, Status, Tag
from smpp.errors import LocalProtocolError, NotSent, UnreadableReceipt
from smpp.pdu import (
    AlertNotification,
    BindResp,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DistributionList,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
)
from smpp.receipt import is_receipt, parse
from smpp.segmentation import Concatenation, DefaultAlphabet, Joiner, TextStyle, read_part, split
from smpp.simulator import (
    AnswerWithheld,
    BindAnswered,
    ConnectionEnded,
    FaultsChanged,
    ReceiptSent,
    Smsc,
    TextCancelled,
    TextRefused,
    TextReplaced,
    TextUntaken,
    Told,
)
from smpp.times import read as read_time
from tests.support.certificates import Authority
from tests.support.raw_esme import BOB, CODE, RawEsme, bound, connected
from tests.support.wait import until

LATE = 3600.0


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    smsc = Smsc(accounts={"segue": "secret", "other": "secret"}, retry_delay=0.01, seed=1)
    await smsc.start()
    yield smsc
    await smsc.aclose()


@pytest.fixture
async def esme(smsc: Smsc) -> AsyncIterator[RawEsme]:
    async with bound(smsc.port) as esme:
        yield esme


@pytest.fixture
def told(smsc: Smsc) -> list[Told]:
    heard: list[Told] = []
    smsc.listen(heard.append)
    return heard


# -- binds ------------------------------------------------------------------------------------


async def test_a_bind_is_told_that_we_speak_3_4(smsc: Smsc) -> None:
    async with connected(smsc.port) as esme:
        assert (await esme.bind()).sc_interface_version == 0x34


async def test_no_password_is_checked_on_demand(smsc: Smsc) -> None:
    async with connected(smsc.port) as esme:
        assert (await esme.bind(password="wrong")).status == Status.ESME_RINVPASWD
        smsc.faults.any_password = True
        assert (await esme.bind(password="wrong")).status == 0


async def test_a_second_bind_on_one_connection_is_one_too_many(esme: RawEsme) -> None:
    assert (await esme.bind()).status == Status.ESME_RALYBND


async def test_binds_are_capped_for_each_system_id(smsc: Smsc, esme: RawEsme) -> None:
    smsc.faults.most_binds = 1
    async with connected(smsc.port) as second:
        assert (await second.bind()).status == Status.ESME_RALYBND
        assert (await second.bind(system_id="other")).status == 0
    esme.writer.close()
    await until(lambda: not smsc.connections)
    async with connected(smsc.port) as third:
        assert (await third.bind()).status == 0


async def test_deliver_sm_and_enquire_link_come_before_the_bind_resp(smsc: Smsc) -> None:
    smsc.faults.deliver_first = True
    sending = asyncio.create_task(smsc.send_mo("+33123456789", "36200", "early"))
    await asyncio.sleep(0)
    async with connected(smsc.port) as esme:
        esme.writer.write(b"")
        binding = asyncio.create_task(esme.bind())
        with pytest.raises(AssertionError, match="EnquireLink"):
            await binding
        assert (await esme.delivered()).short_message == b"early"
        assert (await esme.next(BindResp)).status == 0
        assert await sending == 0


async def test_a_bind_is_not_answered_on_demand_and_does_not_stand(smsc: Smsc) -> None:
    smsc.faults.bind_unanswered = True
    async with connected(smsc.port) as esme:
        binding = asyncio.create_task(esme.bind())
        await until(lambda: smsc.binds == 1)
        assert not any(connection.mode for connection in smsc.connections)
        binding.cancel()
        await asyncio.gather(binding, return_exceptions=True)


async def test_a_receiver_may_not_submit_and_a_transmitter_receives_nothing(smsc: Smsc) -> None:
    async with bound(smsc.port, Command.BIND_RECEIVER) as receiver:
        assert (await receiver.submit()).status == Status.ESME_RINVBNDSTS
        receiver.write(QuerySm(sequence=receiver.sequence(), message_id="1"))
        assert (await receiver.next(QuerySmResp)).status == Status.ESME_RINVBNDSTS
        async with bound(smsc.port, Command.BIND_TRANSMITTER) as transmitter:
            id = (await transmitter.submit(registered_delivery=1)).message_id
            assert parse(await receiver.delivered()).id == id


async def test_nothing_is_submitted_without_a_bind(smsc: Smsc) -> None:
    async with connected(smsc.port) as esme:
        assert (await esme.submit()).status == Status.ESME_RINVBNDSTS
        esme.write(DataSm(sequence=9, source=CODE, destination=BOB))
        assert (await esme.next(DataSmResp)).status == Status.ESME_RINVBNDSTS
    assert smsc.accepted == []


async def test_an_outbind_calls_an_esme_that_then_binds_on_it(smsc: Smsc) -> None:
    called: asyncio.Future[RawEsme] = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.set_result(RawEsme(reader, writer))

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    await smsc.outbind("127.0.0.1", listener.sockets[0].getsockname()[1], "smsc", "knock")
    esme = await called
    asked = await esme.next(Outbind)
    assert (asked.system_id, asked.password) == ("smsc", "knock")
    assert (await esme.bind(Command.BIND_RECEIVER)).status == 0
    esme.writer.close()
    await esme.writer.wait_closed()
    listener.close()
    await listener.wait_closed()


# -- submits ----------------------------------------------------------------------------------


async def statuses(esme: RawEsme, count: int) -> list[int]:
    return [(await esme.submit()).status for _ in range(count)]


async def test_the_first_texts_are_throttled(smsc: Smsc, esme: RawEsme) -> None:
    smsc.faults.throttle_first = 2
    assert await statuses(esme, 3) == [Status.ESME_RTHROTTLED, Status.ESME_RTHROTTLED, 0]
    assert len(smsc.accepted) == 1


async def test_every_third_text_is_throttled(smsc: Smsc, esme: RawEsme) -> None:
    smsc.faults.throttle_every = 3
    smsc.faults.throttle_status = Status.ESME_RMSGQFUL
    assert await statuses(esme, 6) == [0, 0, Status.ESME_RMSGQFUL] * 2


async def test_the_queue_is_full_when_so_many_wait_for_their_receipts(
    smsc: Smsc, esme: RawEsme
) -> None:
    smsc.receipt_delay, smsc.faults.queue_limit = LATE, 2
    answers = [(await esme.submit(registered_delivery=1)).status for _ in range(3)]
    assert answers == [0, 0, Status.ESME_RMSGQFUL]


async def test_a_share_is_refused_with_a_vendors_status(
    smsc: Smsc, esme: RawEsme, told: list[Told]
) -> None:
    smsc.faults.refuse_status, smsc.faults.refuse_share = 0x40B, 0.3
    counted = Counter(await statuses(esme, 100))
    assert counted.keys() == {0, 0x40B}
    assert 15 < counted[0x40B] < 45
    assert (
        sum(isinstance(one, TextRefused) and one.status == 0x40B for one in told) == counted[0x40B]
    )


@pytest.mark.parametrize(("way", "sequence"), [("nack", 2), ("nack0", 0)])
async def test_a_refusal_may_be_a_generic_nack(
    smsc: Smsc, esme: RawEsme, way: str, sequence: int
) -> None:
    smsc.faults.refuse_status, smsc.faults.refuse_by = 0x0A, way
    esme.write(esme.text())
    assert await esme.next(GenericNack) == GenericNack(sequence=sequence, status=0x0A)


async def test_the_last_ones_are_taken_unanswered_and_then_the_connection_goes(
    smsc: Smsc, esme: RawEsme, told: list[Told]
) -> None:
    smsc.faults.drop_after, smsc.faults.lose_last = 5, 2
    esme.write(*(esme.text(b"%d" % number) for number in range(6)))
    for _ in range(3):
        assert (await esme.next(SubmitSmResp)).status == 0
    assert await esme.closed()
    await until(lambda: not smsc.connections)
    assert [message.text for message in smsc.accepted][:5] == ["0", "1", "2", "3", "4"]
    assert sum(isinstance(one, AnswerWithheld) for one in told) == 2
    assert smsc.faults.drop_after is None


async def test_a_dropped_text_is_not_taken(smsc: Smsc, esme: RawEsme) -> None:
    smsc.faults.drop_after = 2
    assert (await esme.submit(b"first")).status == 0
    esme.write(esme.text(b"second"))
    assert await esme.closed()
    assert [message.text for message in smsc.accepted] == ["first"]


async def test_answers_are_late_and_may_overtake_each_other(smsc: Smsc, esme: RawEsme) -> None:
    smsc.faults.answer_delay = "0-0.05"
    esme.write(*(esme.text() for _ in range(20)))
    sequences = [(await esme.next(SubmitSmResp)).sequence for _ in range(20)]
    assert sorted(sequences) == list(range(2, 22))
    assert sequences != sorted(sequences)


async def test_data_sm_is_a_text_too(smsc: Smsc, esme: RawEsme) -> None:
    tlvs = ((Tag.MESSAGE_PAYLOAD, b"x" * 1000),)
    esme.write(DataSm(sequence=7, source=CODE, destination=BOB, registered_delivery=1, tlvs=tlvs))
    answer = await esme.next(DataSmResp)
    assert (answer.sequence, answer.status) == (7, 0)
    assert smsc.accepted[0].text == "x" * 1000
    assert parse(await esme.delivered()).id == answer.message_id


async def test_submit_multi_reaches_every_number_and_no_list(smsc: Smsc, esme: RawEsme) -> None:
    people = (BOB, DistributionList("staff"), Address.of("+33123456780"))
    esme.write(
        SubmitMulti(
            sequence=3,
            source=CODE,
            destinations=people,
            short_message=b"all",
            registered_delivery=1,
        )
    )
    answer = await esme.next(SubmitMultiResp)
    assert [one.status for one in answer.unsuccess] == [Status.ESME_RINVDLNAME]
    assert [message.recipient for message in smsc.accepted] == ["33123456789", "33123456780"]
    assert [message.text for message in smsc.accepted] == ["all", "all"]
    receipts = [await esme.delivered() for _ in range(2)]
    assert {parse(receipt).id for receipt in receipts} == {answer.message_id}
    assert {receipt.source.digits for receipt in receipts} == {"33123456789", "33123456780"}


# -- asking about a message -------------------------------------------------------------------


async def test_a_message_is_asked_for_before_and_after_its_end(smsc: Smsc, esme: RawEsme) -> None:
    smsc.receipt_delay = LATE
    waits = (await esme.submit(registered_delivery=1)).message_id
    smsc.receipt_delay, smsc.faults.failures = 0.0, "UNDELIV=1/006"
    failed = (await esme.submit()).message_id
    for id, state, error in ((waits, 1, 0), (failed, 5, 6)):
        esme.write(QuerySm(sequence=3, message_id=id, source=CODE))
        answer = await esme.next(QuerySmResp)
        assert (answer.message_id, answer.message_state, answer.error_code) == (id, state, error)
        assert (read_time(answer.final_date) is not None) is (state == 5)


@pytest.mark.parametrize("source", [CODE, BOB])
async def test_who_asks_for_what_is_not_theirs_is_told_so(
    smsc: Smsc, esme: RawEsme, source: Address
) -> None:
    id = (await esme.submit()).message_id if source is BOB else "nonsense"
    esme.write(QuerySm(sequence=3, message_id=id, source=source))
    assert (await esme.next(QuerySmResp)).status == Status.ESME_RINVMSGID
    esme.write(ReplaceSm(sequence=3, message_id=id, source=source))
    assert (await esme.next(ReplaceSmResp)).status == Status.ESME_RINVMSGID
    esme.write(CancelSm(sequence=3, message_id=id, source=source, destination=BOB))
    assert (await esme.next(CancelSmResp)).status == Status.ESME_RINVMSGID


async def test_a_cancelled_message_is_reported_deleted_once(
    smsc: Smsc, esme: RawEsme, told: list[Told]
) -> None:
    smsc.receipt_delay = LATE
    id = (await esme.submit(registered_delivery=1)).message_id
    for status in (0, Status.ESME_RCANCELFAIL):
        esme.write(CancelSm(sequence=3, message_id=id, source=CODE, destination=BOB))
        assert (await esme.next(CancelSmResp)).status == status
        if not status:
            receipt = parse(await esme.delivered())
            assert (receipt.id, receipt.state) == (id, "DELETED")
    assert [one for one in told if isinstance(one, TextCancelled)] == [TextCancelled(id)]


async def test_all_messages_between_two_addresses_are_cancelled(
    smsc: Smsc, esme: RawEsme, told: list[Told]
) -> None:
    smsc.receipt_delay = LATE
    for destination in (BOB, BOB, CODE):
        await esme.submit(destination=destination)
    esme.write(CancelSm(sequence=3, source=CODE, destination=BOB))
    assert (await esme.next(CancelSmResp)).status == 0
    assert sum(isinstance(one, TextCancelled) for one in told) == 2


async def test_a_replaced_message_has_its_new_text_until_it_is_too_late(
    smsc: Smsc, esme: RawEsme, told: list[Told]
) -> None:
    smsc.receipt_delay = LATE
    id = (await esme.submit()).message_id
    smsc.receipt_delay = 0.0
    gone = (await esme.submit()).message_id
    for one, status in ((id, 0), (gone, Status.ESME_RREPLACEFAIL)):
        esme.write(
            ReplaceSm(sequence=3, message_id=one, source=CODE, short_message=b"bye",
                      registered_delivery=1)
        )  # fmt: skip
        assert (await esme.next(ReplaceSmResp)).status == status
    assert [one for one in told if isinstance(one, TextReplaced)] == [TextReplaced(id, "bye")]
    # It asks for a receipt now.
    esme.write(CancelSm(sequence=3, message_id=id, source=CODE, destination=BOB))
    assert (await esme.next(CancelSmResp)).status == 0
    assert parse(await esme.delivered()).id == id


async def test_what_is_cancelled_or_replaced_is_reported_only_as_it_then_is(
    smsc: Smsc, esme: RawEsme
) -> None:
    smsc.receipt_delay = 0.05
    replaced, silenced, cancelled = [
        (await esme.submit(registered_delivery=asks)).message_id for asks in (0, 1, 1)
    ]
    for id, asks in ((replaced, 1), (silenced, 0)):
        esme.write(ReplaceSm(sequence=3, message_id=id, source=CODE, registered_delivery=asks))
        assert (await esme.next(ReplaceSmResp)).status == 0
    esme.write(CancelSm(sequence=3, message_id=cancelled, source=CODE, destination=BOB))
    assert (await esme.next(CancelSmResp)).status == 0
    receipts = [parse(await esme.delivered()) for _ in range(2)]
    last = (await esme.submit(registered_delivery=1)).message_id
    receipts.append(parse(await esme.delivered()))
    assert [(one.id, one.state) for one in receipts] == [
        (cancelled, "DELETED"), (replaced, "DELIVRD"), (last, "DELIVRD"),
    ]  # fmt: skip


# -- receipts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hexadecimal", "written", "relation"),
    [
        (False, "", lambda answered, reported: reported == answered),
        (True, "", lambda answered, reported: int(reported) == int(answered, 16)),
        (False, "hex", lambda answered, reported: int(reported, 16) == int(answered)),
        (True, "same", lambda answered, reported: reported == answered),
        (True, "lower", lambda answered, reported: reported == answered.lower() != answered),
        (False, "padded", lambda answered, reported: reported == answered.zfill(12)),
    ],
)
async def test_a_receipt_writes_its_id_in_another_way(
    smsc: Smsc, esme: RawEsme, hexadecimal: bool, written: str, relation: object
) -> None:
    smsc.faults.hex_ids, smsc.faults.receipt_ids = hexadecimal, written
    answered = (await esme.submit(registered_delivery=1)).message_id
    reported = parse(await esme.delivered()).id
    assert callable(relation)
    assert relation(answered, reported), (answered, reported)


@pytest.mark.parametrize("form", ["standard", "words", "ucs2", "payload"])
async def test_a_receipt_without_tlvs_says_it_all_in_its_text(
    smsc: Smsc, esme: RawEsme, form: str
) -> None:
    faults = smsc.faults
    faults.receipt_tlvs, faults.receipt_form, faults.failures = False, form, "EXPIRED=1/0A1"
    id = (await esme.submit(registered_delivery=1)).message_id
    pdu = await esme.delivered()
    receipt = parse(pdu)
    assert (receipt.id, receipt.state, receipt.error) == (id, "EXPIRED", "0A1")
    assert pdu.tlv(Tag.RECEIPTED_MESSAGE_ID) is None
    assert len(receipt.done) == (14 if form == "words" else 10)


@pytest.mark.parametrize("form", ["standard", "unmarked", "cut"])
async def test_a_receipt_may_be_its_tlvs_only(smsc: Smsc, esme: RawEsme, form: str) -> None:
    smsc.faults.receipt_text, smsc.faults.receipt_form = False, form
    smsc.faults.failures = "UNDELIV=1/006"
    id = (await esme.submit(registered_delivery=1)).message_id
    pdu = await esme.delivered()
    assert is_receipt(pdu)
    assert (pdu.esm_class == 0) is (form == "unmarked")
    assert pdu.octets == b""
    receipt = parse(pdu)
    assert (receipt.id, receipt.state, receipt.error) == (id, "UNDELIV", "006")


@pytest.mark.parametrize("form", ["cut", "nonsense"])
async def test_a_mangled_receipt_cannot_be_read(smsc: Smsc, esme: RawEsme, form: str) -> None:
    smsc.faults.receipt_form, smsc.faults.receipt_tlvs = form, False
    await esme.submit(registered_delivery=1)
    with pytest.raises(UnreadableReceipt):
        parse(await esme.delivered())


async def test_a_receipt_may_be_a_data_sm(smsc: Smsc, esme: RawEsme) -> None:
    smsc.faults.receipt_form = "data_sm"
    id = (await esme.submit(registered_delivery=1)).message_id
    pdu = await esme.next(DataSm)
    esme.write(DataSmResp(sequence=pdu.sequence))
    assert parse(pdu).id == id
    await until(lambda: smsc.counts["answers"] == 1)


async def test_an_intermediate_state_comes_first(smsc: Smsc, esme: RawEsme) -> None:
    smsc.faults.intermediate_first = True
    await esme.submit(registered_delivery=1)
    first, second = [await esme.delivered() for _ in range(2)]
    assert (first.esm_class, parse(first).state) == (EsmClass.INTERMEDIATE, "ENROUTE")
    assert (second.esm_class, parse(second).state) == (EsmClass.RECEIPT, "DELIVRD")


async def test_a_receipt_comes_before_its_response_or_twice(smsc: Smsc, esme: RawEsme) -> None:
    smsc.faults.receipt_first = smsc.faults.duplicate_receipts = True
    esme.write(esme.text(registered_delivery=1))
    ids = {parse(await esme.delivered()).id for _ in range(2)}
    assert ids == {(await esme.next(SubmitSmResp)).message_id}


async def test_a_receipt_stays_on_its_bind_or_goes_to_another_of_the_same_name(
    smsc: Smsc, esme: RawEsme
) -> None:
    async with bound(smsc.port) as second, connected(smsc.port) as stranger:
        assert (await stranger.bind(system_id="other")).status == 0
        for one, other in ((esme, second), (second, esme)):
            smsc.faults.receipts_elsewhere = False
            id = (await one.submit(registered_delivery=1)).message_id
            assert parse(await one.delivered()).id == id
            smsc.faults.receipts_elsewhere = True
            id = (await one.submit(registered_delivery=1)).message_id
            assert parse(await other.delivered()).id == id
        # Alone of its name, it gets its own.
        id = (await stranger.submit(registered_delivery=1)).message_id
        assert parse(await stranger.delivered()).id == id


async def test_a_receipt_waits_for_a_bind_of_its_own_name(smsc: Smsc, told: list[Told]) -> None:
    async with bound(smsc.port, Command.BIND_TRANSMITTER) as transmitter:
        await transmitter.submit(registered_delivery=1)
        async with connected(smsc.port) as stranger:
            await stranger.bind(system_id="other")
            await until(lambda: any(isinstance(one, ReceiptSent) for one in told))
            assert smsc.counts["DeliverSm"] == 0
            async with bound(smsc.port, Command.BIND_RECEIVER) as receiver:
                assert is_receipt(await receiver.delivered())


async def test_a_receipt_is_sent_only_for_what_is_asked(smsc: Smsc, esme: RawEsme) -> None:
    await esme.submit(registered_delivery=0)
    await esme.submit(registered_delivery=2)  # of failures only
    smsc.faults.receipt_state = "REJECTD"
    await esme.submit(registered_delivery=2)
    assert parse(await esme.delivered()).state == "REJECTD"
    smsc.faults.no_receipts = True
    await esme.submit(registered_delivery=1)
    assert smsc.counts["receipts"] == 1


async def test_failures_have_their_shares_and_the_seed_repeats_them() -> None:
    async def states(seed: int) -> list[str]:
        smsc = Smsc(accounts={"segue": "secret"}, seed=seed)
        smsc.faults.failures = "UNDELIV=0.3/006,EXPIRED=0.1"
        await smsc.start()
        async with bound(smsc.port) as esme:
            heard: list[str] = []
            for _ in range(100):
                await esme.submit(registered_delivery=1)
                heard.append(parse(await esme.delivered()).state)
        await smsc.aclose()
        return heard

    first = await states(7)
    assert 15 < first.count("UNDELIV") < 45
    assert 2 < first.count("EXPIRED") < 25
    assert await states(7) == first
    assert await states(8) != first


async def test_what_is_answered_try_later_comes_again(smsc: Smsc, esme: RawEsme) -> None:
    await esme.submit(registered_delivery=1)
    first = await esme.delivered(status=Status.ESME_RX_T_APPN)
    again = await esme.delivered()
    assert again.sequence != first.sequence
    assert parse(again) == parse(first)


# -- handsets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("concatenation", list(Concatenation))
@pytest.mark.parametrize("text", ["long " * 60, "длинно 😀 " * 30], ids=["gsm7", "ucs2"])
async def test_a_long_text_from_a_handset_comes_in_every_way_there_is(
    smsc: Smsc, esme: RawEsme, concatenation: Concatenation, text: str
) -> None:
    style = TextStyle(concatenation=concatenation)
    sending = asyncio.create_task(smsc.send_mo("+33123456789", "36200", text, style=style))
    joiner, whole = Joiner(style=style), None
    while whole is None:
        pdu = await esme.delivered()
        whole = joiner.add(pdu.source, pdu.destination, read_part(pdu, style), 0.0)
    assert whole.text == text
    assert await sending == 0


async def test_a_handset_writes_in_the_alphabet_that_is_asked_for(
    smsc: Smsc, esme: RawEsme
) -> None:
    style = TextStyle(default_alphabet=DefaultAlphabet.LATIN9)
    sending = asyncio.create_task(smsc.send_mo("+33123456789", "36200", "5 €", style=style))
    assert (await esme.delivered()).short_message == b"5 \xa4"
    await sending


async def test_wide_references_go_beyond_a_byte(smsc: Smsc, esme: RawEsme) -> None:
    style = TextStyle(concatenation=Concatenation.UDH16)
    references = set()
    for _ in range(257):
        sending = asyncio.create_task(smsc.send_mo("+33123456789", "36200", "x" * 161, style=style))
        references |= {read_part(await esme.delivered()).reference for _ in range(2)}
        await sending
    assert len(references) == 257


async def test_texts_from_handsets_are_spread_over_the_binds(smsc: Smsc, esme: RawEsme) -> None:
    async with bound(smsc.port) as second:
        sending = [
            asyncio.create_task(smsc.send_mo("+33123456789", "36200", text)) for text in "12"
        ]
        assert (await esme.next(DeliverSm)).short_message == b"1"
        assert (await second.delivered()).short_message == b"2"
        assert await sending[1] == 0
        sending[0].cancel()
        await asyncio.gather(*sending, return_exceptions=True)


async def test_a_picture_from_a_handset_is_octets(smsc: Smsc, esme: RawEsme) -> None:
    sending = asyncio.create_task(smsc.send_mo_octets("+33123456789", "36200", b"\0" * 200))
    parts = [await esme.delivered() for _ in range(2)]
    assert {part.data_coding for part in parts} == {4}
    assert b"".join(read_part(part).octets for part in parts) == b"\0" * 200
    assert await sending == 0


@pytest.mark.parametrize(
    ("order", "numbers"),
    [("reversed", [3, 2, 1]), ("twice", [1, 1, 2, 2, 3, 3]), ("last lost", [1, 2])],
)
async def test_parts_from_a_handset_come_in_another_order(
    smsc: Smsc, esme: RawEsme, order: str, numbers: list[int]
) -> None:
    smsc.faults.mo_parts = order
    sending = asyncio.create_task(smsc.send_mo("+33123456789", "36200", "x" * 400))
    came = [read_part(await esme.delivered()).number for _ in numbers]
    assert came == numbers
    assert await sending == 0


async def test_a_text_from_a_handset_goes_to_the_name_that_is_meant(
    smsc: Smsc, esme: RawEsme, told: list[Told]
) -> None:
    with pytest.raises(NotSent):
        await smsc.send_mo("+33123456789", "36200", "2", system_id="other", timeout=0.02)
    assert told[-1] == TextUntaken(1)
    sending = asyncio.create_task(
        smsc.send_mo("+33123456789", "36200", "3", system_id="segue", timeout=5.0)
    )
    assert (await esme.delivered()).short_message == b"3"
    assert await sending == 0


async def test_a_flood_waits_for_nothing(smsc: Smsc, esme: RawEsme) -> None:
    assert smsc.flood(500, "+33123456789", "36200") == 1
    came = [(await esme.next(DeliverSm)) for _ in range(500)]
    assert [pdu.short_message for pdu in came] == [b"%d" % n for n in range(1, 501)]
    assert len({pdu.sequence for pdu in came}) == 500
    with pytest.raises(LocalProtocolError, match="a flood is"):
        smsc.flood(100_001, "+33123456789", "36200")


async def test_an_alert_says_that_a_handset_is_back(smsc: Smsc, esme: RawEsme) -> None:
    smsc.alert("+33123456789", "36200")
    assert (await esme.next(AlertNotification)).source.digits == "33123456789"


# -- sessions ---------------------------------------------------------------------------------


async def test_a_half_open_line_says_nothing_and_stays(smsc: Smsc, esme: RawEsme) -> None:
    smsc.faults.silent = True
    esme.write(EnquireLink(sequence=5), esme.text(b"lost"))
    await until(lambda: esme.writer.transport.get_write_buffer_size() == 0)
    async with connected(smsc.port) as second:  # what came before has been read by now
        second.write(EnquireLink(sequence=1))
        smsc.faults.silent = False
        second.write(EnquireLink(sequence=2))
        while (await second.next(EnquireLinkResp)).sequence != 2:
            pass
    esme.write(EnquireLink(sequence=6))
    assert (await esme.next(EnquireLinkResp)).sequence == 6
    assert smsc.accepted == []


async def test_half_a_pdu_is_followed_by_silence(smsc: Smsc, esme: RawEsme) -> None:
    smsc.cut()
    esme.write(EnquireLink(sequence=5))
    assert len(await esme.reader.readexactly(8)) == 8
    await until(lambda: not any(one.usable for one in smsc.connections))
    with pytest.raises(NotSent):
        await smsc.send_mo("+33123456789", "36200", "2", timeout=0.02)
    esme.writer.write_eof()
    assert await esme.reader.read() == b""


@pytest.mark.parametrize("cut", ["halves", "octets"])
async def test_what_is_cut_arrives_in_pieces_and_whole(smsc: Smsc, esme: RawEsme, cut: str) -> None:
    smsc.faults.write_in = cut
    esme.chunks.clear()
    esme.write(esme.text(), esme.text(), EnquireLink(sequence=8))
    for _ in range(2):
        assert (await esme.next(SubmitSmResp)).status == 0
    assert (await esme.next(EnquireLinkResp)).sequence == 8
    assert len(esme.chunks) > 3
    esme.write(Unbind(sequence=9))
    assert (await esme.next(UnbindResp)).sequence == 9  # all of it, before the connection ends
    assert await esme.closed()


async def test_vendor_tlvs_and_commands_are_strewn_in(smsc: Smsc) -> None:
    smsc.faults.vendor_tlvs = True
    async with connected(smsc.port) as esme:
        assert (0x1400, b"\0\x2a") in (await esme.bind()).tlvs
        answer = await esme.submit(registered_delivery=1)
        assert answer.tlv(0x1401) == b"simulated\0"
        receipt = await esme.delivered()
        assert receipt.tlv(0x3FFF) == b""
        assert parse(receipt).id == answer.message_id
        smsc.strange()
        assert not (await esme.next(Unknown)).is_response
        assert (await esme.next(Unknown)).is_response
        assert (await esme.next(GenericNack)).sequence == 0


async def test_an_esme_that_plays_the_smsc_is_refused(esme: RawEsme) -> None:
    esme.write(
        Outbind(sequence=3, system_id="segue", password="x"),
        DeliverSm(sequence=4, source=CODE),
        Unknown(sequence=5, command_id=0x10203, status=0),
        Unknown(sequence=6, command_id=0x80010203, status=0),
    )
    for sequence in (3, 4, 5):
        nack = await esme.next(GenericNack)
        assert (nack.sequence, nack.status) == (sequence, Status.ESME_RINVCMDID)
    esme.write(EnquireLink(sequence=7))
    assert (await esme.next(EnquireLinkResp)).sequence == 7


async def test_the_smsc_asks_for_the_end(smsc: Smsc, esme: RawEsme) -> None:
    smsc.unbind()
    asked = await esme.next(Unbind)
    esme.write(UnbindResp(sequence=asked.sequence))
    assert await esme.closed()


async def test_who_does_not_bind_in_time_is_closed(
    smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smpp.simulator.smsc._BIND_PATIENCE", 0.02)
    async with connected(smsc.port) as idle:
        assert await idle.closed()
    async with bound(smsc.port) as esme:
        async with connected(smsc.port) as idle:
            assert await idle.closed()  # which is younger
        esme.write(EnquireLink(sequence=7))
        assert (await esme.next(EnquireLinkResp)).sequence == 7


async def test_one_connection_too_many_is_closed_at_once(
    smsc: Smsc, esme: RawEsme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smpp.simulator.smsc._CONNECTIONS", 1)
    async with connected(smsc.port) as second:
        assert await second.closed()
    assert len(smsc.connections) == 1


async def test_an_esme_that_never_reads_is_given_nothing_more(smsc: Smsc, esme: RawEsme) -> None:
    esme.reader._transport.pause_reading()  # type: ignore[attr-defined]  # as one that hangs
    smsc.flood(100_000, "+33123456789", "36200")
    await until(lambda: not any(one.usable for one in smsc.connections))
    sending = asyncio.create_task(smsc.send_mo("+33123456789", "36200", "after"))
    await asyncio.sleep(0)
    assert smsc.counts["DeliverSm"] == 0
    esme.reader._transport.resume_reading()  # type: ignore[attr-defined]
    for _ in range(100_000):
        await esme.frame()
    assert (await esme.delivered()).short_message == b"after"
    assert await sending == 0


async def test_what_happens_is_told(smsc: Smsc, told: list[Told]) -> None:
    smsc.change_faults({"refuse_status": 8})
    async with connected(smsc.port) as esme:
        await esme.bind(password="wrong")
        await esme.bind()
        await esme.submit()
    await until(lambda: not smsc.connections)
    assert told == [
        FaultsChanged({"refuse_status": 8}),
        BindAnswered(1, "segue", "bind_transceiver", Status.ESME_RINVPASWD),
        BindAnswered(1, "segue", "bind_transceiver", 0),
        TextRefused(1, 8),
        ConnectionEnded(1, "segue"),
    ]


async def test_parts_whose_rest_never_comes_are_shown_with_their_gap(
    smsc: Smsc, esme: RawEsme, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("smpp.simulator.taking.time.monotonic", lambda: clock[0])
    first, _, _ = split("a" * 400, 7)
    await esme.submit(first.octets, esm_class=first.esm_class)
    clock[0] += 301
    other, _, _ = split("b" * 400, 8)
    await esme.submit(other.octets, esm_class=other.esm_class)
    (given_up,) = smsc.accepted
    assert given_up.text == "a" * 153 + "[…]"
    assert len(given_up.ids) == 1


# -- other ways to connect --------------------------------------------------------------------


async def test_tls_is_served_with_our_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    smsc = Smsc()
    await smsc.start(tls=authority.server(*authority.issue("smsc", hosts=("127.0.0.1",))))
    trusting = ssl.create_default_context(cafile=str(authority.file))
    async with connected(smsc.port, tls=trusting) as esme:
        assert (await esme.bind()).status == 0
        assert (await esme.submit()).status == 0
    await smsc.aclose()


async def test_ipv6_is_listened_on_beside_ipv4(smsc: Smsc) -> None:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        port = probe.getsockname()[1]
        probe.close()
        await smsc.start("::1", port)
        async with connected(port, "::1") as esme:
            assert (await esme.bind()).status == 0
        return
    pytest.skip("this machine has no IPv6 loopback")


async def test_a_malformed_response_is_not_answered(smsc: Smsc, esme: RawEsme) -> None:
    # query_sm_resp, status 0, with a body that ends in the middle of the id
    esme.writer.write(bytes.fromhex("00000012 80000003 00000000 00000009 4142"))
    esme.write(EnquireLink(sequence=7))
    assert (await esme.next(EnquireLinkResp)).sequence == 7
