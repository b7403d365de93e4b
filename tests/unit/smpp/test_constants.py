"""The numbers of the specification, held against somebody else's copy of them."""

import pytest
from smpplib import command_codes, consts

from smpp.constants import (
    RESPONSE,
    Command,
    DataCoding,
    EsmClass,
    Npi,
    RegisteredDelivery,
    Status,
    Tag,
    Ton,
    status_name,
)


def test_commands_are_those_of_smpplib() -> None:
    assert {c.name.lower(): c.value for c in Command} == command_codes.commands


def test_statuses_are_those_of_smpplib() -> None:
    theirs = {n[5:]: v for n, v in vars(consts).items() if n.startswith("SMPP_ESME_")}
    assert {s.name: s.value for s in Status} == theirs


def test_tags_are_those_of_smpplib() -> None:
    assert {t.name.lower(): t.value for t in Tag} == consts.OPTIONAL_PARAMS


@pytest.mark.parametrize(("ours", "theirs"), [(Ton, "SMPP_TON_"), (Npi, "SMPP_NPI_")])
def test_types_and_plans_are_those_of_smpplib(ours: type[Ton] | type[Npi], theirs: str) -> None:
    assert {n.value for n in ours} == {
        v for name, v in vars(consts).items() if name.startswith(theirs)
    }


def test_codings_are_among_those_of_smpplib() -> None:
    theirs = {v for name, v in vars(consts).items() if name.startswith("SMPP_ENCODING_")}
    assert {c.value for c in DataCoding} <= theirs


def test_every_response_has_its_request_except_the_nack() -> None:
    responses = {c for c in Command if c & RESPONSE and c is not Command.GENERIC_NACK}
    assert {c ^ RESPONSE for c in responses} == {c for c in Command if not c & RESPONSE} - {
        Command.OUTBIND,
        Command.ALERT_NOTIFICATION,
    }  # never answered


def test_flags_stand_where_the_specification_has_them() -> None:
    assert (
        EsmClass.RECEIPT
        | EsmClass.DELIVERY_ACKNOWLEDGEMENT
        | EsmClass.MANUAL_ACKNOWLEDGEMENT
        | (EsmClass.INTERMEDIATE)
        == EsmClass.TYPE_MASK
    )
    assert EsmClass.UDHI | EsmClass.REPLY_PATH == consts.SMPP_GSMFEAT_UDHIREPLYPATH
    assert RegisteredDelivery.INTERMEDIATE == consts.SMPP_INT_NOTIFICATION_REQUESTED
    assert RegisteredDelivery.FAILURE == consts.SMPP_SMSC_DELIVERY_RECEIPT_FAILURE


def test_a_status_has_its_name_or_its_number() -> None:
    assert status_name(0x58) == "ESME_RTHROTTLED"
    assert status_name(0x400) == "0x00000400"
