"""The relay's contract holds: other systems were written against it."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.bus.message import FORMAT, line, subject
from ari_app.ports import Record

SEALED = '{"call":"call_1","number":{"sealed":"1.key_1.AAAA"}}'
RECORD = Record(
    position=42,
    id="evt_1",
    stream="conv_1",
    sequence=3,
    at=1_795_176_000_000_000,
    actor="caller",
    cause="evt_0",
    name="call.answered",
    version=1,
    payload=SEALED,
    link=bytes(range(32)),
)


def test_a_message_is_what_the_contract_says_octet_for_octet() -> None:
    """Who changes this changes FORMAT, and tells everybody."""
    assert FORMAT == 1
    assert line(RECORD) == (
        b'{"relay":1,"id":"evt_1","stream":"conv_1","sequence":3,"at":1795176000000000,'
        b'"actor":"caller","cause":"evt_0","name":"call.answered","version":1,'
        b'"payload":{"call":"call_1","number":{"sealed":"1.key_1.AAAA"}},'
        b'"link":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}'
    )


def test_the_place_in_our_log_is_nobody_elses_business() -> None:
    assert "position" not in json.loads(line(RECORD))


def test_an_erased_payload_and_no_cause_are_null() -> None:
    message = json.loads(line(RECORD._replace(payload=None, cause=None)))
    assert message["payload"] is None
    assert message["cause"] is None


@pytest.mark.parametrize(
    "payload",
    [
        '{"amount":1.10,"big":12345678901234567890123,"é":"ü \\u00e9","a":1,"a":2}',
        '{ "spaced" : [ 1, 2 ] }',
        '{"half":"\\ud83d"}',
        "{}",
    ],
)
def test_a_payload_keeps_its_octets_so_that_its_hash_can_be_checked(payload: str) -> None:
    written = line(RECORD._replace(payload=payload))
    found = written[written.index(b'"payload":') + 10 : written.rindex(b',"link"')]
    assert sha256(found).digest() == sha256(payload.encode()).digest()
    assert isinstance(json.loads(written)["payload"], dict)


@pytest.mark.parametrize(
    "payload", ["", "{", "[1]", '"text"', "null", "7", '{"a":NaN}', '{\n"a":1}', "[" * 100_000]
)
def test_what_is_no_object_on_one_line_is_refused_and_not_quoted(payload: str) -> None:
    with pytest.raises(ValueError, match="^the stored payload of event evt_1 is no JSON object"):
        line(RECORD._replace(payload=payload))


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text() | st.integers()),
    st.text(),
    st.none() | st.text(),
)
def test_any_message_is_one_line_that_json_reads_back(
    fields: dict[str, str | int], actor: str, cause: str | None
) -> None:
    record = RECORD._replace(payload=json.dumps(fields), actor=actor, cause=cause)
    written = line(record)
    assert b"\n" not in written
    assert b"\r" not in written
    read = json.loads(written)
    assert (read["payload"], read["actor"], read["cause"]) == (fields, actor, cause)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("call.answered", "segue.events.call.answered"),
        ("handoff.taken_over-2", "segue.events.handoff.taken_over-2"),
        ("a b.*.>", "segue.events.a_b._._"),
        ("call..answered.", "segue.events.call._.answered._"),
        ("", "segue.events._"),
        ("evil\r\nPUB x", "segue.events.evil__PUB_x"),
        ("é", "segue.events._"),
    ],
)
def test_a_subject_is_one_whatever_the_event_is_called(name: str, expected: str) -> None:
    assert subject("segue.events", name) == expected
