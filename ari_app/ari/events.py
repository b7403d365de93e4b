"""Pure. From a text on ARI's event websocket to a value, named as in Asterisk's events.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StasisStart:
    """A channel has entered the application."""

    channel: str
    args: tuple[str, ...]
    caller: str  # as signalled; "" if not at all
    name: str = ""  # such as PJSIP/carrier-00000001


@dataclass(frozen=True, slots=True)
class StasisEnd:
    """A channel has left the application."""

    channel: str


@dataclass(frozen=True, slots=True)
class ChannelDtmfReceived:
    """A key was pressed, and let go."""

    channel: str
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ChannelHangupRequest:
    """Somebody wants the channel to end."""

    channel: str
    cause: int  # Q.850; 0 if not told


@dataclass(frozen=True, slots=True)
class ChannelDestroyed:
    """The channel exists no more."""

    channel: str
    cause: int  # Q.850
    status: int = 0  # of SIP, from Asterisk 22.5 on; 0 if not told


@dataclass(frozen=True, slots=True)
class PlaybackFinished:
    """A playback has ended, or was stopped."""

    playback: str


@dataclass(frozen=True, slots=True)
class ChannelUserevent:
    """Somebody told something of their own; its words are not read."""

    name: str


@dataclass(frozen=True, slots=True)
class ApplicationReplaced:
    """Another websocket has taken the application: no more events come here."""


@dataclass(frozen=True, slots=True)
class RestResponse:
    """The answer to a RESTRequest."""

    id: str
    status: int
    reason: str
    body: Any  # parsed; None if there is none


@dataclass(frozen=True, slots=True)
class Unrecognised:
    """An event of which we need nothing."""

    type: str


AriEvent = (
    StasisStart
    | StasisEnd
    | ChannelDtmfReceived
    | ChannelHangupRequest
    | ChannelDestroyed
    | PlaybackFinished
    | ChannelUserevent
    | ApplicationReplaced
    | RestResponse
    | Unrecognised
)


def parse(text: str) -> AriEvent:
    """The event in a text; ValueError says what is wrong with it."""
    try:
        message = json.loads(text)
    except RecursionError:
        raise ValueError("event is nested too deeply") from None
    if not isinstance(message, dict):
        raise ValueError(f"event is not an object but {type(message).__name__}")
    kind = message.get("type")
    if not isinstance(kind, str):
        raise ValueError("event has no type")
    reader = _READERS.get(kind)
    if reader is None:
        return Unrecognised(kind)
    try:
        return reader(message)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{kind} is malformed: {error!r}") from None


def _stasis_start(message: dict[str, Any]) -> StasisStart:
    channel = message["channel"]
    caller = channel.get("caller") or {}
    return StasisStart(
        _id(channel),
        tuple(_text(arg) for arg in message.get("args") or ()),
        _text(caller.get("number") or ""),
        _text(channel.get("name") or ""),
    )


def _stasis_end(message: dict[str, Any]) -> StasisEnd:
    return StasisEnd(_id(message["channel"]))


def _dtmf(message: dict[str, Any]) -> ChannelDtmfReceived:
    return ChannelDtmfReceived(
        _id(message["channel"]), _text(message["digit"]), _number(message.get("duration_ms", 0))
    )


def _hangup_request(message: dict[str, Any]) -> ChannelHangupRequest:
    return ChannelHangupRequest(_id(message["channel"]), _number(message.get("cause", 0)))


def _destroyed(message: dict[str, Any]) -> ChannelDestroyed:
    return ChannelDestroyed(
        _id(message["channel"]),
        _number(message.get("cause", 0)),
        _number(message.get("tech_cause", 0)),
    )


def _playback_finished(message: dict[str, Any]) -> PlaybackFinished:
    return PlaybackFinished(_id(message["playback"]))


def _user_event(message: dict[str, Any]) -> ChannelUserevent:
    return ChannelUserevent(_text(message["eventname"]))


def _replaced(message: dict[str, Any]) -> ApplicationReplaced:
    return ApplicationReplaced()


def _rest_response(message: dict[str, Any]) -> RestResponse:
    # message_body is JSON inside a JSON string, and absent from a 204.
    body = message.get("message_body") or None
    return RestResponse(
        _text(message["request_id"]),
        _number(message["status_code"]),
        _text(message.get("reason_phrase") or ""),
        None if body is None else json.loads(body),
    )


_READERS: dict[str, Callable[[dict[str, Any]], AriEvent]] = {
    "StasisStart": _stasis_start,
    "StasisEnd": _stasis_end,
    "ChannelDtmfReceived": _dtmf,
    "ChannelHangupRequest": _hangup_request,
    "ChannelDestroyed": _destroyed,
    "PlaybackFinished": _playback_finished,
    "ChannelUserevent": _user_event,
    "ApplicationReplaced": _replaced,
    "RESTResponse": _rest_response,
}

RECOGNISED = tuple(_READERS)


def _id(thing: dict[str, Any]) -> str:
    return _text(thing["id"])


def _text(value: object) -> str:
    if not isinstance(value, str):
        # Its type only: the value may be a caller's.
        raise TypeError(f"{type(value).__name__} in place of a text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{type(value).__name__} in place of a whole number")
    return value
