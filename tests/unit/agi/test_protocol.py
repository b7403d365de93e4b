"""FastAGI's lines are read or refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.agi import protocol
from ari_app.agi.protocol import Hangup, More, Reply

# As Asterisk 22.10.1 sends it, shortened.
BLOCK = (
    b"agi_network: yes\nagi_network_script: consent\nagi_request: agi://127.0.0.1:4573/consent\n"
    b"agi_channel: PJSIP/carrier-00000000\nagi_callerid: +15551230000\nagi_calleridname: unknown\n"
    b"agi_dnid: 1000\nagi_context: consent\nagi_extension: s\nagi_priority: 5\n\n"
)


@given(st.binary(max_size=300))
def test_any_block_and_any_line_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        protocol.parse_request(data)
    with contextlib.suppress(ValueError):
        protocol.parse_reply(data)


def test_asterisks_block_says_who_calls_whom() -> None:
    request = protocol.parse_request(BLOCK)
    assert (request.script, request.caller, request.did) == ("consent", "+15551230000", "1000")


@pytest.mark.parametrize("withheld", [b"unknown", b"anonymous", b""])
def test_a_withheld_number_is_empty_and_the_extension_stands_in_for_the_did(
    withheld: bytes,
) -> None:
    block = BLOCK.replace(b"+15551230000", withheld).replace(b"dnid: 1000", b"dnid: unknown")
    request = protocol.parse_request(block)
    assert (request.caller, request.did) == ("", "s")


def test_arguments_of_the_dialplan_win() -> None:
    block = BLOCK.replace(b"\n\n", b"\nagi_arg_1: +331\nagi_arg_2: 200\n\n")
    request = protocol.parse_request(block)
    assert (request.caller, request.did) == ("+331", "200")


def test_what_a_use_needs_besides_comes_behind_caller_and_did() -> None:
    said = b"\nagi_uniqueid: pbx-17.4\nagi_arg_1: \nagi_arg_2: \nagi_arg_3: hours\n\n"
    request = protocol.parse_request(BLOCK.replace(b"\n\n", said))
    assert (request.caller, request.did) == ("+15551230000", "1000")
    assert [request.argument(n) for n in (3, 4)] == ["hours", ""]
    assert request.unique == "pbx-17.4"
    assert protocol.parse_request(BLOCK).unique == ""


def test_a_script_may_have_a_hyphen() -> None:
    block = BLOCK.replace(b"script: consent", b"script: open-conversation")
    assert protocol.parse_request(block).script == "open-conversation"


@pytest.mark.parametrize("script", [b"", b"../etc", b"a b", b"CONSENT", b"c" * 99, b"//[", b"\xff"])
def test_a_strange_script_has_no_name(script: bytes) -> None:
    block = BLOCK.replace(b"script: consent", b"script: " + script)
    assert protocol.parse_request(block).script == ""


@pytest.mark.parametrize(
    "block", [b"", b"GET / HTTP/1.1\n\n", b"agi_x: 1\n" * 200, b"agi_x: " + b"y" * 20_000]
)
def test_what_is_not_a_header_block_is_refused(block: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        protocol.parse_request(block)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"200 result=1\n", Reply(200, "1", "")),
        (b"200 result=1 (granted)\n", Reply(200, "1", "granted")),
        (b"200 result=1 (a (b))\n", Reply(200, "1", "a (b)")),
        (b"200 result=-1 endpos=0\r\n", Reply(200, "-1", "")),
        (b"510 Invalid or unknown command\n", Reply(510)),
        (b"511 Command Not Permitted on a dead channel or intercept routine\n", Reply(511)),
        (b"520-Invalid command syntax.  Proper usage follows:\n", More()),
        (b"520 End of proper usage.\n", Reply(520)),
        (b"HANGUP\n", Hangup()),
    ],
)
def test_every_kind_of_line_is_told_apart(line: bytes, reply: Reply | Hangup | More) -> None:
    assert protocol.parse_reply(line) == reply


def test_a_value_is_quoted_and_cannot_be_another_command() -> None:
    assert protocol.set_variable("X", 'a"b\\') == b'SET VARIABLE X "a\\"b\\\\"\n'
    with pytest.raises(ValueError, match="one line"):
        protocol.set_variable("X", "a\nHANGUP")
    with pytest.raises(ValueError, match="capital"):
        protocol.set_variable('X "', "a")
