"""How a call leaves the application, and where a caller is when there is none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from asterisk.private import PrivateAsterisk
from tests.dialplan.application import Application, forgotten, registered
from tests.support.pbx import Ami, eventually, setting

DID = "+33123456789"


def call(pbx: PrivateAsterisk, did: str = DID, context: str = "from-carrier") -> None:
    """Somebody calls and stays on the line."""
    pbx.cli(f"channel originate Local/{did}@{context}/n application Wait 60")


@pytest.fixture
async def application(pbx: PrivateAsterisk) -> AsyncIterator[Application]:
    async with registered(pbx) as application:
        yield application
    forgotten(pbx)


# -- without the application ------------------------------------------------------------------


@pytest.mark.usefixtures("hurried")
def test_a_call_without_the_application_reaches_people(pbx: PrivateAsterisk, ami: Ami) -> None:
    call(pbx)
    down = ami.user_event("SegueAppDown")
    assert (down["Reason"], down["Status"]) == ("app_down", "FAILED")
    assert ami.user_event("SegueToPeople")["Reason"] == "app_down"
    ami.user_event("FakePersonAnswered")


def test_a_caller_hears_a_sentence_before_waiting_for_people(
    pbx: PrivateAsterisk, ami: Ami
) -> None:
    before = pbx.log.read_text().count("Playing 'pls-hold-while-try")
    call(pbx)
    ami.user_event("SegueToPeople")
    assert pbx.log.read_text().count("Playing 'pls-hold-while-try") == before + 1


def test_a_caller_whom_nobody_can_answer_hears_so(pbx: PrivateAsterisk, ami: Ami) -> None:
    with setting(pbx, "SEGUE_QUEUE", "no-such-queue"):
        call(pbx)
        ami.user_event("SegueNobody")
        eventually(
            lambda: "Playing 'please-try-call-later" in pbx.log.read_text(), "the apology is said"
        )


# -- with the application ---------------------------------------------------------------------


async def test_the_application_is_told_direction_number_and_caller(
    pbx: PrivateAsterisk, ami: Ami, application: Application
) -> None:
    call(pbx)
    start = await application.event("StasisStart")
    assert start["args"][:2] == ["inbound", DID]
    assert len(start["args"]) == 3
    assert start["channel"]["state"] == "Ring"  # not answered: that is the application's to do


async def test_the_time_with_the_application_is_limited(
    pbx: PrivateAsterisk, ami: Ami, application: Application
) -> None:
    call(pbx)
    channel = (await application.event("StasisStart"))["channel"]["id"]
    left = float(await application.get(channel, "TIMEOUT(absolute)"))
    assert pbx.absolute_timeout - 30 < left <= pbx.absolute_timeout


@pytest.mark.usefixtures("hurried")
async def test_a_call_that_outlives_its_limit_goes_to_people(
    pbx: PrivateAsterisk, ami: Ami, application: Application
) -> None:
    with setting(pbx, "SEGUE_CALL_LIMIT", "1"):
        call(pbx)
        await application.event("StasisStart")
        assert ami.user_event("SegueToPeople")["Reason"] == "limit"
    ami.user_event("FakePersonAnswered")


@pytest.mark.usefixtures("hurried")
async def test_an_application_that_closes_its_websocket_leaves_the_call_until_the_limit(
    pbx: PrivateAsterisk, ami: Ami
) -> None:
    with setting(pbx, "SEGUE_CALL_LIMIT", "1"):
        async with registered(pbx) as application:
            call(pbx)
            await application.event("StasisStart")
        assert ami.user_event("SegueToPeople")["Reason"] == "limit"


async def test_a_call_that_is_done_is_hung_up(
    pbx: PrivateAsterisk, ami: Ami, application: Application
) -> None:
    call(pbx)
    channel = (await application.event("StasisStart"))["channel"]["id"]
    await application.leave(channel, "done")
    ami.wait_for("Hangup", Uniqueid=channel)
    assert not ami.saw_user_event("SegueToPeople")


async def test_a_hand_off_brings_its_context_and_no_apology(
    pbx: PrivateAsterisk, ami: Ami, application: Application
) -> None:
    call(pbx)
    channel = (await application.event("StasisStart"))["channel"]["id"]
    await application.set(channel, "SEGUE_CONVERSATION", "conv_0197-ab_C")
    await application.set(channel, "SEGUE_BRIEF", "Rückruf, bitte: Reason: forged")
    await application.leave(channel, "handoff")
    event = ami.user_event("SegueToPeople")
    assert event["Reason"] == "handoff"
    assert event["Conversation"] == "conv_0197-ab_C"
    assert event["Brief"] == "R%C3%BCckruf%2C%20bitte%3A%20Reason%3A%20forged"
    assert ami.user_event("FakePersonAnswered")["Conversation"] == "conv_0197-ab_C"
    assert not ami.saw_user_event("SegueAppDown")


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("overload", "overload"),
        ("asr_down", "asr_down"),
        ("error", "error"),
        ("", "app_down"),  # it left without a word
        ("nonsense", "nonsense"),
    ],
)
async def test_every_other_exit_apologises_and_goes_to_people(
    pbx: PrivateAsterisk, ami: Ami, application: Application, reason: str, told: str
) -> None:
    call(pbx)
    channel = (await application.event("StasisStart"))["channel"]["id"]
    await application.leave(channel, reason)
    assert ami.user_event("SegueAppDown")["Reason"] == told
    assert ami.user_event("SegueToPeople")["Reason"] == told


async def test_people_may_take_longer_than_the_application(
    pbx: PrivateAsterisk, ami: Ami, application: Application
) -> None:
    call(pbx)
    channel = (await application.event("StasisStart"))["channel"]["id"]
    await application.leave(channel, "handoff")
    ami.user_event("FakePersonAnswered")
    assert float(await application.get(channel, "TIMEOUT(absolute)")) == 0
