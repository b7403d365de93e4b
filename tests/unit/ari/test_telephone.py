"""The telephone on a link that is scripted: what it asks, what it tells, in which order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ari_app.ari import events
from ari_app.ari.requests import Request
from ari_app.ari.telephone import AriTelephone
from ari_app.errors import AriRefused, PbxUnavailable
from ari_app.ports import Exit, FoundCall, IncomingCall
from tests.unit.ari.fake_ari import eventually

LOCAL = {"channelvars": {"UNICASTRTP_LOCAL_ADDRESS": "127.0.0.1", "UNICASTRTP_LOCAL_PORT": "4000"}}


class Script:
    """A link that answers by operation; an exception among the answers is raised."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answers: dict[str, list[Any]] = {}
        self.standing: dict[str, Any] = {
            "application": {"channel_ids": [], "bridge_ids": []},
            "list_bridges": [],
            "external_media": LOCAL,
        }
        self.during: dict[str, Any] = {}

    async def request(self, request: Request) -> Any:
        self.asked.append(request)
        if happening := self.during.get(request.operation):
            happening()
        await asyncio.sleep(0)
        queue = self.answers.get(request.operation)
        answer = queue.pop(0) if queue else self.standing.get(request.operation)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def operations(self) -> list[str]:
        return [request.operation for request in self.asked]


