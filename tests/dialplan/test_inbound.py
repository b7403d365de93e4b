"""The carrier's door: which numbers come in, and what is left of what a caller claims to be."""

from __future__ import annotations

import pytest

from asterisk.private import PrivateAsterisk
from tests.dialplan.sip import invite
from tests.support.pbx import Ami

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.mark.parametrize(
    "did",
    [
        "+3312345678",
        "+33123456789",
        "+4915112345678",
        "+12025550123",
        "+123456789012345",  # 15 digits, the most E.164 allows
        "12025550123",
        "0123456789",  # national, with its 0
        "100",
        "1000",
        "654321",
    ],
)
def test_a_number_of_ours_may_be_called(pbx: PrivateAsterisk, did: str) -> None:
    assert "Goto(to-segue,${EXTEN},1)" in pbx.cli(f"dialplan show {did}@from-carrier")


@pytest.mark.parametrize(
    "did",
    [
        "s",
        "i",
        "1",
        "12",
        "012",  # short numbers do not begin with 0
        "+0123456789",
        "+1234567",  # too short
        "+1234567890123456",  # too long
        "12345678901234",
        "+33123456789&Local",
        "+3312345a789",
        "+33123456789;evil",
        "sip",
        "T",
    ],
)
def test_anything_else_is_refused(pbx: PrivateAsterisk, did: str) -> None:
    shown = pbx.cli(f'dialplan show "{did}@from-carrier"')
    assert "There is no existence of" in shown


def test_the_carrier_hears_not_found_for_garbage(pbx: PrivateAsterisk) -> None:
    assert invite(pbx.sip_port, "drop-table") == 404


def test_a_caller_is_left_with_digits_and_letters_only(pbx: PrivateAsterisk, ami: Ami) -> None:
    name = 'Eve"; ${SHELL(id)} <x>, $[1+1]'
    assert invite(pbx.sip_port, "1000", number="+33'1a2,3$45)6", name=name) == 200
    event = ami.user_event("SegueToPeople")
    assert event["CallerIDNum"] == "+33123456"
    assert event["CallerIDName"] == "Eve SHELLid x 11"


def test_a_caller_who_withholds_the_number_has_none(pbx: PrivateAsterisk, ami: Ami) -> None:
    assert invite(pbx.sip_port, "1000", number="anonymous", name="Anonymous") == 200
    assert ami.user_event("SegueToPeople")["CallerIDNum"] in ("", "<unknown>")


def test_a_number_without_end_is_cut(pbx: PrivateAsterisk, ami: Ami) -> None:
    assert invite(pbx.sip_port, "1000", number="9" * 60) == 200
    assert ami.user_event("SegueToPeople")["CallerIDNum"] == "9" * 16


def test_the_log_does_not_tell_who_calls(pbx: PrivateAsterisk, ami: Ami) -> None:
    assert invite(pbx.sip_port, "1000", number="+33666777888") == 200
    ami.user_event("SegueToPeople")
    said = [line for line in pbx.log.read_text().splitlines() if "Call from" in line]
    assert any("Call from ***888 to 1000" in line for line in said)
    assert not any("+33666777888" in line and "Executing" not in line for line in said)
