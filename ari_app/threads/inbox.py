"""Stores what handsets and carriers send us, as facts of the right conversation."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence

from ari_app.conversation.events import ConversationOpened, Event, TextReceived
from ari_app.conversation.identity import E164, new_id
from ari_app.conversation.state import apply
from ari_app.policy.sending.words import Said
from ari_app.ports import Clock, IncomingText, Meter, Receipt, Store, failpoint
from ari_app.projections.persons import Persons
from ari_app.threads.keywords import Keywords, Led

logger = logging.getLogger(__name__)


class Inbox:
    """Implements the port `SmsInbox`; what has returned is on disk, so the SMSC may be answered."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        meter: Meter,
        subject_key: bytes,
        region: str | None = None,
        keywords: Keywords | None = None,
    ) -> None:
        """`region` is how the carrier's national numbers are read, as those of callers are.

        `keywords` answers STOP and its like in the transaction that stores them.
        """
        self._store = store
        self._clock = clock
        self._meter = meter
        self._subject_key = subject_key
        self._region = region
        self._keywords = keywords
        self._persons = Persons(store, clock)
        self._opening = asyncio.Lock()

    async def receipt(self, receipt: Receipt) -> None:
        """Into the stream of its message; kept for later if the message is not known yet."""
        known = await self._store.receipt(receipt)
        failpoint("sms.after_receipt")
        self._meter.count("segue_sms_receipts_total", known=str(known).lower())

    async def text(self, text: IncomingText) -> None:
        """Into the sender's latest conversation, or a new one."""
        number = E164.read(text.sender, self._region)
        received = TextReceived(
            carrier=text.carrier,
            recipient=text.recipient,
            sender=number.value if number else text.sender,
            body=text.body,
        )
        dedupe = f"mo:{text.carrier}:{text.dedupe}"
        stream = await self._latest(number)
        if stream is not None:
            await self._join(stream, [received], number, dedupe)
            return
        # Two first texts of one person come at once; the second joins what the first has opened.
        async with self._opening:
            stream = await self._latest(number)
            events: list[Event] = [received]
            if stream is None:
                stream = new_id("conv", self._clock.now(), os.urandom(10))
                opened = ConversationOpened(
                    channel="sms",
                    did=text.recipient,
                    language="en",
                    number=number.value if number else None,
                )
                events.insert(0, opened)
            await self._join(stream, events, number, dedupe)

    async def _latest(self, number: E164 | None) -> str | None:
        return await self._persons.latest(number.subject(self._subject_key)) if number else None

    async def _join(
        self, stream: str, events: Sequence[Event], number: E164 | None, dedupe: str
    ) -> None:
        subject = number.subject(self._subject_key) if number else None
        said, led = await self._led(stream, events, number, dedupe)
        written = await self._store.append(
            stream,
            [*events, *led.events],
            effects=led.effects,
            timers=led.timers,
            subject=subject,
            dedupe=dedupe,
        )
        failpoint("sms.after_reply_stored")
        if written:
            self._meter.count("segue_sms_replies_total")
            logger.info("a text from %s joined %s", number.masked if number else "?", stream)
            if said is not None:
                self._meter.count("segue_sms_keywords_total", says=said.says.value)
                logger.info("it says %s (%s)", said.says.value, said.language)

    async def _led(
        self, stream: str, events: Sequence[Event], number: E164 | None, key: str
    ) -> tuple[Said | None, Led]:
        """What the text says about texts, and leads to."""
        received = events[-1]
        assert isinstance(received, TextReceived)
        said = self._keywords.says(received) if self._keywords and number else None
        if said is None or self._keywords is None or number is None:
            return None, Led([])
        state = await self._store.state(stream)
        for event in events:
            state = apply(state, event)
        subject = number.subject(self._subject_key)
        led = await self._keywords.lead(said, received, key, stream, state, number, subject)
        return (said, led) if led is not None else (None, Led([]))
