"""Requests in both their forms."""

from __future__ import annotations

import json

from ari_app.ari import requests


def test_a_request_is_rendered_for_the_websocket() -> None:
    request = requests.add_channel("br-call_1", "1700.1", "em-call_1")
    assert json.loads(request.message("17")) == {
        "type": "RESTRequest",
        "request_id": "17",
        "method": "POST",
        "uri": "bridges/br-call_1/addChannel",
        "query_strings": [{"name": "channel", "value": "1700.1,em-call_1"}],
    }


def test_a_request_with_a_body_carries_it_as_json_in_a_string() -> None:
    message = json.loads(requests.set_variables("1700.1", {"A": "é+%41"}).message("1"))
    assert message["content_type"] == "application/json"
    assert json.loads(message["message_body"]) == {"variables": {"A": "é+%41"}}
    assert "query_strings" not in message


def test_a_request_is_rendered_for_http() -> None:
    assert requests.answer("1700.1").target() == "/channels/1700.1/answer"
    assert (
        requests.set_variable("1700.1", "A", "+33 1%41&x").target()
        == "/channels/1700.1/variable?variable=A&value=%2B33%201%2541%26x"
    )


def test_an_id_from_outside_cannot_leave_its_place_in_the_path() -> None:
    assert requests.hang_up("../bridges/x?a=b").path == "/channels/..%2Fbridges%2Fx%3Fa%3Db"
    assert requests.delete_bridge("a/b").path == "/bridges/a%2Fb"
    assert requests.application("a/b").path == "/applications/a%2Fb"


def test_external_media_names_the_leg_and_where_it_sends() -> None:
    request = requests.external_media(
        "segue", channel="em-1", host="192.0.2.1", port=20000, media_format="slin16", data="media,1"
    )
    assert dict(request.query) == {
        "channelId": "em-1",
        "app": "segue",
        "external_host": "192.0.2.1:20000",
        "format": "slin16",
        "data": "media,1",
    }


def test_an_ipv6_host_is_bracketed() -> None:
    request = requests.external_media(
        "segue", channel="em-1", host="::1", port=20000, media_format="ulaw", data=""
    )
    assert dict(request.query)["external_host"] == "[::1]:20000"


def test_the_event_filter_is_a_list_of_types() -> None:
    request = requests.event_filter("segue", ["StasisStart", "RESTResponse"])
    assert (request.method, request.path) == ("PUT", "/applications/segue/eventFilter")
    assert request.body == {"allowed": [{"type": "StasisStart"}, {"type": "RESTResponse"}]}


def test_a_request_names_itself_without_its_values() -> None:
    assert str(requests.set_variable("1700.1", "A", "secret")) == "POST /channels/1700.1/variable"
