"""What holds for every event, every number and every life of a text."""

from __future__ import annotations

import itertools
import json
import string

from hypothesis import given
from hypothesis import strategies as st

from ari_app.conversation.events import (
    Event,
    ReceiptReceived,
    TextDelayed,
    TextPromised,
    TextRefused,
    TextSightLost,
    TextSubmitted,
    from_payload,
    name_of,
    to_payload,
)
from ari_app.conversation.identity import E164, new_id
from ari_app.conversation.message import NEXT, MessageState
from ari_app.conversation.state import fold
from tests.support.events import EVENTS, in_a_stream

NUMBERS = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True).map(E164)


@given(EVENTS)
def test_an_event_comes_back_from_the_log_as_it_was(event: Event) -> None:
    stored = json.loads(json.dumps(to_payload(event)))
    assert from_payload(*name_of(event), stored) == event


@given(st.lists(EVENTS, max_size=12))
def test_any_beginning_of_any_stream_folds_and_folding_goes_on_from_there(
    happened: list[Event],
) -> None:
    stream = in_a_stream(happened)
    for end in range(len(stream) + 1):
        begun = fold(stream[:end])
        assert begun.sequence == end
        assert fold(stream[end:], begun) == fold(stream)


IDS = ("1", "2", "3")
STATES = ("DELIVRD", "UNDELIV", "DELETED", "EXPIRED", "REJECTD", "UNKNOWN", "ENROUTE", "ACCEPTD")
RECEIPTS = st.builds(
    ReceiptReceived,
    message=st.just("m"),
    carrier=st.just("main"),
    id=st.sampled_from(IDS),
    state=st.sampled_from(STATES),
    error=st.just(""),
)
PROMISED = TextPromised(message="m", template="hours", to="+12025550123", body="open")
LIVES = st.lists(
    st.one_of(
        RECEIPTS,
        RECEIPTS,
        st.builds(
            TextSubmitted,
            message=st.just("m"),
            carrier=st.just("main"),
            ids=st.integers(1, 3).map(lambda n: IDS[:n]),
            attempts=st.just(1),
        ),
        st.just(TextRefused(message="m", reason="", attempts=1)),
        st.just(TextDelayed(message="m", reason="", attempts=1)),
        st.just(TextSightLost(message="m", reason="")),
    ),
    max_size=10,
).map(lambda life: [PROMISED, *life])


def states(life: list[Event]) -> list[MessageState]:
    stream = in_a_stream(life)
    return [fold(stream[:end]).messages["m"].state for end in range(1, len(stream) + 1)]


@given(LIVES)
def test_a_text_moves_only_along_the_table_and_never_out_of_a_final_state(
    life: list[Event],
) -> None:
    ways = {(state, after) for (state, _), after in NEXT.items()}
    for before, after in itertools.pairwise(states(life)):
        assert before is after or (before, after) in ways
        assert before is after or not before.final


@given(st.integers(1, 3), st.lists(RECEIPTS, min_size=1, max_size=6), st.data())
def test_a_receipt_that_comes_again_changes_nothing(
    segments: int, receipts: list[ReceiptReceived], data: st.DataObject
) -> None:
    taken = TextSubmitted(message="m", carrier="main", ids=IDS[:segments], attempts=1)
    first = data.draw(st.integers(0, len(receipts) - 1))
    later = data.draw(st.integers(first + 1, len(receipts)))
    repeated = [*receipts[:later], receipts[first], *receipts[later:]]
    once = fold(in_a_stream([PROMISED, taken, *receipts]))
    assert fold(in_a_stream([PROMISED, taken, *repeated])).messages == once.messages


@given(st.integers(1, 4), st.data())
def test_a_text_is_delivered_with_the_last_of_its_segments_in_any_order(
    segments: int, data: st.DataObject
) -> None:
    ids = tuple(f"s{n}" for n in range(segments))
    order = data.draw(st.permutations(ids * 2))
    story: list[Event] = [
        PROMISED,
        TextSubmitted(message="m", carrier="main", ids=ids, attempts=1),
    ]
    told: set[str] = set()
    for id in order:
        story.append(ReceiptReceived(message="m", carrier="main", id=id, state="DELIVRD", error=""))
        told.add(id)
        delivered = states(story)[-1] is MessageState.DELIVERED
        assert delivered == (told == set(ids))


@given(NUMBERS)
def test_a_masked_number_hides_the_middle_of_every_number(number: E164) -> None:
    shown = number.masked.replace("*", "")
    assert len(number.masked) == len(number.value)
    assert shown == number.value[:4] + number.value[-2:]
    assert number.value not in number.masked


WRITTEN = st.text(max_size=40) | st.text("0123456789 +()-./x", max_size=20)


@given(WRITTEN, st.sampled_from([None, "US", "FR", "GB", "IN"]))
def test_whatever_is_written_is_a_number_or_nobody(written: str, region: str | None) -> None:
    number = E164.read(written, region)
    if number is not None:
        assert E164.read(number.value) == number
        assert set(written) <= set(string.digits + string.whitespace + "+()./-")


@given(
    st.lists(st.integers(0, 2**40 * 1000), min_size=2, max_size=5),
    st.lists(st.binary(min_size=10, max_size=10), min_size=5, max_size=5),
)
def test_ids_sort_by_the_millisecond_they_were_made_in(
    times: list[int], seeds: list[bytes]
) -> None:
    made = [new_id("msg", at, seed) for at, seed in zip(times, seeds, strict=False)]
    by_id = [at // 1000 for _, at in sorted(zip(made, times, strict=True))]
    assert by_id == sorted(at // 1000 for at in times)
