"""The link to an Asterisk that is slow, wrong, gone or somebody else's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ari_app.ari import events, requests
from ari_app.ari.client import Backoff
from ari_app.ari.ownership import mark
from ari_app.errors import AriRefused, PbxUnavailable
from tests.unit.ari.fake_ari import LinkStory, eventually, link_story

STASIS_END = {"type": "StasisEnd", "channel": {"id": "1.1"}}


@pytest_asyncio.fixture
async def story() -> AsyncIterator[LinkStory]:
    async with link_story() as story:
        yield story


# -- requests --------------------------------------------------------------------------------


async def test_requests_go_over_the_websocket_where_asterisk_answers_them(
    story: LinkStory,
) -> None:
    client = await story.linked()
    story.ari.answers["GET /channels"] = (200, [{"id": "1.1"}])
    assert await client.request(requests.list_channels()) == [{"id": "1.1"}]
    assert story.ari.asked[-1] == ("websocket", "GET", "/channels")
    assert client.rest_over_websocket


async def test_requests_go_over_http_where_asterisk_ignores_them_on_the_websocket(
    story: LinkStory,
) -> None:
    story.ari.talks = False
    client = await story.linked(deadline=0.5)
    story.ari.answers["GET /channels"] = (200, [])
    assert await client.request(requests.list_channels()) == []
    assert story.ari.asked[-1] == ("http", "GET", "/channels")


async def test_the_way_of_requests_can_be_forced(story: LinkStory) -> None:
    client = await story.linked(rest_over_websocket=False)
    await client.request(requests.set_variables("1.1", {"A": "1"}))
    assert story.ari.asked == [("http", "POST", "/channels/1.1/variables")]
    assert story.ari.bodies[-1] == {"variables": {"A": "1"}}


@pytest.mark.parametrize("over_websocket", [True, False])
async def test_a_refusal_carries_the_status_and_the_reason(
    story: LinkStory, over_websocket: bool
) -> None:
    client = await story.linked(rest_over_websocket=over_websocket)
    story.ari.answers["POST /channels/1.1/answer"] = (404, {"message": "Channel not found"})
    with pytest.raises(AriRefused, match="POST /channels/1.1/answer: 404 Channel") as refused:
        await client.request(requests.answer("1.1"))
    assert refused.value.status == 404


@pytest.mark.parametrize("over_websocket", [True, False])
async def test_a_request_without_an_answer_ends_at_its_deadline(
    story: LinkStory, over_websocket: bool
) -> None:
    client = await story.linked(rest_over_websocket=over_websocket, deadline=0.3)
    story.ari.answers["POST /channels/1.1/answer"] = None
    with pytest.raises(PbxUnavailable, match=r"did not answer POST /channels/1.1/answer within"):
        await client.request(requests.answer("1.1"))
    assert story.meter.counters["segue_ari_requests_total", "answer", "unavailable"] == 1


async def test_pending_requests_fail_when_the_socket_drops(story: LinkStory) -> None:
    client = await story.linked()
    story.ari.answers["POST /channels/1.1/answer"] = None
    pending = asyncio.create_task(client.request(requests.answer("1.1")))
    await eventually(lambda: ("websocket", "POST", "/channels/1.1/answer") in story.ari.asked)
    await story.ari.drop()
    with pytest.raises(PbxUnavailable, match="the link to Asterisk broke"):
        await pending


async def test_an_answer_that_nobody_awaits_is_ignored(story: LinkStory) -> None:
    client = await story.linked()
    await story.ari.send({"type": "RESTResponse", "request_id": "999", "status_code": 200})
    assert await client.request(requests.answer("1.1")) is None


async def test_an_answer_that_is_not_json_is_unavailable(story: LinkStory) -> None:
    client = await story.linked(rest_over_websocket=False)
    story.ari.answers["GET /channels"] = (200, "<html>")
    with pytest.raises(PbxUnavailable, match="something not JSON"):
        await client.request(requests.list_channels())


async def test_a_closed_link_takes_no_requests(story: LinkStory) -> None:
    client = await story.linked()
    await client.aclose()
    with pytest.raises(PbxUnavailable, match="was not sent"):
        await client.request(requests.answer("1.1"))


# -- events ----------------------------------------------------------------------------------


async def test_the_event_filter_is_set_and_lets_answers_through(story: LinkStory) -> None:
    await story.linked()
    allowed = {entry["type"] for entry in story.ari.bodies[0]["allowed"]}
    assert {"StasisStart", "StasisEnd", "ChannelDtmfReceived", "RESTResponse"} <= allowed


async def test_malformed_and_unknown_messages_are_survived(
    story: LinkStory, caplog: pytest.LogCaptureFixture
) -> None:
    await story.linked()
    await story.ari.send("{")
    await story.ari.send({"type": "StasisEnd"})
    await story.ari.sockets[-1].send_bytes(b"\x00")
    await story.ari.send({"type": "Dial"})
    await story.ari.send(STASIS_END)
    await eventually(lambda: story.listener.events)
    assert story.listener.events == [events.StasisEnd("1.1")]
    assert story.meter.counters["segue_ari_unreadable_events_total",] == 3
    assert story.meter.counters["segue_ari_events_total", "Unrecognised"] == 1
    assert "unreadable message" in caplog.text


async def test_a_fault_in_a_handler_costs_no_other_event(story: LinkStory) -> None:
    await story.linked()
    story.listener.fail_on = events.StasisEnd
    await story.ari.send(STASIS_END)
    await story.ari.send({"type": "ChannelDestroyed", "cause": 16, "channel": {"id": "1.1"}})
    await eventually(lambda: len(story.listener.events) == 2)


# -- life ------------------------------------------------------------------------------------


async def test_a_wrong_password_is_one_clear_sentence_and_one_attempt(story: LinkStory) -> None:
    story.ari.upgrade_status = 401
    with pytest.raises(PbxUnavailable, match="refuses the ARI user 'segue' or its password"):
        await story.client().start(patience=60)
    assert story.ari.attempts == 1


async def test_the_password_is_in_no_message(
    story: LinkStory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    story.ari.upgrade_status = 401
    with pytest.raises(PbxUnavailable) as refused:
        await story.client().start()
    assert "secret" not in str(refused.value) + caplog.text


async def test_an_http_server_without_ari_is_named(story: LinkStory) -> None:
    story.ari.upgrade_status = 404
    with pytest.raises(PbxUnavailable, match="there is no ARI"):
        await story.client().start()


async def test_an_asterisk_that_is_not_there_is_named() -> None:
    async with link_story() as story:
        await story.ari.stop()
        with pytest.raises(PbxUnavailable, match="Asterisk does not answer at http://127.0.0.1"):
            await story.client().start()


async def test_an_asterisk_that_never_answers_the_upgrade_is_given_up(story: LinkStory) -> None:
    story.ari.hangs = True
    with pytest.raises(PbxUnavailable, match="no answer in time"):
        await story.client(deadline=0.2).start()


async def test_an_asterisk_that_is_still_starting_is_waited_for(story: LinkStory) -> None:
    story.ari.upgrade_status = 503
    client = story.client()
    starting = asyncio.create_task(client.start(patience=60))
    await eventually(lambda: story.ari.attempts >= 2)
    story.ari.upgrade_status = None
    await starting
    assert client.up


async def test_a_link_that_drops_comes_back_by_itself(story: LinkStory) -> None:
    client = await story.linked()
    await story.ari.drop()
    await eventually(lambda: story.listener.told == ["connected", "lost", "connected"])
    await client.request(requests.answer("1.1"))
    assert story.meter.gauges["segue_ari_up"] == 1
    assert story.meter.counters["segue_ari_link_failures_total",] == 1


async def test_an_opening_that_fails_is_tried_again(story: LinkStory) -> None:
    story.ari.filter_status = 500
    client = story.client()
    starting = asyncio.create_task(client.start(patience=60))
    await eventually(lambda: story.ari.attempts >= 2)
    story.ari.filter_status = 200
    await starting
    assert client.up


async def test_a_fault_of_ours_while_opening_does_not_end_the_link(story: LinkStory) -> None:
    def fail() -> None:
        if story.ari.attempts < 2:
            raise KeyError("channel_ids")

    story.listener.on_connected = fail
    await story.client().start(patience=60)
    assert story.ari.attempts == 2


async def test_a_link_that_another_process_took_stays_down(story: LinkStory) -> None:
    client = await story.linked()
    await story.ari.send({"type": "ApplicationReplaced", "application": "segue"})
    await eventually(lambda: story.listener.told == ["connected", "replaced", "lost"])
    with pytest.raises(PbxUnavailable, match="another process has taken our calls"):
        await client.request(requests.answer("1.1"))
    assert story.ari.attempts == 1


async def test_calls_can_be_given_back_by_a_link_that_another_process_took(
    story: LinkStory,
) -> None:
    client = await story.linked()
    await story.ari.send({"type": "ApplicationReplaced", "application": "segue"})
    await eventually(lambda: story.listener.told == ["connected", "replaced", "lost"])
    client.give_back()
    story.ari.asked.clear()
    await client.request(requests.answer("1.1"))
    assert story.ari.asked == [("http", "POST", "/channels/1.1/answer")]
    assert story.ari.attempts == 1


async def test_a_link_that_is_taken_while_it_opens_does_not_start(story: LinkStory) -> None:
    story.ari.answers["GET /asterisk/ping"] = None
    starting = asyncio.create_task(story.client().start(patience=60))
    await eventually(lambda: story.ari.asked)
    await story.ari.send({"type": "ApplicationReplaced", "application": "segue"})
    with pytest.raises(PbxUnavailable, match="another process has taken segue from us"):
        await starting


async def test_while_the_websocket_is_down_requests_go_over_http(story: LinkStory) -> None:
    client = await story.linked()
    story.ari.upgrade_status = 503
    await story.ari.drop()
    await eventually(lambda: story.listener.told == ["connected", "lost"])
    await client.request(requests.continue_in_dialplan("1.1"))
    assert story.ari.asked[-1] == ("http", "POST", "/channels/1.1/continue")


async def test_closing_twice_is_fine(story: LinkStory) -> None:
    client = await story.linked()
    await client.aclose()
    await client.aclose()
    assert story.listener.told == ["connected", "lost"]


async def test_a_link_starts_once(story: LinkStory) -> None:
    client = await story.linked()
    with pytest.raises(RuntimeError, match="started already"):
        await client.start()


def test_a_url_that_is_not_http_is_refused() -> None:
    with pytest.raises(ValueError, match="must begin with http"):
        LinkStory().client(url="ws://127.0.0.1/ari")


def test_the_wait_doubles_up_to_its_bound_and_never_halves_below_its_half() -> None:
    backoff = Backoff(first=0.25, longest=5.0)
    assert [backoff.delay(n, 0.0) for n in range(6)] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0]
    assert backoff.delay(10_000, 1.0) == 2.5


# -- signs of life ---------------------------------------------------------------------------

SOON = 0.5  # seconds of patience, so that a test is over soon


async def test_signs_of_life_keep_a_silent_link_and_tell_how_late_they_are(
    story: LinkStory,
) -> None:
    client = await story.linked(patience=SOON)
    await eventually(lambda: story.ari.asked.count(SIGN_OF_LIFE) >= 4)
    assert client.up
    assert story.listener.told == ["connected"]
    assert story.listener.events == []  # they are nobody else's business
    assert 0 <= story.meter.gauges["segue_ari_lag_seconds"] < SOON


@pytest.mark.parametrize("over_websocket", [True, False])
async def test_a_link_without_signs_of_life_is_made_anew(
    story: LinkStory, over_websocket: bool
) -> None:
    story.ari.lives = False
    await story.linked(patience=SOON, rest_over_websocket=over_websocket)
    await eventually(lambda: story.listener.told[:3] == ["connected", "lost", "connected"])
    assert story.meter.counters["segue_ari_silences_total",] >= 1
    story.ari.lives = True


async def test_other_events_are_signs_of_life_too(story: LinkStory) -> None:
    story.ari.lives = False
    client = await story.linked(patience=SOON)
    for _ in range(20):
        await story.ari.send(STASIS_END)
        await asyncio.sleep(SOON / 8)
    assert client.up
    assert story.listener.told == ["connected"]


async def test_a_link_whose_application_another_has_signed_ends(story: LinkStory) -> None:
    await story.linked(patience=SOON)
    story.ari.answers["GET /applications/segue"] = signed("another")
    await eventually(lambda: story.listener.told == ["connected", "replaced", "lost"])
    assert story.ari.attempts == 1


async def test_before_a_link_is_made_anew_it_is_asked_whose_the_application_is(
    story: LinkStory,
) -> None:
    await story.linked()
    story.ari.answers["GET /applications/segue"] = signed("another")
    await story.ari.drop()
    await eventually(lambda: story.listener.told == ["connected", "lost", "replaced"])
    assert story.ari.attempts == 1  # nothing was taken back


async def test_an_asterisk_that_has_forgotten_us_is_linked_again(story: LinkStory) -> None:
    client = await story.linked()
    story.ari.answers["GET /applications/segue"] = (404, {"message": "Application not found"})
    await story.ari.drop()
    await eventually(lambda: story.listener.told == ["connected", "lost", "connected"])
    assert client.up


async def test_a_filter_that_somebody_has_reset_is_set_again(story: LinkStory) -> None:
    await story.linked(patience=SOON)
    story.ari.answers["GET /applications/segue"] = (200, {"events_allowed": []})
    filters = ("websocket", "PUT", "/applications/segue/eventFilter")
    await eventually(lambda: filters in story.ari.asked)


SIGN_OF_LIFE = ("websocket", "POST", "/events/user/sign")


def signed(token: str) -> tuple[int, dict[str, object]]:
    return 200, {"events_allowed": [{"type": mark(token)}]}
