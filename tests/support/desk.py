"""A phone that is called: rings, is picked up, refuses, or lets it ring."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from ari_app.phone import sdp, sip
from ari_app.phone.call import Phone
from ari_app.phone.sdp import Audio
from ari_app.phone.signalling import Signalling
from ari_app.phone.sip import Dialog, Request

PATIENCE = 30.0  # seconds; only a failing test ever waits so long


class _Called(Signalling):
    """The UAS of one call after the other (RFC 3261 §13.3)."""

    def __init__(self, on_audio: Callable[[Audio], None], on_bye: Callable[[str], None]) -> None:
        super().__init__(on_audio, on_bye)
        self._bye_told = on_bye
        self.ringing = asyncio.Event()
        self.calls = 0
        self.caller = ""
        self._offer: Request | None = None
        self._said = b""  # our last answer to it

    async def open_at(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, port))
        self._transport, self._host, self._port = transport, host, port

    def _request(self, request: Request, addr: tuple[str, int]) -> None:
        new = request.method == "INVITE" and not sip.tag_of(request.one("to"))
        if new and self._offer is None and not self.up:
            self._offer, self._peer = request, addr
            self.calls += 1
            self.caller = request.one("from")
            self._tell(180, "Ringing")
            self.ringing.set()
        elif new and self._offer is not None and self._is_of(request, self._offer):
            self._send(self._said, addr)
        elif request.method == "CANCEL" and self._offer and self._is_of(request, self._offer):
            self._send(sip.answer(request, 200, "OK", tag=self._tag).serialize(), addr)
            self.refuse(487, "Request Terminated")
            self._bye_told("the far side gave up")
        else:
            super()._request(request, addr)

    def pick_up(self, ours: Audio) -> None:
        offer = self._offer
        assert offer is not None, "nobody calls"
        theirs = sdp.parse(offer.body)
        to = f"{offer.one('to')};tag={self._tag}"
        contact = sip.address("desk", self._host, self._port)
        self._dialog = Dialog(
            offer.one("call-id"),
            to,
            offer.one("from"),
            sip.uri_of(offer.one("contact")),
            contact,
            offer.every("record-route"),
        )
        self._ours = replace(ours, telephone_event=theirs.telephone_event)
        self._take_audio(offer.body)
        acked = self._unacked[offer.cseq[0]] = asyncio.Event()
        body = sdp.write(self._ours, self._session, self._next_version())
        self._tell(200, "OK", (("Contact", f"<{contact}>"),), body)
        self._spawn(self._repeat(self._said, acked))
        self._offer = None
        self.ringing.clear()

    def refuse(self, status: int, reason: str) -> None:
        self._tell(status, reason)
        self._offer = None
        self.ringing.clear()

    def _tell(
        self,
        status: int,
        reason: str,
        extra: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
    ) -> None:
        assert self._offer is not None
        answer = sip.answer(self._offer, status, reason, tag=self._tag, extra=extra, body=body)
        self._said = answer.serialize()
        self._send(self._said)

    @staticmethod
    def _is_of(request: Request, offer: Request) -> bool:
        return sip.branch_of(request.one("via")) == sip.branch_of(offer.one("via"))


class Desk(Phone):
    """Of a person, at a port that the PBX knows; takes one call in its life, may refuse many."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self._called_at = _Called(self._sound.connect, self._far_end_hung_up)
        self._signalling = self._called_at

    @classmethod
    async def at(cls, port: int, host: str = "127.0.0.1") -> Desk:
        """A desk with its phone on this UDP port; close it with aclose() or `async with`."""
        desk = cls(host)
        await desk._called_at.open_at(host, port)
        await desk._sound.open(host)
        return desk

    @property
    def calls(self) -> int:
        """How many have come."""
        return self._called_at.calls

    @property
    def shows(self) -> str:
        """Who calls, as the display says it."""
        return self._called_at.caller

    async def rings(self) -> None:
        """Return when it rings."""
        async with asyncio.timeout(PATIENCE):
            await self._called_at.ringing.wait()

    async def picks_up(self) -> None:
        """As soon as it rings."""
        await self.rings()
        self._called_at.pick_up(Audio(self._host, self._sound.port))
        self._sound.start()

    async def refuses(self, status: int = 486, reason: str = "Busy Here") -> None:
        """As soon as it rings."""
        await self.rings()
        self._called_at.refuse(status, reason)
