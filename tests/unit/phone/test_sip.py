"""SIP messages are read or refused, and come back as they went."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.phone import sip
from ari_app.phone.sip import Dialog, Request, Response

# RFC 3261 §24.2, as an answer comes off the wire; in compact form, folded, with a tail.
RINGING = (
    b"SIP/2.0 180 Ringing\r\n"
    b"v: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8\r\n"
    b"  ;received=192.0.2.1\r\n"
    b"To: Bob <sip:bob@biloxi.com>;tag=a6c85cf\r\n"
    b'f: "Al \\"<ice>" <sip:alice@atlanta.com>;tag=1928301774\r\n'
    b"i: a84b4c76e66710\r\n"
    b"Contact: <sip:bob@192.0.2.4>\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"l: 2\r\n"
    b"\r\n"
    b"okbeyond the body"
)

text = st.text(string.ascii_letters + string.digits + " <>;=@.é", max_size=30).map(str.strip)
token = st.text(string.ascii_letters + string.digits + "-.", min_size=1, max_size=12)


def must_have(method: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Via", "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx"),
        ("From", "<sip:a@127.0.0.1>;tag=1"),
        ("To", "<sip:b@127.0.0.1>"),
        ("Call-ID", "c"),
        ("CSeq", f"1 {method}"),
    )


@given(st.binary(max_size=400))
def test_any_datagram_is_read_or_refused_and_never_crashes(datagram: bytes) -> None:
    with contextlib.suppress(ValueError):
        sip.parse(datagram)


@given(st.data())
def test_a_damaged_message_is_read_or_refused_and_never_crashes(draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(RINGING)))
    until = draw.draw(st.integers(at, min(len(RINGING), at + 20)))
    with contextlib.suppress(ValueError):
        message = sip.parse(RINGING[:at] + draw.draw(st.binary(max_size=8)) + RINGING[until:])
        message.serialize()
        sip.tag_of(message.one("to"))
        sip.uri_of(message.one("contact"))


@given(
    st.lists(st.tuples(token.map("X-{}".format), text), max_size=5), st.binary(max_size=50), token
)
def test_what_is_written_is_read_back(
    extra: list[tuple[str, str]], body: bytes, method: str
) -> None:
    request = Request((*must_have(method), *extra), body, method=method, uri="sip:b@127.0.0.1")

    read = sip.parse(request.serialize())

    assert isinstance(read, Request)
    assert (read.method, read.uri, read.body) == (method, "sip:b@127.0.0.1", body)
    assert read.headers[:-1] == request.headers


def test_compact_and_folded_headers_are_read_and_a_tail_is_cut_off() -> None:
    message = sip.parse(RINGING)

    assert isinstance(message, Response)
    assert (message.status, message.reason, message.body) == (180, "Ringing", b"ok")
    assert message.cseq == (314159, "INVITE")
    assert message.one("call-id") == "a84b4c76e66710"
    assert sip.branch_of(message.one("via")) == "z9hG4bKnashds8"
    assert sip.tag_of(message.one("from")) == "1928301774"
    assert sip.uri_of(message.one("from")) == "sip:alice@atlanta.com"


@pytest.mark.parametrize(
    ("damage", "instead"),
    [
        (b"SIP/2.0 180", b"SIP/2.0 999"),
        (b"SIP/2.0 180", b"SIP/3.0 180"),
        (b"CSeq: 314159 INVITE\r\n", b""),
        (b"CSeq: 314159 INVITE", b"CSeq: 99999999999 INVITE"),
        (b"CSeq: 314159 INVITE", b"CSeq: INVITE"),
        (b"l: 2", b"l: 2000"),
        (b"l: 2", b"l: -2"),
        (b"Bob", b"\xff\xfe"),
        (b"Bob", b"B\x00b"),
        (b"\r\n\r\n", b"\r\n"),
        (b"Contact:", b"Contact"),
    ],
)
def test_a_broken_message_is_refused_with_a_sentence(damage: bytes, instead: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+ \w+"):
        sip.parse(RINGING.replace(damage, instead, 1))


def test_a_message_without_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        sip.parse(RINGING.replace(b"l: 2", b"X: y\r\n" * 300 + b"l: 2"))
    with pytest.raises(ValueError, match="too long"):
        sip.parse(RINGING.replace(b"Bob", b"B" * 9000))
    with pytest.raises(ValueError, match="longer than a datagram"):
        sip.parse(b"x" * 70_000)


def test_a_value_cannot_begin_another_header() -> None:
    smuggled = Request(
        (*must_have("INFO"), ("X", "a\r\nRoute: <sip:evil>")), method="INFO", uri="sip:b@c"
    )
    with pytest.raises(ValueError, match="cannot be written"):
        smuggled.serialize()


@pytest.mark.parametrize("number", ["", "a b", "a@b", "a\r\nb", "<1>", "1" * 129, '"'])
def test_what_cannot_be_dialled_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="number to dial"):
        sip.address(number, "127.0.0.1", 5060)


def test_a_number_with_a_hash_is_escaped() -> None:
    assert sip.address("*21#", "h", 5060) == "sip:*21%23@h:5060"


def a_dialog() -> Dialog:
    return Dialog("c", "<sip:me@1>;tag=mine", "<sip:you@2>", "sip:you@2", "sip:me@1")


def an_answer(status: int, *extra: tuple[str, str]) -> Response:
    return Response(
        (*must_have("INVITE")[:2], ("To", "<sip:you@2>;tag=theirs"), *extra, ("CSeq", "7 INVITE")),
        status=status,
        reason="OK",
    )


def test_a_confirmed_dialog_goes_to_the_contact_by_the_reversed_route() -> None:
    answer = an_answer(
        200,
        ("Contact", "<sip:there@9>"),
        ("Record-Route", "<sip:p1;lr>"),
        ("Record-Route", "<sip:p2;lr>"),
    )

    bye = a_dialog().confirmed(answer).request("BYE", 8, "SIP/2.0/UDP 1;branch=b")

    assert bye.uri == "sip:there@9"
    assert bye.every("route") == ("<sip:p2;lr>", "<sip:p1;lr>")
    assert bye.one("to") == "<sip:you@2>;tag=theirs"


def test_only_a_request_with_both_tags_belongs_to_the_dialog() -> None:
    dialog = a_dialog().confirmed(an_answer(200))
    theirs = (
        ("Via", "v"),
        ("From", "<sip:you@2>;tag=theirs"),
        ("To", "<sip:me@1>;tag=mine"),
        ("Call-ID", "c"),
        ("CSeq", "1 BYE"),
    )

    assert dialog.owns(Request(theirs, method="BYE", uri="sip:me@1"))
    for name, value in [("From", "<sip:x>;tag=x"), ("To", "<sip:me@1>"), ("Call-ID", "d")]:
        other = tuple((n, value if n == name else v) for n, v in theirs)
        assert not dialog.owns(Request(other, method="BYE", uri="sip:me@1"))


def test_cancel_repeats_the_branch_and_the_number_of_the_invite() -> None:
    invite = a_dialog().request("INVITE", 7, "SIP/2.0/UDP 1;branch=b", body=b"v=0")

    cancel = sip.follow_up(invite, "CANCEL", invite.one("to"))

    assert cancel.one("via") == invite.one("via")
    assert cancel.cseq == (7, "CANCEL")
    assert not cancel.body
    assert isinstance(sip.parse(cancel.serialize()), Request)
