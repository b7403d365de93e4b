"""One outgoing call's SIP over UDP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import replace

from ari_app.phone import sdp, sip
from ari_app.phone.errors import CallRefused, NoAnswer
from ari_app.phone.sdp import Audio
from ari_app.phone.sip import Dialog, Request, Response

logger = logging.getLogger(__name__)

T1 = 0.5  # RFC 3261 §17.1.1.1: the estimated round trip
T2 = 4.0  # §17.1.2.1: the longest pause between two repeats
FAREWELL = 2.0  # how long BYE and CANCEL are repeated: a phone that goes away does not wait 32 s

_ALLOW = ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, NOTIFY")
_REMEMBERED = 32  # answers kept for requests that come twice


class Signalling(asyncio.DatagramProtocol):
    """The UAC of one call (RFC 3261): calls, gives up, hangs up, answers what comes in the dialog.

    All goes to the host and port that was called, as through an outbound proxy; `on_audio` is told
    where the far side takes audio, each time it says so, `on_bye` that it has hung up.
    """

    def __init__(self, on_audio: Callable[[Audio], None], on_bye: Callable[[str], None]) -> None:
        self._on_audio = on_audio
        self._on_bye = on_bye
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._peer: tuple[str, int] = ("", 0)
        self._host, self._port = "", 0
        self._cseq = random.randrange(1, 2**16)
        self._their_cseq = -1
        self._tag = secrets.token_hex(8)
        self._session = random.randrange(2**31)
        self._versions = 0
        self._ours = Audio("", 0)
        # the INVITE
        self._invite: Request | None = None
        self._invite_key = ("", "")
        self._draft: Dialog | None = None
        self._quiet = asyncio.Event()  # the INVITE need not be repeated any more
        self._rang = False  # an answer came, if only a provisional one
        self._final: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._ack = b""
        self._given_up = False
        self._farewell: asyncio.Task[None] | None = None  # the BYE after a 200 that nobody wants
        self._dialog: Dialog | None = None
        # other requests of ours, by branch and method (§17.1.3)
        self._waiting: dict[tuple[str, str], asyncio.Future[Response]] = {}
        # their requests
        self._answers: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._unacked: dict[int, asyncio.Event] = {}

    @property
    def up(self) -> bool:
        """Whether the far side has answered and nobody has hung up."""
        return self._dialog is not None

    async def open(self, host: str) -> None:
        """Take a free UDP port."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, 0))
        self._transport = transport
        self._host, self._port = transport.get_extra_info("sockname")[:2]

    async def invite(
        self, peer: tuple[str, int], number: str, caller: str, ours: Audio, deadline: float
    ) -> None:
        """Call and wait for the answer; CallRefused or NoAnswer, and then the call is cancelled.

        An empty caller withholds the number (RFC 3323 §4.1).
        """
        self._peer, self._ours = peer, ours
        anonymous = not caller
        me = sip.address(caller or "anonymous", self._host, self._port)
        shown = '"Anonymous" <sip:anonymous@anonymous.invalid>' if anonymous else f"<{me}>"
        target = sip.address(number, *peer)
        dialog = Dialog(
            call_id=f"{secrets.token_hex(16)}@{self._host}",
            local=f"{shown};tag={self._tag}",
            remote=f"<{target}>",
            target=target,
            contact=me,
        )
        extra = (_ALLOW, *((("Privacy", "id"),) if anonymous else ()))
        offer = sdp.write(ours, self._session, self._next_version())
        invite = dialog.request("INVITE", self._cseq, self._via(), body=offer, extra=extra)
        self._invite, self._draft = invite, dialog
        self._invite_key = (sip.branch_of(invite.one("via")), "INVITE")
        # §17.1.1.2: over UDP the INVITE is repeated until anything is answered, ever more slowly.
        self._spawn(self._repeat(invite.serialize(), self._quiet, longest=float("inf")))
        try:
            async with asyncio.timeout(deadline):
                answer = await asyncio.shield(self._final)
        except TimeoutError:
            await self.end()
            raise NoAnswer(f"nobody answered within {deadline:g} s") from None
        if answer.status >= 300:
            raise CallRefused(answer.status, answer.reason)
        if self._dialog is None:
            raise CallRefused(488, "the answer has no audio that this phone understands")

    async def end(self) -> None:
        """Hang up, or cancel what is not answered yet; without effect on a call that is over."""
        dialog, self._dialog = self._dialog, None
        if dialog is not None:
            await self._bye(dialog)
        elif self._invite is not None and not self._final.done():
            await self._cancel(self._invite)

    async def aclose(self) -> None:
        """Free the socket; the call must have been ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._transport is not None:
            self._transport.close()
            # The transport closes its socket in the next turn of the loop.
            await asyncio.sleep(0)

    # -- what we send -------------------------------------------------------------------------

    def _send(self, datagram: bytes, to: tuple[str, int] | None = None) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(datagram, to or self._peer)

    def _via(self) -> str:
        # §8.1.1.7: the cookie says that the branch is unique; rport is RFC 3581.
        branch = "z9hG4bK" + secrets.token_hex(12)
        return f"SIP/2.0/UDP {self._host}:{self._port};rport;branch={branch}"

    def _next_version(self) -> int:
        self._versions += 1
        return self._versions

    async def _repeat(self, datagram: bytes, until: asyncio.Event, longest: float = T2) -> None:
        pause = T1
        self._send(datagram)
        for _ in range(10):  # 64 times T1 is the end (§17.1.1.2, timer B)
            try:
                async with asyncio.timeout(pause):
                    await until.wait()
                return
            except TimeoutError:
                self._send(datagram)
            pause = min(pause * 2, longest)

    async def _transact(self, request: Request) -> Response | None:
        """A request other than INVITE and its final answer (§17.1.2); None if none came."""
        key = (sip.branch_of(request.one("via")), request.method)
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting[key] = answer
        answered = asyncio.Event()
        answer.add_done_callback(lambda _: answered.set())
        repeating = self._spawn(self._repeat(request.serialize(), answered))
        try:
            async with asyncio.timeout(FAREWELL):
                return await answer
        except TimeoutError:
            return None
        finally:
            repeating.cancel()
            del self._waiting[key]

    async def _bye(self, dialog: Dialog) -> None:
        self._cseq += 1
        await self._transact(dialog.request("BYE", self._cseq, self._via()))

    async def _cancel(self, invite: Request) -> None:
        self._given_up = True
        # §9.1: CANCEL may only follow a provisional answer. Without one there is nobody to tell,
        # but a late 200 still gets its ACK and BYE while the socket is open.
        self._quiet.set()
        if not self._rang:
            return
        await self._transact(sip.follow_up(invite, "CANCEL", invite.one("to")))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await asyncio.shield(self._final)  # 487, or the 200 that crossed the CANCEL
        if self._farewell is not None:
            await self._farewell

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- what comes ---------------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            message = sip.parse(data)
        except ValueError as error:
            logger.debug("dropped a datagram from %s:%d: %s", addr[0], addr[1], error)
            return
        if isinstance(message, Request):
            self._request(message, addr)
        else:
            self._response(message)

    def _response(self, response: Response) -> None:
        key = (sip.branch_of(response.one("via")), response.cseq[1])
        if self._draft is not None and self._invite is not None and key == self._invite_key:
            self._invite_answered(self._invite, self._draft, response)
        elif (waiting := self._waiting.get(key)) and response.status >= 200 and not waiting.done():
            waiting.set_result(response)

    def _invite_answered(self, invite: Request, draft: Dialog, response: Response) -> None:
        if self._final.done():
            # §13.2.2.4: a repeated answer means that our ACK was lost.
            if response.status >= 200:
                self._send(self._ack)
            return
        self._quiet.set()
        self._rang = True
        if response.status < 200:
            self._take_audio(response.body)
            return
        if response.status < 300:
            dialog = draft.confirmed(response)
            self._ack = dialog.request("ACK", invite.cseq[0], self._via()).serialize()
            self._send(self._ack)
            if self._take_audio(response.body) and not self._given_up:
                self._dialog = dialog
            else:
                self._farewell = self._spawn(self._bye(dialog))
        else:
            self._ack = sip.follow_up(invite, "ACK", response.one("to")).serialize()
            self._send(self._ack)
        self._final.set_result(response)

    def _take_audio(self, body: bytes) -> bool:
        if not body:
            return False
        try:
            audio = sdp.parse(body)
        except ValueError as error:
            logger.debug("the far side's audio is not for us: %s", error)
            return False
        self._on_audio(audio)
        return True

    def _request(self, request: Request, addr: tuple[str, int]) -> None:
        if request.method == "ACK":
            if acked := self._unacked.pop(request.cseq[0], None):
                acked.set()
            if request.body:
                self._take_audio(request.body)  # the answer to an offer of ours in a 200
            return
        key = (sip.branch_of(request.one("via")), request.method)
        if key in self._answers:  # §17.2.2: the same request again gets the same answer
            self._send(self._answers[key], addr)
            return
        response = self._answer(request)
        try:
            datagram = response.serialize()
        except ValueError as error:
            logger.debug("a request from %s:%d cannot be answered: %s", addr[0], addr[1], error)
            return
        self._answers[key] = datagram
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        if request.method == "INVITE" and response.status == 200:
            # §13.3.1.4: the 200 to an INVITE is repeated until the ACK.
            acked = self._unacked[request.cseq[0]] = asyncio.Event()
            self._spawn(self._repeat(datagram, acked))
        else:
            self._send(datagram, addr)

    def _answer(self, request: Request) -> Response:
        dialog, to = self._dialog, sip.tag_of(request.one("to"))

        def say(
            status: int, reason: str, extra: tuple[tuple[str, str], ...] = (), body: bytes = b""
        ) -> Response:
            return sip.answer(request, status, reason, tag=self._tag, extra=extra, body=body)

        if request.method == "OPTIONS" and not to:
            return say(200, "OK", (_ALLOW, ("Accept", "application/sdp")))
        if request.method == "INVITE" and not to:
            return say(486, "Busy Here")  # this phone only calls
        if (
            request.method == "CANCEL"
            and (sip.branch_of(request.one("via")), "INVITE") in self._answers
        ):
            return say(200, "OK")  # too late: a re-INVITE is answered at once
        if dialog is None or not dialog.owns(request):
            return say(481, "Call/Transaction Does Not Exist")
        if request.cseq[0] <= self._their_cseq:
            return say(500, "Out Of Order")  # §12.2.2
        self._their_cseq = request.cseq[0]
        match request.method:
            case "BYE":
                self._dialog = None
                self._on_bye(request.one("reason") or "the far side hung up")
                return say(200, "OK")
            case "INVITE" | "UPDATE":
                self._dialog = dialog.retargeted(request)
                return self._answer_offer(request, dialog, say)
            case "OPTIONS":
                return say(200, "OK", (_ALLOW, ("Accept", "application/sdp")))
            case "INFO" | "NOTIFY":
                return say(200, "OK")
            case _:
                return say(405, "Method Not Allowed", (_ALLOW,))

    def _answer_offer(
        self, request: Request, dialog: Dialog, say: Callable[..., Response]
    ) -> Response:
        contact = ("Contact", f"<{dialog.contact}>")
        ours = self._ours
        if request.body:
            if not self._take_audio(request.body):
                return say(488, "Not Acceptable Here")
            theirs = sdp.parse(request.body)
            ours = replace(
                ours,
                direction=sdp.ANSWER[theirs.direction],
                telephone_event=theirs.telephone_event,
            )
        elif request.method == "UPDATE":
            return say(200, "OK", (contact,))
        body = sdp.write(ours, self._session, self._next_version())
        return say(200, "OK", (contact, _ALLOW), body)
