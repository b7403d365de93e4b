"""From a text to the submit_sm that one carrier wants."""

from pathlib import Path

import pytest

from smpp.composing import compose
from smpp.constants import EsmClass, Tag
from smpp.errors import LocalProtocolError
from smpp.pdu import SubmitSm
from smpp.profile import Profile
from smpp.profile_file import example, parse

LONG = "to be, or not to be, that is the question: " * 5


def composed(
    profile: Profile, text: str = "hello", validity: float | None = None
) -> tuple[SubmitSm, ...]:
    return compose(
        profile,
        text,
        source=profile.source("Segue"),
        destination=profile.destination("+33123456789"),
        reference=7,
        validity=validity,
    )


def read(document: str) -> Profile:
    return parse(f'name = "north"\n{document}'.encode(), origin="north.toml", folder=Path())


def test_by_default_a_text_asks_for_its_final_receipt_and_nothing_else() -> None:
    (pdu,) = composed(Profile())
    assert pdu == SubmitSm(
        source=Profile().source("Segue"),
        destination=Profile().destination("+33123456789"),
        short_message=b"hello",
        registered_delivery=1,
    )


def test_every_part_has_what_the_carrier_asks_for() -> None:
    profile = read(
        "[submit]\nregistered_delivery = 17\nservice_type = 'VMA'\nprotocol_id = 3\npriority = 2\n"
        "validity = 90\ntlvs = { 0x1400 = 'string:segue' }"
    )
    parts = composed(profile, LONG)
    assert len(parts) == 2
    for pdu in parts:
        assert (pdu.registered_delivery, pdu.service_type) == (17, "VMA")
        assert (pdu.protocol_id, pdu.priority_flag) == (3, 2)
        assert pdu.validity_period == "000000000130000R"
        assert pdu.tlv(0x1400) == b"segue\0"


def test_the_texts_own_validity_goes_before_the_carriers() -> None:
    profile = read("[submit]\nvalidity = 90")
    assert composed(profile, validity=3600.0)[0].validity_period == "000000010000000R"
    assert composed(Profile(), validity=60.0)[0].validity_period == "000000000100000R"
    with pytest.raises(LocalProtocolError):
        composed(Profile(), validity=-1.0)


def test_long_texts_are_cut_as_the_carrier_joins_them() -> None:
    by_header = composed(example("header-only"), LONG)
    assert [pdu.esm_class for pdu in by_header] == [EsmClass.UDHI] * 2
    by_tlvs = composed(example("sar"), LONG)
    assert [pdu.esm_class for pdu in by_tlvs] == [0] * 2
    assert [pdu.tlv(Tag.SAR_SEGMENT_SEQNUM) for pdu in by_tlvs] == [b"\1", b"\2"]
    (whole,) = composed(read("[text]\nconcatenation = 'payload'"), LONG)
    assert (whole.short_message, whole.tlv(Tag.MESSAGE_PAYLOAD)) == (b"", LONG.encode())


def test_data_coding_0_is_written_in_the_carriers_alphabet() -> None:
    (pdu,) = composed(example("latin1"), "à demain @ 5")
    assert (pdu.data_coding, pdu.short_message) == (0, "à demain @ 5".encode("latin-1"))
