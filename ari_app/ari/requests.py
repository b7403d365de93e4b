"""Pure. What we ask of Asterisk, each operation by its name in ARI's own description.

The operations, parameters and answers are those of `rest-api/*.json` in Asterisk 22; a request
travels as a RESTRequest message on the event websocket (Asterisk >= 22.5) or over HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `path` begins with a slash, its variable parts quoted."""

    operation: str  # bounded: a label of metrics
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Body | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def message(self, id: str) -> str:
        """The RESTRequest that carries it over the websocket."""
        message: dict[str, object] = {
            "type": "RESTRequest",
            "request_id": id,
            "method": self.method,
            "uri": self.path.removeprefix("/"),
        }
        if self.query:
            message["query_strings"] = [{"name": name, "value": v} for name, v in self.query]
        if self.body is not None:
            message["content_type"] = "application/json"
            message["message_body"] = json.dumps(self.body)
        return json.dumps(message)

    def target(self) -> str:
        """The path and query of its HTTP form, behind the `/ari` of the server's URL."""
        return f"{self.path}?{urlencode(self.query, quote_via=quote)}" if self.query else self.path


# -- channels -------------------------------------------------------------------------------


def answer(channel: str) -> Request:
    """Answer the channel; 204."""
    return Request("answer", "POST", f"{_channel(channel)}/answer")


def get_channel(channel: str) -> Request:
    """The channel; 404 if it is gone."""
    return Request("get_channel", "GET", _channel(channel))


def list_channels() -> Request:
    """All channels of the PBX, also those of others."""
    return Request("list_channels", "GET", "/channels")


def originate(
    endpoint: str,
    app: str,
    arguments: Iterable[str],
    *,
    channel: str,
    caller: str = "",
    timeout: int = 30,
) -> Request:
    """Dial the endpoint; the channel with the id that we choose enters the application.

    It does so when it is answered; after `timeout` seconds without that it ends. `caller` is
    shown there. 500 if the endpoint cannot be dialled at all.
    """
    shown = (("callerId", caller),) if caller else ()
    return Request(
        "originate",
        "POST",
        _channel(channel),
        (
            ("endpoint", endpoint),
            ("app", app),
            ("appArgs", ",".join(arguments)),
            ("timeout", str(timeout)),
            *shown,
        ),
    )


def media_websocket(app: str, *, channel: str, media_format: str, data: str) -> Request:
    """A WebSocket channel with the id that we choose, to which we connect by HTTP.

    Where to is in the answer (MEDIA_WEBSOCKET_CONNECTION_ID); the channel enters the application
    when somebody has connected. From Asterisk 20.18 and 22.8 on.
    """
    return Request(
        "media_websocket",
        "POST",
        "/channels/externalMedia",
        (
            ("channelId", channel),
            ("app", app),
            ("external_host", "INCOMING"),
            ("transport", "websocket"),
            ("encapsulation", "none"),
            ("connection_type", "server"),
            ("transport_data", "f(json)"),  # how it and we tell each other when to stop
            ("format", media_format),
            ("data", data),
        ),
    )


def external_media(
    app: str, *, channel: str, host: str, port: int, media_format: str, data: str
) -> Request:
    """A UnicastRTP channel with the id that we choose, towards host:port.

    It enters the application with `data` as arguments, which may be told before the answer or
    after. A bad format and a channel that exists already are both 500.
    """
    return Request(
        "external_media",
        "POST",
        "/channels/externalMedia",
        (
            ("channelId", channel),
            ("app", app),
            ("external_host", f"[{host}]:{port}" if ":" in host else f"{host}:{port}"),
            ("format", media_format),
            ("data", data),
        ),
    )


def continue_in_dialplan(channel: str) -> Request:
    """Give the channel back to the dialplan, at the step behind Stasis()."""
    return Request("continue_in_dialplan", "POST", f"{_channel(channel)}/continue")


def hang_up(channel: str) -> Request:
    """End the channel; 204, or 404 if it is gone."""
    return Request("hang_up", "DELETE", _channel(channel))


def set_variable(channel: str, name: str, value: str) -> Request:
    """Set one channel variable."""
    return Request(
        "set_variable",
        "POST",
        f"{_channel(channel)}/variable",
        (("variable", name), ("value", value)),
    )


def set_variables(channel: str, variables: Mapping[str, str]) -> Request:
    """Set channel variables at once; 404 `Resource not found` before 20.20, 22.10 and 23.4."""
    return Request(
        "set_variables",
        "POST",
        f"{_channel(channel)}/variables",
        body={"variables": dict(variables)},
    )


def get_channel_variable(channel: str, name: str) -> Request:
    """One channel variable; 404 if it is not set."""
    return Request(
        "get_channel_variable", "GET", f"{_channel(channel)}/variable", (("variable", name),)
    )


def get_channel_variables(channel: str, names: Iterable[str]) -> Request:
    """Channel variables at once; 404 if one of them is not set, or as for set_variables."""
    return Request(
        "get_channel_variables",
        "GET",
        f"{_channel(channel)}/variables",
        (("variables", ",".join(names)),),
    )


# -- bridges --------------------------------------------------------------------------------


def create_bridge(bridge: str, name: str) -> Request:
    """A mixing bridge with the id that we choose; 409 if it exists, in Asterisk 16 500."""
    return Request("create_bridge", "POST", _bridge(bridge), (("type", "mixing"), ("name", name)))


def get_bridge(bridge: str) -> Request:
    """The bridge; 404 if there is none."""
    return Request("get_bridge", "GET", _bridge(bridge))


def rtp_statistics(channel: str) -> Request:
    """What Asterisk knows of a SIP channel's RTP; 404 for any other."""
    return Request("rtp_statistics", "GET", f"{_channel(channel)}/rtp_statistics")


def list_bridges() -> Request:
    """All bridges of the PBX, also those of others."""
    return Request("list_bridges", "GET", "/bridges")


def add_channel(bridge: str, *channels: str) -> Request:
    """Let the channels join; 422 if one of them is not in Stasis (yet)."""
    return Request(
        "add_channel", "POST", f"{_bridge(bridge)}/addChannel", (("channel", ",".join(channels)),)
    )


def delete_bridge(bridge: str) -> Request:
    """End the bridge, not its channels; 204, or 404 if it is gone."""
    return Request("delete_bridge", "DELETE", _bridge(bridge))


# -- the application and the PBX ------------------------------------------------------------


def application(app: str) -> Request:
    """The application's channels and bridges."""
    return Request("application", "GET", _application(app))


def event_filter(app: str, allowed: Iterable[str]) -> Request:
    """Send only events of these types.

    Asterisk 22.10 filters its answers on the websocket too: RESTResponse must be among them.
    """
    return Request(
        "event_filter",
        "PUT",
        f"{_application(app)}/eventFilter",
        body={"allowed": [{"type": type} for type in allowed]},
    )


def user_event(app: str, name: str) -> Request:
    """Tell the application a ChannelUserevent, by the way of all events; 204, 404 without it."""
    return Request(
        "user_event", "POST", f"/events/user/{quote(name, safe='')}", (("application", app),)
    )


def ping() -> Request:
    """Is anybody there?"""
    return Request("ping", "GET", "/asterisk/ping")


def _channel(id: str) -> str:
    return f"/channels/{quote(id, safe='')}"


def _bridge(id: str) -> str:
    return f"/bridges/{quote(id, safe='')}"


def _application(app: str) -> str:
    return f"/applications/{quote(app, safe='')}"
