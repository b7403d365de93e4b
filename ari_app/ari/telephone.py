"""Port `Telephone` on ARI: what the calls want done, and what happens to them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from ari_app.ari import events, finding, requests
from ari_app.ari.phones import BACK, PHONE, TALK, Phones, companion
from ari_app.ari.requests import Request
from ari_app.ari.waiting import both, expected, settle
from ari_app.errors import AriRefused, PbxUnavailable
from ari_app.ports import CallEvents, Exit

logger = logging.getLogger(__name__)

_BRIDGE = "br-"
_LEG = "em-"
# Of all of these the call's id is what follows.
_OURS = (_BRIDGE, TALK)
_INCOMING = "INCOMING"  # the host of a line that connects to Asterisk by a websocket


class Requests(Protocol):
    """Who carries our requests: the client."""

    async def request(self, request: Request) -> Any:
        """The answer; AriRefused or PbxUnavailable otherwise."""


class AriTelephone:
    """Implements `Telephone`, is the client's `AriListener`, and feeds a `CallEvents`.

    `is_live(call)` says whether a call is in somebody's hands here: a bridge or a leg of any
    other is swept away at each connection.
    """

    def __init__(
        self,
        app: str,
        calls: CallEvents,
        is_live: Callable[[str], bool],
        on_replaced: Callable[[], None],
        *,
        deadline: float = 3.0,
    ) -> None:
        self._app = app
        self._calls = calls
        self._is_live = is_live
        self._on_replaced = on_replaced
        self._deadline = deadline
        self._link: Requests | None = None
        self._callers: set[str] = set()  # in the application, by this connection's events
        self._before: set[str] = set()  # were there when the last connection broke
        self._ended: set[str] = set()  # since this connection began, until `connected`
        self._opening = True
        self._entered: dict[str, asyncio.Future[None]] = {}  # legs awaited to come
        self._left: dict[str, asyncio.Future[None]] = {}  # legs awaited to go
        self._legs: set[str] = set()  # asked for, or found, and not heard to be gone
        self._bridged: set[str] = set()  # those of them that a call speaks through
        self._many_variables = True
        self._phones = Phones(app, calls, self._ask)

    def use(self, link: Requests) -> None:
        """Send requests through this; before the client starts."""
        self._link = link

    # -- Telephone --------------------------------------------------------------------------

    async def answer(self, channel: str) -> None:
        """Answer the caller."""
        await self._ask(requests.answer(channel))

    async def trunk_audio(self, channel: str) -> Mapping[str, object]:
        """What Asterisk says of the caller's RTP; nothing of a channel that has none."""
        try:
            said = await self._ask(requests.rtp_statistics(channel))
        except (AriRefused, PbxUnavailable):
            return {}
        return said if isinstance(said, dict) else {}

    async def topic(self, channel: str) -> str:
        """What the dialplan says that it is about; nothing if it, or Asterisk, does not say."""
        try:
            said = await self._ask(requests.get_channel_variable(channel, "SEGUE_TOPIC"))
            return str(said["value"])
        except (AriRefused, PbxUnavailable, KeyError, TypeError):
            return ""

    async def mark(self, channel: str, conversation: str, call: str) -> None:
        """Write on the channel whose it is."""
        marks = {
            finding.CONVERSATION: conversation,
            finding.CALL: call,
            finding.STATE: finding.LIVE,
        }
        await self._set(channel, marks)

    async def connect_media(
        self,
        channel: str,
        call: str,
        host: str,
        port: int,
        media_format: str,
        connect: Callable[[tuple[str, int]], None] | None = None,
    ) -> tuple[str, int]:
        """Bridge the channel with a media leg to host:port; where Asterisk takes our audio.

        A repetition makes a new leg. After a failure `release` removes what there is.
        """
        bridge, leg = _BRIDGE + call, _LEG + call
        self._bridged.discard(leg)
        wanted = self._leg(leg, call, host, port, media_format)
        # The leg enters Stasis before or after the answer, and cannot join before: 422. One over
        # a websocket enters only when that is connected.
        async with expected(self._entered, leg, self._deadline):
            _, address = await both(self._create_bridge(bridge), self._create_leg(wanted, leg))
            if connect is not None:
                connect(address)
        await self._ask(requests.add_channel(bridge, channel, leg))
        self._bridged.add(leg)
        return address

    def _leg(self, leg: str, call: str, host: str, port: int, media_format: str) -> Request:
        data = f"media,{call}"
        if host == _INCOMING:
            return requests.media_websocket(
                self._app, channel=leg, media_format=media_format, data=data
            )
        return requests.external_media(
            self._app, channel=leg, host=host, port=port, media_format=media_format, data=data
        )

    async def leave(self, channel: str, exit: Exit, variables: dict[str, str]) -> None:
        """Give the channel back to the dialplan; SEGUE_EXIT cannot be overridden."""
        leaving = {finding.EXIT: exit.value, finding.STATE: finding.LEFT}
        await self._set(channel, {**variables, **leaving})
        await self._ask(requests.continue_in_dialplan(channel))

    async def ring(self, channel: str, endpoint: str, caller: str, seconds: int) -> None:
        """Let a phone ring; what it does is told."""
        await self._phones.ring(channel, endpoint, caller, seconds)

    async def join(self, call: str, caller: str, person: str) -> None:
        """Let the two hear each other, and nobody else."""
        self._bridged.discard(_LEG + call)  # it is left alone now, and may end
        await self._phones.join(call, caller, person)

    async def part(self, call: str) -> None:
        """Delete the bridge of the two; what is gone already is fine."""
        await self._ask_unless_gone(requests.delete_bridge(TALK + call))

    async def hang_up(self, channel: str) -> None:
        """End the channel; one that is gone already is fine."""
        await self._ask_unless_gone(requests.hang_up(channel))

    async def release(self, call: str) -> None:
        """Delete the call's leg and bridge; what is gone already is fine."""
        self._bridged.discard(_LEG + call)
        await both(
            self._ask_unless_gone(requests.hang_up(_LEG + call)),
            self._ask_unless_gone(requests.delete_bridge(_BRIDGE + call)),
        )
        self._legs.discard(_LEG + call)

    async def _create_bridge(self, bridge: str) -> None:
        try:
            await self._ask(requests.create_bridge(bridge, name=self._app))
        except AriRefused as error:
            if error.status == 500:  # what an older Asterisk says to any of these
                await self._ask(requests.get_bridge(bridge))
            elif error.status != 409:  # ours already, from an attempt before
                raise

    async def _create_leg(self, wanted: Request, leg: str) -> tuple[str, int]:
        if leg in self._legs:
            # From an attempt before, and its socket may be gone. Asterisk 22.10.1 refuses an id
            # that is taken with a 500 and keeps half a channel: it then hangs when stopped.
            await self._remove_leg(leg)
        self._legs.add(leg)
        return _local_address(await self._ask(wanted))

    async def _remove_leg(self, leg: str) -> None:
        async with expected(self._left, leg, self._deadline):
            try:
                await self._ask(requests.hang_up(leg))
            except AriRefused as error:
                if error.status != 404:
                    raise
                settle(self._left, leg)

    async def _set(self, channel: str, variables: dict[str, str]) -> None:
        if self._many_variables:
            try:
                await self._ask(requests.set_variables(channel, variables))
                return
            except AriRefused as error:
                # An older Asterisk has no such resource; or the channel is gone, which the
                # next request will tell.
                if error.status not in (404, 405):
                    raise
        for name, value in variables.items():
            await self._ask(requests.set_variable(channel, name, value))
        self._many_variables = False

    async def _ask(self, request: Request) -> Any:
        if self._link is None:
            raise RuntimeError("use() comes before the first request")
        return await self._link.request(request)

    async def _ask_unless_gone(self, request: Request) -> None:
        try:
            await self._ask(request)
        except AriRefused as error:
            # 409: a bridge that Asterisk is about to destroy belongs to no application any more.
            if error.status not in (404, 409):
                raise

    # -- AriListener ------------------------------------------------------------------------

    def event(self, event: events.AriEvent) -> None:
        """Translate one event for the calls."""
        match event:
            case events.StasisStart():
                self._start(event)
            case events.StasisEnd(channel=channel):
                self._phones.left(channel)
                self._end(channel, "left")
            case events.ChannelHangupRequest(channel=channel):
                self._end(channel, "hangup")
            case events.ChannelDestroyed(channel=channel, cause=cause, status=status):
                self._phones.gone(channel, cause, status)
                self._end(channel, "hangup")
                self._leg_gone(channel)
            case events.ChannelDtmfReceived(channel=channel, digit=digit):
                if not channel.startswith(_LEG):
                    self._calls.key_pressed(channel, digit)
            case _:
                pass

    def lost(self) -> None:
        """The link is down."""
        self._before |= self._callers
        self._callers.clear()
        self._ended.clear()
        opening, self._opening = self._opening, True
        if not opening:
            self._calls.pbx_lost()

    async def connected(self) -> None:
        """Tell the calls who is there and who has gone meanwhile; sweep what nobody owns."""
        there = await self._ask(requests.application(self._app))
        channels = {str(id) for id in there["channel_ids"]}
        phones = {id for id in channels if id.startswith(PHONE)}
        channels -= phones
        legs = {id for id in channels if id.startswith(_LEG)}
        bridges = await self._ask(requests.list_bridges())
        unserved = [id for id in sorted(channels - legs) if not self._calls.serves(id)]
        found = await asyncio.gather(
            *(finding.found(self._ask, self._app, channel) for channel in unserved)
        )
        found = [
            call and replace(call, person=companion(bridges, self._app, call.call, call.channel))
            for call in found
        ]
        # Events have gone on meanwhile.
        self._callers |= channels - legs - self._ended
        gone = self._before - self._callers
        legs -= self._ended
        self._before.clear()
        self._ended.clear()
        self._opening = False
        for channel in sorted(gone):
            self._calls.caller_gone(channel, "lost")
        self._calls.pbx_back(
            frozenset(self._callers),
            [
                call
                for call in found
                if call and call.channel in self._callers and not self._calls.serves(call.channel)
            ],
        )
        for call in found:
            if call and call.person in phones:
                self._phones.adopt(call.person)
        self._phones.reconcile(phones | channels)
        self._legs |= legs
        for leg in self._bridged - legs:
            self._leg_gone(leg)
        # Another application's bridges may look like ours: the name tells.
        ours = {b["id"] for b in bridges if b["id"].startswith(_OURS) and b["name"] == self._app}
        await self._sweep(legs | phones, ours)

    def replaced(self) -> None:
        """Another process has taken our application."""
        self._on_replaced()

    def _start(self, event: events.StasisStart) -> None:
        if event.channel.startswith(_LEG):
            settle(self._entered, event.channel)
            return
        if event.channel.startswith((PHONE, BACK)):
            if event.channel.startswith(BACK):
                self._callers.add(event.channel)
            self._phones.entered(event.channel)
            return
        call = finding.incoming(event.channel, event.name, event.args, event.caller)
        if call is None:
            logger.warning(
                "channel %s entered with %d arguments that are not a caller's: ignored",
                event.channel,
                len(event.args),
            )
            return
        self._callers.add(event.channel)
        self._calls.call_entered(call)

    def _leg_gone(self, channel: str) -> None:
        self._legs.discard(channel)
        settle(self._left, channel)
        if channel in self._bridged:
            self._bridged.discard(channel)
            self._calls.media_gone(channel.removeprefix(_LEG))

    def _end(self, channel: str, cause: str) -> None:
        if self._opening:
            self._ended.add(channel)
        if channel in self._callers or channel in self._before:
            self._callers.discard(channel)
            self._before.discard(channel)
            self._calls.caller_gone(channel, cause)

    async def _sweep(self, legs: set[str], bridges: set[str]) -> None:
        orphans = [
            requests.hang_up(leg) for leg in legs if not self._is_live(leg.partition("-")[2])
        ] + [
            requests.delete_bridge(bridge)
            for bridge in bridges
            if not self._is_live(bridge.partition("-")[2])
        ]
        for orphan in orphans:
            logger.info("sweeping an orphan: %s", orphan)
            with contextlib.suppress(AriRefused):
                await self._ask(orphan)


def _local_address(answer: Any) -> tuple[str, int]:
    try:
        variables = answer["channelvars"]
        if connection := variables.get("MEDIA_WEBSOCKET_CONNECTION_ID"):
            return str(connection), 0
        return (
            str(variables["UNICASTRTP_LOCAL_ADDRESS"]),
            int(variables["UNICASTRTP_LOCAL_PORT"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise PbxUnavailable("Asterisk does not say where it takes our audio") from None
