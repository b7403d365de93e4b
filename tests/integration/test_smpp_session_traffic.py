"""Texts and receipts in quantity, on real sockets: batches, order, throttling, slow ends."""

import asyncio
import contextlib
import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from smpp.address import Address
from smpp.codec import FrameReader, decode, encode
from smpp.constants import Status
from smpp.errors import NotSent, SessionClosed, Throttled
from smpp.esme import Backoff, Esme, Limits
from smpp.hot import Template, address_octets
from smpp.pdu import (
    Bind,
    BindResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from smpp.simulator import Smsc
from smpp.texts import Settled, Text

SOON = Backoff(first=0.01, longest=0.05, held=0.02)
TEMPLATE = Template(SubmitSm(source=Address.of("Segue"), registered_delivery=1))


async def until(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  # the other side is a socket, not an event
            await asyncio.sleep(0.002)


class Peer(asyncio.Protocol):
    """An SMSC that takes what comes; `status_of` may refuse, `silent` says nothing."""

    def __init__(self) -> None:
        self.status_of: Callable[[SubmitSm], int] = lambda pdu: 0
        self.silent = False
        self.submits: list[SubmitSm] = []
        self.other: list[Pdu] = []
        self.reads = 0
        self.gone = asyncio.Event()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.gone.clear()
        self._frames = FrameReader()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()

    def data_received(self, data: bytes) -> None:
        self.reads += 1
        answers: list[Pdu] = []
        for frame in self._frames.feed(data):
            match pdu := decode(frame):
                case Bind():
                    answers.append(BindResp(sequence=pdu.sequence, mode=pdu.mode))
                case Unbind():
                    answers.append(UnbindResp(sequence=pdu.sequence))
                case SubmitSm():
                    self.submits.append(pdu)
                    id = pdu.short_message.decode("latin-1")
                    status = self.status_of(pdu)
                    answers.append(
                        SubmitSmResp(sequence=pdu.sequence, status=status, message_id=id)
                    )
                case _:
                    self.other.append(pdu)
        if not self.silent:
            self.send(*answers)

    def send(self, *pdus: Pdu) -> None:
        assert self.transport is not None
        self.transport.write(b"".join(map(encode, pdus)))


@contextlib.asynccontextmanager
async def bound(peer: Peer, **options: Any) -> AsyncIterator[Esme]:
    async def ignore(batch: Sequence[DeliverSm]) -> None:
        pass

    server = await asyncio.get_running_loop().create_server(lambda: peer, "127.0.0.1", 0)
    if "handler" not in options:
        options.setdefault("batch_handler", ignore)
    options.setdefault("backoff", SOON)
    port = server.sockets[0].getsockname()[1]
    esme = Esme("127.0.0.1", port, system_id="segue", password="x", **options)
    esme.start()
    try:
        await esme.wait_up(5.0)
        yield esme
    finally:
        await esme.aclose()
        server.close()
        await peer.gone.wait()
        await server.wait_closed()


class Outbox:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.batches: list[Settled] = []

    def settle(self, settled: Settled) -> None:
        self.batches.append(settled)

    def wanted(self, tokens: Sequence[Any]) -> bool:
        return True

    def all(self, name: str) -> list[Any]:
        return [entry for batch in self.batches for entry in getattr(batch, name)]


def text(recipient: str, *parts: str, **options: Any) -> Text:
    destination = address_octets(Address.of(recipient))
    bodies = [TEMPLATE.body(destination, part.encode()) for part in parts]
    return Text(recipient, bodies, parts, **options)


async def test_octets_are_settled_in_batches_by_token() -> None:
    peer, outbox = Peer(), Outbox()
    async with bound(peer, limits=Limits(window=50)) as esme:
        esme.submit_octets([text(f"+3312{n:07}", f"{n}") for n in range(1000)], outbox)
        await until(lambda: len(outbox.all("taken")) == 1000)
    assert outbox.all("taken") == [(f"{n}", f"{n}") for n in range(1000)]
    assert len(outbox.batches) < 500
    assert peer.submits[7] == SubmitSm(
        sequence=peer.submits[7].sequence,
        source=Address.of("Segue"),
        destination=Address.of("+33120000007"),
        registered_delivery=1,
        short_message=b"7",
    )


async def test_what_one_turn_of_the_loop_submits_is_one_write() -> None:
    peer = Peer()
    async with bound(peer, limits=Limits(window=100)) as esme:
        before = peer.reads
        futures = [
            esme.submit_all([SubmitSm(destination=Address.of(f"+3312{n:07}"))])[0]
            for n in range(100)
        ]
        await asyncio.gather(*futures)
        assert peer.reads == before + 1


async def test_a_throttled_text_goes_again_by_itself_and_its_parts_stay_in_order() -> None:
    seen: list[str] = []
    accepted: list[str] = []

    def throttle(pdu: SubmitSm) -> int:
        part = pdu.short_message.decode()
        seen.append(part)
        if part in ("1", "3") and seen.count(part) == 1:
            return Status.ESME_RTHROTTLED
        accepted.append(part)
        return 0

    peer = Peer()
    peer.status_of = throttle
    limits = Limits(rate=1000.0, throttle_patience=30.0)
    async with bound(peer, limits=limits) as esme:
        destination = Address.of("+33123456789")
        parts = [SubmitSm(destination=destination, short_message=b"%d" % n) for n in (1, 2, 3)]
        first = esme.submit_all(parts)
        second = esme.submit_all([SubmitSm(destination=destination, short_message=b"4")])
        assert await asyncio.gather(*first, *second) == ["1", "2", "3", "4"]
        assert esme.rate is not None
        assert esme.rate < 1000.0
    assert sorted(accepted) == ["1", "2", "3", "4"]  # each once
    assert accepted.index("1") < accepted.index("3")
    assert accepted[-1] == "4"  # nothing has overtaken what was thrown back


async def test_a_carrier_has_its_own_word_for_too_fast() -> None:
    peer = Peer()
    peer.status_of = lambda pdu: 0 if len(peer.submits) > 1 else 0x45
    limits = Limits(rate=1000.0, throttle_patience=30.0, throttled=frozenset({0x45}))
    async with bound(peer, limits=limits) as esme:
        assert await esme.submit(SubmitSm(short_message=b"x")) == "x"
    assert len(peer.submits) == 2


async def test_without_patience_the_caller_is_told_of_throttling_and_the_bind_slows_down() -> None:
    peer = Peer()
    peer.status_of = lambda pdu: Status.ESME_RMSGQFUL
    async with bound(peer) as esme:
        with pytest.raises(Throttled):
            await esme.submit(SubmitSm())
        assert esme.rate == 5.0
    assert len(peer.submits) == 1


async def test_a_simulated_carrier_that_throttles_gets_every_text_once() -> None:
    smsc = Smsc()
    await smsc.start()
    smsc.faults.throttle_first = 4

    async def ignore(batch: Sequence[DeliverSm]) -> None:
        pass

    limits = Limits(rate=500.0, throttle_patience=30.0, window=10)
    esme = Esme(
        "127.0.0.1", smsc.port, system_id="segue", password="", batch_handler=ignore, limits=limits
    )
    esme.start()
    await esme.wait_up(5.0)
    pdus = [
        SubmitSm(destination=Address.of(f"+3312000000{n}"), short_message=b"%d" % n)
        for n in range(10)
    ]
    await asyncio.gather(*(esme.submit(pdu) for pdu in pdus))
    await esme.aclose()
    assert sorted(message.text for message in smsc.accepted) == [f"{n}" for n in range(10)]
    assert len(smsc.submits) == 14
    await smsc.aclose()


async def test_a_rate_is_kept() -> None:
    peer = Peer()
    async with bound(peer, limits=Limits(window=100, rate=100.0)) as esme:
        loop = asyncio.get_running_loop()
        since = loop.time()
        futures = esme.submit_all([SubmitSm() for _ in range(31)])
        await asyncio.gather(*futures)
        assert loop.time() - since >= 0.25  # 5 are saved, 26 more take 10 ms each


async def test_a_text_whose_futures_are_cancelled_is_not_written() -> None:
    peer = Peer()
    async with bound(peer, limits=Limits(window=1)) as esme:
        first = esme.submit_all([SubmitSm(short_message=b"1")])
        gone = esme.submit_all([SubmitSm(destination=Address.of("36200"), short_message=b"2")])
        gone[0].cancel()
        last = esme.submit_all([SubmitSm(destination=Address.of("36201"), short_message=b"3")])
        await asyncio.gather(*first, *last)
    assert [pdu.short_message for pdu in peer.submits] == [b"1", b"3"]


async def test_more_than_there_is_room_for_is_refused() -> None:
    peer, outbox = Peer(), Outbox()
    peer.silent = False
    async with bound(peer) as esme:
        peer.silent = True
        assert esme.room == 10_010
        esme.submit_octets([text(f"+3312{n:07}", "x") for n in range(10_000)], outbox)
        await until(lambda: len(peer.submits) == 10)
        assert esme.room == 10
        with pytest.raises(NotSent):
            esme.submit_octets([text("36200", "x")] * 11, outbox)
        assert peer.transport is not None
        peer.transport.abort()
        await until(lambda: len(outbox.all("unknown")) == 10)
    assert len(outbox.all("unsent")) == 9990
    assert all(type(error) is SessionClosed for _, error in outbox.all("unknown"))


async def test_a_late_answer_reaches_the_sink() -> None:
    peer, outbox = Peer(), Outbox()
    async with bound(peer, limits=Limits(response_timeout=0.05)) as esme:
        peer.silent = True
        esme.submit_octets([text("36200", "x")], outbox)
        await until(lambda: bool(outbox.all("unknown")))
        peer.send(SubmitSmResp(sequence=peer.submits[0].sequence, message_id="late"))
        await until(lambda: bool(outbox.all("late")))
        peer.silent = False
    assert outbox.all("late") == [("x", 0, "late")]


async def test_a_sink_that_fails_does_not_stop_the_link(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Outbox):
        def settle(self, settled: Settled) -> None:
            raise RuntimeError("disk full: hello")

    peer = Peer()
    async with bound(peer) as esme:
        esme.submit_octets([text("36200", "x")], Broken())
        await until(lambda: "a sink failed: RuntimeError" in caplog.text)
        assert await esme.submit(SubmitSm(short_message=b"y")) == "y"
    assert "hello" not in caplog.text


# -- in ---------------------------------------------------------------------------------------


async def test_what_comes_in_one_read_is_stored_at_once_and_answered_in_one_write() -> None:
    batches: list[int] = []

    async def store(batch: Sequence[DeliverSm]) -> None:
        batches.append(len(batch))

    peer = Peer()
    async with bound(peer, batch_handler=store):
        before = peer.reads
        peer.send(*(DeliverSm(sequence=n) for n in range(1, 101)))
        await until(lambda: len(peer.other) == 100)
        assert batches == [100]
        assert peer.reads == before + 1
    assert peer.other == [DeliverSmResp(sequence=n) for n in range(1, 101)]


async def test_a_batch_handler_may_judge_each() -> None:
    async def store(batch: Sequence[DeliverSm]) -> list[int]:
        return [0x400 if pdu.sequence == 2 else 0 for pdu in batch]

    peer = Peer()
    async with bound(peer, batch_handler=store):
        peer.send(*(DeliverSm(sequence=n) for n in (1, 2, 3)))
        await until(lambda: len(peer.other) == 3)
    statuses = {pdu.sequence: pdu.status for pdu in peer.other if isinstance(pdu, DeliverSmResp)}
    assert statuses == {1: 0, 2: 0x400, 3: 0}


@pytest.mark.parametrize("statuses", [[], [0], [0, 0, 0], [0, -1], [0, 1 << 32]])
async def test_a_handler_without_a_sound_status_for_each_has_stored_nothing(
    statuses: list[int],
) -> None:
    async def store(batch: Sequence[DeliverSm]) -> list[int]:
        return statuses

    peer = Peer()
    async with bound(peer, batch_handler=store):
        peer.send(DeliverSm(sequence=1), DeliverSm(sequence=2))
        await until(lambda: len(peer.other) == 2)
    again = Status.ESME_RX_T_APPN
    assert peer.other == [DeliverSmResp(sequence=n, status=again) for n in (1, 2)]


async def test_what_waits_behind_something_slow_is_answered_in_time() -> None:
    gate = asyncio.Event()
    asked: list[int] = []
    stored: list[int] = []

    async def store(pdu: DeliverSm) -> None:
        asked.append(pdu.sequence)
        await gate.wait()
        stored.append(pdu.sequence)

    peer = Peer()
    async with bound(peer, handler=store, limits=Limits(handler_timeout=0.1)):
        peer.send(DeliverSm(sequence=1), DeliverSm(sequence=2), DeliverSm(sequence=3))
        await until(lambda: len(peer.other) == 3)  # not after three times 0.1 s
        gate.set()
        peer.send(DeliverSm(sequence=4))
        await until(lambda: stored == [4])
    assert asked == [1, 4]  # what is given up is not stored either
    assert [pdu.status for pdu in peer.other if isinstance(pdu, DeliverSmResp)][:3] == [
        Status.ESME_RX_T_APPN
    ] * 3


async def test_an_enquiry_behind_a_window_of_unstored_texts_is_answered_at_once() -> None:
    gate = asyncio.Event()

    async def store(batch: Sequence[DeliverSm]) -> None:
        await gate.wait()

    peer = Peer()
    async with bound(peer, batch_handler=store):
        peer.send(*(DeliverSm(sequence=n) for n in range(1, 200)), EnquireLink(sequence=500))
        await until(lambda: peer.other == [EnquireLinkResp(sequence=500)])
        gate.set()


async def test_while_the_app_is_behind_nothing_is_read_and_nobody_is_called_dead() -> None:
    gate = asyncio.Event()
    stored = 0

    async def store(batch: Sequence[DeliverSm]) -> None:
        nonlocal stored
        await gate.wait()
        stored += len(batch)

    peer = Peer()
    limits = Limits(enquire_link_interval=0.02, response_timeout=0.05, handler_timeout=30.0)
    async with bound(peer, batch_handler=store, limits=limits) as esme:
        peer.send(*(DeliverSm(sequence=n) for n in range(1, 5001)))
        link = esme._link
        assert link is not None
        await until(lambda: not link._reading)
        later = asyncio.get_running_loop().time() + 0.3
        await until(lambda: asyncio.get_running_loop().time() > later)
        assert esme.up
        gate.set()
        await until(lambda: stored == 5000)
        assert esme.link_number == 1
        # Now that we read again, an SMSC that answers no enquiry is dead.
        await until(lambda: esme.link_number == 2)


async def test_an_smsc_that_never_reads_does_not_fill_our_memory() -> None:
    peer = Peer()
    async with bound(peer, limits=Limits(drain_timeout=0.05, response_timeout=1.0)) as esme:
        assert peer.transport is not None
        link = esme._link
        assert link is not None
        transport = link._transport
        assert transport is not None
        peer.transport.pause_reading()
        flood = b"".join(encode(DeliverSm(sequence=n)) for n in range(1, 20_001))
        until_paused = asyncio.get_running_loop().time() + 20.0
        while link._reading and asyncio.get_running_loop().time() < until_paused:
            peer.transport.write(flood)
            await asyncio.sleep(0.01)
        assert not link._reading
        assert transport.get_write_buffer_size() < 3 << 20
        peer.transport.abort()


async def test_memory_is_flat_however_many_texts_go_through() -> None:
    peer, outbox = Peer(), Outbox()
    async with bound(peer, limits=Limits(window=50)) as esme:

        async def send(count: int) -> None:
            esme.submit_octets([text(f"+3312{n:07}", "x") for n in range(count)], outbox)
            await until(lambda: len(outbox.all("taken")) == count, timeout=30.0)
            outbox.batches.clear()
            peer.submits.clear()

        await send(2000)
        tracemalloc.start()
        await send(2000)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(3):
            await send(2000)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert after - before < 50_000  # a leak of one small object per text would be 300,000
