"""What waits to be written: order, rate and throttling, by a clock that only the test moves."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpp.constants import Status
from smpp.errors import AnswerTimeout, LocalProtocolError, NotSent, SessionClosed
from smpp.outflow import Outflow
from smpp.rate import Pace
from smpp.texts import Settled, Text

THROTTLED = int(Status.ESME_RTHROTTLED)
FULL = int(Status.ESME_RMSGQFUL)


class Outbox:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.batches: list[Settled] = []
        self.unwanted: set[object] = set()

    def settle(self, settled: Settled) -> None:
        self.batches.append(settled)

    def wanted(self, tokens: Sequence[Any]) -> bool:
        return not self.unwanted.intersection(tokens)

    def all(self, name: str) -> list[Any]:
        return [entry for batch in self.batches for entry in getattr(batch, name)]


class Story:
    """An outflow, a session's window, and an SMSC that answers when the test says so."""

    def __init__(self, window: int = 10, rate: float | None = None, **options: Any) -> None:
        self.window = window
        self.now = 0.0
        self.outbox = Outbox()
        self.pace = Pace(rate, 0.0)
        self.outflow = Outflow(self.pace, **options)
        self.flying: list[tuple[str, Any, float]] = []
        self.wrote: list[str] = []

    # -- the session

    @property
    def room(self) -> int:
        return self.window - len(self.flying)

    def submit_batch(
        self, bodies: Sequence[bytes], items: Sequence[Any], now: float
    ) -> Sequence[int]:
        assert len(bodies) == len(items) <= self.room
        first = len(self.wrote)
        for body, item in zip(bodies, items, strict=True):
            self.flying.append((body.decode(), item, now))
            self.wrote.append(body.decode())
        return range(first, len(self.wrote))

    # -- what happens

    def add(self, recipient: str, *parts: str, **options: Any) -> None:
        bodies = [part.encode() for part in parts]
        self.outflow.add([Text(recipient, bodies, parts, **options)], self.outbox)
        self.go()

    def answer(self, part: str, status: int = 0) -> None:
        index = next(n for n, (body, _, _) in enumerate(self.flying) if body == part)
        body, item, written = self.flying.pop(index)
        self.outflow.answered(index, item, written, status, f"id-{body}")

    def go(self, seconds: float = 0.0) -> list[str]:
        """Let time pass and the outflow write; what it wrote."""
        before = len(self.wrote)
        end = self.now + seconds
        self.outflow.fill(self, self.now)
        while (at := self.outflow.next_at(self.now)) is not None and at <= end:
            self.now = max(at, self.now)
            self.outflow.fill(self, self.now)
        self.now = end
        self.outflow.fill(self, self.now)
        for sink, settled in self.outflow.take_settled(self.now):
            sink.settle(settled)
        return self.wrote[before:]


def test_texts_go_in_order_as_far_as_the_window_lets() -> None:
    story = Story(window=2)
    for name in "abc":
        story.add(name, name)
    assert story.wrote == ["a", "b"]
    story.answer("a")
    assert story.go() == ["c"]
    assert story.outbox.all("taken") == [("a", "id-a")]


def test_the_parts_of_a_text_go_consecutively_also_through_a_narrow_window() -> None:
    story = Story(window=2)
    story.add("x", "x1", "x2", "x3", "x4")
    story.add("y", "y1")
    for part in ("x1", "x2", "x3", "x4"):
        story.answer(part)
        story.go()
    assert story.wrote == ["x1", "x2", "x3", "x4", "y1"]


def test_a_text_waits_for_everything_earlier_to_its_recipient() -> None:
    story = Story()
    story.add("x", "x1", "x2")
    story.add("x", "later")
    story.add("x", "last")
    story.add("y", "other")
    assert story.wrote == ["x1", "x2", "other"]
    story.answer("x1")
    assert story.go() == []
    story.answer("x2")
    assert story.go() == ["later"]
    story.answer("later", 0x45)
    assert story.go() == ["last"]


def test_without_keeping_order_nothing_waits() -> None:
    story = Story(keep_order=False)
    story.add("x", "x1")
    story.add("x", "x2")
    assert story.wrote == ["x1", "x2"]
    story.answer("x1")
    story.answer("x2")
    story.go()
    assert story.outflow.idle


@pytest.mark.parametrize("status", [THROTTLED, FULL])
def test_what_is_throttled_goes_again_later_and_nobody_is_told(status: int) -> None:
    story = Story(rate=100.0)
    story.add("x", "x1")
    story.answer("x1", status)
    assert story.go() == []
    assert story.pace.rate == 50.0
    assert story.go(0.02) == ["x1"]
    assert story.outbox.batches == []
    story.answer("x1")
    story.go()
    assert story.outbox.all("taken") == [("x1", "id-x1")]


