"""Our ESME on real sockets: against our SMSC that misbehaves, and against one made of smpplib."""

import asyncio
import contextlib
import logging
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from smpplib import smpp as reference

from smpp.address import Address
from smpp.codec import encode
from smpp.constants import Command, Status
from smpp.errors import (
    AnswerTimeout,
    BindRefused,
    CommandError,
    LocalProtocolError,
    NotSent,
    SessionClosed,
    Throttled,
)
from smpp.esme import Backoff, Esme, Limits
from smpp.pdu import DeliverSm, SubmitSm, Unknown
from smpp.receipt import is_receipt, parse
from smpp.simulator import Faults, Smsc

HELLO = SubmitSm(
    source=Address.of("36200"),
    destination=Address.of("+33123456789"),
    short_message=b"hello",
    registered_delivery=1,
)
SOON = Backoff(first=0.01, longest=0.05, held=0.02, refused=60.0)


async def until(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  # the other side is a socket, not an event
            await asyncio.sleep(0.002)


class Handset:
    """Takes what is delivered; may fail first."""

    def __init__(self) -> None:
        self.delivered: list[DeliverSm] = []
        self.calls = 0
        self.fail_first = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, pdu: DeliverSm) -> None:
        self.calls += 1
        await self.gate.wait()
        if self.calls <= self.fail_first:
            raise RuntimeError("disk full: hello")
        self.delivered.append(pdu)


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    smsc = Smsc(accounts={"segue": "secret"}, retry_delay=0.01)
    await smsc.start()
    yield smsc
    await smsc.aclose()


@pytest.fixture
def handset() -> Handset:
    return Handset()


@contextlib.asynccontextmanager
async def bound(smsc: Smsc, handset: Handset, **options: Any) -> AsyncIterator[Esme]:
    options.setdefault("password", "secret")
    options.setdefault("backoff", SOON)
    wait = options.pop("wait", True)
    esme = Esme("127.0.0.1", smsc.port, system_id="segue", handler=handset, **options)
    esme.start()
    try:
        if wait:
            await esme.wait_up(5.0)
        yield esme
    finally:
        await esme.aclose()


async def test_a_text_gets_its_id_and_then_its_receipt(smsc: Smsc, handset: Handset) -> None:
    watch = smsc.watch()
    async with bound(smsc, handset) as esme:
        id = await esme.submit(HELLO)
        await until(lambda: bool(handset.delivered))
        await until(lambda: watch.qsize() == 3)
    (text,) = smsc.accepted
    assert (text.text, text.sender, text.recipient) == ("hello", "36200", "33123456789")
    assert text.ids == (id,)
    assert parse(handset.delivered[0]).id == id
    kinds = [type(watch.get_nowait()).__name__ for _ in range(3)]
    assert kinds == ["AcceptedMessage", "ReceiptSent", "ReceiptAnswered"]


async def test_nagle_is_off_and_keepalive_on(smsc: Smsc, handset: Handset) -> None:
    async with bound(smsc, handset) as esme:
        assert esme._link is not None
        assert esme._link._transport is not None
        sock = esme._link._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_what_is_not_stored_is_not_acknowledged_and_comes_again(
    smsc: Smsc, handset: Handset, caplog: pytest.LogCaptureFixture
) -> None:
    handset.fail_first = 2
    async with bound(smsc, handset):
        assert await smsc.send_mo("+33123456789", "36200", "2") == 0
    assert handset.calls == 3
    assert [pdu.short_message for pdu in handset.delivered] == [b"2"]
    assert "hello" not in caplog.text


async def test_a_slow_handler_is_answered_for(smsc: Smsc, handset: Handset) -> None:
    handset.gate.clear()
    async with bound(smsc, handset, limits=Limits(handler_timeout=0.02)):
        status = await smsc.send_mo("+33123456789", "36200", "2", attempts=1)
    assert status == Status.ESME_RX_T_APPN


async def test_an_enquiry_is_answered_while_the_handler_is_busy(
    smsc: Smsc, handset: Handset
) -> None:
    handset.gate.clear()
    async with bound(smsc, handset) as esme:
        sending = asyncio.create_task(smsc.send_mo("+33123456789", "36200", "2"))
        await until(lambda: handset.calls == 1)
        assert await esme.submit(HELLO)
        handset.gate.set()
        assert await sending == 0


