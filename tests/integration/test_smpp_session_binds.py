"""How binds come about, on real sockets: modes, outbind, TLS, addresses, requests, retries."""

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from smpp.address import Address
from smpp.codec import FrameReader, decode, encode
from smpp.connecting import Listen
from smpp.constants import Command, Status
from smpp.errors import AnswerTimeout, BindRefused, CommandError, NotSent, SessionClosed
from smpp.esme import Backoff, Esme, Limits
from smpp.events import Available
from smpp.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    CancelSm,
    DataSm,
    DataSmResp,
    DeliverSm,
    EnquireLink,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)

SOON = Backoff(first=0.01, longest=0.05, held=0.02)
HELLO = SubmitSm(destination=Address.of("+33123456789"), short_message=b"hello")


async def until(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  # the other side is a socket, not an event
            await asyncio.sleep(0.002)


class Peer(asyncio.Protocol):
    """An SMSC of few words: it answers what it is told to."""

    def __init__(self, answers: dict[type, Callable[[Any], list[Pdu]]] | None = None) -> None:
        self.answers: dict[type, Callable[[Any], list[Pdu]]] = {
            Bind: lambda pdu: [BindResp(sequence=pdu.sequence, mode=pdu.mode)],
            Unbind: lambda pdu: [UnbindResp(sequence=pdu.sequence)],
            SubmitSm: lambda pdu: [SubmitSmResp(sequence=pdu.sequence, message_id="A")],
            **(answers or {}),
        }
        self.seen: list[Pdu] = []
        self.connections = 0
        self.gone = asyncio.Event()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.connections += 1
        self.gone.clear()
        self._frames = FrameReader()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()

    def data_received(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            pdu = decode(frame)
            self.seen.append(pdu)
            for answer in self.answers.get(type(pdu), lambda pdu: [])(pdu):
                self.send(answer)

    def send(self, pdu: Pdu) -> None:
        assert self.transport is not None
        self.transport.write(encode(pdu))

    def kinds(self) -> list[type]:
        return [type(pdu) for pdu in self.seen]


@contextlib.asynccontextmanager
async def serving(peer: Peer, host: str = "127.0.0.1", **options: Any) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(lambda: peer, host, 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if peer.transport is not None:
            peer.transport.abort()
            await peer.gone.wait()
        await server.wait_closed()


async def ignore(pdu: DeliverSm) -> None:
    pass


@contextlib.asynccontextmanager
async def esme_to(port: int, host: str = "127.0.0.1", **options: Any) -> AsyncIterator[Esme]:
    for name, value in {"handler": ignore, "backoff": SOON, "password": "x"}.items():
        options.setdefault(name, value)
    wait = options.pop("wait", True)
    esme = Esme(host, port, system_id="segue", **options)
    esme.start()
    try:
        if wait:
            await esme.wait_up(5.0)
        yield esme
    finally:
        await esme.aclose()


@pytest.mark.parametrize(
    "mode", [Command.BIND_TRANSCEIVER, Command.BIND_TRANSMITTER, Command.BIND_RECEIVER]
)
async def test_it_binds_in_each_mode_and_a_receiver_submits_nothing(mode: Command) -> None:
    peer = Peer()
    async with serving(peer) as port, esme_to(port, mode=mode, address_range="336") as esme:
        (bind,) = peer.seen
        assert isinstance(bind, Bind)
        assert (bind.mode, bind.address_range) == (mode, "336")
        if mode == Command.BIND_RECEIVER:
            assert esme.room == 0
            with pytest.raises(NotSent, match="receiver"):
                await esme.submit(HELLO)
        else:
            assert esme.room == 10_010
            assert await esme.submit(HELLO) == "A"


async def test_the_smsc_connects_to_us_and_we_bind_back_on_that_connection() -> None:
    delivered: list[DeliverSm] = []

    async def take(pdu: DeliverSm) -> None:
        delivered.append(pdu)

    listen = Listen("127.0.0.1", 0)
    options: dict[str, Any] = {"mode": Command.BIND_RECEIVER, "outbind": ("smsc", "pass")}
    async with esme_to(0, connecting=listen, handler=take, wait=False, **options) as esme:
        await until(lambda: listen.port != 0)
        loop = asyncio.get_running_loop()
        for round in (1, 2):  # when the first is gone, the next is listened for
            peer = Peer()
            await loop.create_connection(lambda peer=peer: peer, "127.0.0.1", listen.port)  # type: ignore[misc]  # default
            peer.send(Outbind(sequence=1, system_id="smsc", password="pass"))
            await esme.wait_up(5.0)
            assert peer.kinds() == [Bind]
            peer.send(DeliverSm(sequence=7, short_message=b"%d" % round))
            await until(lambda round=round: len(delivered) == round)  # type: ignore[misc]  # default
            second = Peer()
            await loop.create_connection(lambda second=second: second, "127.0.0.1", listen.port)  # type: ignore[misc]  # default
            await second.gone.wait()
            assert peer.transport is not None
            peer.transport.abort()
            await peer.gone.wait()
            await until(lambda: not esme.up)
            await until(lambda: listen.waits)


async def test_a_stranger_who_sends_a_wrong_outbind_gets_no_bind() -> None:
    listen = Listen("127.0.0.1", 0)
    async with esme_to(0, connecting=listen, outbind=("smsc", "pass"), wait=False) as esme:
        await until(lambda: listen.port != 0)
        peer = Peer()
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: peer, "127.0.0.1", listen.port)
        peer.send(Outbind(sequence=1, system_id="smsc", password="guess"))
        await peer.gone.wait()
        assert peer.seen == []
        assert not esme.up


async def test_a_name_with_several_addresses_is_tried_at_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    async def two_addresses(host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*address, ("127.0.0.2", port)), (*address, ("127.0.0.1", port))]

    peer = Peer()
    async with serving(peer) as port:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", two_addresses)
        async with esme_to(port, "smsc.example") as esme:
            assert peer.transport is not None
            peer.transport.abort()
            await until(lambda: peer.connections == 2)
            await esme.wait_up(5.0)
    assert asked == ["smsc.example"] * 2  # looked up anew for each connection


async def test_ipv6_is_as_good() -> None:
    peer = Peer()
    try:
        async with serving(peer, "::1") as port, esme_to(port, "::1") as esme:
            assert await esme.submit(HELLO) == "A"
    except OSError:
        pytest.skip("this machine has no IPv6")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of its own for smsc.example, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "smsc.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("smsc.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "smsc.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


async def test_tls_asks_for_the_name_of_the_smsc_and_checks_it(
    certificate: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    names: list[str | None] = []
    server.sni_callback = lambda sock, name, context: names.append(name)
    client = ssl.create_default_context(cafile=str(certificate))
    peer = Peer()
    async with serving(peer, ssl=server) as port:
        async with esme_to(port, tls=client, server_hostname="smsc.example") as esme:
            assert await esme.submit(HELLO) == "A"
        # The certificate is not for 127.0.0.1.
        async with esme_to(port, tls=client, wait=False, backoff=Backoff(first=60.0)) as esme:
            await until(lambda: "CERTIFICATE_VERIFY_FAILED" in caplog.text)
            assert not esme.up
    assert names[0] == "smsc.example"
    assert peer.kinds() == [Bind, SubmitSm, Unbind]


async def test_a_wrong_password_stops_until_somebody_says_try_again() -> None:
    wrong = True
    alarms: list[BindRefused] = []
    peer = Peer()
    peer.answers[Bind] = lambda pdu: [
        BindResp(sequence=pdu.sequence, status=Status.ESME_RINVPASWD if wrong else 0)
    ]
    async with (
        serving(peer) as port,
        esme_to(port, wait=False, on_alarm=alarms.append) as esme,
    ):
        await until(lambda: bool(alarms))
        with pytest.raises(TimeoutError):
            await esme.wait_up(0.1)
        assert peer.connections == 1
        wrong = False
        esme.retry()
        await esme.wait_up(5.0)
    assert len(alarms) == 1


async def test_a_message_can_be_asked_about_and_cancelled() -> None:
    peer = Peer(
        {
            QuerySm: lambda pdu: [
                QuerySmResp(sequence=pdu.sequence, message_id=pdu.message_id, message_state=2)
            ],
            CancelSm: lambda pdu: [GenericNack(sequence=pdu.sequence, status=0x11)],
            DataSm: lambda pdu: [DataSmResp(sequence=pdu.sequence, message_id="B")],
        }
    )
    async with serving(peer) as port, esme_to(port) as esme:
        answer = await esme.request(QuerySm(message_id="A"))
        assert isinstance(answer, QuerySmResp)
        assert (answer.message_id, answer.message_state) == ("A", 2)
        with pytest.raises(CommandError) as refused:
            await esme.request(CancelSm(message_id="A"))
        assert refused.value.status == 0x11
        sent = await esme.request(DataSm())
        assert isinstance(sent, DataSmResp)


async def test_a_request_without_an_answer_ends_too() -> None:
    peer = Peer()
    async with (
        serving(peer) as port,
        esme_to(port, limits=Limits(response_timeout=0.1, drain_timeout=0.01)) as esme,
    ):
        with pytest.raises(AnswerTimeout):
            await esme.request(QuerySm(message_id="A"))
        asked = asyncio.create_task(esme.request(QuerySm(message_id="B")))
        await until(lambda: peer.kinds().count(QuerySm) == 2)
        assert peer.transport is not None
        peer.transport.abort()
        with pytest.raises(SessionClosed):
            await asked


async def test_a_data_sm_is_stored_like_a_deliver_sm_and_an_alert_is_told() -> None:
    delivered: list[DeliverSm] = []
    alerts: list[Available] = []

    async def take(pdu: DeliverSm) -> None:
        delivered.append(pdu)

    peer = Peer()
    async with serving(peer) as port, esme_to(port, handler=take, on_available=alerts.append):
        peer.send(DataSm(sequence=4, source=Address.of("+33123456789"), tlvs=((0x424, b"hi"),)))
        peer.send(AlertNotification(sequence=5, source=Address.of("+33123456789")))
        await until(lambda: DataSmResp in peer.kinds() and bool(alerts))
    assert [pdu.octets for pdu in delivered] == [b"hi"]
    assert alerts[0].source.digits == "33123456789"
    assert EnquireLink not in peer.kinds()
