"""Who is on a channel that nobody here serves: from its variables and its place in the dialplan."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ari_app.ari import requests
from ari_app.ari.requests import Request
from ari_app.errors import AriRefused
from ari_app.ports import FoundCall, IncomingCall

CONVERSATION, CALL, STATE, EXIT = "SEGUE_CONVERSATION", "SEGUE_CALL", "SEGUE_STATE", "SEGUE_EXIT"
#: SEGUE_STATE: a call is live with us, or has been told to go back to the dialplan.
LIVE, LEFT = "live", "left"

Ask = Callable[[Request], Awaitable[Any]]


def incoming(
    channel: str, name: str, arguments: tuple[str, ...], caller: str
) -> IncomingCall | None:
    """A caller, from the arguments of Stasis; None if they are not a caller's.

    `name` is Asterisk's name of the channel, `caller` the number that was signalled.
    """
    trunk = name.rpartition("-")[0]
    match arguments:
        case ("inbound", did, given):
            return IncomingCall(channel, did, given, trunk)
        case ("inbound", did):
            number = "".join(c for c in caller if c in "+0123456789")
            return IncomingCall(channel, did, number, trunk)
        case _:
            return None


async def found(ask: Ask, app: str, channel: str) -> FoundCall | None:
    """What is on the channel, or None if it is gone; PbxUnavailable if Asterisk does not say."""
    try:
        described = await ask(requests.get_channel(channel))
    except AriRefused:
        return None
    conversation, call, state, exit = await asyncio.gather(
        *(_variable(ask, channel, name) for name in (CONVERSATION, CALL, STATE, EXIT))
    )
    entered = _entered(described, app, channel)
    if state == LIVE:
        return FoundCall(channel, conversation, call, incoming=entered)
    # What is on it is of an earlier visit, unless the door is open already.
    return FoundCall(channel, exit=exit if state == LEFT else "", incoming=entered)


async def _variable(ask: Ask, channel: str, name: str) -> str:
    try:
        return str((await ask(requests.get_channel_variable(channel, name)))["value"])
    except (AriRefused, KeyError, TypeError):
        return ""


def _entered(described: Any, app: str, channel: str) -> IncomingCall | None:
    """As its StasisStart said, which came while nobody listened."""
    try:
        place = described["dialplan"]
        data = str(place.get("app_data") or "").split(",")
        if place.get("app_name") != "Stasis" or data[0] != app:
            return None
        number = str((described.get("caller") or {}).get("number") or "")
        return incoming(channel, str(described["name"]), tuple(data[1:]), number)
    except (KeyError, TypeError, AttributeError):
        return None
