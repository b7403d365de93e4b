"""The binds of one carrier as one, with binds whose fates the test decides."""

import asyncio
from collections.abc import Sequence

import pytest

from smpp.address import Address
from smpp.binds import BindAlarm, BindDown, BindUp, Event, Place, Watch
from smpp.constants import Status
from smpp.errors import CommandError, LocalProtocolError, NotSent, SessionClosed
from smpp.hot import Templates
from smpp.pdu import SubmitSm
from smpp.pool import Interrupted, Pool
from smpp.texts import Settled, Text, Token
from tests.support.binds import ScriptedBind

ANNA, BELA, CILI = "+33123456701", "+33123456702", "+33123456703"


def parts(recipient: str, *octets: bytes) -> list[SubmitSm]:
    return [SubmitSm(destination=Address.of(recipient), short_message=octet) for octet in octets]


def texts_of(bind: ScriptedBind) -> list[bytes]:
    return [pdu.short_message for pdu in bind.written]


async def turn() -> None:
    """Let every callback that is due be called."""
    for _ in range(4):
        await asyncio.sleep(0)


class Carrier:
    """A pool and its binds, by number."""

    def __init__(self, binds: int, *, window: int = 4, queue: int = 100, **options: int) -> None:
        self.binds: list[ScriptedBind] = []
        self.events: list[Event] = []

        def place(number: int) -> Place:
            def make(watch: Watch) -> ScriptedBind:
                bind = ScriptedBind(watch, window=window, queue=queue)
                self.binds.append(bind)
                return bind

            return Place(name=f"smsc {number}", make=make)

        self.pool = Pool(
            [place(n) for n in range(binds)],
            on_event=self.events.append,
            drain_timeout=0.05,
            **options,
        )
        self.pool.start()

    def come_up(self) -> None:
        for bind in self.binds:
            bind.come_up()

    def submit(self, recipient: str, *octets: bytes) -> list[asyncio.Future[str]]:
        return self.pool.submit_all(parts(recipient, *octets))


def fates(futures: Sequence[asyncio.Future[str]]) -> list[str]:
    """The ids, or the names of the errors; `open` for what has none."""
    return [
        "open"
        if not future.done()
        else type(error).__name__
        if (error := future.exception())
        else future.result()
        for future in futures
    ]


async def test_every_part_of_a_text_is_written_on_one_bind_and_gets_its_own_id() -> None:
    carrier = Carrier(2)
    carrier.come_up()
    futures = carrier.submit(ANNA, b"1", b"2", b"3")
    assert sorted(map(texts_of, carrier.binds)) == [[], [b"1", b"2", b"3"]]
    busy = next(bind for bind in carrier.binds if bind.written)
    busy.answer(3)
    await turn()
    assert fates(futures) == ["id1", "id2", "id3"]


async def test_a_part_is_told_of_before_the_others_are_answered() -> None:
    carrier = Carrier(1)
    carrier.come_up()
    futures = carrier.submit(ANNA, b"1", b"2")
    carrier.binds[0].answer(1)
    await turn()
    assert fates(futures) == ["id1", "open"]


async def test_texts_for_different_people_are_spread_over_the_binds() -> None:
    carrier = Carrier(2)
    carrier.come_up()
    carrier.submit(ANNA, b"a1", b"a2")
    carrier.submit(BELA, b"b")
    carrier.submit(CILI, b"c")
    assert sorted(map(texts_of, carrier.binds)) == [[b"a1", b"a2"], [b"b", b"c"]]


async def test_quiet_binds_take_turns() -> None:
    carrier = Carrier(2)
    carrier.come_up()
    for recipient in (ANNA, BELA, CILI, ANNA):
        carrier.submit(recipient, b"x")
        for bind in carrier.binds:
            bind.answer(1)
        await turn()
    assert [len(bind.written) for bind in carrier.binds] == [2, 2]


async def test_what_is_answered_is_load_no_more() -> None:
    carrier = Carrier(2)
    first, second = carrier.binds
    first.come_up()
    carrier.submit(ANNA, b"1", b"2", b"3")
    second.come_up()
    carrier.submit(BELA, b"b")
    first.answer(3)
    carrier.submit(CILI, b"c")
    assert texts_of(first) == [b"1", b"2", b"3", b"c"]


