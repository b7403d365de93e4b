"""Events as Asterisk 22.10.1 sent them, and as nobody should."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.ari import events
from ari_app.ari.events import parse

# Recorded; what no test looks at is left out.
STASIS_START = (
    '{"type":"StasisStart","timestamp":"2026-11-20T12:14:30.899+0000","args":["inbound","33",""],'
    '"channel":{"id":"caller-1","name":"Local/queue@from-carrier-00000000;1","state":"Up",'
    '"protocol_id":"","caller":{"name":"","number":"+33123456789"},"connected":{"name":"",'
    '"number":""},"accountcode":"","language":"en"},"asterisk_id":"02:fc:00:00:00:01",'
    '"application":"voice"}'
)


def test_a_channel_enters_with_its_arguments_and_its_caller() -> None:
    assert parse(STASIS_START) == events.StasisStart(
        "caller-1", ("inbound", "33", ""), "+33123456789", "Local/queue@from-carrier-00000000;1"
    )


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"type": "StasisEnd", "channel": {"id": "1.1"}}, events.StasisEnd("1.1")),
        ({"type": "ChannelUserevent", "eventname": "ours"}, events.ChannelUserevent("ours")),
        (
            {
                "type": "ChannelDtmfReceived",
                "digit": "#",
                "duration_ms": 120,
                "channel": {"id": "1.1"},
            },
            events.ChannelDtmfReceived("1.1", "#", 120),
        ),
        (
            {"type": "ChannelHangupRequest", "channel": {"id": "1.1"}},
            events.ChannelHangupRequest("1.1", 0),
        ),
        (
            {"type": "ChannelDestroyed", "cause": 16, "channel": {"id": "1.1"}},
            events.ChannelDestroyed("1.1", 16),
        ),
        ({"type": "PlaybackFinished", "playback": {"id": "p"}}, events.PlaybackFinished("p")),
        ({"type": "ApplicationReplaced"}, events.ApplicationReplaced()),
        ({"type": "Dial", "dialstatus": ""}, events.Unrecognised("Dial")),
        (
            {
                "type": "RESTResponse",
                "request_id": "9",
                "status_code": 200,
                "reason_phrase": "OK",
                "message_body": '{"ping": "pong"}',
            },
            events.RestResponse("9", 200, "OK", {"ping": "pong"}),
        ),
        (
            {
                "type": "RESTResponse",
                "request_id": "9",
                "status_code": 204,
                "reason_phrase": "No Content",
            },
            events.RestResponse("9", 204, "No Content", None),
        ),
    ],
)
def test_each_event_becomes_its_value(message: dict[str, object], event: events.AriEvent) -> None:
    assert parse(json.dumps(message)) == event


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "not an object but list"),
        ("{}", "has no type"),
        ('{"type": 7}', "has no type"),
        ('{"type": "StasisEnd"}', "StasisEnd is malformed"),
        ('{"type": "StasisEnd", "channel": {"id": 7}}', "int in place of a text"),
        ('{"type": "StasisStart", "channel": []}', "StasisStart is malformed"),
        (
            '{"type": "ChannelDestroyed", "cause": "x", "channel": {"id": "1"}}',
            "str in place of a whole number",
        ),
        (
            '{"type": "RESTResponse", "request_id": "1", "status_code": 200, "message_body": "{"}',
            "Expecting property name",
        ),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_malformed_event_is_refused_with_its_fault(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(events.RECOGNISED)},
    optional={
        name: JSON | st.fixed_dictionaries({"id": st.text()})
        for name in ("channel", "args", "digit", "cause", "playback", "request_id", "message_body")
    },
)


@given(st.text() | JSON.map(json.dumps) | MESSAGES.map(json.dumps))
def test_any_text_is_read_or_refused_and_never_crashes(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse(text)


def test_no_value_of_the_caller_is_in_the_complaint() -> None:
    text = '{"type": "StasisEnd", "channel": {"id": ["+33123456789"]}}'
    with pytest.raises(ValueError, match="malformed") as error:
        parse(text)
    assert "+33" not in str(error.value)
