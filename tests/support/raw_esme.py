"""An ESME that does nothing by itself: a test writes each PDU and reads each answer."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator
from typing import TypeVar

from smpp.address import Address
from smpp.codec import FrameReader, decode, encode
from smpp.constants import Command
from smpp.pdu import Bind, BindResp, DeliverSm, DeliverSmResp, Pdu, SubmitSm, SubmitSmResp

PATIENCE = 5.0  # seconds; only a failing test ever waits so long
BOB = Address.of("+33123456789")
CODE = Address.of("36200")

_P = TypeVar("_P", bound=Pdu)


class RawEsme:
    """One connection; `chunks` are the octets as they were read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.chunks: list[bytes] = []
        self._frames = FrameReader()
        self._came: deque[bytes] = deque()
        self._sequence = 0

    def write(self, *pdus: Pdu) -> None:
        self.writer.write(b"".join(map(encode, pdus)))

    async def frame(self) -> bytes:
        """The next one; EOFError if the SMSC has closed."""
        async with asyncio.timeout(PATIENCE):
            while not self._came:
                octets = await self.reader.read(65536)
                if not octets:
                    raise EOFError
                self.chunks.append(octets)
                self._came.extend(self._frames.feed(octets))
        return self._came.popleft()

    async def next(self, kind: type[_P]) -> _P:
        """The next PDU, which must be one of these."""
        pdu = decode(await self.frame())
        assert isinstance(pdu, kind), pdu
        return pdu

    async def closed(self) -> bool:
        """True as soon as the SMSC closes; what comes before is passed over."""
        try:
            while True:
                await self.frame()
        except (EOFError, ConnectionError):
            return True

    def sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    async def bind(
        self,
        mode: Command = Command.BIND_TRANSCEIVER,
        system_id: str = "segue",
        password: str = "secret",
    ) -> BindResp:
        self.write(
            Bind(sequence=self.sequence(), mode=mode, system_id=system_id, password=password)
        )
        return await self.next(BindResp)

    def text(self, octets: bytes = b"hello", **fields: object) -> SubmitSm:
        """A submit_sm to Bob that asks for no receipt, not sent yet."""
        values = {"source": CODE, "destination": BOB, "short_message": octets, **fields}
        return SubmitSm(sequence=self.sequence(), **values)  # type: ignore[arg-type]

    async def submit(self, octets: bytes = b"hello", **fields: object) -> SubmitSmResp:
        """What it is answered, if that is what comes next."""
        self.write(self.text(octets, **fields))
        return await self.next(SubmitSmResp)

    async def delivered(self, status: int = 0) -> DeliverSm:
        """The next deliver_sm, answered."""
        pdu = await self.next(DeliverSm)
        self.write(DeliverSmResp(sequence=pdu.sequence, status=status))
        return pdu


@contextlib.asynccontextmanager
async def connected(
    port: int, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawEsme]:
    """Not bound yet."""
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        yield RawEsme(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def bound(port: int, mode: Command = Command.BIND_TRANSCEIVER) -> AsyncIterator[RawEsme]:
    """Bound as segue."""
    async with connected(port) as esme:
        assert (await esme.bind(mode)).status == 0
        yield esme