async def test_a_bind_is_not_given_more_than_it_has_room_for() -> None:
    carrier, ledger = Carrier(1, window=2, queue=1), Ledger()
    carrier.come_up()
    carrier.pool.submit_octets([octets(ANNA, str(n)) for n in range(5)], ledger)
    assert (len(carrier.binds[0].texts), carrier.binds[0].refusals) == (3, 0)
    assert ledger.batches == []


async def test_a_bind_with_less_room_than_it_said_gets_the_rest_later() -> None:
    carrier = Carrier(1, window=1, queue=1)
    (bind,) = carrier.binds
    carrier.come_up()
    bind.boast = 5
    futures = [*carrier.submit(ANNA, b"1"), *carrier.submit(BELA, b"2", b"3")]
    futures += carrier.submit(CILI, b"4")
    for _ in range(4):
        bind.answer()
        await turn()
    assert fates(futures) == ["id1", "id2", "id3", "id4"]


async def test_a_recipient_stays_with_its_bind_while_anything_is_under_way_there() -> None:
    carrier = Carrier(2)
    carrier.come_up()
    carrier.submit(ANNA, b"1", b"2", b"3")
    carrier.submit(ANNA, b"4")  # the other bind has less to do
    assert [b"1", b"2", b"3", b"4"] in map(texts_of, carrier.binds)


async def test_a_recipient_may_change_the_bind_when_nothing_is_under_way() -> None:
    carrier = Carrier(2)
    first, second = carrier.binds
    first.come_up()
    carrier.submit(ANNA, b"1")
    first.answer()
    await turn()
    second.come_up()
    carrier.submit(ANNA, b"2")
    assert (texts_of(first), texts_of(second)) == ([b"1"], [b"2"])


async def test_a_bind_is_not_given_more_than_it_may_have_ahead() -> None:
    carrier = Carrier(1, window=2, ahead=3)
    carrier.come_up()
    for octet in (b"1", b"2", b"3", b"4"):
        carrier.submit(ANNA, octet)
    (standing,) = carrier.pool.standings()
    assert standing.under_way == 3
    carrier.binds[0].answer(1)
    await turn()
    assert texts_of(carrier.binds[0]) == [b"1", b"2", b"3"]


async def test_a_text_longer_than_the_window_goes_when_its_bind_is_empty() -> None:
    carrier = Carrier(1, window=2, ahead=3)
    carrier.come_up()
    carrier.submit(ANNA, b"a")
    long = carrier.submit(BELA, b"1", b"2", b"3", b"4", b"5")
    carrier.submit(CILI, b"c")  # short, and may not overtake for ever
    bind = carrier.binds[0]
    for _ in range(7):
        bind.answer(2)
        await turn()
    assert texts_of(bind) == [b"a", b"1", b"2", b"3", b"4", b"5", b"c"]
    assert "open" not in fates(long)


async def test_a_busy_recipient_does_not_hold_up_the_others() -> None:
    carrier = Carrier(2, window=1, ahead=1)
    carrier.come_up()
    for octet in (b"1", b"2", b"3"):
        carrier.submit(ANNA, octet)
    carrier.submit(BELA, b"b")
    assert sorted(map(texts_of, carrier.binds)) == [[b"1"], [b"b"]]


async def test_a_busy_recipient_goes_before_nobody_who_came_earlier() -> None:
    carrier = Carrier(1, window=1, ahead=1)
    carrier.come_up()
    for recipient, octet in ((ANNA, b"1"), (ANNA, b"2"), (BELA, b"b"), (ANNA, b"3")):
        carrier.submit(recipient, octet)
    for _ in range(4):
        carrier.binds[0].answer()
        await turn()
    assert texts_of(carrier.binds[0]) == [b"1", b"2", b"b", b"3"]


