"""The phone against a far end that follows a script: losses, crossings, and what is odd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Self

import pytest

from ari_app.media.rtp import RtpPacket
from ari_app.phone import sdp, sip
from ari_app.phone.call import Phone, Side
from ari_app.phone.errors import CallRefused, NoAnswer, NothingHeard, PhoneError
from ari_app.phone.sdp import Audio
from ari_app.phone.sip import Request, Response

PATIENCE = 5.0
VOICE = b"\x10\x90" * 80


class FarEnd(asyncio.DatagramProtocol):
    """One SIP port and one RTP port whose behaviour the test decides, message by message."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[Request] = asyncio.Queue()
        self.answers: asyncio.Queue[Response] = asyncio.Queue()
        self.rtp_in: asyncio.Queue[bytes] = asyncio.Queue()
        self.cseq = 100

    async def open(self) -> Self:
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self.port = self.transport.get_extra_info("sockname")[1]
        far = self

        class Rtp(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                far.rtp_in.put_nowait(data)

        self.rtp, _ = await loop.create_datagram_endpoint(Rtp, local_addr=("127.0.0.1", 0))
        self.audio = Audio("127.0.0.1", self.rtp.get_extra_info("sockname")[1])
        return self

    def close(self) -> None:
        self.transport.close()
        self.rtp.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.phone_addr = addr
        message = sip.parse(data)
        if isinstance(message, Request):
            self.requests.put_nowait(message)
        else:
            self.answers.put_nowait(message)

    async def gets(self, method: str) -> Request:
        """The next request, which must be this one."""
        request = await asyncio.wait_for(self.requests.get(), PATIENCE)
        assert request.method == method
        return request

    async def is_answered(self, status: int) -> Response:
        answer = await asyncio.wait_for(self.answers.get(), PATIENCE)
        assert answer.status == status, answer
        return answer

    def answer(self, request: Request, status: int, body: bytes = b"") -> None:
        contact = ("Contact", f"<sip:far@127.0.0.1:{self.port}>")
        answer = sip.answer(request, status, "So", tag="far", extra=(contact,), body=body)
        self.send(answer)

    def accept(self, invite: Request, audio: Audio | None = None) -> None:
        self.answer(invite, 200, sdp.write(audio or self.audio, 1, 1))

    def ask(
        self, method: str, dialog: Request, *, body: bytes = b"", tag: str | None = None
    ) -> None:
        """A request of ours; `dialog` is any request of the phone's with both tags."""
        self.cseq += 1
        to = dialog.one("from") if tag is None else f"<sip:phone@127.0.0.1>;tag={tag}"
        self.send(
            Request(
                (
                    ("Via", f"SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bKfar{self.cseq}"),
                    ("From", dialog.one("to")),
                    ("To", to),
                    ("Call-ID", dialog.one("call-id")),
                    ("CSeq", f"{self.cseq} {method}"),
                ),
                body,
                method=method,
                uri="sip:phone@127.0.0.1",
            )
        )

    def send(self, message: Request | Response) -> None:
        self.transport.sendto(message.serialize(), self.phone_addr)


@pytest.fixture
async def far() -> AsyncIterator[FarEnd]:
    far = await FarEnd().open()
    yield far
    far.close()
    await asyncio.sleep(0)


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    async with await Phone.open() as phone:
        yield phone


async def in_a_call(phone: Phone, far: FarEnd) -> Request:
    """Both ends in a call; returns the ACK, which has both tags."""
    calling = asyncio.create_task(phone.call("127.0.0.1", far.port, "1000"))
    far.accept(await far.gets("INVITE"))
    ack = await far.gets("ACK")
    await calling
    return ack


async def bids_farewell(phone: Phone, far: FarEnd) -> None:
    """Answers the BYE, so that closing does not wait for nobody."""
    leaving = asyncio.create_task(phone.hang_up())
    far.answer(await far.gets("BYE"), 200)
    await leaving


async def test_a_lost_invite_is_sent_again(phone: Phone, far: FarEnd) -> None:
    calling = asyncio.create_task(phone.call("127.0.0.1", far.port, "1000"))
    first = await far.gets("INVITE")
    again = await far.gets("INVITE")
    assert again == first
    far.accept(again)
    await far.gets("ACK")
    await calling
    await bids_farewell(phone, far)


async def test_a_lost_ack_is_sent_again(phone: Phone, far: FarEnd) -> None:
    calling = asyncio.create_task(phone.call("127.0.0.1", far.port, "1000"))
    invite = await far.gets("INVITE")
    far.accept(invite)
    ack = await far.gets("ACK")
    far.accept(invite)
    assert await far.gets("ACK") == ack
    await calling
    await bids_farewell(phone, far)


async def test_a_refusal_is_acknowledged_in_its_own_transaction(phone: Phone, far: FarEnd) -> None:
    calling = asyncio.create_task(phone.call("127.0.0.1", far.port, "1000"))
    invite = await far.gets("INVITE")
    far.answer(invite, 603)
    ack = await far.gets("ACK")
    assert ack.one("via") == invite.one("via")
    with pytest.raises(CallRefused) as refused:
        await calling
    assert refused.value.status == 603


async def test_a_cancel_waits_for_the_final_answer(phone: Phone, far: FarEnd) -> None:
    calling = asyncio.create_task(phone.call("127.0.0.1", far.port, "1000", deadline=0.2))
    invite = await far.gets("INVITE")
    far.answer(invite, 180)
    cancel = await far.gets("CANCEL")
    assert cancel.one("via") == invite.one("via")
    far.answer(cancel, 200)
    far.answer(invite, 487)
    await far.gets("ACK")
    with pytest.raises(NoAnswer):
        await calling


async def test_an_answer_that_crosses_the_cancel_is_hung_up(phone: Phone, far: FarEnd) -> None:
    calling = asyncio.create_task(phone.call("127.0.0.1", far.port, "1000", deadline=0.2))
    invite = await far.gets("INVITE")
    far.answer(invite, 180)
    cancel = await far.gets("CANCEL")
    far.accept(invite)
    far.answer(cancel, 200)
    await far.gets("ACK")
    far.answer(await far.gets("BYE"), 200)
    with pytest.raises(NoAnswer):
        await calling
    assert not phone.up


async def test_nobody_there_is_no_answer(phone: Phone, far: FarEnd) -> None:
    with pytest.raises(NoAnswer):
        await phone.call("127.0.0.1", far.port, "1000", deadline=0.2)
    await far.gets("INVITE")
    assert far.requests.empty()  # no CANCEL: nothing had been answered


async def test_an_answer_without_our_codec_is_hung_up_and_refused(
    phone: Phone, far: FarEnd
) -> None:
    calling = asyncio.create_task(phone.call("127.0.0.1", far.port, "1000"))
    body = sdp.write(far.audio, 1, 1).replace(b"RTP/AVP 0", b"RTP/AVP 8")
    far.answer(await far.gets("INVITE"), 200, body)
    await far.gets("ACK")
    far.answer(await far.gets("BYE"), 200)
    with pytest.raises(CallRefused, match="no audio"):
        await calling


async def test_a_withheld_number_is_nowhere(phone: Phone, far: FarEnd) -> None:
    calling = asyncio.create_task(phone.call("127.0.0.1", far.port, "1000", caller=""))
    invite = await far.gets("INVITE")
    assert sip.uri_of(invite.one("from")) == "sip:anonymous@anonymous.invalid"
    assert invite.one("privacy") == "id"
    far.answer(invite, 486)
    with pytest.raises(CallRefused):
        await calling


async def test_a_far_end_that_hangs_up_twice_is_answered_twice(phone: Phone, far: FarEnd) -> None:
    ack = await in_a_call(phone, far)
    far.ask("BYE", ack)
    await far.is_answered(200)
    far.cseq -= 1
    far.ask("BYE", ack)
    await far.is_answered(200)
    assert (await phone.until_ended(PATIENCE)).by is Side.FAR_END


async def test_a_hold_is_answered_and_stops_the_audio_until_it_ends(
    phone: Phone, far: FarEnd
) -> None:
    ack = await in_a_call(phone, far)
    await asyncio.wait_for(far.rtp_in.get(), PATIENCE)

    hold = Audio(far.audio.host, far.audio.port, direction="sendonly")
    far.ask("INVITE", ack, body=sdp.write(hold, 1, 2))
    answer = await far.is_answered(200)
    assert sdp.parse(answer.body).direction == "recvonly"
    # Not acknowledged, the answer comes again.
    assert await far.is_answered(200) == answer
    acknowledge(far, ack, far.cseq)
    while not far.rtp_in.empty():
        far.rtp_in.get_nowait()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(far.rtp_in.get(), 0.2)

    far.ask("UPDATE", ack, body=sdp.write(far.audio, 1, 3))
    await far.is_answered(200)
    await asyncio.wait_for(far.rtp_in.get(), PATIENCE)
    await bids_farewell(phone, far)


def acknowledge(far: FarEnd, dialog: Request, cseq: int) -> None:
    """The ACK of a re-INVITE has the INVITE's own number."""
    far.cseq = cseq - 1
    far.ask("ACK", dialog)


async def test_other_requests_in_the_call_are_answered(phone: Phone, far: FarEnd) -> None:
    ack = await in_a_call(phone, far)
    for method, status in [("OPTIONS", 200), ("INFO", 200), ("NOTIFY", 200), ("REFER", 405)]:
        far.ask(method, ack)
        await far.is_answered(status)
    far.ask("INVITE", ack, body=b"v=0\r\n")
    await far.is_answered(488)
    far.cseq -= 5
    far.ask("INFO", ack)
    await far.is_answered(500)
    assert phone.up
    await bids_farewell(phone, far)


async def test_a_stranger_cannot_end_the_call(phone: Phone, far: FarEnd) -> None:
    ack = await in_a_call(phone, far)
    far.ask("BYE", ack, tag="guess")
    await far.is_answered(481)
    far.transport.sendto(b"BYE nonsense\r\n\r\n", far.phone_addr)
    far.transport.sendto(b"\x00" * 100, far.phone_addr)
    far.ask("OPTIONS", ack)
    await far.is_answered(200)
    assert phone.up
    await bids_farewell(phone, far)


async def test_a_call_to_the_phone_is_busy(phone: Phone, far: FarEnd) -> None:
    await in_a_call(phone, far)
    stranger = Request(
        (
            ("Via", f"SIP/2.0/UDP 127.0.0.1:{far.port};branch=z9hG4bKnew"),
            ("From", "<sip:new@127.0.0.1>;tag=new"),
            ("To", "<sip:phone@127.0.0.1>"),
            ("Call-ID", "new"),
            ("CSeq", "1 INVITE"),
        ),
        method="INVITE",
        uri="sip:phone@127.0.0.1",
    )
    far.send(stranger)
    await far.is_answered(486)
    await bids_farewell(phone, far)


async def test_only_the_far_ends_audio_is_heard(phone: Phone, far: FarEnd) -> None:
    await in_a_call(phone, far)
    first = RtpPacket.parse(await asyncio.wait_for(far.rtp_in.get(), PATIENCE))
    assert first.payload == b"\xff" * 160
    offered = phone._sound.port  # what the offer said
    voice = RtpPacket(0, 1, 160, 9, VOICE).serialize()

    far.transport.sendto(voice, ("127.0.0.1", offered))  # from the wrong port
    with pytest.raises(NothingHeard):
        await phone.until_prompt(0.2)
    far.rtp.sendto(b"\x00", ("127.0.0.1", offered))
    far.rtp.sendto(voice, ("127.0.0.1", offered))
    began = await phone.until_prompt(PATIENCE)
    assert await phone.until_quiet(0.1, PATIENCE) == began
    assert phone.heard().size == 160
    await bids_farewell(phone, far)


async def test_a_far_end_that_goes_on_speaking_is_not_quiet(phone: Phone, far: FarEnd) -> None:
    await in_a_call(phone, far)

    async def babble() -> None:
        for i in range(1000):
            far.rtp.sendto(
                RtpPacket(0, i, i * 160, 9, VOICE).serialize(),
                ("127.0.0.1", phone._sound.port),
            )
            await asyncio.sleep(0.02)

    babbling = asyncio.create_task(babble())
    with pytest.raises(NothingHeard, match="still speaking"):
        await phone.until_quiet(0.2, 0.5)
    babbling.cancel()
    await phone.until_quiet(0.2, PATIENCE)
    await bids_farewell(phone, far)


async def test_a_phone_makes_one_call(phone: Phone, far: FarEnd) -> None:
    await in_a_call(phone, far)
    with pytest.raises(PhoneError, match="one call"):
        await phone.call("127.0.0.1", far.port, "1000")
    await bids_farewell(phone, far)


async def test_a_far_end_that_is_gone_does_not_hold_the_phone_for_long(far: FarEnd) -> None:
    phone = await Phone.open()
    await in_a_call(phone, far)
    async with asyncio.timeout(PATIENCE):
        await phone.aclose()
    assert phone.ending is not None
    assert phone.ending.by is Side.PHONE
    assert asyncio.all_tasks() == {asyncio.current_task()}