def test_nothing_overtakes_what_was_throttled() -> None:
    story = Story(window=3, rate=100.0)
    for name in "abcde":
        story.add(name, name)
    story.go(1.0)
    assert story.wrote == ["a", "b", "c"]
    story.add("a", "a2")
    for name in "abc":
        story.answer(name, THROTTLED)
    assert story.go(1.0) == ["a", "b", "c"]
    for name in "abc":
        story.answer(name)
    assert story.go(1.0) == ["a2", "d", "e"]


def test_throttled_parts_go_again_together_in_order_when_all_are_answered() -> None:
    story = Story(rate=1000.0)
    story.add("x", "x1", "x2", "x3", "x4")
    story.go(1.0)
    story.answer("x3", THROTTLED)
    story.answer("x1", THROTTLED)
    assert story.go(1.0) == []
    story.answer("x2")
    story.answer("x4")
    assert story.go(1.0) == ["x1", "x3"]


def test_a_text_that_is_half_written_stops_when_its_first_part_is_throttled() -> None:
    story = Story(window=2, rate=1000.0)
    story.add("x", "x1", "x2", "x3")
    story.go(1.0)
    story.answer("x1", THROTTLED)
    assert story.go(1.0) == []
    story.answer("x2")
    assert story.go(1.0) == ["x1", "x3"]


def test_throttling_is_borne_until_the_texts_own_deadline() -> None:
    story = Story(rate=100.0)
    story.add("x", "x1", deadline=5.0)
    for _ in range(40):
        if story.flying:
            story.answer("x1", THROTTLED)
        story.go(0.25)
    assert story.outbox.all("refused") == [("x1", THROTTLED)]
    assert story.outflow.idle
    assert len(story.wrote) < 16  # of the 40 times it could have
    assert story.go(10.0) == []


def test_whoever_does_not_wait_is_told_at_once_and_the_bind_is_slower_all_the_same() -> None:
    story = Story(rate=100.0)
    story.add("x", "x1", repeat_until=0.0)
    story.answer("x1", THROTTLED)
    story.go()
    assert story.outbox.all("refused") == [("x1", THROTTLED)]
    assert story.pace.rate == 50.0


def test_a_text_is_not_begun_after_its_deadline() -> None:
    story = Story(window=1)
    story.add("x", "x1")
    story.add("y", "y1", "y2", deadline=5.0)
    story.add("x", "x2", deadline=5.0)
    story.add("z", "z1")
    story.go(5.3)
    unsent = story.outbox.all("unsent")
    assert [token for token, _ in unsent] == ["y1", "y2", "x2"]
    assert all(isinstance(error, NotSent) for _, error in unsent)
    story.answer("x1")
    assert story.go() == ["z1"]
    story.answer("z1")
    story.go()
    assert story.outflow.idle


def test_a_text_whose_turn_comes_just_after_its_deadline_is_not_begun() -> None:
    story = Story(window=1)
    story.add("x", "x1")
    story.add("y", "y1", deadline=1.0)
    story.add("z", "z1", deadline=1.1)
    story.go(1.15)  # between two looks for what has waited too long
    story.answer("x1")
    assert story.go() == []
    assert [token for token, _ in story.outbox.all("unsent")] == ["y1", "z1"]


def test_what_follows_a_text_that_waited_too_long_still_goes() -> None:
    story = Story(window=1)
    story.add("a", "a1")
    story.add("x", "x1", deadline=1.0)
    story.add("x", "x2")
    story.go(2.0)
    story.answer("a1")
    assert story.go() == ["x2"]


def test_a_text_that_is_wanted_no_more_is_withdrawn_just_before_it_would_go() -> None:
    story = Story(window=1)
    story.add("a", "a1")
    story.add("x", "x1")
    story.add("x", "x2")
    story.outbox.unwanted.add("x1")
    story.answer("a1")
    assert story.go() == ["x2"]
    ((token, error),) = story.outbox.all("unsent")
    assert (token, str(error)) == ("x1", "withdrawn")


def test_a_throttled_text_may_be_withdrawn_too() -> None:
    story = Story(rate=100.0)
    story.add("x", "x1")
    story.outbox.unwanted.add("x1")
    story.answer("x1", THROTTLED)
    assert story.go(1.0) == []
    assert story.outbox.all("refused") == [("x1", THROTTLED)]


def test_a_refusal_an_unknown_fate_and_a_late_answer_are_told_by_token() -> None:
    story = Story()
    story.add("x", "x1", "x2")
    items = {body: item for body, item, _ in story.flying}
    story.answer("x1", 0x411)
    story.outflow.unanswered(2, items["x2"])
    story.go()
    story.outflow.late(2, items["x2"], 0, "id")
    story.go()
    assert story.outbox.all("refused") == [("x1", 0x411)]
    ((token, error),) = story.outbox.all("unknown")
    assert token == "x2"
    assert isinstance(error, AnswerTimeout)
    assert story.outbox.all("late") == [("x2", 0, "id")]