async def test_a_busy_recipient_that_stays_busy_goes_before_nobody_either() -> None:
    carrier = Carrier(1, window=2, ahead=2)
    carrier.come_up()
    order = ((ANNA, b"1"), (ANNA, b"2"), (BELA, b"b"), (ANNA, b"3"), (ANNA, b"4"))
    for recipient, octet in order:
        carrier.submit(recipient, octet)
    for _ in range(5):
        carrier.binds[0].answer(1)
        await turn()
    assert texts_of(carrier.binds[0]) == [b"1", b"2", b"b", b"3", b"4"]


async def test_and_nobody_who_came_later_goes_before_it() -> None:
    carrier = Carrier(1, window=2, ahead=2)
    carrier.come_up()
    for recipient, octet in ((ANNA, b"1"), (ANNA, b"2"), (ANNA, b"3"), (BELA, b"b")):
        carrier.submit(recipient, octet)
    for _ in range(4):
        carrier.binds[0].answer(1)
        await turn()
    assert texts_of(carrier.binds[0]) == [b"1", b"2", b"3", b"b"]


async def test_what_was_not_written_goes_to_another_bind_in_order() -> None:
    carrier = Carrier(2, window=1)
    first, second = carrier.binds
    first.come_up()
    one, two, three = (carrier.submit(ANNA, octet)[0] for octet in (b"1", b"2", b"3"))
    second.come_up()
    first.go_down()
    await turn()
    second.answer(1)
    await turn()
    assert texts_of(first) == [b"1"]
    assert texts_of(second) == [b"2", b"3"]
    assert fates([one, two, three]) == ["SessionClosed", "id1", "open"]


async def test_what_comes_later_does_not_overtake_what_comes_back() -> None:
    carrier = Carrier(2, window=1)
    first, second = carrier.binds
    first.come_up()
    carrier.submit(ANNA, b"1")
    carrier.submit(ANNA, b"2")
    second.come_up()
    first.go_down()
    carrier.submit(ANNA, b"3")  # the fates of the first two are not told yet
    await turn()
    second.answer(1)
    assert texts_of(second) == [b"2", b"3"]


async def test_what_was_written_and_not_answered_is_never_written_again() -> None:
    carrier = Carrier(2)
    first, second = carrier.binds
    first.come_up()
    futures = carrier.submit(ANNA, b"1", b"2")
    second.come_up()
    first.go_down()
    first.come_up()
    await turn()
    assert fates(futures) == ["SessionClosed", "SessionClosed"]
    assert (texts_of(first), texts_of(second)) == ([b"1", b"2"], [])


async def test_the_rest_of_a_text_that_was_begun_goes_to_no_other_bind() -> None:
    carrier = Carrier(2, window=2)
    first, second = carrier.binds
    first.come_up()
    futures = carrier.submit(ANNA, b"1", b"2", b"3")
    second.come_up()
    first.go_down()
    await turn()
    assert fates(futures) == ["SessionClosed", "SessionClosed", "Interrupted"]
    assert texts_of(second) == []
    with pytest.raises(Interrupted, match="the beginning of the text was written"):
        futures[2].result()


async def test_that_also_holds_if_the_beginning_was_answered() -> None:
    carrier = Carrier(2, window=1)
    first, second = carrier.binds
    first.come_up()
    futures = carrier.submit(ANNA, b"1", b"2", b"3")
    second.come_up()
    first.answer()
    first.go_down()
    await turn()
    assert fates(futures) == ["id1", "SessionClosed", "Interrupted"]
    assert texts_of(second) == []


async def test_without_any_bind_a_text_is_refused_at_once() -> None:
    carrier = Carrier(2)
    with pytest.raises(NotSent, match="no bind is up"):
        carrier.submit(ANNA, b"1")
    assert not carrier.pool.up
    assert carrier.pool.room == 0


async def test_what_waits_when_the_last_bind_goes_is_refused() -> None:
    carrier = Carrier(1, window=1, ahead=2)
    carrier.come_up()
    futures = [carrier.submit(ANNA, octet)[0] for octet in (b"1", b"2", b"3")]
    carrier.binds[0].go_down()
    await turn()
    assert fates(futures) == ["SessionClosed", "NotSent", "NotSent"]


