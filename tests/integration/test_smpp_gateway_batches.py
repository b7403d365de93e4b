"""Many texts at once over real binds: each is told its fate once, whatever the SMSC does."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ari_app.conversation.identity import E164
from ari_app.errors import SmsUnknown
from ari_app.ports import (
    Accepted,
    IncomingText,
    Late,
    Lost,
    Outcome,
    OutgoingText,
    Receipt,
    Refused,
    Throttled,
)
from ari_app.sms.gateway import SmppGateway
from smpp.codec import FrameReader, decode, encode
from smpp.constants import Status
from smpp.pdu import (
    Bind,
    BindResp,
    DataSm,
    GenericNack,
    Pdu,
    QuerySm,
    QuerySmResp,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from smpp.pool import Pool
from smpp.profile import Profile
from smpp.profile_sections import Binds, Receipts, Statuses
from smpp.segmentation import read_part
from smpp.simulator import Smsc
from smpp.times import Relative, read
from tests.support.gateway import OURS, carrier
from tests.support.meter import RecordingMeter
from tests.support.wait import until

LONG = "ж" * 200  # three parts
DAY = 86_400


class Script(Smsc):
    """The simulator, and a test that says what each submit_sm is answered."""

    def __init__(self) -> None:
        super().__init__(accounts={"segue": "secret"})
        #: The status of an answer; None: none for now. 0 for all until a test says otherwise.
        self.says: Callable[[SubmitSm], int | None] = lambda pdu: 0
        self.status = 0  # of what is answered after all
        #: What was not answered: how to answer it after all.
        self.held: list[Callable[[], None]] = []

    def submitted(self, connection: Any, pdu: SubmitSm | DataSm | SubmitMulti) -> None:
        assert isinstance(pdu, SubmitSm)
        status = self.says(pdu)
        if status is None:
            self.submits.append(pdu)
            id = "" if self.status else "late"
            answer = SubmitSmResp(sequence=pdu.sequence, status=self.status, message_id=id)
            self.held.append(lambda: connection.send(answer))
        elif status:
            self.submits.append(pdu)
            connection.send(SubmitSmResp(sequence=pdu.sequence, status=status))
        else:
            super().submitted(connection, pdu)

    def parts_to(self, number: str) -> list[int]:
        """Which parts of texts to this number have come, in order."""
        sent = [pdu for pdu in self.submits if pdu.destination.digits == number.lstrip("+")]
        return [read_part(pdu).number for pdu in sent]


class Desk:
    """Hands texts over and keeps what is told of them."""

    def __init__(self, gateway: SmppGateway, meter: RecordingMeter) -> None:
        self.gateway, self.meter = gateway, meter
        self.told: list[Outcome] = []
        self.tellings = 0

    def send(self, *texts: OutgoingText) -> None:
        self.gateway.send_many(texts, self._tell)

    def _tell(self, outcomes: Sequence[Outcome]) -> None:
        assert outcomes
        self.tellings += 1
        self.told += outcomes

    async def fates(self, count: int) -> dict[str, Any]:
        """By message, when so many are told; each was told once."""
        await until(lambda: len(self.told) >= count)
        assert Counter(o.message for o in self.told) == dict.fromkeys(
            (o.message for o in self.told), 1
        )
        assert len(self.told) == count
        return {o.message: o.fate for o in self.told}

    def counted(self, outcome: str) -> int:
        return self.meter.counts["segue_smpp_submits_total", "main", outcome]


class Wall:
    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


class Nobody:
    async def receipt(self, receipt: Receipt) -> None: ...

    async def text(self, text: IncomingText) -> None: ...


@pytest.fixture
async def smsc() -> AsyncIterator[Script]:
    smsc = Script()
    await smsc.start()
    yield smsc
    await smsc.aclose()


@contextlib.asynccontextmanager
async def desk_at(port: int, profile: Profile | None = None, **session: Any) -> AsyncIterator[Desk]:
    meter = RecordingMeter()
    gateway = SmppGateway(
        profile or carrier(port, **session),
        OURS,
        source="36200",
        inbox=Nobody(),
        clock=Wall(),
        meter=meter,
        secret=b"key",
    )
    gateway.start()
    try:
        await gateway.wait_up(5.0)
        yield Desk(gateway, meter)
    finally:
        await gateway.aclose()


def text(n: int, body: str = "hello", **more: Any) -> OutgoingText:
    return OutgoingText(f"msg_{n}", E164(number(n)), body, **more)


def number(n: int) -> str:
    return f"+3361234{n:04}"


def soon(seconds: float) -> int:
    return Wall().now() + int(seconds * 1_000_000)


def throttle_once(*parts: int) -> Callable[[SubmitSm], int]:
    """These parts of a text are thrown back the first time."""
    left = list(parts)

    def says(pdu: SubmitSm) -> int:
        part = read_part(pdu).number
        if part in left:
            left.remove(part)
            return Status.ESME_RTHROTTLED
        return 0

    return says


def refuse_part(part: int, status: int) -> Callable[[SubmitSm], int]:
    return lambda pdu: status if read_part(pdu).number == part else 0


# -- batches ----------------------------------------------------------------------------------


async def test_good_bad_and_long_texts_are_told_once_each_and_in_batches(smsc: Script) -> None:
    bad = {number(n).lstrip("+") for n in range(0, 300, 7)}
    smsc.says = lambda pdu: Status.ESME_RINVDSTADR if pdu.destination.digits in bad else 0
    texts = [text(n, LONG if n % 10 == 1 else "hello") for n in range(300)]
    texts.append(text(300, "a" * 40_000))
    async with desk_at(smsc.port, window=50) as desk:
        desk.send(*texts)
        assert [o.message for o in desk.told] == ["msg_300"]  # known without asking anybody
        fates = await desk.fates(301)
        assert desk.tellings < 150
        assert desk.counted("accepted") == 300 - len(bad)
        assert desk.counted("refused") == len(bad) + 1
        assert len(desk.meter.observed["segue_smpp_submit_seconds"]) == 300
    for n in range(300):
        fate = fates[f"msg_{n}"]
        if n % 7 == 0:
            assert fate == Refused("ESME_RINVDSTADR", transient=False)
        else:
            assert isinstance(fate, Accepted)
            assert len(fate.ids) == (3 if n % 10 == 1 else 1)
    assert fates["msg_300"].transient is False
    assert "255 segments" in fates["msg_300"].reason


@pytest.mark.parametrize("body", ["", "\0", "\ud800", "a\udfff", "😀" * 300])
async def test_no_text_keeps_the_others_from_being_sent(smsc: Script, body: str) -> None:
    async with desk_at(smsc.port) as desk:
        desk.send(text(1), text(2, body), text(3))
        fates = await desk.fates(3)
    assert isinstance(fates["msg_1"], Accepted)
    assert isinstance(fates["msg_2"], Accepted)
    assert isinstance(fates["msg_3"], Accepted)


async def test_an_asker_who_has_gone_does_not_keep_fates_from_the_others(smsc: Script) -> None:
    smsc.says = lambda pdu: None
    async with desk_at(smsc.port) as desk:
        asking = asyncio.create_task(desk.gateway.send(text(1)))
        await until(lambda: len(smsc.held) == 1)
        desk.send(text(2))
        await until(lambda: len(smsc.held) == 2)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        for answer in smsc.held:
            answer()
        assert (await desk.fates(1))["msg_2"] == Accepted("main", ("late",))


async def test_what_is_more_than_the_queue_takes_is_told_to_come_later_and_costs_no_attempt(
    smsc: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = Pool.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "most_waiting", 8)
    async with desk_at(smsc.port) as desk:
        assert desk.gateway.room == 4
        desk.send(*(text(n, LONG) for n in range(4)))  # 12 parts
        assert {o.message: o.fate for o in desk.told} == {
            "msg_2": Throttled(1.0),
            "msg_3": Throttled(1.0),
        }
        fates = await desk.fates(4)
        assert isinstance(fates["msg_0"], Accepted)
        assert isinstance(fates["msg_1"], Accepted)
        assert desk.counted("throttled") == 2


async def test_closing_tells_the_rest(smsc: Script) -> None:
    smsc.says = lambda pdu: None
    async with desk_at(smsc.port, window=1, drain_timeout=0.1) as desk:
        desk.send(text(1), text(2), text(3))
        await until(lambda: len(smsc.submits) == 1)
    fates = await desk.fates(3)
    assert isinstance(fates["msg_1"], Lost)
    assert fates["msg_2"].transient
    assert fates["msg_3"].transient
    assert len(smsc.submits) == 1


async def test_without_a_bind_everything_is_refused_for_now(smsc: Script) -> None:
    async with desk_at(smsc.port) as desk:
        smsc.faults.bind_status = Status.ESME_RBINDFAIL
        smsc.drop()
        await until(lambda: not desk.gateway.up)
        assert desk.gateway.room == 0
        desk.send(text(1), text(2, LONG))
        fates = await desk.fates(2)
    assert set(fates.values()) == {Refused("no bind is up", transient=True)}


# -- long texts -------------------------------------------------------------------------------


async def test_the_throttled_parts_of_a_long_text_go_again_in_order_before_anything_newer(
    smsc: Script,
) -> None:
    smsc.says = throttle_once(1, 3)
    async with desk_at(smsc.port) as desk:
        desk.send(text(1, LONG))
        desk.send(OutgoingText("msg_2", E164(number(1)), "newer"))
        fates = await desk.fates(2)
    assert smsc.parts_to(number(1)) == [1, 2, 3, 1, 3, 1]
    assert [taken.text for taken in smsc.accepted] == [LONG, "newer"]
    by_number = sorted(smsc.accepted[0].ids)  # the second part was taken first
    assert fates["msg_1"].ids == (by_number[1], by_number[0], by_number[2])


async def test_a_long_text_of_which_one_part_is_refused_for_now_has_an_unknown_fate(
    smsc: Script,
) -> None:
    smsc.says = refuse_part(2, Status.ESME_RSYSERR)
    async with desk_at(smsc.port) as desk:
        desk.send(text(1, LONG))
        fate = (await desk.fates(1))["msg_1"]
        assert desk.counted("unknown") == 1
    assert isinstance(fate, Lost)
    assert (fate.carrier, len(fate.ids), fate.segments) == ("main", 2, 3)
    assert fate.reason == "2 of 3 parts were taken: ESME_RSYSERR"
    assert smsc.parts_to(number(1)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("status", "opted_out"), [(Status.ESME_RINVDSTADR, False), (0x410, True)], ids=hex
)
async def test_a_long_text_of_which_one_part_is_refused_for_good_is_refused(
    smsc: Script, status: int, opted_out: bool
) -> None:
    smsc.says = refuse_part(2, status)
    profile = replace(carrier(smsc.port), statuses=Statuses(opted_out=frozenset({0x410})))
    async with desk_at(smsc.port, profile) as desk:
        desk.send(text(1, LONG))
        fate = (await desk.fates(1))["msg_1"]
    assert isinstance(fate, Refused)
    assert (fate.transient, fate.opted_out) == (False, opted_out)


async def test_a_long_text_that_is_lost_half_way_keeps_the_ids_that_are_known(
    smsc: Script,
) -> None:
    smsc.says = lambda pdu: None if read_part(pdu).number == 3 else 0
    async with desk_at(smsc.port, response_timeout=0.2) as desk:
        with pytest.raises(SmsUnknown):
            await desk.gateway.send(text(1, LONG))
        desk.send(text(2, LONG))
        fate = (await desk.fates(1))["msg_2"]
    assert isinstance(fate, Lost)
    assert (len(fate.ids), fate.segments) == (2, 3)


# -- what the carrier calls too fast ----------------------------------------------------------


async def test_a_throttled_text_of_one_part_is_the_outboxs_to_send_again(smsc: Script) -> None:
    smsc.says = throttle_once(1)
    async with desk_at(smsc.port) as desk:
        desk.send(text(1))
        assert (await desk.fates(1))["msg_1"] == Throttled(1.0)
        assert desk.counted("throttled") == 1
    assert len(smsc.submits) == 1


async def test_a_profile_with_patience_repeats_it_by_itself(smsc: Script) -> None:
    smsc.says = throttle_once(1)
    async with desk_at(smsc.port, throttle_patience=5.0) as desk:
        desk.send(text(1))
        assert isinstance((await desk.fates(1))["msg_1"], Accepted)
    assert len(smsc.submits) == 2


async def test_the_profile_says_which_status_means_too_fast(smsc: Script) -> None:
    left = [0x4F0]
    smsc.says = lambda pdu: left.pop() if left else 0
    profile = replace(carrier(smsc.port), statuses=Statuses(throttled=frozenset({0x58, 0x4F0})))
    async with desk_at(smsc.port, profile) as desk:
        desk.send(text(1, LONG))
        assert isinstance((await desk.fates(1))["msg_1"], Accepted)
    assert smsc.parts_to(number(1)) == [1, 2, 3, 1]


# -- validity ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "least", "most"),
    [(3600.0, 3590, 3600), (40.0 * DAY, 31 * DAY, 31 * DAY)],
)
async def test_the_carrier_is_told_how_long_a_text_is_of_use(
    smsc: Script, seconds: float, least: int, most: int
) -> None:
    async with desk_at(smsc.port) as desk:
        desk.send(text(1, valid_until=soon(seconds)))
        assert isinstance((await desk.fates(1))["msg_1"], Accepted)
    said = read(smsc.submits[0].validity_period)
    assert isinstance(said, Relative)
    told = ((said.days * 24 + said.hours) * 60 + said.minutes) * 60 + said.seconds
    assert least <= told <= most


async def test_a_text_whose_time_is_over_is_not_written(smsc: Script) -> None:
    async with desk_at(smsc.port) as desk:
        desk.send(text(1, valid_until=soon(-1.0)), text(2, LONG, valid_until=soon(-0.001)))
        fates = await desk.fates(2)
    assert set(fates.values()) == {Refused("it waited too long", transient=True)}
    assert smsc.submits == []


async def test_a_text_is_not_begun_when_its_time_is_over_before_its_turn(smsc: Script) -> None:
    smsc.says = lambda pdu: None
    async with desk_at(smsc.port, window=1) as desk:
        desk.send(text(1), text(2, valid_until=soon(0.2)))
        await until(lambda: len(smsc.held) == 1)
        fates = await desk.fates(1)
        assert fates == {"msg_2": Refused("it waited too long", transient=True)}
        smsc.held.pop()()
        await desk.fates(2)
    assert len(smsc.submits) == 1


async def test_parts_are_not_repeated_beyond_the_time_of_their_text(smsc: Script) -> None:
    smsc.says = refuse_part(2, Status.ESME_RTHROTTLED)
    async with desk_at(smsc.port) as desk:
        desk.send(text(1, LONG, valid_until=soon(0.5)))
        fate = (await desk.fates(1))["msg_1"]
    assert isinstance(fate, Lost)
    assert fate.reason == "2 of 3 parts were taken: ESME_RTHROTTLED"


# -- late -------------------------------------------------------------------------------------


async def test_an_answer_that_comes_late_is_told_after_all(
    smsc: Script, caplog: pytest.LogCaptureFixture
) -> None:
    smsc.says = lambda pdu: None
    async with desk_at(smsc.port, response_timeout=0.1) as desk:
        desk.send(text(1))
        fate = (await desk.fates(1))["msg_1"]
        assert isinstance(fate, Lost)
        smsc.held.pop()()
        late = ("segue_smpp_late_answers_total", "main")
        await until(lambda: desk.meter.counts[late] == 1)
        assert desk.told[1:] == [("msg_1", Late("main", ("late",), 1))]
    assert "message msg_1 is answered too late: status 0, id late" in caplog.text


async def test_the_parts_of_a_long_text_are_told_as_their_answers_come_late(smsc: Script) -> None:
    smsc.says = lambda pdu: None
    async with desk_at(smsc.port, response_timeout=0.1) as desk:
        desk.send(text(1, LONG))
        assert isinstance((await desk.fates(1))["msg_1"], Lost)
        for answer in smsc.held:
            answer()
        await until(lambda: len(desk.told) == 4)
    ids = ("late", "late", "late")
    assert [o.fate for o in desk.told[1:]] == [Late("main", ids[:n], 3) for n in (1, 2, 3)]


async def test_a_late_refusal_says_that_the_text_never_was_there(smsc: Script) -> None:
    smsc.says = lambda pdu: None
    smsc.status = Status.ESME_RINVDSTADR
    async with desk_at(smsc.port, response_timeout=0.1) as desk:
        desk.send(text(1))
        assert isinstance((await desk.fates(1))["msg_1"], Lost)
        smsc.held.pop()()
        await until(lambda: len(desk.told) == 2)
    assert desk.told[1].fate == Late("main", (), 1, "ESME_RINVDSTADR")


# -- several binds ----------------------------------------------------------------------------


def three_binds(port: int, **session: Any) -> Profile:
    return replace(carrier(port, **session), bind=Binds(per_host=3))


async def test_several_binds_share_the_texts_and_each_is_told_of_once(smsc: Script) -> None:
    async with desk_at(smsc.port, three_binds(smsc.port)) as desk:
        await until(lambda: all(standing.up for standing in desk.gateway.standings()))
        desk.send(*(text(n, LONG if n % 3 else "hello") for n in range(200)))
        fates = await desk.fates(200)
        up = [v for (name, *_), v in desk.meter.gauges.items() if name == "segue_smpp_bind_up"]
        assert up == [1, 1, 1]
    assert all(isinstance(fate, Accepted) for fate in fates.values())
    assert len(smsc.accepted) == 200


async def test_when_one_of_several_binds_dies_nothing_is_sent_twice_and_nothing_forgotten(
    smsc: Script,
) -> None:
    async with desk_at(smsc.port, three_binds(smsc.port, window=4)) as desk:
        await until(lambda: len(smsc.connections) == 3)
        await until(lambda: all(standing.up for standing in desk.gateway.standings()))
        smsc.says = lambda pdu: None
        desk.send(*(text(n) for n in range(60)))
        await until(lambda: len(smsc.held) == 12)  # three full windows
        dying = next(iter(smsc.connections))
        assert dying.transport is not None
        dying.transport.abort()
        smsc.says = lambda pdu: 0
        await until(lambda: len(desk.told) >= 4)
        for answer in smsc.held:
            answer()
        fates = await desk.fates(60)
    lost = [fate for fate in fates.values() if isinstance(fate, Lost)]
    taken = [fate for fate in fates.values() if isinstance(fate, Accepted)]
    assert (len(lost), len(taken)) == (4, 56)
    came = Counter(pdu.destination.digits for pdu in smsc.submits)
    assert set(came.values()) == {1}
    assert len(came) == 60


# -- query_sm ---------------------------------------------------------------------------------


class Answering(asyncio.Protocol):
    """An SMSC that answers query_sm only, with what the test says."""

    def __init__(self, says: Callable[[QuerySm], Pdu | None]) -> None:
        self._says = says
        self._frames = FrameReader()
        self.asked: list[QuerySm] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            pdu = decode(frame)
            answer: Pdu | None = None
            if isinstance(pdu, Bind):
                answer = BindResp(sequence=pdu.sequence, mode=pdu.mode)
            elif isinstance(pdu, Unbind):
                answer = UnbindResp(sequence=pdu.sequence)
            elif isinstance(pdu, QuerySm):
                self.asked.append(pdu)
                answer = self._says(pdu)
            if answer is not None:
                self._transport.write(encode(answer))


async def inquired(says: Callable[[QuerySm], Pdu | None]) -> tuple[Receipt | None, list[QuerySm]]:
    """What the gateway makes of the answer; the questions as they came."""
    made: list[Answering] = []

    def make() -> Answering:
        made.append(Answering(says))
        return made[-1]

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    async with server, desk_at(server.sockets[0].getsockname()[1], response_timeout=0.2) as desk:
        assert await desk.gateway.inquire("another", "A1b2") is None
        found = await desk.gateway.inquire("main", "A1b2")
        desk.gateway._profile = replace(desk.gateway._profile, receipts=Receipts(query=False))
        assert await desk.gateway.inquire("main", "A1b2") is None
    return found, [pdu for one in made for pdu in one.asked]


@pytest.mark.parametrize(
    ("state", "error", "expected"),
    [
        (2, 0, Receipt("main", "A1b2", "DELIVRD", "000", asked=True)),
        (5, 27, Receipt("main", "A1b2", "UNDELIV", "027", asked=True)),
        (1, 0, Receipt("main", "A1b2", "ENROUTE", "000", asked=True)),
        (99, 0, None),
    ],
)
async def test_the_carrier_can_be_asked_what_became_of_a_text(
    state: int, error: int, expected: Receipt | None
) -> None:
    found, asked = await inquired(
        lambda pdu: QuerySmResp(
            sequence=pdu.sequence,
            message_id=pdu.message_id,
            message_state=state,
            error_code=error,
        )
    )
    assert found == expected
    (question,) = asked
    assert (question.message_id, question.source.digits) == ("A1b2", "36200")


@pytest.mark.parametrize(
    "says",
    [
        lambda pdu: QuerySmResp(sequence=pdu.sequence, status=Status.ESME_RQUERYFAIL),
        lambda pdu: GenericNack(sequence=pdu.sequence, status=Status.ESME_RINVCMDID),
        lambda pdu: None,
    ],
    ids=["refused", "nacked", "silent"],
)
async def test_a_carrier_that_does_not_say_is_no_error(
    says: Callable[[QuerySm], Pdu | None],
) -> None:
    found, asked = await inquired(says)
    assert found is None
    assert len(asked) == 1


async def test_without_a_bind_nobody_can_be_asked(smsc: Script) -> None:
    async with desk_at(smsc.port) as desk:
        smsc.faults.bind_status = Status.ESME_RBINDFAIL
        smsc.drop()
        await until(lambda: not desk.gateway.up)
        assert await desk.gateway.inquire("main", "7") is None
