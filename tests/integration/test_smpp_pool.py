"""The binds of one carrier on real sockets: several hosts, pairs, TLS, fail-over."""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smpp import carrier
from smpp.address import Address
from smpp.binds import BindAlarm, BindDown, BindUp, Event
from smpp.carrier import Account
from smpp.constants import Command
from smpp.errors import LocalProtocolError, NotSent, SessionClosed
from smpp.pdu import DeliverSm, SubmitSm
from smpp.pool import Pool
from smpp.profile import Profile
from smpp.profile_keys import ProfileError
from smpp.profile_kinds import Host
from smpp.profile_sections import Binds, Mode, Reconnect, Session, Statuses, Tls
from smpp.receipt import is_receipt
from smpp.segmentation import split
from smpp.simulator import Faults, Smsc
from tests.support.certificates import Authority

SEGUE = Account(system_id="segue", password="secret")
SOON = Reconnect(first=0.02, longest=0.05, held=0.02)


def text(body: str, recipient: str = "+33123456789", reference: int = 1) -> list[SubmitSm]:
    return [
        SubmitSm(
            source=Address.of("36200"),
            destination=Address.of(recipient),
            esm_class=segment.esm_class,
            data_coding=segment.data_coding,
            short_message=segment.octets,
            registered_delivery=1,
        )
        for segment in split(body, reference)
    ]


