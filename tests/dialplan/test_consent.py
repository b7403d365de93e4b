"""A question by FastAGI has an answer, whatever has become of the server."""

from __future__ import annotations

import pytest

from asterisk.private import PrivateAsterisk
from tests.dialplan.fastagi import fastagi
from tests.support.pbx import Ami, setting

pytestmark = pytest.mark.usefixtures("hurried")


def consent_of_a_caller(pbx: PrivateAsterisk, ami: Ami) -> str:
    pbx.cli("channel originate Local/1000@text-if-allowed/n application Wait 60")
    return ami.user_event("SegueConsent")["Consent"]


def test_without_a_server_consent_is_unknown_and_the_call_goes_on(
    pbx: PrivateAsterisk, ami: Ami
) -> None:
    assert consent_of_a_caller(pbx, ami) == "unknown"
    assert ami.user_event("SegueToPeople")["Reason"] == "no_consent"


def test_a_server_that_never_answers_costs_only_the_limit(pbx: PrivateAsterisk, ami: Ami) -> None:
    with setting(pbx, "SEGUE_AGI_LIMIT", "1"), fastagi(pbx, hang=True):
        assert consent_of_a_caller(pbx, ami) == "unknown"
        assert ami.user_event("SegueToPeople")["Reason"] == "no_consent"


def test_consent_that_is_granted_lets_the_application_have_the_call(
    pbx: PrivateAsterisk, ami: Ami
) -> None:
    with fastagi(pbx, 'SET VARIABLE SEGUE_CONSENT "granted"'):
        assert consent_of_a_caller(pbx, ami) == "granted"
    assert ami.user_event("SegueToPeople")["Reason"] == "app_down"  # for there is none here


def test_consent_that_is_denied_goes_to_people(pbx: PrivateAsterisk, ami: Ami) -> None:
    with fastagi(pbx, 'SET VARIABLE SEGUE_CONSENT "denied"'):
        assert consent_of_a_caller(pbx, ami) == "denied"
    assert ami.user_event("SegueToPeople")["Reason"] == "no_consent"


@pytest.mark.parametrize(
    "answer",
    ["yes", "", "GRANTED", "granted,denied", '" = "granted', 'x" | "1', "1", "granted granted"],
)
def test_an_answer_that_is_no_answer_is_unknown(
    pbx: PrivateAsterisk, ami: Ami, answer: str
) -> None:
    escaped = answer.replace('"', '\\"')
    with fastagi(pbx, f'SET VARIABLE SEGUE_CONSENT "{escaped}"'):
        assert consent_of_a_caller(pbx, ami) == "unknown"
