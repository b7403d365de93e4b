"""Phones that we let ring: those of people, and of callers who asked to be called back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from ari_app.ari import requests
from ari_app.ari.requests import Request
from ari_app.errors import AriRefused
from ari_app.ports import CallEvents

#: How the ids of their channels begin, and the first argument of Stasis when one is picked up.
PHONE, ROLE = "ag-", "agent"
#: The same of somebody who is called back; picked up, they are a caller like any other.
BACK, BACK_ROLE = "cb-", "back"
#: How the bridge of a caller and a person is called, before the call's id.
TALK = "pp-"
# Should we be gone, Asterisk itself lets no phone ring for ever.
_GRACE = 5

Ask = Callable[[Request], Awaitable[Any]]


class Phones:
    """What is asked of them, and what they do; each is told to be gone once."""

    def __init__(self, app: str, calls: CallEvents, ask: Ask) -> None:
        self._app = app
        self._calls = calls
        self._ask = ask
        self._rung: set[str] = set()  # asked for, and not heard to be gone
        self._up: set[str] = set()  # those of them that were picked up

    async def ring(self, channel: str, endpoint: str, caller: str, seconds: int) -> None:
        """See the port `Telephone`."""
        prefix, _, id = channel.partition("-")
        role = {PHONE: ROLE, BACK: BACK_ROLE}[f"{prefix}-"]
        self._rung.add(channel)
        try:
            await self._ask(
                requests.originate(
                    endpoint,
                    self._app,
                    (role, id),
                    channel=channel,
                    caller=caller,
                    timeout=seconds + _GRACE,
                )
            )
        except AriRefused:
            self._rung.discard(channel)
            raise

    async def join(self, call: str, caller: str, person: str) -> None:
        """See the port `Telephone`."""
        bridge = TALK + call
        try:
            await self._ask(requests.create_bridge(bridge, name=self._app))
        except AriRefused as error:
            if error.status not in (409, 500):  # there from an attempt before
                raise
        # The dialplan limits how long a call may stay with us; these two are with each other.
        await self._ask(requests.set_variable(caller, "TIMEOUT(absolute)", "0"))
        await self._ask(requests.add_channel(bridge, caller, person))

    def adopt(self, channel: str) -> None:
        """One that another process let ring, and that was picked up."""
        self._rung.add(channel)
        self._up.add(channel)

    def entered(self, channel: str) -> None:
        """It was picked up, and is in the application; also one that nobody here let ring."""
        if channel in self._up:
            return
        if channel.startswith(BACK):
            self._rung.discard(channel)
        else:
            self._up.add(channel)
        self._calls.leg_answered(channel)

    def left(self, channel: str) -> None:
        """It has left the application; why is not known here."""
        if channel in self._up:
            self.gone(channel, 0, 0)

    def gone(self, channel: str, cause: int, status: int) -> None:
        """It exists no more."""
        if channel in self._rung:
            self._rung.discard(channel)
            self._up.discard(channel)
            self._calls.leg_gone(channel, cause, status)

    def reconcile(self, there: Collection[str]) -> None:
        """Asterisk says that these are there: all others ended while nobody listened."""
        for channel in sorted(self._rung - set(there)):
            self.gone(channel, 0, 0)


def companion(bridges: Iterable[Mapping[str, Any]], app: str, call: str, channel: str) -> str:
    """Who is joined with the caller of this call, "" if nobody is; of ARI's list of bridges."""
    for bridge in bridges:
        if bridge.get("id") == TALK + call and bridge.get("name") == app:
            others = [c for c in bridge.get("channels") or () if c != channel]
            return next((c for c in others if c.startswith(PHONE)), "")
    return ""
