"""PDUs as values: what they promise without any octets."""

from typing import get_args

import pytest

from smpp.address import NOWHERE, Address
from smpp.constants import RESPONSE, Command, Tag
from smpp.errors import LocalProtocolError
from smpp.pdu import (
    Bind,
    BindResp,
    DataSm,
    DeliverSm,
    Outbind,
    Pdu,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Unknown,
)

SOURCE = Address.of("+33123456789")


@pytest.mark.parametrize(
    "fields",
    [
        {"system_id": "x" * 16, "password": ""},
        {"system_id": "x", "password": "nine char"},
        {"system_id": "x", "password": "", "system_type": "y" * 13},
        {"system_id": "x", "password": "", "address_range": "1" * 41},
        {"system_id": "x\0", "password": ""},
        {"system_id": "x", "password": "€"},
    ],
)
def test_a_credential_is_refused_rather_than_cut(fields: dict[str, str]) -> None:
    with pytest.raises(LocalProtocolError):
        Bind(**fields)  # type: ignore[arg-type]  # only its strings are at stake


@pytest.mark.parametrize("fields", [("x" * 16, ""), ("x", "nine char"), ("x\0", "")])
def test_the_credentials_of_an_outbind_are_too(fields: tuple[str, str]) -> None:
    with pytest.raises(LocalProtocolError):
        Outbind(system_id=fields[0], password=fields[1])


def test_neither_password_nor_text_nor_number_is_in_a_repr() -> None:
    payload = ((int(Tag.MESSAGE_PAYLOAD), b"hello"),)
    shown = "".join(
        map(
            repr,
            [
                Bind(system_id="segue", password="hunter2"),
                Outbind(system_id="segue", password="hunter2"),
                SubmitSm(source=SOURCE, short_message=b"hello"),
                DeliverSm(source=SOURCE, tlvs=payload),
                DataSm(source=SOURCE, tlvs=payload),
                SubmitMulti(destinations=(SOURCE,), short_message=b"hello"),
                ReplaceSm(message_id="7", source=SOURCE, short_message=b"hello"),
                Unknown(sequence=1, command_id=7, status=0, body=b"hello hunter2 33123456789"),
            ],
        )
    )
    assert "hunter2" not in shown
    assert "hello" not in shown
    assert "33123456789" not in shown


def test_every_command_of_the_specification_has_its_pdu() -> None:
    binds = {Command.BIND_RECEIVER, Command.BIND_TRANSMITTER, Command.BIND_TRANSCEIVER}
    ours = {kind.command_id for kind in get_args(Pdu) if kind not in (Bind, BindResp, Unknown)}
    assert ours | binds | {bind | RESPONSE for bind in binds} == set(Command)


@pytest.mark.parametrize(
    "mode", [Command.BIND_RECEIVER, Command.BIND_TRANSMITTER, Command.BIND_TRANSCEIVER]
)
def test_a_bind_and_its_answer_have_the_command_of_their_mode(mode: Command) -> None:
    assert Bind(mode=mode, system_id="", password="").command_id == mode
    assert BindResp(sequence=1, mode=mode).command_id == mode | RESPONSE


def test_an_smsc_that_says_no_version_speaks_the_old_one() -> None:
    assert BindResp(sequence=1).sc_interface_version is None
    assert BindResp(sequence=1, tlvs=((0x0210, b"\x34"),)).sc_interface_version == 0x34


def test_the_user_part_is_the_short_message_or_the_payload() -> None:
    payload = ((int(Tag.MESSAGE_PAYLOAD), b"long"),)
    assert SubmitSm(short_message=b"short").octets == b"short"
    assert DeliverSm(tlvs=payload).octets == b"long"
    assert DataSm(tlvs=payload).octets == b"long"
    assert DataSm().octets == b""


def test_an_optional_parameter_is_found_by_its_tag() -> None:
    tlvs = ((0x1400, b"first"), (0x1400, b"second"))
    for pdu in (SubmitSm(tlvs=tlvs), SubmitSmResp(sequence=1, tlvs=tlvs)):
        assert pdu.tlv(0x1400) == b"first"
        assert pdu.tlv(0x1401) is None


def test_a_response_is_told_from_a_request_even_if_nobody_knows_it() -> None:
    assert Unknown(sequence=1, command_id=0x80010203, status=0).is_response
    assert not Unknown(sequence=1, command_id=0x00010203, status=0).is_response


def test_a_pdu_without_addresses_has_nowhere() -> None:
    assert SubmitSm().source == SubmitSm().destination == NOWHERE