async def until(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  # the other side is a socket, not an event
            await asyncio.sleep(0.002)


class Handset:
    """Takes what is delivered over any bind, and what the pool tells of its binds."""

    def __init__(self) -> None:
        self.delivered: list[DeliverSm] = []
        self.events: list[Event] = []

    async def __call__(self, pdu: DeliverSm) -> None:
        self.delivered.append(pdu)

    @property
    def receipts(self) -> int:
        return sum(map(is_receipt, self.delivered))


@pytest.fixture
def handset() -> Handset:
    return Handset()


@contextlib.asynccontextmanager
async def smscs(count: int, **options: Any) -> AsyncIterator[list[Smsc]]:
    options.setdefault("accounts", {"segue": "secret"})
    started = [Smsc(retry_delay=0.01, **options) for _ in range(count)]
    try:
        for smsc in started:
            await smsc.start()
        yield started
    finally:
        for smsc in started:
            await smsc.aclose()


def profile(hosts: Sequence[Smsc | Host], **sections: Any) -> Profile:
    sections.setdefault("session", Session(drain_timeout=1.0))
    return Profile(
        name="north",
        hosts=tuple(
            host if isinstance(host, Host) else Host("127.0.0.1", host.port) for host in hosts
        ),
        reconnect=SOON,
        **sections,
    )


@contextlib.asynccontextmanager
async def bound(
    demands: Profile, handset: Handset, account: Account = SEGUE, *, binds: int | None = None
) -> AsyncIterator[Pool]:
    """The carrier's pool, with so many binds up, all of them unless told otherwise."""
    pool = carrier.pool(demands, account, handler=handset, on_event=handset.events.append)
    pool.start()
    wanted = len(pool.standings()) if binds is None else binds
    try:
        await until(lambda: sum(standing.up for standing in pool.standings()) >= wanted)
        yield pool
    finally:
        await pool.aclose()


async def fates(futures: Sequence[asyncio.Future[str]]) -> list[str | BaseException]:
    async with asyncio.timeout(10):
        return list(await asyncio.gather(*futures, return_exceptions=True))


async def test_texts_are_spread_over_the_hosts_and_receipts_come_from_both(
    handset: Handset,
) -> None:
    async with smscs(2) as hosts, bound(profile(hosts), handset) as pool:
        futures = [pool.submit_all(text("hello", f"+3312345670{n}"))[0] for n in range(6)]
        assert all(isinstance(fate, str) for fate in await fates(futures))
        assert [len(smsc.accepted) for smsc in hosts] == [3, 3]
        await until(lambda: handset.receipts == 6)


async def test_every_bind_has_a_name_that_says_where_it_is(handset: Handset) -> None:
    async with smscs(1) as hosts:
        demands = profile(hosts, bind=Binds(per_host=2))
        async with bound(demands, handset) as pool:
            port = hosts[0].port
            names = [standing.bind for standing in pool.standings()]
            assert names == [f"127.0.0.1:{port} trx 1", f"127.0.0.1:{port} trx 2"]
            assert len(hosts[0].connections) == 2
            assert {event.bind for event in handset.events} == set(names)


async def test_the_parts_of_a_long_text_reach_one_host_in_order(handset: Handset) -> None:
    long = "to be, or not to be, that is the question: " * 20
    async with smscs(2) as hosts, bound(profile(hosts), handset) as pool:
        for number in range(4):
            await fates(pool.submit_all(text(long, f"+3312345670{number}", reference=number)))
        accepted = [message for smsc in hosts for message in smsc.accepted]
        assert [message.text for message in accepted] == [long] * 4
        assert all(smsc.accepted for smsc in hosts)


async def test_a_pair_submits_on_one_bind_and_hears_of_it_on_the_other(handset: Handset) -> None:
    async with smscs(1) as hosts:
        demands = profile(hosts, bind=Binds(mode=Mode.TX_RX))
        async with bound(demands, handset) as pool:
            assert [standing.submits for standing in pool.standings()] == [True, False]
            modes = {connection.mode for connection in hosts[0].connections}
            assert modes == {Command.BIND_TRANSMITTER, Command.BIND_RECEIVER}
            assert isinstance((await fates(pool.submit_all(text("hello"))))[0], str)
            await until(lambda: handset.receipts == 1)


async def test_a_receiver_only_hears_and_refuses_to_submit(handset: Handset) -> None:
    async with smscs(1) as hosts:
        demands = profile(hosts, bind=Binds(mode=Mode.RX))
        async with bound(demands, handset) as pool:
            assert await hosts[0].send_mo("+33123456789", "36200", "2") == 0
            with pytest.raises(NotSent, match="only receives"):
                pool.submit_all(text("hello"))


async def test_when_a_host_goes_the_other_takes_over(handset: Handset) -> None:
    async with smscs(2) as hosts, bound(profile(hosts), handset) as pool:
        await hosts[0].aclose()
        await until(lambda: any(isinstance(event, BindDown) for event in handset.events))
        assert isinstance((await fates(pool.submit_all(text("hello"))))[0], str)
        assert (len(hosts[0].accepted), len(hosts[1].accepted)) == (0, 1)


async def test_a_host_that_comes_back_is_used_again(handset: Handset) -> None:
    async with smscs(2) as hosts, bound(profile(hosts), handset) as pool:
        port = hosts[0].port
        await hosts[0].aclose()
        await until(lambda: [standing.up for standing in pool.standings()] == [False, True])
        back = Smsc(accounts={"segue": "secret"})
        await back.start(port=port)
        try:
            await until(lambda: all(standing.up for standing in pool.standings()))
            await fates([pool.submit_all(text("x", f"+3312345670{n}"))[0] for n in range(4)])
            assert len(back.accepted) == 2
        finally:
            await back.aclose()
        kinds = [type(event) for event in handset.events if f":{port} " in event.bind]
        assert kinds[:3] == [BindUp, BindDown, BindUp]


async def test_what_a_dying_host_had_not_been_sent_reaches_the_other_and_nothing_goes_twice(
    handset: Handset,
) -> None:
    # Both hosts drop the connection after some texts, in the middle of a full window.
    demands_session = Session(window=4, drain_timeout=1.0)
    async with smscs(2) as hosts:
        hosts[0].faults = Faults(drop_after=5)
        async with bound(profile(hosts, session=demands_session), handset) as pool:
            recipients = [f"+331234567{n:02}" for n in range(20)]
            futures = [
                pool.submit_all(text(f"{number} {recipient}", recipient))[0]
                for number in range(10)
                for recipient in recipients
            ]
            outcomes = await fates(futures)
        came = [pdu.short_message for smsc in hosts for pdu in smsc.submits]
        assert max(Counter(came).values()) == 1
        for smsc in hosts:
            for recipient in recipients:
                numbers = [
                    int(pdu.short_message.split()[0])
                    for pdu in smsc.submits
                    if pdu.destination == Address.of(recipient)
                ]
                assert numbers == sorted(numbers)
        lost = [outcome for outcome in outcomes if isinstance(outcome, SessionClosed)]
        taken = [outcome for outcome in outcomes if isinstance(outcome, str)]
        assert 1 <= len(lost) <= 4  # the window of one bind
        assert len(lost) + len(taken) == len(outcomes)
        assert sum(len(smsc.accepted) for smsc in hosts) >= len(taken)


async def test_a_wrong_password_at_one_host_alarms_with_its_name_and_leaves_the_other(
    handset: Handset,
) -> None:
    accounts = {"segue": "another"}
    async with (
        smscs(1) as good,
        smscs(1, accounts=accounts) as bad,
        bound(profile([*good, *bad]), handset, binds=1) as pool,
    ):
        await until(lambda: any(isinstance(event, BindAlarm) for event in handset.events))
        (alarm,) = (event for event in handset.events if isinstance(event, BindAlarm))
        assert alarm.bind == f"127.0.0.1:{bad[0].port} trx 1"
        assert isinstance((await fates(pool.submit_all(text("hello"))))[0], str)
        accounts["segue"] = "secret"
        pool.retry()
        await until(lambda: all(standing.up for standing in pool.standings()))


async def test_closing_the_pool_unbinds_everywhere(handset: Handset) -> None:
    async with smscs(2) as hosts:
        async with bound(profile(hosts), handset) as pool:
            futures = [pool.submit_all(text("x", f"+3312345670{n}"))[0] for n in range(4)]
            await pool.aclose()
            assert all(isinstance(fate, str) for fate in await fates(futures))
        assert not any(connection.mode for smsc in hosts for connection in smsc.connections)
        downs = [event for event in handset.events if isinstance(event, BindDown)]
        assert [down.reason for down in downs] == ["unbound", "unbound"]


async def test_a_name_and_an_ipv6_address_are_hosts_too(handset: Handset) -> None:
    if not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    async with smscs(1) as hosts:
        six = Smsc(accounts={"segue": "secret"})
        await six.start(host="::1")
        try:
            demands = profile([Host("localhost", hosts[0].port), Host("::1", six.port)])
            async with bound(demands, handset) as pool:
                assert pool.standings()[1].bind == f"[::1]:{six.port} trx 1"
        finally:
            await six.aclose()


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_a_profile_without_hosts_makes_no_pool(handset: Handset) -> None:
    with pytest.raises(ProfileError, match="north has no hosts; allowed: at least one"):
        carrier.pool(profile([]), SEGUE, handler=handset)


def test_an_account_that_no_bind_can_carry_is_refused_and_not_cut(handset: Handset) -> None:
    account = Account(system_id="segue", password="longer than 8")
    assert "longer" not in repr(account)
    with pytest.raises(LocalProtocolError, match="password has at most 8"):
        carrier.pool(profile([Host("127.0.0.1", 1)]), account, handler=handset)


def test_limits_and_pauses_are_those_of_the_profile() -> None:
    demands = Profile(
        session=Session(
            window=7,
            rate=12.0,
            enquire_link_interval=20.0,
            response_timeout=3.0,
            connect_timeout=4.0,
            handler_timeout=5.0,
            drain_timeout=6.0,
            throttle_patience=8.0,
        ),
        reconnect=Reconnect(first=2.0, longest=9.0, held=33.0, refused=99.0, healthy_after=11.0),
    )
    made = carrier.limits(demands)
    assert (made.window, made.rate, made.enquire_link_interval) == (7, 12.0, 20.0)
    assert (made.response_timeout, made.connect_timeout) == (3.0, 4.0)
    assert (made.handler_timeout, made.drain_timeout, made.throttle_patience) == (5.0, 6.0, 8.0)
    assert carrier.limits(Profile()).rate is None
    too_fast = Profile(statuses=Statuses(throttled=frozenset({0x58, 0x410})))
    assert carrier.limits(too_fast).throttled == frozenset({0x58, 0x410})
    pauses = carrier.backoff(demands)
    assert (pauses.first, pauses.longest, pauses.held) == (2.0, 9.0, 33.0)
    assert (pauses.refused, pauses.healthy_after) == (99.0, 11.0)
    assert carrier.backoff(Profile()).refused is None


# -- TLS --------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def encrypted(smsc: Smsc, server: ssl.SSLContext) -> AsyncIterator[int]:
    """The port of a TLS server that passes everything on to the SMSC."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            while octets := await reader.read(65536):
                writer.write(octets)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", smsc.port)
        await asyncio.gather(copy(reader, forth), copy(back, writer))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


async def test_a_carrier_with_tls_and_client_certificates_is_bound_and_verified(
    handset: Handset, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    server = authority.server(*authority.issue("smsc", hosts=("smsc.example",)), clients=True)
    certificate, key = authority.issue("client")
    secure = Tls(
        on=True,
        ca_file=authority.file,
        server_name="smsc.example",
        certificate_file=certificate,
        key_file=key,
    )
    async with smscs(1) as hosts, encrypted(hosts[0], server) as port:
        demands = profile([Host("127.0.0.1", port)], tls=secure)
        async with bound(demands, handset) as pool:
            assert isinstance((await fates(pool.submit_all(text("hello"))))[0], str)
            await until(lambda: handset.receipts == 1)
        # Nobody of the other name gets the password.
        binds = hosts[0].binds
        other = replace(demands, tls=replace(secure, server_name="other.example"))
        async with bound(other, handset, binds=0) as pool:
            with pytest.raises(TimeoutError):
                await pool.wait_up(0.2)
        assert hosts[0].binds == binds


async def test_a_file_of_tls_that_is_not_there_stops_before_anything_is_connected(
    handset: Handset, tmp_path: Path
) -> None:
    demands = profile([Host("127.0.0.1", 1)], tls=Tls(on=True, ca_file=tmp_path / "absent.pem"))
    with pytest.raises(ProfileError, match=r"absent\.pem: No such file"):
        carrier.pool(demands, SEGUE, handler=handset)
