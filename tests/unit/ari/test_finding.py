"""Who is on a channel that nobody serves."""

from __future__ import annotations

from typing import Any

import pytest

from ari_app.ari.finding import found, incoming
from ari_app.ari.requests import Request
from ari_app.errors import AriRefused, PbxUnavailable
from ari_app.ports import FoundCall, IncomingCall

ENTERED = IncomingCall("1.1", "+33100", "+33612", "PJSIP/carrier")


class Channel:
    """What Asterisk says of one channel."""

    def __init__(self, **variables: str) -> None:
        self.variables = variables
        self.described: Any = {
            "name": "PJSIP/carrier-00000001",
            "caller": {"number": "+33612"},
            "dialplan": {"app_name": "Stasis", "app_data": "segue,inbound,+33100,+33612"},
        }

    async def __call__(self, request: Request) -> Any:
        if isinstance(self.described, Exception):
            raise self.described
        if request.operation == "get_channel":
            return self.described
        name = dict(request.query)["variable"]
        if name not in self.variables:
            raise AriRefused(404, str(request), "Provided variable was not found")
        return {"value": self.variables[name]}


async def find(channel: Channel) -> FoundCall | None:
    return await found(channel, "segue", "1.1")


async def test_a_marked_channel_is_a_call_of_somebody_before_us() -> None:
    channel = Channel(SEGUE_CONVERSATION="conv_1", SEGUE_CALL="call_1", SEGUE_STATE="live")
    assert await find(channel) == FoundCall("1.1", "conv_1", "call_1", incoming=ENTERED)


async def test_a_channel_without_marks_has_just_entered() -> None:
    assert await find(Channel()) == FoundCall("1.1", incoming=ENTERED)


async def test_marks_of_an_earlier_visit_do_not_count() -> None:
    old = {"SEGUE_CONVERSATION": "conv_1", "SEGUE_CALL": "call_1", "SEGUE_STATE": "left"}
    assert await find(Channel(**old, SEGUE_EXIT="")) == FoundCall("1.1", incoming=ENTERED)


async def test_a_channel_whose_door_is_open_is_on_its_way_out() -> None:
    leaving = Channel(SEGUE_CALL="call_1", SEGUE_STATE="left", SEGUE_EXIT="handoff")
    found = await find(leaving)
    assert found is not None
    assert (found.exit, found.call) == ("handoff", "")


async def test_a_channel_that_is_gone_is_nobody() -> None:
    channel = Channel()
    channel.described = AriRefused(404, "it", "Channel not found")
    assert await find(channel) is None


async def test_an_asterisk_that_does_not_answer_is_told() -> None:
    channel = Channel()
    channel.described = PbxUnavailable("no answer")
    with pytest.raises(PbxUnavailable):
        await find(channel)


@pytest.mark.parametrize(
    "dialplan",
    [
        {"app_name": "Stasis", "app_data": "another,inbound,+33100,+33612"},
        {"app_name": "Echo", "app_data": ""},
        {"app_name": "Stasis", "app_data": None},
        {"app_name": "Stasis", "app_data": "segue,outbound"},
        {},
        None,
    ],
)
async def test_a_place_in_the_dialplan_that_is_no_callers_says_nothing(dialplan: Any) -> None:
    channel = Channel()
    channel.described["dialplan"] = dialplan
    assert await find(channel) == FoundCall("1.1")


def test_the_trunk_is_the_endpoint_of_the_channel() -> None:
    call = incoming("1.1", "PJSIP/my-carrier-0000002a", ("inbound", "100", ""), "+33612")
    assert call == IncomingCall("1.1", "100", "", "PJSIP/my-carrier")