async def test_a_refusal_is_told_and_is_the_callers_to_judge() -> None:
    carrier = Carrier(2)
    carrier.come_up()
    (future,) = carrier.submit(ANNA, b"1")
    next(bind for bind in carrier.binds if bind.written).refuse(Status.ESME_RINVDSTADR)
    await turn()
    with pytest.raises(CommandError, match="ESME_RINVDSTADR"):
        future.result()
    assert sum(len(bind.written) for bind in carrier.binds) == 1


async def test_what_a_living_bind_gives_back_is_told_and_not_tried_again() -> None:
    carrier = Carrier(2, window=1)
    first = carrier.binds[0]
    first.come_up()
    carrier.submit(ANNA, b"1")
    (future,) = carrier.submit(ANNA, b"3")
    first.give_back(NotSent("its deadline has passed"))
    await turn()
    assert fates([future]) == ["NotSent"]


async def test_a_text_that_no_bind_can_ever_take_is_refused() -> None:
    carrier = Carrier(1, window=1, queue=1)
    carrier.come_up()
    futures = carrier.submit(ANNA, b"1", b"2", b"3")
    assert fates(futures) == ["NotSent"] * 3
    (future,) = carrier.submit(ANNA, b"4")
    carrier.binds[0].answer()
    await turn()
    assert fates([future]) == ["id1"]


async def test_too_much_is_refused_and_memory_stays_bounded() -> None:
    carrier = Carrier(1, window=1, ahead=1, most_waiting=2)
    carrier.come_up()
    for octet in (b"1", b"2", b"3"):
        carrier.submit(ANNA, octet)
    assert carrier.pool.room == 0
    with pytest.raises(NotSent, match="too many messages"):
        carrier.submit(BELA, b"4")


async def test_a_text_that_nobody_waits_for_any_more_is_not_written() -> None:
    carrier = Carrier(1, window=1, ahead=1)
    carrier.come_up()
    carrier.submit(ANNA, b"1")
    for future in carrier.submit(ANNA, b"2", b"3"):
        future.cancel()
    carrier.submit(ANNA, b"4")
    for _ in range(3):
        carrier.binds[0].answer()
        await turn()
    assert texts_of(carrier.binds[0]) == [b"1", b"4"]


async def test_a_text_that_no_pdu_can_carry_is_refused_as_a_whole() -> None:
    carrier = Carrier(1)
    carrier.come_up()
    futures = carrier.submit(ANNA, b"1", b"x" * 255)
    assert fates(futures) == ["LocalProtocolError"] * 2
    assert isinstance(futures[0].exception(), LocalProtocolError)
    assert texts_of(carrier.binds[0]) == []


async def test_no_text_at_all_is_no_work() -> None:
    assert Carrier(1).pool.submit_all([]) == []


# -- octets and batches -----------------------------------------------------------------------


class Ledger:
    """A sink that keeps every batch it is told."""

    def __init__(self) -> None:
        self.batches: list[Settled] = []
        self.unwanted: list[str] = []
        self.fails = False

    def settle(self, settled: Settled) -> None:
        self.batches.append(settled)
        if self.fails:
            raise RuntimeError("disk full")

    def wanted(self, tokens: Sequence[Token]) -> bool:
        return tokens[0] not in self.unwanted


def octets(recipient: str, *tokens: str, **times: float) -> Text:
    templates = Templates()
    bodies = [templates.body(pdu) for pdu in parts(recipient, *map(str.encode, tokens))]
    return Text(recipient, bodies, tokens, **times)


async def test_a_sink_is_told_by_its_own_tokens_whatever_the_fate() -> None:
    carrier, ledger = Carrier(1, window=3), Ledger()
    (bind,) = carrier.binds
    carrier.come_up()
    carrier.pool.submit_octets(
        [octets(ANNA, "1"), octets(BELA, "2", "3"), octets(CILI, "4")], ledger
    )
    bind.answer()
    bind.refuse(Status.ESME_RINVDSTADR)
    bind.time_out()
    bind.answer_late()
    bind.go_down()
    await turn()
    told = Settled()
    for batch in ledger.batches:
        for kind in ("taken", "refused", "unknown", "unsent", "late"):
            getattr(told, kind).extend(getattr(batch, kind))
    assert told.taken == [("1", "id1")]
    assert told.refused == [("2", Status.ESME_RINVDSTADR)]
    assert [token for token, _ in told.unknown] == ["3", "4"]
    assert told.late == [("3", Status.ESME_ROK, "late")]
    assert told.unsent == []