def test_one_read_is_one_batch() -> None:
    story = Story(window=100)
    for n in range(100):
        story.add(f"r{n}", f"{n}")
    for n in range(100):
        story.answer(f"{n}", 0 if n % 2 else 0x45)
    story.go()
    (batch,) = story.outbox.batches
    assert (len(batch.taken), len(batch.refused)) == (50, 50)


def test_too_many_are_refused_and_none_of_them_taken() -> None:
    story = Story(window=0, most=3)
    story.add("x", "x1", "x2")
    assert story.outflow.room == 1
    with pytest.raises(NotSent):
        story.add("y", "y1", "y2")
    story.add("z", "z1")
    assert story.outflow.room == 0


def test_a_text_has_parts_and_each_a_token() -> None:
    for bodies, tokens in (([], []), ([b"x"], []), ([b"x"], ["a", "b"])):
        with pytest.raises(LocalProtocolError):
            Text("x", bodies, tokens)


def test_a_rate_spreads_texts_over_time() -> None:
    story = Story(window=1000, rate=10.0)
    for n in range(100):
        story.add(f"r{n}", f"{n}")
    story.go(2.0)
    assert len(story.wrote) == 21


def test_at_the_end_of_the_session_everything_gets_its_fate() -> None:
    story = Story(window=5, rate=1000.0)
    story.add("a", "a1", "a2", "a3")
    story.go(1.0)
    story.answer("a1", THROTTLED)
    story.go(1.0)  # waits for a2 and a3, in no queue
    story.add("b", "b1")
    story.add("b", "b2")
    story.add("c", "c1")
    story.go(1.0)
    story.answer("c1", THROTTLED)
    pending = [(n, item) for n, (_, item, _) in enumerate(story.flying)]
    story.outflow.ended("reset", pending)
    story.flying.clear()
    story.go()
    assert [token for token, _ in story.outbox.all("unknown")] == ["a2", "a3", "b1"]
    assert all(isinstance(e, SessionClosed) for _, e in story.outbox.all("unknown"))
    assert sorted(story.outbox.all("refused")) == [("a1", THROTTLED), ("c1", THROTTLED)]
    assert [token for token, _ in story.outbox.all("unsent")] == ["b2"]
    assert story.outflow.idle
    assert story.outflow.room == 10_000


Script = list[tuple[str, int, int]]


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "answer", "throttle", "refuse", "lose", "wait"]),
            st.integers(0, 3),
            st.integers(1, 4),
        ),
        max_size=80,
    ),
    st.integers(1, 6),
    st.sampled_from([None, 50.0]),
    st.sampled_from([math.inf, 3.0]),
)
def test_whatever_the_smsc_answers_every_part_gets_one_fate_and_order_holds(
    script: Script, window: int, rate: float | None, patience: float
) -> None:
    story = Story(window=window, rate=rate)
    texts: dict[str, list[str]] = {}
    accepted: list[str] = []
    for number, (what, which, count) in enumerate(script):
        if what == "add":
            parts = [f"{which}.{number:03}.{part}" for part in range(count)]
            texts[f"{which}.{number:03}"] = parts
            story.add(str(which), *parts, deadline=story.now + patience)
        elif what == "wait":
            story.go(count / 10)
        elif story.flying:
            part, item, _ = story.flying[which % len(story.flying)]
            if what == "lose":
                story.flying.remove((part, item, story.flying[which % len(story.flying)][2]))
                story.outflow.unanswered(0, item)
            else:
                story.answer(part, {"answer": 0, "throttle": THROTTLED, "refuse": 0x45}[what])
            accepted += [part] if what == "answer" else []
            story.go()
    while not story.outflow.idle:  # the SMSC comes to its senses
        for part, _, _ in tuple(story.flying):
            story.answer(part)
            accepted.append(part)
        story.go(1.0)
    fates = [
        entry[0]
        for name in ("taken", "refused", "unknown", "unsent")
        for entry in story.outbox.all(name)
    ]
    assert sorted(fates) == sorted(part for parts in texts.values() for part in parts)
    for recipient in "0123":
        # Texts to one recipient are never accepted in another order than they came.
        mine = [part.rsplit(".", 1)[0] for part in accepted if part.startswith(recipient)]
        assert mine == sorted(mine)
    # The first time, the parts of a text go in order.
    firsts = list(dict.fromkeys(story.wrote))
    for parts in texts.values():
        written = [part for part in firsts if part in parts]
        assert written == parts[: len(written)]


def test_the_carrier_is_timed_from_the_write_and_not_from_our_queue() -> None:
    story = Story(window=1)
    story.add("a", "a")
    story.add("b", "b")
    story.go(5.0)
    story.answer("a")
    story.go()
    story.go(2.0)
    story.answer("b")
    story.go()
    assert [batch.seconds for batch in story.outbox.batches if batch.taken] == [5.0, 2.0]