async def test_a_wrong_password_alarms_and_is_not_hammered(smsc: Smsc, handset: Handset) -> None:
    alarms: list[BindRefused] = []
    async with bound(smsc, handset, password="wrong", on_alarm=alarms.append, wait=False) as esme:
        await until(lambda: bool(alarms))
        with pytest.raises(NotSent):
            await esme.submit(HELLO)
        with pytest.raises(TimeoutError):
            await esme.wait_up(0.05)
    assert [alarm.status for alarm in alarms] == [Status.ESME_RINVPASWD]
    assert smsc.binds == 1


async def test_a_bind_refused_for_now_is_tried_again(smsc: Smsc, handset: Handset) -> None:
    smsc.faults.bind_status = Status.ESME_RALYBND
    alarms: list[BindRefused] = []
    async with bound(smsc, handset, on_alarm=alarms.append, wait=False) as esme:
        await until(lambda: smsc.binds >= 2)
        smsc.faults.bind_status = 0
        await esme.wait_up(5.0)
    assert alarms == []


async def test_a_throttled_text_says_so(smsc: Smsc, handset: Handset) -> None:
    smsc.faults.throttle_first = 1
    async with bound(smsc, handset) as esme:
        with pytest.raises(Throttled):
            await esme.submit(HELLO)
        assert await esme.submit(HELLO)


async def test_a_vendors_own_status_is_carried(smsc: Smsc, handset: Handset) -> None:
    smsc.faults.refuse_status = 0x411
    async with bound(smsc, handset) as esme:
        with pytest.raises(CommandError, match="0x00000411"):
            await esme.submit(HELLO)


async def test_an_smsc_that_never_answers_leaves_the_fate_unknown(
    smsc: Smsc, handset: Handset
) -> None:
    smsc.faults.never_answer = True
    async with bound(smsc, handset, limits=Limits(response_timeout=0.05)) as esme:
        with pytest.raises(AnswerTimeout):
            await esme.submit(HELLO)
        assert esme.up


async def test_a_dropped_connection_leaves_the_window_unknown_and_binds_again(
    smsc: Smsc, handset: Handset
) -> None:
    smsc.faults.never_answer = True
    smsc.faults.drop_after = 3
    downs: list[str] = []
    async with bound(smsc, handset, limits=Limits(window=3), on_down=downs.append) as esme:
        futures = esme.submit_all([HELLO] * 5)
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [SessionClosed] * 3 + [NotSent] * 2
        await until(lambda: smsc.binds == 2)
        await esme.wait_up(5.0)
        smsc.faults.never_answer = False
        assert await esme.submit(HELLO)
    assert len(downs) == 2


async def test_a_receipt_may_come_before_the_answer(smsc: Smsc, handset: Handset) -> None:
    smsc.faults.receipt_first = True
    handset.gate.clear()
    async with bound(smsc, handset) as esme:
        id = await esme.submit(HELLO)
        assert handset.calls == 1
        handset.gate.set()
        await until(lambda: bool(handset.delivered))
        assert parse(handset.delivered[0]).id == id


async def test_every_copy_of_a_receipt_is_answered(smsc: Smsc, handset: Handset) -> None:
    smsc.faults.duplicate_receipts = True
    async with bound(smsc, handset) as esme:
        await esme.submit(HELLO)
        await until(lambda: len(handset.delivered) == 2)
    assert all(is_receipt(pdu) for pdu in handset.delivered)


async def test_garbage_ends_the_session_and_a_new_one_begins(smsc: Smsc, handset: Handset) -> None:
    async with bound(smsc, handset) as esme:
        smsc.send_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await until(lambda: smsc.binds == 2)
        await esme.wait_up(5.0)
        assert await esme.submit(HELLO)


async def test_a_bad_deliver_sm_or_an_unknown_command_does_not_end_the_session(
    smsc: Smsc, handset: Handset
) -> None:
    async with bound(smsc, handset) as esme:
        smsc.send_raw(struct.pack(">IIII", 20, Command.DELIVER_SM, 0, 9) + b"\0\1\1x")
        smsc.send_raw(encode(Unknown(sequence=3, command_id=0x103, status=0, body=b"data_sm")))
        assert await smsc.send_mo("+33123456789", "36200", "still here") == 0
        assert esme.up
    assert smsc.binds == 1