async def test_what_went_to_another_bind_is_told_of_once() -> None:
    carrier, ledger = Carrier(2, window=1), Ledger()
    first, second = carrier.binds
    first.come_up()
    carrier.pool.submit_octets([octets(ANNA, "1"), octets(ANNA, "2", "3")], ledger)
    second.come_up()
    first.go_down()
    await turn()
    second.answer()
    second.answer()
    assert [batch.taken for batch in ledger.batches if batch.taken] == [
        [("2", "id1")],
        [("3", "id2")],
    ]
    assert not any(batch.unsent for batch in ledger.batches)


async def test_what_no_bind_has_is_told_as_not_sent_in_one_batch() -> None:
    carrier, ledger = Carrier(1, window=1, ahead=1), Ledger()
    carrier.come_up()
    carrier.pool.submit_octets([octets(ANNA, str(n)) for n in range(4)], ledger)
    carrier.binds[0].go_down()
    lost, refused = ledger.batches
    assert [token for token, _ in lost.unknown] == ["0"]
    assert [token for token, _ in refused.unsent] == ["1", "2", "3"]


async def test_a_sink_that_wants_a_text_no_more_is_asked_before_it_is_written() -> None:
    carrier, ledger = Carrier(1, window=1, ahead=1), Ledger()
    carrier.come_up()
    carrier.pool.submit_octets([octets(ANNA, "1"), octets(ANNA, "2"), octets(ANNA, "3")], ledger)
    ledger.unwanted.append("2")
    for _ in range(2):
        carrier.binds[0].answer()
        await turn()
        await turn()
    assert texts_of(carrier.binds[0]) == [b"1", b"3"]


async def test_a_sink_that_fails_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    carrier, bad, good = Carrier(1, window=1), Ledger(), Ledger()
    bad.fails = True
    carrier.come_up()
    carrier.pool.submit_octets([octets(ANNA, "1")], bad)
    carrier.pool.submit_octets([octets(BELA, "2")], good)
    carrier.binds[0].answer()
    carrier.binds[0].answer()
    assert good.batches[0].taken == [("2", "id2")]
    assert "a sink failed: RuntimeError" in caplog.text
    assert "disk full" not in caplog.text


async def test_either_all_texts_of_a_call_are_taken_or_none() -> None:
    carrier, ledger = Carrier(1, most_waiting=2), Ledger()
    carrier.come_up()
    with pytest.raises(NotSent, match="too many messages"):
        carrier.pool.submit_octets([octets(ANNA, str(n)) for n in range(3)], ledger)
    await turn()
    assert (carrier.binds[0].written, ledger.batches) == ([], [])


async def test_deadlines_reach_the_bind() -> None:
    carrier, ledger = Carrier(1), Ledger()
    carrier.come_up()
    text = octets(ANNA, "1", deadline=5.0, repeat_until=9.0)
    carrier.pool.submit_octets([text], ledger)
    (given,) = carrier.binds[0].texts
    assert (given.deadline, given.repeat_until, given.recipient) == (5.0, 9.0, ANNA)


# -- binds ------------------------------------------------------------------------------------


async def test_events_carry_the_name_of_the_bind() -> None:
    carrier = Carrier(2)
    first, second = carrier.binds
    first.come_up()
    second.refuse_bind()
    first.go_down("connection reset")
    up, alarm, down = carrier.events
    assert up == BindUp("smsc 0")
    assert down == BindDown("smsc 0", "connection reset")
    assert isinstance(alarm, BindAlarm)
    assert (alarm.bind, alarm.error.permanent) == ("smsc 1", True)


