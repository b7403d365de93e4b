"""What holds for every event, every number and every life of a text."""

from __future__ import annotations

import itertools
import json
import string
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ari_app.conversation import upcast
from ari_app.conversation.events import (
    REGISTRY,
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
from ari_app.conversation.schema import schemas
from ari_app.conversation.state import KEPT, Conversation, fold
from ari_app.errors import UnreadableEvent
from tests.support.events import EVENTS, events_of, in_a_stream

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


FAILURES = (MessageState.EXPIRED, MessageState.UNDELIVERABLE, MessageState.REJECTED)


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
        # A failure can only become a worse one.
        assert before is after or not before.final or after in FAILURES


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


# -- whole lives of a conversation, against a model ------------------------------------------------

Stored = tuple[str, int, dict[str, Any]]
Model = dict[str, Any]
SETTLES = {
    "DELIVRD": "delivered",
    "UNDELIV": "undeliverable",
    "DELETED": "undeliverable",
    "UNKNOWN": "undeliverable",
    "EXPIRED": "expired",
    "REJECTD": "rejected",
}


def _heard(payload: dict[str, Any]) -> upcast.Stored:
    """`caller.heard` was what `caller.spoke` is, before anybody wrote down how long it took."""
    return "caller.spoke", 1, {**payload, "words": [], "endpoint_ms": 0}


def _rang(payload: dict[str, Any]) -> upcast.Stored:
    return "call.rang", 2, {"call": payload["line"], "channel": ""}


def _rang_2(payload: dict[str, Any]) -> upcast.Stored:
    return "call.received", 1, {**payload, "did": "100"}


#: Steps from names that no event of today has.
OLD = {("caller.heard", 1): _heard, ("call.rang", 1): _rang, ("call.rang", 2): _rang_2}


def stored(name: str, version: int = 1, **payload: st.SearchStrategy[Any] | object) -> Any:
    """One event as it stands in the log, perhaps with a field of a newer program."""
    whole = {k: v if isinstance(v, st.SearchStrategy) else st.just(v) for k, v in payload.items()}
    fixed = st.fixed_dictionaries(whole)
    newer = st.sampled_from([{}, {}, {"of_a_newer_program": [1, {"deep": None}]}])
    return st.builds(lambda p, more: (name, version, p | more), fixed, newer)


CALLS = st.sampled_from(["c1", "c2"])
MESSAGES = st.sampled_from(["m1", "m2"])
HANDOFFS = st.sampled_from(["h1", "h2"])
PURPOSES = st.sampled_from(["texts", "recording"])
WORDS = st.sampled_from(["yes", "no", "hours"])
NUMBER = "+12025550123"
FACT: st.SearchStrategy[Stored] = st.one_of(
    stored("conversation.opened", channel="voice", did="1", language="fr", number=NUMBER),
    stored("call.received", call=CALLS, channel="SIP/1", did="1"),
    stored("call.rang", line=CALLS),
    stored("call.rang", 2, call=CALLS, channel="SIP/1"),
    stored("call.answered", call=CALLS),
    stored("call.left", call=CALLS, exit="done", reason=""),
    stored("call.ended", call=CALLS, cause="hangup", statistics={"lost": 1}),
    stored("caller.spoke", call=CALLS, text=WORDS, words=[], confidence=0.5, endpoint_ms=1),
    stored("caller.heard", call=CALLS, text=WORDS, confidence=0.25),
    stored("key.pressed", call=CALLS, key=st.sampled_from("12")),
    stored("caller.silent", call=CALLS),
    stored("text.received", carrier="main", recipient="1", sender=NUMBER, body=WORDS),
    stored("consent.given", purpose=PURPOSES, channel="v", how="key", confidence=1, wording=""),
    stored("consent.refused", purpose=PURPOSES, channel="sms", how="text"),
    stored("choice.made", question=st.sampled_from(["q1", "q2"]), choice=WORDS, value=""),
    stored("handoff.recorded", handoff=HANDOFFS, route="first", record={}),
    stored("handoff.acknowledged", handoff=HANDOFFS, route="first", receipt=""),
    stored("handoff.escalated", handoff=HANDOFFS, reason=""),
    stored("text.promised", message=MESSAGES, template="hours", to=NUMBER, body="open"),
    stored("text.submitted", message=MESSAGES, carrier="main", ids=["1", "2"], attempts=1),
    stored("text.refused", message=MESSAGES, reason="", attempts=1),
    stored("text.sight_lost", message=MESSAGES, reason=""),
    stored(
        "receipt.received",
        message=MESSAGES,
        carrier="main",
        id=st.sampled_from(["1", "2"]),
        state=st.sampled_from([*SETTLES, "ENROUTE"]),
        error="",
    ),
    # Of newer programs: an event that is not known, and another version of one that is.
    stored("call.teleported", call=CALLS),
    stored("call.answered", 2, line=CALLS),
)
WHOLE_LIVES = st.lists(FACT, max_size=60)


def model(life: list[Stored]) -> Model:
    """What a conversation is, told in the plainest way: from what is stored, step by step."""
    now: Model = {
        "number": None,
        "on_the_line": None,
        "calls": [],
        "turns": [],
        "silences": 0,
        "consent": {},
        "choices": {},
        "handoffs": {},
        "texts": {},
    }
    for name, version, p in life:
        if (name, version) == ("call.answered", 1):
            now["on_the_line"], now["silences"] = p["call"], 0
        elif name in ("call.received", "call.rang"):
            call = p["line"] if (name, version) == ("call.rang", 1) else p["call"]
            now["calls"] += [call] * (call not in now["calls"])
        elif name in ("call.left", "call.ended") and now["on_the_line"] == p["call"]:
            now["on_the_line"] = None
        elif name == "conversation.opened":
            now["number"] = p["number"]
        elif name in ("caller.spoke", "caller.heard", "key.pressed"):
            now["turns"].append(p["key"] if name == "key.pressed" else p["text"])
            now["silences"] = 0
        elif name == "caller.silent":
            now["silences"] += 1
        elif name == "text.received":
            now["turns"].append(p["body"])
        elif name in ("consent.given", "consent.refused"):
            now["consent"][p["purpose"]] = name == "consent.given"
        elif name == "choice.made":
            now["choices"][p["question"]] = p["choice"]
        elif name.startswith("handoff."):
            step, before = name.removeprefix("handoff."), now["handoffs"].get(p["handoff"])
            if before in (None, "recorded"):
                now["handoffs"][p["handoff"]] = step
        elif name == "text.promised":
            now["texts"].setdefault(p["message"], {"state": "promised", "parts": 0, "there": []})
        elif name.startswith(("text.", "receipt.")) and p["message"] in now["texts"]:
            _text_goes_on(now["texts"][p["message"]], name, p)
    return now


def _text_goes_on(text: dict[str, Any], name: str, p: dict[str, Any]) -> None:
    if name == "text.submitted":
        text["parts"] = len(p["ids"])
    if text["state"] in ("promised", "unknown"):
        after = {"text.submitted": "submitted", "text.refused": "rejected"}
        after["text.sight_lost"] = "unknown"
        text["state"] = after.get(name, text["state"])
    if name == "receipt.received" and p["id"] not in text["there"]:
        _segment_ends(text, p["id"], SETTLES.get(p["state"]))


def _segment_ends(text: dict[str, Any], id: str, told: str | None) -> None:
    """All delivered, or the worst of them; only what was sent comes to an end."""
    if told is None or text["state"] in ("delivered", "rejected"):
        return
    text["there"].append(id)
    sent = text["state"] in ("submitted", "unknown")
    failures = [state.value for state in FAILURES]
    if told != "delivered":
        worse = text["state"] in failures and failures.index(told) > failures.index(text["state"])
        text["state"] = told if sent or worse else text["state"]
    elif sent and len(text["there"]) >= text["parts"]:
        text["state"] = told


def read(life: list[Stored]) -> list[Event]:
    """As a store reads it, out of JSON."""
    with mock.patch.dict(upcast.UPCASTERS, OLD):
        return [from_payload(n, v, json.loads(json.dumps(payload))) for n, v, payload in life]


def shown(state: Conversation) -> Model:
    """What of the state the model tells too."""
    return {
        "number": state.number,
        "on_the_line": state.on_the_line,
        "calls": list(state.calls),
        "turns": [said.text for said in state.turns],
        "silences": state.silences,
        "consent": state.consent,
        "choices": state.choices,
        "handoffs": state.handoffs,
        "texts": {id: m.state.value for id, m in state.messages.items()},
    }


@given(WHOLE_LIVES)
def test_any_beginning_of_a_life_is_what_the_model_says(life: list[Stored]) -> None:
    stream = in_a_stream(read(life))
    state = Conversation()
    for end in range(len(stream) + 1):
        state = fold(stream[end - 1 : end], state) if end else state
        expected = model(life[:end])
        assert state.turns_taken == len(expected["turns"])
        expected["turns"] = expected["turns"][-KEPT:]
        expected["texts"] = {id: text["state"] for id, text in expected["texts"].items()}
        assert shown(state) == expected
    # Live, event after event, and replayed at once.
    assert state == fold(stream)


#: Facts each time that they are told; the edges tell each of them once.
COUNTED = {"caller.spoke", "caller.heard", "key.pressed", "caller.silent", "text.received"}
#: What changes nothing however late it is told again.
FOR_EVER = {"call.received", "call.rang", "text.promised", "handoff.recorded"}


@given(WHOLE_LIVES, st.data())
def test_what_is_told_twice_in_a_row_changes_nothing(
    life: list[Stored], data: st.DataObject
) -> None:
    again = [n for n, (name, _, _) in enumerate(life) if name not in COUNTED]
    twice = data.draw(st.sets(st.sampled_from(again))) if again else set()
    stuttered = [fact for n, fact in enumerate(life) for fact in [fact] * (1 + (n in twice))]
    once = fold(in_a_stream(read(life)))
    assert replace(fold(in_a_stream(read(stuttered))), sequence=len(life)) == once


@given(WHOLE_LIVES, st.data())
def test_a_call_a_promise_or_a_record_that_is_told_again_later_changes_nothing(
    life: list[Stored], data: st.DataObject
) -> None:
    told = [n for n, (name, _, _) in enumerate(life) if name in FOR_EVER]
    again = data.draw(st.sampled_from(told)) if told else 0
    later = data.draw(st.integers(again + 1, len(life))) if told else 0
    repeated = [*life[:later], *life[again : again + bool(told)], *life[later:]]
    once, twice = fold(in_a_stream(read(life))), fold(in_a_stream(read(repeated)))
    assert replace(twice, sequence=len(life)) == once


@given(WHOLE_LIVES)
def test_what_newer_programs_wrote_moves_the_position_only(life: list[Stored]) -> None:
    understood = [
        fact for fact in life if fact[:2] not in (("call.teleported", 1), ("call.answered", 2))
    ]
    whole = fold(in_a_stream(read(life)))
    assert whole.sequence == len(life)
    assert replace(whole, sequence=len(understood)) == fold(in_a_stream(read(understood)))


SCHEMAS = schemas()
# No 1.0: JSON Schema calls it an integer, and no program of ours writes one so.
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.just(0.5) | st.text(max_size=3)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(REGISTRY)), st.data())
def test_a_field_is_read_exactly_if_the_schema_of_its_event_takes_it(
    key: tuple[str, int], data: st.DataObject
) -> None:
    name, version = key
    schema = SCHEMAS[f"{name}.v{version}"]
    payload = json.loads(json.dumps(to_payload(data.draw(events_of(REGISTRY[key])))))
    field = data.draw(st.sampled_from(sorted(schema["properties"])))
    payload[field] = data.draw(ANY_JSON)
    if Draft202012Validator(schema).is_valid(payload):
        read_back = from_payload(name, version, payload)
        assert json.loads(json.dumps(to_payload(read_back))) == payload
    else:
        with pytest.raises(UnreadableEvent) as refused:
            from_payload(name, version, payload)
        assert (refused.value.event, refused.value.field) == (name, field)