async def test_the_smsc_may_unbind_and_we_come_back(smsc: Smsc, handset: Handset) -> None:
    async with bound(smsc, handset) as esme:
        smsc.unbind()
        await until(lambda: smsc.binds == 2)
        await esme.wait_up(5.0)
        assert await esme.submit(HELLO)


async def test_a_link_that_is_dead_but_open_is_left(smsc: Smsc, handset: Handset) -> None:
    smsc.faults.deaf_to_enquire_link = True
    limits = Limits(enquire_link_interval=0.03, response_timeout=0.03)
    async with bound(smsc, handset, limits=limits):
        await until(lambda: smsc.binds >= 2)


async def test_a_quiet_link_is_kept_by_enquiries_both_ways(smsc: Smsc, handset: Handset) -> None:
    limits = Limits(enquire_link_interval=0.01, response_timeout=5.0)
    async with bound(smsc, handset, limits=limits) as esme:
        later = asyncio.get_running_loop().time() + 0.06
        await until(lambda: asyncio.get_running_loop().time() > later)
        smsc.enquire()
        assert await esme.submit(HELLO)
    assert smsc.binds == 1


async def test_parts_go_consecutively_and_the_window_holds(smsc: Smsc, handset: Handset) -> None:
    async with bound(smsc, handset, limits=Limits(window=2)) as esme:
        pdus = [SubmitSm(short_message=bytes((65 + n,))) for n in range(20)]
        futures = esme.submit_all(pdus[:10]) + esme.submit_all(pdus[10:])
        ids = await asyncio.gather(*futures)
    assert [pdu.short_message for pdu in smsc.submits] == [pdu.short_message for pdu in pdus]
    assert ids == sorted(ids)


async def test_a_text_that_no_pdu_can_carry_is_our_fault_and_harms_nobody(
    smsc: Smsc, handset: Handset
) -> None:
    async with bound(smsc, handset) as esme:
        bad, good = esme.submit_all([SubmitSm(short_message=b"x" * 255), HELLO])
        with pytest.raises(LocalProtocolError):
            await bad
        assert await good


async def test_closing_lets_the_window_drain_and_unbinds(smsc: Smsc, handset: Handset) -> None:
    async with bound(smsc, handset, limits=Limits(window=1)) as esme:
        futures = esme.submit_all([HELLO] * 5)
        await esme.aclose()
        assert len(await asyncio.gather(*futures)) == 5
        with pytest.raises(NotSent):
            await esme.submit(HELLO)
    assert not any(connection.mode for connection in smsc.connections)


async def test_an_smsc_that_is_not_there_is_no_reason_to_fail(handset: Handset) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    esme = Esme("127.0.0.1", port, system_id="segue", password="", handler=handset, backoff=SOON)
    esme.start()
    with pytest.raises(TimeoutError):
        await esme.wait_up(0.05)
    assert not esme.up
    await esme.aclose()


async def test_closing_does_not_wait_for_a_bind_that_hangs(handset: Handset) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, says nothing
        port = server.getsockname()[1]
        esme = Esme("127.0.0.1", port, system_id="segue", password="", handler=handset)
        esme.start()
        await until(lambda: esme._link is not None and esme._link.connected)
        async with asyncio.timeout(2.0):
            await esme.aclose()


async def test_a_bind_that_is_not_answered_is_given_up_and_tried_again(handset: Handset) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        esme = Esme(
            "127.0.0.1",
            server.getsockname()[1],
            system_id="segue",
            password="",
            handler=handset,
            limits=Limits(response_timeout=0.02),
            backoff=SOON,
        )
        esme.start()
        await until(lambda: esme.link_number >= 2)
        await esme.aclose()


async def test_a_bind_that_is_dropped_at_once_is_not_stormed(
    smsc: Smsc, handset: Handset, caplog: pytest.LogCaptureFixture
) -> None:
    backoff = Backoff(first=0.01, longest=60.0, healthy_after=60.0)
    async with bound(smsc, handset, backoff=backoff, chance=lambda: 1.0) as esme:
        for _ in range(3):
            await esme.wait_up(5.0)
            binds = smsc.binds
            smsc.drop()
            await until(lambda binds=binds: smsc.binds > binds)  # type: ignore[misc]  # default
        assert esme._attempts.failures == 3