async def test_the_standing_of_every_bind_can_be_asked() -> None:
    carrier = Carrier(2)
    carrier.binds[0].come_up()
    carrier.submit(ANNA, b"1", b"2")
    first, second = carrier.pool.standings()
    assert (first.bind, first.up, first.under_way, first.submits) == ("smsc 0", True, 2, True)
    assert (second.bind, second.up, second.under_way) == ("smsc 1", False, 0)


async def test_a_receiver_takes_no_text() -> None:
    made: list[ScriptedBind] = []

    def make(watch: Watch) -> ScriptedBind:
        made.append(ScriptedBind(watch))
        return made[-1]

    pool = Pool([Place(name="rx", make=make, submits=False)])
    made[0].come_up()
    await pool.wait_up(1.0)
    assert not pool.up
    with pytest.raises(NotSent, match="only receives"):
        pool.submit_all(parts(ANNA, b"1"))
    assert [standing.submits for standing in pool.standings()] == [False]


async def test_waiting_for_a_bind_ends_with_the_first_that_is_up() -> None:
    carrier = Carrier(2)
    waiting = asyncio.create_task(carrier.pool.wait_up(5.0))
    await turn()
    assert not waiting.done()
    carrier.binds[1].come_up()
    await waiting


async def test_waiting_for_a_bind_ends_in_time_if_none_comes() -> None:
    carrier = Carrier(2)
    with pytest.raises(TimeoutError):
        await carrier.pool.wait_up(0.01)


async def test_the_link_number_grows_with_every_connection_of_any_bind() -> None:
    carrier = Carrier(2)
    carrier.come_up()
    before = carrier.pool.link_number
    carrier.binds[1].go_down()
    carrier.binds[1].come_up()
    assert carrier.pool.link_number == before + 1


async def test_every_bind_can_be_told_to_try_again() -> None:
    carrier = Carrier(2)
    carrier.pool.retry()
    assert [bind.retries for bind in carrier.binds] == [1, 1]
    assert all(bind.started for bind in carrier.binds)


async def test_closing_lets_go_what_waits_and_takes_nothing_new() -> None:
    carrier = Carrier(1, window=1, ahead=1)
    carrier.come_up()
    one, two = (carrier.submit(ANNA, octet)[0] for octet in (b"1", b"2"))
    closing = asyncio.create_task(carrier.pool.aclose())
    await turn()
    with pytest.raises(NotSent):
        carrier.submit(BELA, b"3")
    for _ in range(2):
        carrier.binds[0].answer()
        await turn()
    await closing
    assert fates([one, two]) == ["id1", "id2"]
    assert carrier.binds[0].closed


async def test_closing_ends_every_fate_even_if_the_carrier_is_silent() -> None:
    carrier = Carrier(2, window=1, ahead=1)
    carrier.come_up()
    futures = [carrier.submit(r, b"x")[0] for r in (ANNA, BELA, CILI, ANNA)]
    await carrier.pool.aclose()
    assert sorted(fates(futures)) == ["NotSent", "NotSent", "SessionClosed", "SessionClosed"]
    assert isinstance(futures[0].exception(), SessionClosed)
    with pytest.raises(NotSent, match="the pool is closed"):
        futures[3].result()
    assert all(bind.closed for bind in carrier.binds)


async def test_a_bind_that_rests_leaves_the_others_and_comes_back_as_another_link() -> None:
    carrier = Carrier(2)
    carrier.come_up()
    before = carrier.pool.link_number
    await carrier.pool.rest("smsc 0")
    assert [s.up for s in carrier.pool.standings()] == [False, True]
    assert carrier.pool.link_number == before
    (future,) = carrier.submit("a", b"1")
    assert len(carrier.binds[1].under_way) == 1
    carrier.pool.start("smsc 0")
    fresh = carrier.binds[2]
    assert fresh.started
    fresh.come_up()
    assert carrier.pool.link_number == before + 1
    assert not future.done()


async def test_only_the_binds_that_are_named_are_started() -> None:
    carrier = Carrier(2)
    await carrier.pool.rest("smsc 1")
    carrier.pool.start("smsc 0")
    assert not carrier.binds[2].started
