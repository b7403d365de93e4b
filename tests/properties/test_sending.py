"""What holds of the rules before the wire, whatever comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from ari_app.policy.sending.hours import LONGEST_WAIT_DAYS, Hours, Opening, first_allowed
from ari_app.policy.sending.limits import Counts
from ari_app.policy.sending.prices import Prices
from ari_app.policy.sending.rules import ALL, Despite, Rules
from ari_app.policy.sending.words import Says, normalise
from tests.support.clock import NOON
from tests.unit.policy.sending.sending_story import (
    DAY,
    HOUR,
    MINUTE,
    NO_LIMITS,
    Desk,
    asked,
    vocabulary,
)

WORDS = vocabulary()
STOPS = sorted(word for word, said in WORDS.words.items() if said.says is Says.STOP)
MARKS = st.text(st.sampled_from(" .,!?-'\"\n\t\N{NO-BREAK SPACE}\N{ZERO WIDTH SPACE}"), max_size=4)
ZONES = st.lists(
    st.sampled_from(
        "Europe/Paris America/New_York America/Los_Angeles Asia/Kathmandu Australia/Lord_Howe "
        "Pacific/Chatham Africa/Cairo America/St_Johns Asia/Tokyo Atlantic/Azores".split()
    ).map(ZoneInfo),
    min_size=1,
    max_size=3,
)
# In no country does the clock change between six and twenty-three.
DAYTIME = st.tuples(st.integers(6, 22), st.integers(6, 23)).filter(lambda h: h[0] < h[1])
OPENING = st.none() | DAYTIME.map(lambda h: Opening(h[0] * 60, h[1] * 60))
HOURS = st.builds(
    Hours,
    week=st.tuples(*[OPENING] * 7),
    holiday=OPENING,
    fixed=st.frozensets(st.tuples(st.integers(1, 12), st.integers(1, 28)), max_size=40),
    easter=st.frozensets(st.integers(-3, 60), max_size=3),
)
MOMENTS = st.integers(NOON - 300 * DAY, NOON + 300 * DAY)


def allowed(hours: Hours, zone: ZoneInfo, moment: int) -> bool:
    local = datetime.fromtimestamp(moment // 1_000_000, UTC).astimezone(zone)
    opening = hours.of(local.date())
    minute = local.hour * 60 + local.minute
    return opening is not None and opening.start <= minute < opening.end


@given(HOURS, ZONES, MOMENTS)
def test_the_first_moment_is_allowed_everywhere_and_none_before_it_is(
    hours: Hours, zones: list[ZoneInfo], now: int
) -> None:
    found = first_allowed(hours, zones, now)
    end = now + LONGEST_WAIT_DAYS * DAY if found is None else found
    # Every offset is a multiple of a quarter, and these hours begin at full ones.
    quarter = 15 * MINUTE
    asked_at = [now, *range((now // quarter + 1) * quarter, end, quarter)]
    earlier = [m for m in asked_at if m < end and all(allowed(hours, z, m) for z in zones)]
    assert earlier == []
    if found is not None:
        assert found >= now
        assert all(allowed(hours, zone, found) for zone in zones)


@given(st.text(max_size=400))
def test_any_text_is_read_and_never_crashes(body: str) -> None:
    said = WORDS.read(body)
    assert said is None or said.says in Says
    assert normalise(normalise(body)) == normalise(body)


@given(st.sampled_from(STOPS), MARKS, MARKS, st.booleans())
def test_stop_is_stop_whatever_stands_around_it(
    word: str, before: str, after: str, loud: bool
) -> None:
    said = WORDS.read(before + (word.upper() if loud else word) + after)
    assert said is not None
    assert said.says is Says.STOP


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=60
    ),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(100, 400),
)
def test_no_hour_or_day_ever_has_more_than_its_limit(
    asks: list[tuple[int, int, int]], hourly: int, prefixed: int, money: int
) -> None:
    limits = replace(NO_LIMITS, recipient_hour=hourly, prefix_hour=prefixed, money_day=money)
    desk = Desk(Rules(limits=limits, prices=Prices({"": 30})))
    sent: list[tuple[int, str, int]] = []
    for minutes, who, length in asks:
        desk.now += minutes * MINUTE
        text = asked(f"+3361234567{who}", body="x" * 150 * length)
        if desk.rule(text) is None:
            sent.append((desk.now, text.number, desk.rules.prices.of(text.number, text.body)))
    for end, _, _ in sent:
        hour = [s for s in sent if end - HOUR < s[0] <= end]
        assert len(hour) <= prefixed
        assert all(sum(s[1] == who for s in hour) <= hourly for _, who, _ in hour)
        assert sum(s[2] for s in sent if end - DAY < s[0] <= end) <= money


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30), st.integers(1, 5))
def test_who_waits_for_a_limit_is_let_through_when_told(pauses: list[int], most: int) -> None:
    limits = replace(NO_LIMITS, recipient_hour=most, prefix_hour=most, near_hour=most)
    desk = Desk(Rules(limits=limits, longest_wait=DAY))
    for pause in pauses:
        desk.now += pause * MINUTE
        text = asked()
        # Once for each limit: the others are looked at when the first has room.
        for _ in range(3):
            (objection,) = desk.asks(text)
            if objection is not None:
                assert objection.until is not None
                assert objection.until > desk.now
                desk.now = objection.until
        assert desk.rule(text) is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["stop", "start", "confirm", "text"]), st.integers(0, 400)),
        max_size=40,
    )
)
def test_each_opt_out_is_followed_by_one_text_at_most(story: list[tuple[str, int]]) -> None:
    desk = Desk(Rules(limits=NO_LIMITS))
    who, out, since_then = asked().recipient, False, 0
    for what, seconds in story:
        desk.now += seconds * 1_000_000
        if what == "stop" and not out:
            desk.opted_out[who], out, since_then = {ALL: desk.now}, True, 0
        elif what == "start":
            desk.opted_out.clear()
            out = False
        elif what in ("confirm", "text"):
            despite = Despite.CONFIRMATION if what == "confirm" else Despite.NOTHING
            since_then += desk.rule(asked(despite=despite)) is None
            assert not out or since_then <= 1


@given(st.dictionaries(st.integers(1, 50), st.integers(1, 9), max_size=8), st.integers(1, 30))
def test_room_is_told_for_the_first_moment_that_has_it(left: dict[int, int], most: int) -> None:
    rows = [("k", NOON + minutes * MINUTE, value) for minutes, value in left.items()]

    def room_at(now: int) -> int | None:
        counts = Counts(now)
        counts.learn(rows)
        return counts.room("k", most)

    told = room_at(NOON)
    if told is not None:
        assert room_at(told) is None
        assert room_at(told - 1) is not None