class Calls:
    """Remembers what the telephone told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.served: set[str] = set()
        self.deaf: list[str] = []
        self.found: list[FoundCall] = []
        self.on_back: Callable[[], object] = lambda: None

    def call_entered(self, call: IncomingCall) -> None:
        self.told.append(("entered", call.channel, call.did, call.caller))

    def key_pressed(self, channel: str, key: str) -> None:
        self.told.append(("key", channel, key))

    def caller_gone(self, channel: str, cause: str) -> None:
        self.told.append(("gone", channel, cause))

    def pbx_lost(self) -> None:
        self.told.append(("lost",))

    def serves(self, channel: str) -> bool:
        return channel in self.served

    def leg_answered(self, channel: str) -> None:
        self.told.append(("answered", channel))

    def leg_gone(self, channel: str, cause: int, status: int) -> None:
        self.told.append(("phone gone", channel, cause, status))

    def media_gone(self, call: str) -> None:
        self.deaf.append(call)

    def pbx_back(self, channels: frozenset[str], found: Sequence[FoundCall]) -> None:
        self.found = list(found)
        self.on_back()
        self.told.append(("back", *sorted(channels)))


class Story:
    """Given a telephone on a scripted link."""

    def __init__(self, *, deadline: float = 10.0) -> None:
        self.link = Script()
        self.calls = Calls()
        self.live: set[str] = set()
        self.replaced = 0
        self.telephone = AriTelephone(
            "segue", self.calls, self.live.__contains__, self._on_replaced, deadline=deadline
        )
        self.telephone.use(self.link)

    def _on_replaced(self) -> None:
        self.replaced += 1

    def happens(self, *happenings: events.AriEvent) -> None:
        for event in happenings:
            self.telephone.event(event)

    def enters(self, channel: str, *args: str, caller: str = "") -> None:
        self.happens(events.StasisStart(channel, args, caller))

    def connect(self) -> asyncio.Task[tuple[str, int]]:
        return asyncio.create_task(
            self.telephone.connect_media("1.1", "call_1", "127.0.0.1", 20000, "slin16")
        )


@pytest.fixture
def story() -> Story:
    return Story()


def refusal(status: int) -> AriRefused:
    return AriRefused(status, "it", "no")


# -- callers ---------------------------------------------------------------------------------


def test_a_caller_enters_with_what_the_dialplan_says(story: Story) -> None:
    story.enters("1.1", "inbound", "+33100", "+33612", caller="0612")
    assert story.calls.told == [("entered", "1.1", "+33100", "+33612")]


def test_without_a_word_of_the_dialplan_the_signalled_number_counts(story: Story) -> None:
    story.enters("1.1", "inbound", "+33100", caller="+33612")
    story.enters("1.2", "inbound", "+33100", caller="anonymous")
    assert [told[3] for told in story.calls.told] == ["+33612", ""]


def test_a_number_that_the_dialplan_withholds_stays_withheld(story: Story) -> None:
    story.enters("1.1", "inbound", "+33100", "", caller="+33612")
    assert story.calls.told == [("entered", "1.1", "+33100", "")]


def test_a_channel_with_other_arguments_is_ignored_with_a_line_in_the_log(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        story.enters("1.1", "outbound", "+33699887766")
        story.enters("1.2")
        story.happens(events.StasisEnd("1.1"))
    assert story.calls.told == []
    assert "channel 1.1" in caplog.text
    assert "+33699887766" not in caplog.text


def test_a_leg_is_no_caller(story: Story) -> None:
    story.enters("em-call_1", "media", "call_1")
    story.happens(
        events.ChannelDtmfReceived("em-call_1", "1", 100),
        events.StasisEnd("em-call_1"),
        events.ChannelDestroyed("em-call_1", 16),
    )
    assert story.calls.told == []


def test_a_key_is_told(story: Story) -> None:
    story.happens(events.ChannelDtmfReceived("1.1", "5", 100))
    assert story.calls.told == [("key", "1.1", "5")]


def test_a_hang_up_is_told_once(story: Story) -> None:
    story.enters("1.1", "inbound", "+33100", "")
    story.happens(
        events.ChannelHangupRequest("1.1", 16),
        events.ChannelHangupRequest("1.1", 16),
        events.StasisEnd("1.1"),
        events.ChannelDestroyed("1.1", 16),
    )
    assert story.calls.told[1:] == [("gone", "1.1", "hangup")]


def test_a_caller_who_goes_on_in_the_dialplan_has_left(story: Story) -> None:
    story.enters("1.1", "inbound", "+33100", "")
    story.happens(events.StasisEnd("1.1"), events.ChannelDestroyed("1.1", 16))
    assert story.calls.told[1:] == [("gone", "1.1", "left")]


# -- media -----------------------------------------------------------------------------------


async def test_the_leg_joins_only_after_it_has_entered(story: Story) -> None:
    connecting = story.connect()
    await eventually(lambda: "external_media" in story.link.operations)
    await asyncio.sleep(0)
    assert "add_channel" not in story.link.operations
    story.enters("em-call_1", "media", "call_1")
    assert await connecting == ("127.0.0.1", 4000)
    assert story.link.operations[-1] == "add_channel"
    assert dict(story.link.asked[-1].query) == {"channel": "1.1,em-call_1"}


async def test_the_leg_may_enter_before_the_answer(story: Story) -> None:
    story.link.during["external_media"] = lambda: story.enters("em-call_1", "media", "call_1")
    assert await story.connect() == ("127.0.0.1", 4000)


async def test_a_leg_that_never_enters_is_unavailable() -> None:
    story = Story(deadline=0.05)
    with pytest.raises(PbxUnavailable, match="nothing is heard of channel em-call_1"):
        await story.connect()


async def test_a_bridge_that_is_there_already_is_used(story: Story) -> None:
    story.link.answers["create_bridge"] = [refusal(409)]
    story.link.during["external_media"] = lambda: story.enters("em-call_1", "media", "call_1")
    assert await story.connect() == ("127.0.0.1", 4000)


async def test_a_leg_from_an_attempt_before_goes_before_the_next_is_asked_for(
    story: Story,
) -> None:
    story.link.answers["external_media"] = [PbxUnavailable("no answer"), LOCAL]
    with pytest.raises(PbxUnavailable):
        await story.connect()
    connecting = story.connect()
    await eventually(lambda: "hang_up" in story.link.operations)
    assert story.link.operations.count("external_media") == 1
    story.happens(events.ChannelDestroyed("em-call_1", 16))
    await eventually(lambda: story.link.operations.count("external_media") == 2)
    story.enters("em-call_1", "media", "call_1")
    assert await connecting == ("127.0.0.1", 4000)


async def test_a_leg_that_never_came_to_be_is_asked_for_again(story: Story) -> None:
    story.link.answers["external_media"] = [PbxUnavailable("no answer"), LOCAL]
    story.link.answers["hang_up"] = [refusal(404)]
    with pytest.raises(PbxUnavailable):
        await story.connect()
    connecting = story.connect()
    await eventually(lambda: story.link.operations.count("external_media") == 2)
    story.enters("em-call_1", "media", "call_1")
    assert await connecting == ("127.0.0.1", 4000)


async def test_a_leg_that_will_not_go_is_told(story: Story) -> None:
    story.link.answers["external_media"] = [PbxUnavailable("no answer")]
    story.link.answers["hang_up"] = [refusal(500)]
    with pytest.raises(PbxUnavailable):
        await story.connect()
    with pytest.raises(AriRefused):
        await story.connect()


async def test_a_format_that_asterisk_does_not_know_is_refused(story: Story) -> None:
    story.link.answers["external_media"] = [refusal(500)]
    with pytest.raises(AriRefused) as refused:
        await story.connect()
    assert refused.value.status == 500
    assert "hang_up" not in story.link.operations


async def test_a_bridge_that_asterisk_is_about_to_destroy_is_released(story: Story) -> None:
    story.link.answers["delete_bridge"] = [refusal(409)]
    await story.telephone.release("call_1")
    assert "delete_bridge" in story.link.operations


async def test_a_released_leg_need_not_be_removed_again(story: Story) -> None:
    for _ in range(2):
        connecting = story.connect()
        await eventually(lambda: "external_media" in story.link.operations)
        story.enters("em-call_1", "media", "call_1")
        await connecting
        await story.telephone.release("call_1")
        story.link.asked.clear()


@pytest.mark.parametrize("answer", [None, {}, {"channelvars": {"UNICASTRTP_LOCAL_PORT": "x"}}])
async def test_a_leg_without_an_address_is_unavailable(story: Story, answer: Any) -> None:
    story.link.standing["external_media"] = answer
    with pytest.raises(PbxUnavailable, match="where it takes our audio"):
        await story.connect()


async def test_release_forgives_what_is_gone(story: Story) -> None:
    story.link.answers["hang_up"] = [refusal(404)]
    story.link.answers["delete_bridge"] = [refusal(404)]
    await story.telephone.release("call_1")
    assert [str(request) for request in story.link.asked] == [
        "DELETE /channels/em-call_1",
        "DELETE /bridges/br-call_1",
    ]


async def test_release_deletes_the_bridge_although_the_leg_fails(story: Story) -> None:
    story.link.answers["hang_up"] = [PbxUnavailable("no answer")]
    with pytest.raises(PbxUnavailable):
        await story.telephone.release("call_1")
    assert "delete_bridge" in story.link.operations


# -- leaving ---------------------------------------------------------------------------------


async def test_a_call_leaves_with_its_variables_in_two_requests(story: Story) -> None:
    await story.telephone.leave("1.1", Exit.HANDOFF, {"SEGUE_REASON": "asked", "SEGUE_EXIT": "x"})
    assert story.link.operations == ["set_variables", "continue_in_dialplan"]
    assert story.link.asked[0].body == {
        "variables": {"SEGUE_REASON": "asked", "SEGUE_EXIT": "handoff", "SEGUE_STATE": "left"}
    }


async def test_an_older_asterisk_is_told_one_by_one_and_remembered(story: Story) -> None:
    story.link.standing["set_variables"] = refusal(404)
    await story.telephone.leave("1.1", Exit.DONE, {"A": "1"})
    await story.telephone.leave("1.2", Exit.DONE, {})
    assert story.link.operations == [
        "set_variables",
        *["set_variable"] * 3,
        "continue_in_dialplan",
        *["set_variable"] * 2,
        "continue_in_dialplan",
    ]


async def test_a_caller_who_is_gone_does_not_make_asterisk_old(story: Story) -> None:
    story.link.answers["set_variables"] = [refusal(404)]
    story.link.answers["set_variable"] = [refusal(404)]
    with pytest.raises(AriRefused):
        await story.telephone.leave("1.1", Exit.DONE, {})
    await story.telephone.leave("1.2", Exit.DONE, {})
    assert story.link.operations[-2:] == ["set_variables", "continue_in_dialplan"]


async def test_hanging_up_who_is_gone_is_fine_and_other_refusals_are_not(story: Story) -> None:
    story.link.answers["hang_up"] = [refusal(404), refusal(500)]
    await story.telephone.hang_up("1.1")
    with pytest.raises(AriRefused):
        await story.telephone.hang_up("1.1")


# -- the link --------------------------------------------------------------------------------


async def test_the_first_connection_tells_who_is_there(story: Story) -> None:
    story.link.standing["application"] = {"channel_ids": ["1.1", "em-call_0"]}
    await story.telephone.connected()
    assert story.calls.told == [("back", "1.1")]
    story.happens(events.StasisEnd("1.1"))
    assert story.calls.told[1:] == [("gone", "1.1", "left")]


async def test_who_went_while_the_link_was_down_is_gone_before_the_link_is_back(
    story: Story,
) -> None:
    await story.telephone.connected()
    story.enters("1.1", "inbound", "+33100", "")
    story.enters("1.2", "inbound", "+33100", "")
    story.telephone.lost()
    story.link.standing["application"] = {"channel_ids": ["1.2"]}
    await story.telephone.connected()
    assert story.calls.told[3:] == [("lost",), ("gone", "1.1", "lost"), ("back", "1.2")]


async def test_who_enters_while_the_answer_is_on_its_way_is_there(story: Story) -> None:
    story.link.during["application"] = lambda: story.enters("1.9", "inbound", "+33100", "")
    await story.telephone.connected()
    assert story.calls.told[-1] == ("back", "1.9")


async def test_who_goes_while_the_answer_is_on_its_way_is_gone_once(story: Story) -> None:
    await story.telephone.connected()
    story.enters("1.1", "inbound", "+33100", "")
    story.telephone.lost()
    story.link.standing["application"] = {"channel_ids": ["1.1"]}
    story.link.during["application"] = lambda: story.happens(events.StasisEnd("1.1"))
    await story.telephone.connected()
    assert story.calls.told[2:] == [("lost",), ("gone", "1.1", "left"), ("back",)]


async def test_an_opening_that_failed_is_no_second_loss(story: Story) -> None:
    await story.telephone.connected()
    story.telephone.lost()
    story.link.answers["application"] = [PbxUnavailable("no answer")]
    with pytest.raises(PbxUnavailable):
        await story.telephone.connected()
    story.telephone.lost()
    assert story.calls.told == [("back",), ("lost",)]


async def test_orphans_are_swept_and_what_is_live_or_not_ours_is_left(story: Story) -> None:
    story.live.add("call_live")
    story.link.standing["application"] = {"channel_ids": ["em-call_old", "em-call_live", "1.1"]}
    story.link.standing["list_bridges"] = [
        {"id": "br-call_old", "name": "segue"},
        {"id": "br-call_live", "name": "segue"},
        {"id": "br-call_theirs", "name": "another"},
        {"id": "conference", "name": "segue"},
    ]
    story.link.answers["hang_up"] = [refusal(404)]
    await story.telephone.connected()
    assert [str(r) for r in story.link.asked if r.method == "DELETE"] == [
        "DELETE /channels/em-call_old",
        "DELETE /bridges/br-call_old",
    ]


def test_a_replacement_is_passed_on(story: Story) -> None:
    story.telephone.replaced()
    assert story.replaced == 1


async def test_a_telephone_without_a_link_is_a_fault_of_ours() -> None:
    calls = Calls()
    telephone = AriTelephone("segue", calls, lambda call: False, lambda: None)
    with pytest.raises(RuntimeError, match="use\\(\\) comes before"):
        await telephone.answer("1.1")


# -- calls of somebody before us --------------------------------------------------------------


def describe(story: Story, **variables: str) -> None:
    """One channel in the application, with these variables."""
    story.link.standing["application"] = {"channel_ids": ["1.1"]}
    story.link.standing["get_channel"] = {
        "name": "PJSIP/carrier-00000001",
        "dialplan": {"app_name": "Stasis", "app_data": "segue,inbound,+33100,+33612"},
    }
    names = ("SEGUE_CONVERSATION", "SEGUE_CALL", "SEGUE_STATE", "SEGUE_EXIT")
    story.link.answers["get_channel_variable"] = [
        {"value": variables[name]} if name in variables else refusal(404) for name in names
    ]


async def test_a_call_is_marked_with_whose_it_is(story: Story) -> None:
    await story.telephone.mark("1.1", "conv_1", "call_1")
    assert story.link.asked[0].body == {
        "variables": {
            "SEGUE_CONVERSATION": "conv_1",
            "SEGUE_CALL": "call_1",
            "SEGUE_STATE": "live",
        }
    }


async def test_a_marked_caller_whom_nobody_serves_is_found(story: Story) -> None:
    describe(story, SEGUE_CONVERSATION="conv_1", SEGUE_CALL="call_1", SEGUE_STATE="live")
    await story.telephone.connected()
    entered = IncomingCall("1.1", "+33100", "+33612", "PJSIP/carrier")
    assert story.calls.found == [FoundCall("1.1", "conv_1", "call_1", incoming=entered)]


async def test_a_caller_who_is_served_is_not_found(story: Story) -> None:
    describe(story)
    story.calls.served.add("1.1")
    await story.telephone.connected()
    assert story.calls.found == []
    assert "get_channel" not in story.link.operations


async def test_a_caller_who_goes_while_being_asked_about_is_not_found(story: Story) -> None:
    describe(story)
    story.link.during["get_channel"] = lambda: story.happens(events.StasisEnd("1.1"))
    await story.telephone.connected()
    assert story.calls.found == []


async def test_a_caller_who_is_taken_while_being_asked_about_is_not_found(story: Story) -> None:
    describe(story)
    story.link.during["get_channel"] = lambda: story.calls.served.add("1.1")
    await story.telephone.connected()
    assert story.calls.found == []


async def test_what_a_found_call_speaks_through_is_not_swept(story: Story) -> None:
    story.link.standing["application"] = {"channel_ids": ["em-call_1"]}
    story.link.standing["list_bridges"] = [{"id": "br-call_1", "name": "segue"}]
    story.calls.on_back = lambda: story.live.add("call_1")
    await story.telephone.connected()
    assert not [r for r in story.link.asked if r.method == "DELETE"]


async def test_the_leg_of_the_process_before_goes_before_a_new_one_is_made(story: Story) -> None:
    story.live.add("call_1")
    story.link.standing["application"] = {"channel_ids": ["em-call_1"]}
    await story.telephone.connected()
    connecting = story.connect()
    await eventually(lambda: "hang_up" in story.link.operations)
    assert "external_media" not in story.link.operations
    story.happens(events.ChannelDestroyed("em-call_1", 16))
    await eventually(lambda: "external_media" in story.link.operations)
    story.enters("em-call_1", "media", "call_1")
    await connecting
    assert story.calls.deaf == []  # it was our will


async def test_a_bridge_that_an_older_asterisk_knows_already_is_used(story: Story) -> None:
    story.link.answers["create_bridge"] = [refusal(500)]
    story.link.during["external_media"] = lambda: story.enters("em-call_1", "media", "call_1")
    assert await story.connect() == ("127.0.0.1", 4000)
    assert "get_bridge" in story.link.operations


async def test_a_bridge_that_cannot_be_made_is_told(story: Story) -> None:
    story.link.answers["create_bridge"] = [refusal(500)]
    story.link.answers["get_bridge"] = [refusal(404)]
    story.link.during["external_media"] = lambda: story.enters("em-call_1", "media", "call_1")
    with pytest.raises(AriRefused):
        await story.connect()


# -- media legs that end by themselves --------------------------------------------------------


async def bridged(story: Story) -> None:
    story.link.during["external_media"] = lambda: story.enters("em-call_1", "media", "call_1")
    await story.connect()


async def test_a_leg_that_ends_by_itself_is_told(story: Story) -> None:
    await bridged(story)
    story.happens(events.ChannelDestroyed("em-call_1", 16))
    story.happens(events.ChannelDestroyed("em-call_1", 16))
    assert story.calls.deaf == ["call_1"]


async def test_a_leg_that_went_while_the_link_was_down_is_told(story: Story) -> None:
    await story.telephone.connected()
    await bridged(story)
    story.telephone.lost()
    await story.telephone.connected()
    assert story.calls.deaf == ["call_1"]


async def test_a_leg_that_is_still_there_after_a_cut_is_not_told(story: Story) -> None:
    await story.telephone.connected()
    await bridged(story)
    story.live.add("call_1")
    story.telephone.lost()
    story.link.standing["application"] = {"channel_ids": ["em-call_1"]}
    await story.telephone.connected()
    assert story.calls.deaf == []


async def test_a_leg_that_we_release_is_not_told(story: Story) -> None:
    await bridged(story)
    await story.telephone.release("call_1")
    story.happens(events.ChannelDestroyed("em-call_1", 16))
    assert story.calls.deaf == []


async def test_a_leg_over_a_websocket_is_connected_before_it_enters(story: Story) -> None:
    story.link.standing["media_websocket"] = {
        "channelvars": {"MEDIA_WEBSOCKET_CONNECTION_ID": "conn-1"}
    }
    told: list[tuple[str, int]] = []

    def connect(peer: tuple[str, int]) -> None:
        told.append(peer)
        story.enters("em-call_1", "media", "call_1")

    address = await story.telephone.connect_media("1.1", "call_1", "INCOMING", 0, "ulaw", connect)
    assert told == [address] == [("conn-1", 0)]
    query = dict(story.link.asked[1].query)
    assert query["transport"] == "websocket"
    assert query["format"] == "ulaw"


# -- phones that we let ring ------------------------------------------------------------------


async def test_a_phone_rings_with_an_id_of_ours_and_ends_by_itself_somewhat_later(
    story: Story,
) -> None:
    await story.telephone.ring("ag-leg_1", "PJSIP/desk", "+12025550123", 20)
    (request,) = story.link.asked
    assert request.path == "/channels/ag-leg_1"
    query = dict(request.query)
    assert query["appArgs"] == "agent,leg_1"
    assert query["callerId"] == "+12025550123"
    assert query["timeout"] == "25"


async def test_a_phone_that_is_picked_up_and_put_down_is_told_once_each(story: Story) -> None:
    await story.telephone.ring("ag-leg_1", "PJSIP/desk", "", 20)
    for _ in range(2):  # a repeated event changes nothing
        story.enters("ag-leg_1", "agent", "leg_1")
    story.happens(
        events.StasisEnd("ag-leg_1"),
        events.ChannelDestroyed("ag-leg_1", 16),
    )
    assert story.calls.told == [("answered", "ag-leg_1"), ("phone gone", "ag-leg_1", 0, 0)]


async def test_a_phone_that_is_never_picked_up_says_why(story: Story) -> None:
    await story.telephone.ring("ag-leg_1", "PJSIP/desk", "", 20)
    story.happens(events.ChannelDestroyed("ag-leg_1", 17, 486))
    assert story.calls.told == [("phone gone", "ag-leg_1", 17, 486)]


async def test_a_phone_that_cannot_be_dialled_is_refused_and_never_told(story: Story) -> None:
    story.link.answers["originate"] = [refusal(500)]
    with pytest.raises(AriRefused):
        await story.telephone.ring("ag-leg_1", "PJSIP/nobody", "", 20)
    story.happens(events.ChannelDestroyed("ag-leg_1", 3))
    assert story.calls.told == []


async def test_who_is_called_back_is_a_caller_from_the_answer_on(story: Story) -> None:
    await story.telephone.ring("cb-call_1", "PJSIP/1@trunk", "", 20)
    story.enters("cb-call_1", "back", "call_1")
    story.happens(events.ChannelHangupRequest("cb-call_1", 16))
    story.happens(events.ChannelDestroyed("cb-call_1", 16))
    assert story.calls.told == [("answered", "cb-call_1"), ("gone", "cb-call_1", "hangup")]


async def test_two_are_joined_in_a_bridge_of_their_own_for_as_long_as_they_like(
    story: Story,
) -> None:
    await story.telephone.join("call_1", "1.1", "ag-leg_1")
    assert [str(request) for request in story.link.asked] == [
        "POST /bridges/pp-call_1",
        "POST /channels/1.1/variable",
        "POST /bridges/pp-call_1/addChannel",
    ]
    limit = dict(story.link.asked[1].query)
    assert limit == {"variable": "TIMEOUT(absolute)", "value": "0"}


async def test_two_who_talk_are_found_together_and_not_swept(story: Story) -> None:
    story.link.standing["application"] = {"channel_ids": ["1.1", "ag-leg_1", "ag-leg_2"]}
    story.link.standing["list_bridges"] = [
        {"id": "pp-call_1", "name": "segue", "channels": ["1.1", "ag-leg_1"]},
        {"id": "pp-call_2", "name": "segue", "channels": []},
    ]
    story.link.standing["get_channel"] = {"name": "PJSIP/carrier-1", "dialplan": {}, "caller": {}}
    variables = {"SEGUE_STATE": "live", "SEGUE_CALL": "call_1", "SEGUE_CONVERSATION": "conv_1"}

    async def request(asked: Request) -> object:
        if asked.operation == "get_channel_variable":
            story.link.asked.append(asked)
            name = dict(asked.query)["variable"]
            if name in variables:
                return {"value": variables[name]}
            raise refusal(404)
        return await Script.request(story.link, asked)

    story.link.request = request  # type: ignore[method-assign, assignment]  # answers by the variable's name
    story.calls.on_back = lambda: story.live.update({"call_1", "leg_1"})
    await story.telephone.connected()
    assert [found.person for found in story.calls.found] == ["ag-leg_1"]
    swept = [str(r) for r in story.link.asked if r.method == "DELETE"]
    assert swept == ["DELETE /channels/ag-leg_2", "DELETE /bridges/pp-call_2"]
    story.happens(events.ChannelDestroyed("ag-leg_1", 16))
    assert story.calls.told[-1] == ("phone gone", "ag-leg_1", 16, 0)


async def test_a_phone_that_ended_while_nobody_listened_is_told_at_the_next_connection(
    story: Story,
) -> None:
    await story.telephone.connected()
    await story.telephone.ring("ag-leg_1", "PJSIP/desk", "", 20)
    story.telephone.lost()
    await story.telephone.connected()
    assert ("phone gone", "ag-leg_1", 0, 0) in story.calls.told
