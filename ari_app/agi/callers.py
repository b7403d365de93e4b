"""Who asks by FastAGI, and what the log knows of them; shared by all uses."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ari_app.agi.protocol import AgiRequest
from ari_app.conversation.events import ConversationOpened, Event
from ari_app.conversation.identity import E164, new_id
from ari_app.conversation.state import Conversation, apply
from ari_app.errors import TooManyJoined
from ari_app.policy.callbacks import may_be_called
from ari_app.policy.eligibility import may_text
from ari_app.policy.sending.numbers import facts_of
from ari_app.ports import Clock, Store
from ari_app.projections.persons import Persons

logger = logging.getLogger(__name__)

_PURPOSE = "texts"
# The newest conversation may not have touched the question.
_LOOKED_AT = 5


class OptOuts(Protocol):
    """Who has opted out."""

    async def holds(self, subject: str, sender: str) -> bool:
        """Whether the subject wants no texts of this sender."""


class NoOptOuts:
    """A site that keeps them elsewhere."""

    async def holds(self, subject: str, sender: str) -> bool:
        """See the protocol."""
        return False


@dataclass(frozen=True, slots=True)
class Reach:
    """Where we may turn to by number alone. `countries` (ISO 3166) None: everywhere."""

    countries: frozenset[str] | None = None
    refused_kinds: frozenset[str] = frozenset()  # of numbers, as of policy/sending/numbers.py

    def text(self, number: E164) -> bool:
        """Whether it may be texted."""
        if not may_text(number.value, True).ok:
            return False
        return self._country(number) and facts_of(number.value).kind not in self.refused_kinds

    def call(self, number: E164) -> bool:
        """Whether it may be called; a fixed line too."""
        return may_be_called(number, self.countries)

    def _country(self, number: E164) -> bool:
        return self.countries is None or facts_of(number.value).region in self.countries


@dataclass(frozen=True, slots=True)
class Place:
    """The stream where a fact about the caller belongs, and its state; `opening` begins it."""

    stream: str
    state: Conversation
    opening: Sequence[Event] = ()


class Callers:
    """Reads numbers as trunks write them, and finds their persons and conversations."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        subject_key: bytes,
        *,
        region: str | None = None,
        language: str = "en",
        outs: OptOuts | None = None,
        sender: str = "",
    ) -> None:
        """`region` as of E164.read; `outs` is asked about texts of `sender`, our own number."""
        self.store = store
        self.clock = clock
        self._key = subject_key
        self._region = region
        self._language = language
        self._outs = outs or NoOptOuts()
        self._sender = sender
        self._persons = Persons(store, clock)
        #: Held by whoever reads and then writes: two questions of one caller are one after another.
        self.writing = asyncio.Lock()

    def number(self, request: AgiRequest) -> E164 | None:
        """The caller's number, None if it is withheld or is none."""
        return E164.read(request.caller, self._region)

    def subject(self, number: E164) -> str:
        """The caller's pseudonym."""
        return number.subject(self._key)

    async def latest(self, number: E164) -> str | None:
        """The conversation that the person turned to last."""
        return next(iter(await self._streams(number, 1)), None)

    async def agrees(self, number: E164) -> bool | None:
        """Whether the person wants texts: what they said last, None if they never did."""
        if await self.has_opted_out(number):
            return False
        for stream in await self._streams(number, _LOOKED_AT):
            said = (await self.store.state(stream)).consent.get(_PURPOSE)
            if said is not None:
                return said
        return None

    async def has_opted_out(self, number: E164) -> bool:
        """Whether one of the person's numbers wants no texts of ours."""
        for subject in await self._subjects(number):
            if await self._outs.holds(subject, self._sender):
                return True
        return False

    async def place(self, number: E164, did: str) -> Place:
        """The person's latest conversation; or a new one, not written yet."""
        stream = await self.latest(number)
        if stream is not None:
            return Place(stream, await self.store.state(stream))
        opened = ConversationOpened(
            channel="voice", did=did, language=self._language, number=number.value
        )
        stream = new_id("conv", self.clock.now(), os.urandom(10))
        return Place(stream, apply(Conversation(), opened), (opened,))

    async def _streams(self, number: E164, limit: int) -> list[str]:
        return await self.store.lately(*await self._subjects(number), limit=limit)

    async def _subjects(self, number: E164) -> list[str]:
        subject = number.subject(self._key)
        try:
            return sorted((await self._persons.of(subject)).subjects)
        except TooManyJoined as error:
            logger.warning("only %s itself is asked about: %s", subject, error)
            return [subject]
