"""The bytes of an event: all of it counts, and nothing can be read two ways."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from ari_app.ledger.canonical import StoredEvent, canonical, event_hash, payload_hash
from tests.unit.ledger.log import event


def test_the_bytes_are_what_the_documentation_says() -> None:
    stored = StoredEvent(
        "evt_2", "conv_1", 2, 17, "calls", "evt_1", "call.answered", 1, '{"a":1.0}'
    )
    lines = b"segue.event.v1\nevt_2\nconv_1\n2\n17\ncalls\n=evt_1\ncall.answered\n1\n"
    assert canonical(stored) == lines + sha256(b'{"a":1.0}').digest()
    assert event_hash(stored) == sha256(b"\0" + canonical(stored)).digest()


def test_an_event_without_cause_has_an_empty_line() -> None:
    assert canonical(event(sequence=1)).split(b"\n")[6] == b""


def test_no_cause_an_empty_one_and_a_mere_sign_are_three_different_things() -> None:
    assert len({event_hash(event(cause=cause)) for cause in (None, "", "=")}) == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "evt_other"),
        ("stream", "conv_other"),
        ("sequence", 9),
        ("at", 9),
        ("actor", "threads"),
        ("cause", "evt_other"),
        ("name", "call.answered"),
        ("version", 2),
        ("payload", "{}"),
    ],
)
def test_every_field_counts(field: Any, value: Any) -> None:
    assert event_hash(event(**{field: value})) != event_hash(event())


def test_the_payload_is_hashed_as_it_is_written_and_not_as_it_is_meant() -> None:
    assert event_hash(event(payload='{"a":1}')) != event_hash(event(payload='{"a": 1}'))


def test_an_erased_payload_leaves_the_hash_as_it_was() -> None:
    sound = event()
    assert isinstance(sound.payload, str)
    assert event_hash(sound._replace(payload=payload_hash(sound.payload))) == event_hash(sound)


@pytest.mark.parametrize("field", ["id", "stream", "actor", "cause", "name"])
def test_a_line_feed_in_a_field_is_refused(field: str) -> None:
    forged: dict[str, Any] = {field: "evt_1\nconv_1"}
    with pytest.raises(ValueError, match="line feed"):
        event_hash(event(**forged))


def test_what_is_not_unicode_is_refused() -> None:
    with pytest.raises(ValueError, match="the payload is not Unicode"):
        event_hash(event(payload="\ud800"))
    with pytest.raises(ValueError, match="a field of the event is not Unicode"):
        event_hash(event(actor="\ud800"))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hash_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="neither a text nor the hash of one"):
        event_hash(event(payload=bytes(length)))
