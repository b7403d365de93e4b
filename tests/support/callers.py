"""People who call the house, and what can be learned about their calls afterwards."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest

from ari_app.cli.stage import DID, SENDER
from ari_app.conversation.events import Event, HandoffRecorded
from ari_app.conversation.message import MessageState
from ari_app.conversation.state import Conversation, fold
from ari_app.phone.call import Phone
from ari_app.phone.caller import trimmed
from tests.support.house import PATIENCE, House, eventually

_E = TypeVar("_E")
_CHUNK = 160  # octets of 20 ms

Condition = Callable[[Conversation], object]


class Caller:
    """Somebody with a phone, a number and a voice; knows prompts by their sound."""

    def __init__(self, house: House, phone: Phone, number: str, variant: str) -> None:
        self._house = house
        self._variant = variant
        self._listened = 0  # octets: what was heard before is over
        self.phone = phone
        self.number = number

    async def dials(self, did: str = DID) -> None:
        await self.phone.call(*self._house.stage.sip, did, self.number, deadline=PATIENCE)

    async def hears(self, *prompts: str, again: int = 0) -> None:
        """Return when these prompts have been heard to their ends, one after the other."""
        for prompt in prompts:
            sound = await self._house.prompt(prompt, again)
            await self._until_sound(prompt, sound)

    async def begins_to_hear(self, prompt: str, again: int = 0) -> None:
        """Return a moment after the beginning of this prompt."""
        sound = await self._house.prompt(prompt, again)
        await self._until_sound(prompt, sound[: 10 * _CHUNK])

    async def has_heard_all_of(self, prompt: str) -> bool:
        """Whether the whole prompt is somewhere among what was heard."""
        return await self._house.prompt(prompt) in self.sound()

    async def says(self, text: str) -> None:
        await self.phone.say(trimmed(await self._house.spoken(text, self._variant)))

    async def presses(self, key: str) -> None:
        await self.phone.press(key)

    async def hangs_up(self) -> None:
        await self.phone.hang_up()

    async def is_hung_up(self) -> None:
        """Return when the far side has ended the call."""
        await self.phone.until_ended(PATIENCE)

    async def writes(self, text: str) -> None:
        """Send a text to the number that texted."""
        await self._house.handset.mo(self.number, SENDER, text)

    def sound(self) -> bytes:
        """Everything heard so far, as mu-law."""
        return b"".join(packet.payload for _, packet in self.phone.packets)

    async def _until_sound(self, name: str, sound: bytes) -> None:
        async def heard() -> bool:
            at = self.sound().find(sound, self._listened)
            if at >= 0:
                self._listened = at + len(sound)
            elif not self.phone.up:
                pytest.fail(f"the call ended before {name}: {self.phone.ending}")
            return at >= 0

        await eventually(
            heard, lambda: f"{self.number} hears {name}, only {self._share_of(sound):.0%} came"
        )

    def _share_of(self, sound: bytes) -> float:
        """How much of it has been heard, from its beginning."""
        heard = self.sound()
        ends = range(0, len(sound), _CHUNK)
        return max(end for end in ends if sound[:end] in heard) / len(sound)


class Story:
    """Given a house that is up and quiet."""

    _numbers = itertools.count(1000)

    def __init__(self, house: House, callers: AsyncExitStack) -> None:
        self.house = house
        self._callers = callers

    async def caller(
        self, variant: str = "f4", number: str | None = None, *, telephone_events: bool = True
    ) -> Caller:
        """Another one; `number` "" withholds it. Their voices are none that the model knows."""
        phone = await Phone.open(telephone_events=telephone_events)
        await self._callers.enter_async_context(phone)
        if number is None:
            number = f"+1202555{next(self._numbers)}"
        return Caller(self.house, phone, number, variant)

    async def caller_at(self, prompt: str, variant: str = "f4") -> Caller:
        """One who has dialled and heard everything up to the end of this prompt."""
        caller = await self.caller(variant)
        await caller.dials()
        await caller.hears(prompt)
        return caller

    async def agrees_to_a_text(self, caller: Caller) -> None:
        """From the first question to the end of the call, by keys."""
        await caller.presses("1")
        await caller.hears("offer_hours")
        await caller.presses("1")
        await caller.hears("promised")
        await caller.is_hung_up()

    async def state(self, caller: Caller, true: Condition, what: str) -> Conversation:
        """The caller's conversation once it is so."""

        async def so() -> Conversation | None:
            events = await self.house.conversation_of(caller.number or None)
            state = fold(events)
            return state if events and true(state) else None

        return await eventually(so, f"{caller.number}: {what}")

    async def log(self, caller: Caller) -> list[Event]:
        """What the caller's conversation says once the call and its hand-off are over."""

        def over(state: Conversation) -> bool:
            handed_on = set(state.handoffs.values()) == {"acknowledged"}
            return state.on_the_line is None and handed_on

        await self.state(caller, over, "the call is over and its record acknowledged")
        events = await self.house.conversation_of(caller.number or None)
        return [envelope.event for envelope in events]

    async def until(self, caller: Caller, kind: type[_E]) -> list[Event]:
        """What the caller's conversation says once such an event is in it."""

        async def so() -> list[Event] | None:
            events = [e.event for e in await self.house.conversation_of(caller.number or None)]
            return events if any(isinstance(e, kind) for e in events) else None

        return await eventually(so, f"{caller.number}: {kind.__name__}")

    async def stream(self, caller: Caller) -> str:
        """The id of the caller's conversation."""
        return (await self.house.conversation_of(caller.number or None))[0].stream

    async def texts(self, caller: Caller, count: int = 1) -> list[str]:
        """The texts that reached the caller, once there are so many and the receipts too."""

        def arrived(state: Conversation) -> bool:
            states = [m.state for m in state.messages.values()]
            return states == [MessageState.DELIVERED] * count

        await self.state(caller, arrived, f"{count} texts are delivered")
        return await self.house.texts_to(caller.number)

    def records(self, log: list[Event]) -> list[dict[str, Any]]:
        """The hand-off records on the disk, as the log names them."""
        names = [e.handoff for e in log if isinstance(e, HandoffRecorded)]
        folder = self.house.stage.handoffs
        return [json.loads((folder / f"{name}.json").read_text()) for name in names]

    async def logged(self, words: str) -> None:
        """Return when the service has logged these words; each is looked at once."""
        seen = ""

        async def so() -> bool:
            nonlocal seen
            seen += self.house.news()
            return words in seen

        await eventually(so, f"the service logs {words!r}")

    async def people_take_the_call(self, reason: str, **headers: str) -> None:
        """Return when somebody in the queue has answered."""
        event = await self.house.user_event("SegueToPeople", Reason=reason, **headers)
        await self.house.user_event("FakePersonAnswered", Conversation=event["Conversation"])

    async def consent_of(self, caller: Caller) -> str:
        """What a dialplan that asks by FastAGI is told about the caller."""
        self.house.user_events.clear()
        channel = await self.house.ari(
            "POST",
            "channels",
            endpoint="Local/1000@text-if-allowed/n",
            app="witness",
            callerId=caller.number,
        )
        told = await self.house.user_event("SegueConsent")
        await self.house.ari("DELETE", f"channels/{channel['id']}")
        return told["Consent"]

    async def is_quiet(self) -> None:
        """Return when nothing of any call is left, in Asterisk and in the service."""
        await self.house.nobody_is_on_the_line()

        async def at_rest() -> bool:
            rtp, open_ = self.house.rtp_ports(), self.house.descriptors()
            return not rtp and open_ <= self.house.descriptors_at_rest

        await eventually(
            at_rest,
            lambda: (
                f"the service has closed what its calls opened: {self.house.rtp_ports()}, "
                f"{self.house.descriptors()} for {self.house.descriptors_at_rest} at rest"
            ),
        )


def only(events: list[Event], kind: type[_E]) -> _E:
    """The one event of this class."""
    (found,) = [event for event in events if isinstance(event, kind)]
    return found


def kinds(events: list[Event]) -> list[str]:
    """Their classes, to be read."""
    return [type(event).__name__ for event in events]


async def together(*lives: Awaitable[object]) -> None:
    """All at the same time."""
    await asyncio.gather(*lives)