async def test_a_bind_that_has_stayed_up_is_trusted_again(smsc: Smsc, handset: Handset) -> None:
    backoff = Backoff(first=0.01, longest=60.0, healthy_after=0.0)
    async with bound(smsc, handset, backoff=backoff) as esme:
        for _ in range(3):
            await esme.wait_up(5.0)
            binds = smsc.binds
            smsc.drop()
            await until(lambda binds=binds: smsc.binds > binds)  # type: ignore[misc]  # default
        assert esme._attempts.failures == 1


async def test_no_log_line_has_a_password_text_or_number(
    smsc: Smsc, handset: Handset, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with bound(smsc, handset) as esme:
        await esme.submit(HELLO)
        await smsc.send_mo("+33123456789", "36200", "my reply")
    assert caplog.text
    for secret in ("secret", "hello", "my reply", "33123456789"):
        assert secret not in caplog.text


# -- an SMSC that shares no line of code with ours --------------------------------------------


class Peer:
    """A blocking SMSC for one session, its every PDU read and written by smpplib."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(10.0)
        self.port: int = self._server.getsockname()[1]
        self.seen: list[Any] = []
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Peer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10.0)
        self._server.close()

    def _serve(self) -> None:
        client, _ = self._server.accept()
        with client, client.makefile("rb") as stream:
            client.settimeout(10.0)
            while head := stream.read(4):
                frame = head + stream.read(struct.unpack(">I", head)[0] - 4)
                pdu = reference.parse_pdu(
                    frame, sequence=1, client=None, allow_unknown_opt_params=True
                )
                self.seen.append(pdu)
                for answer in self._answers(pdu):
                    client.sendall(answer)

    def _answers(self, pdu: Any) -> Iterator[bytes]:
        fields = {"submit_sm": {"message_id": "PEER-1"}, "bind_transceiver": {"system_id": "peer"}}
        if not pdu.command.endswith("_resp"):
            answer = reference.make_pdu(pdu.command + "_resp", **fields.get(pdu.command, {}))
            answer.sequence = pdu.sequence
            yield answer.generate()
        if pdu.command == "submit_sm":
            receipt = reference.make_pdu(
                "deliver_sm",
                sequence=1,
                esm_class=4,
                source_addr="33123456789",
                destination_addr="36200",
                short_message=b"id:PEER-1 stat:DELIVRD err:000",
                receipted_message_id="PEER-1",
                message_state=2,
            )
            receipt.sequence = 41
            yield receipt.generate()


async def test_an_smsc_made_of_smpplib_understands_us_and_we_it(handset: Handset) -> None:
    with Peer() as peer:
        esme = Esme(
            "127.0.0.1",
            peer.port,
            system_id="segue",
            password="secret",
            system_type="SMPP",
            handler=handset,
        )
        esme.start()
        await esme.wait_up(5.0)
        assert await esme.submit(HELLO) == "PEER-1"
        await until(lambda: bool(handset.delivered))
        await until(lambda: peer.seen[-1].command == "deliver_sm_resp")
        await esme.aclose()
    commands = [pdu.command for pdu in peer.seen]
    assert commands == ["bind_transceiver", "submit_sm", "deliver_sm_resp", "unbind"]
    assert (peer.seen[0].system_id, peer.seen[0].password) == (b"segue", b"secret")
    assert peer.seen[1].short_message == b"hello"
    assert peer.seen[2].sequence == 41
    assert parse(handset.delivered[0]).state == "DELIVRD"


def test_faults_are_off_by_default() -> None:
    assert not any(getattr(Faults(), name) for name in ("bind_status", "never_answer", "hex_ids"))


async def test_a_flood_is_taken_in_order_and_not_all_at_once(smsc: Smsc, handset: Handset) -> None:
    handset.gate.clear()
    async with bound(smsc, handset) as esme:
        flood = [DeliverSm(sequence=n, short_message=b"%d" % n) for n in range(1, 20_001)]
        smsc.send_raw(b"".join(map(encode, flood)))
        link = esme._link
        assert link is not None
        await until(lambda: not link._reading)
        assert link._intake.in_hand < 10_000
        handset.gate.set()
        await until(lambda: len(handset.delivered) == len(flood), timeout=20.0)
    assert handset.delivered == flood
