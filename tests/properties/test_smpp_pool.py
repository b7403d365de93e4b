"""What the pool promises of every text, whichever binds come and go."""

import asyncio
from collections import defaultdict
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from smpp.address import Address
from smpp.binds import Place, Watch
from smpp.errors import CommandError, NotSent, SessionClosed
from smpp.pdu import SubmitSm
from smpp.pool import Interrupted, Pool
from tests.support.binds import ScriptedBind

Step: TypeAlias = tuple[str, int, int]

_BINDS = 3
_RECIPIENTS = [Address.of(f"+3312345670{n}") for n in range(3)]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.integers(0, 2), st.integers(1, 7)),
        st.tuples(st.just("submit"), st.integers(0, 2), st.integers(1, 2)),
        st.tuples(st.just("up"), st.integers(0, _BINDS - 1), st.just(0)),
        st.tuples(st.just("down"), st.integers(0, _BINDS - 1), st.just(0)),
        st.tuples(st.just("answer"), st.integers(0, _BINDS - 1), st.integers(1, 4)),
        st.tuples(st.just("refuse"), st.integers(0, _BINDS - 1), st.just(0)),
        st.tuples(st.just("turn"), st.just(0), st.integers(1, 3)),
    ),
    max_size=60,
)


class Story:
    """A pool, what was asked of it, and what its binds wrote."""

    def __init__(self, window: int, ahead: int) -> None:
        self.log: list[SubmitSm] = []
        self.binds: list[ScriptedBind] = []
        self.asked: list[tuple[list[SubmitSm], list[asyncio.Future[str]]]] = []

        def make(watch: Watch) -> ScriptedBind:
            self.binds.append(ScriptedBind(watch, window=window, queue=20, log=self.log))
            return self.binds[-1]

        places = [Place(name=str(n), make=make) for n in range(_BINDS)]
        self.pool = Pool(places, ahead=ahead, most_waiting=60, drain_timeout=0.01)

    async def play(self, step: Step) -> None:
        match step:
            case "submit", recipient, count:
                self.submit(_RECIPIENTS[recipient], count)
            case "up", bind, _ if not self.binds[bind].up:
                self.binds[bind].come_up()
            case "down", bind, _ if self.binds[bind].up:
                self.binds[bind].go_down()
            case "answer", bind, count:
                self.binds[bind].answer(count)
            case "refuse", bind, _:
                self.binds[bind].refuse()
            case "turn", _, count:
                for _ in range(count):
                    await asyncio.sleep(0)
            case _:
                pass  # up while it is up, down while it is down

    def submit(self, recipient: Address, count: int) -> None:
        number = len(self.asked)
        pdus = [
            SubmitSm(destination=recipient, short_message=f"{number}.{part}".encode())
            for part in range(count)
        ]
        try:
            self.asked.append((pdus, self.pool.submit_all(pdus)))
        except NotSent:
            self.asked.append((pdus, []))

    def check_that_no_two_binds_race_for_one_recipient(self) -> None:
        where = defaultdict(set)
        for number, bind in enumerate(self.binds):
            for pdu in bind.under_way:
                where[pdu.destination].add(number)
        assert all(len(binds) == 1 for binds in where.values())

    def check(self) -> None:
        octets = [pdu.short_message for pdu in self.log]
        assert len(set(octets)) == len(octets), "written twice"
        for pdus, futures in self.asked:
            self.check_fates(pdus, futures, set(octets))
            self.check_parts([pdu.short_message for pdu in pdus])
        for recipient in _RECIPIENTS:
            numbers = [
                int(pdu.short_message.split(b".")[0])
                for pdu in self.log
                if pdu.destination == recipient
            ]
            assert numbers == sorted(numbers), "a text has overtaken another"

    def check_fates(
        self, pdus: list[SubmitSm], futures: list[asyncio.Future[str]], written: set[bytes]
    ) -> None:
        for pdu, future in zip(pdus, futures, strict=bool(futures)):
            assert future.done(), "no fate"
            error = future.exception()
            assert error is None or isinstance(error, CommandError | NotSent | SessionClosed)
            assert (pdu.short_message in written) is not isinstance(error, NotSent)
        begun = any(pdu.short_message in written for pdu in pdus)
        for future in futures:
            if isinstance(future.exception(), NotSent):
                assert isinstance(future.exception(), Interrupted) is begun

    def check_parts(self, parts: list[bytes]) -> None:
        """Consecutive, in order, on one bind; perhaps cut off at the end."""
        writers = 0
        for bind in self.binds:
            octets = [pdu.short_message for pdu in bind.written]
            places = [octets.index(part) for part in parts if part in octets]
            if places:
                writers += 1
                assert octets[places[0] : places[0] + len(places)] == parts[: len(places)]
        assert writers <= 1


@settings(deadline=None, max_examples=300)
@given(steps, st.integers(1, 4), st.integers(1, 8), st.booleans())
def test_whatever_happens_to_the_binds_every_text_has_its_promises_kept(
    steps: list[Step], window: int, ahead: int, closes: bool
) -> None:
    async def tell() -> None:
        story = Story(window, ahead)
        for bind in story.binds[:2]:
            bind.come_up()
        for step in steps:
            await story.play(step)
            story.check_that_no_two_binds_race_for_one_recipient()
        if closes:
            await story.pool.aclose()
        for bind in story.binds:
            if bind.up:
                bind.go_down()
        for _ in range(4):
            await asyncio.sleep(0)
        story.check()
        standings = story.pool.standings()
        assert [standing.under_way for standing in standings] == [0] * _BINDS
        assert not story.pool._dispatch._recipients, "a recipient is remembered for ever"

    asyncio.run(tell())


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 7)), min_size=1, max_size=25),
    st.integers(1, 4),
    st.integers(1, 8),
)
def test_while_the_binds_stay_up_and_answer_every_text_is_taken(
    texts: list[tuple[int, int]], window: int, ahead: int
) -> None:
    async def tell() -> None:
        story = Story(window, ahead)
        for bind in story.binds:
            bind.come_up()
        for recipient, count in texts:
            story.submit(_RECIPIENTS[recipient], count)
        accepted = [futures for _, futures in story.asked if futures]
        for _ in range(500):
            for bind in story.binds:
                bind.answer(window)
            await asyncio.sleep(0)
        assert all(future.done() and future.result() for futures in accepted for future in futures)
        story.check()

    asyncio.run(tell())
