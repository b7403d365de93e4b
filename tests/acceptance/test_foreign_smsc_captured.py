"""What foreign SMSCs wrote, read by us: `python -m tests.support.foreign.capture` wrote it down."""

from __future__ import annotations

from pathlib import Path

import pytest

from smpp import receipt as receipts
from smpp.codec import FrameReader, decode
from smpp.constants import EsmClass, Status
from smpp.gsm0338 import decode_text
from smpp.pdu import (
    BindResp,
    DeliverSm,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
)
from smpp.segmentation import read_part

FOLDER = Path(__file__).parents[1] / "fixtures" / "smpp"
NAMES = sorted(path.stem.removeprefix("foreign_") for path in FOLDER.glob("foreign_*.hex"))
TAKEN = "1155260"


def pdu(name: str) -> Pdu:
    comment, *lines = (FOLDER / f"foreign_{name}.hex").read_text().splitlines()
    assert comment.startswith("# Written by ")
    (frame,) = FrameReader().feed(bytes.fromhex("".join(lines)))
    return decode(frame)


def delivered(name: str) -> DeliverSm:
    found = pdu(name)
    assert isinstance(found, DeliverSm)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_captured_pdu_is_one_that_we_know(name: str) -> None:
    assert not isinstance(pdu(name), Unknown)


def test_there_are_captures_of_each_peer() -> None:
    assert {name.partition("_")[0] for name in NAMES} == {"node", "perl"}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("node_bind_resp", BindResp(sequence=1, system_id="node-smpp")),
        ("perl_bind_resp", BindResp(sequence=1, system_id="Net::SMPP")),
        ("node_submit_resp", SubmitSmResp(sequence=2, message_id=TAKEN)),
        ("node_submit_resp_hex", SubmitSmResp(sequence=2, message_id="11a0bc")),
        ("perl_submit_resp", SubmitSmResp(sequence=2, message_id=TAKEN)),
        ("node_throttled", SubmitSmResp(sequence=2, status=Status.ESME_RTHROTTLED)),
        ("node_nack", GenericNack(sequence=2, status=Status.ESME_RINVCMDID)),
        ("node_enquire_link_resp", EnquireLinkResp(sequence=2)),
        ("perl_enquire_link_resp", EnquireLinkResp(sequence=2)),
        ("node_unbind", Unbind(sequence=1)),
        ("perl_unbind", Unbind(sequence=1)),
        ("node_unbind_resp", UnbindResp(sequence=2)),
        ("perl_unbind_resp", UnbindResp(sequence=2)),
    ],
)
def test_an_answer_is_read_as_it_was_meant(name: str, wanted: Pdu) -> None:
    assert pdu(name) == wanted


@pytest.mark.parametrize("name", ["node_bind_refused", "perl_bind_refused"])
def test_a_refusal_is_read_with_and_without_a_body(name: str) -> None:
    refusal = pdu(name)
    assert isinstance(refusal, BindResp)
    assert refusal.status == Status.ESME_RINVPASWD


@pytest.mark.parametrize(
    ("name", "id", "state"),
    [
        ("node_receipt", TAKEN, "DELIVRD"),
        ("node_receipt_hex", "11a0bc", "DELIVRD"),
        ("node_receipt_tlv", TAKEN, "DELIVRD"),
        ("node_receipt_text", TAKEN, "DELIVRD"),
        ("node_receipt_failed", TAKEN, "UNDELIV"),
        ("node_receipt_intermediate", TAKEN, "ENROUTE"),
        ("perl_receipt_both", TAKEN, "DELIVRD"),
        ("perl_receipt_tlv", TAKEN, "DELIVRD"),
        ("perl_receipt_text", TAKEN, "DELIVRD"),
    ],
)
def test_a_receipt_says_of_what_and_how_it_went(name: str, id: str, state: str) -> None:
    found = delivered(name)
    assert receipts.is_receipt(found)
    read = receipts.parse(found)
    assert (read.id, read.state) == (id, state)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("node_text_gsm", "12€ [é]"),
        ("perl_text_gsm", "12€ [é]"),
        ("node_text_latin1", "leçon à côté"),
        ("node_text_ucs2", "да 😀"),
    ],
)
def test_a_text_is_read_as_it_was_written(name: str, text: str) -> None:
    found = delivered(name)
    assert not receipts.is_receipt(found)
    assert (found.source.written, found.destination.written) == ("+33123456789", "36200")
    assert decode_text(found.octets, found.data_coding) == text


@pytest.mark.parametrize(
    ("name", "end"),
    [("node_text_segment", b"a"), ("perl_text_cut_escape", b"\x1b"), ("perl_text_cut_pair", b"=")],
)
def test_a_segment_is_found_with_its_place_wherever_it_was_cut(name: str, end: bytes) -> None:
    found = delivered(name)
    assert found.esm_class & EsmClass.UDHI
    part = read_part(found)
    assert (part.total, part.number) == (2, 1)
    assert part.octets.endswith(end)
