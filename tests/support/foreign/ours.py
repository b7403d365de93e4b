"""Our side of a bind to a foreign SMSC: store, outbox, gateway and inbox, wired as the service."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ari_app.conversation.events import ConversationOpened, Event, TextPromised, TextReceived
from ari_app.conversation.identity import E164
from ari_app.conversation.message import MessageState
from ari_app.errors import CarrierUnavailable
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import Effect
from ari_app.sms.gateway import SmppGateway
from ari_app.store.store import EventStore
from ari_app.threads.inbox import Inbox
from tests.support.clock import FakeClock
from tests.support.foreign.smsc import ForeignSmsc
from tests.support.gateway import OURS, carrier
from tests.support.meter import RecordingMeter
from tests.support.store import opened

ALICE = E164("+33123456789")
#: Texts to one person may have to wait for each other; those to these do not.
CROWD = tuple(E164(f"+3361234{n:04d}") for n in range(100))
SHORT_CODE = "36200"
_KEY = b"k" * 32
_BIND = 10.0  # seconds


class Ours:
    """Conversations with Alice and others; what the outbox may try again waits for `clock`."""

    def __init__(self, store: EventStore, clock: FakeClock) -> None:
        self.store, self.clock = store, clock
        self.meter = RecordingMeter()
        self.inbox = Inbox(store, clock, self.meter, _KEY)
        self.alarms: list[CarrierUnavailable] = []
        self._promised = 0
        self._conversations: dict[E164, str] = {}

    def gateway_to(self, smsc: ForeignSmsc, **options: Any) -> SmppGateway:
        """Not connected yet."""
        who = {k: options.pop(k) for k in ("system_id", "password") if k in options}
        source = options.pop("source", SHORT_CODE)
        return SmppGateway(
            carrier(smsc.port, **options),
            replace(OURS, **who),
            source=source,
            inbox=self.inbox,
            arrivals=self.store,
            clock=self.clock,
            meter=self.meter,
            secret=b"key",
            on_alarm=self.alarms.append,
        )

    @contextlib.asynccontextmanager
    async def bound(self, smsc: ForeignSmsc, **options: Any) -> AsyncIterator[SmppGateway]:
        """A gateway whose bind is up."""
        gateway = self.gateway_to(smsc, **options)
        gateway.start()
        try:
            await gateway.wait_up(_BIND)
            yield gateway
        finally:
            await gateway.aclose()

    async def promise(self, *bodies: str, to: Sequence[E164] = (ALICE,)) -> list[str]:
        """Texts to these in turn, each in the conversation with its person; their ids."""
        messages = [f"msg_{self._promised + n}" for n in range(1, len(bodies) + 1)]
        self._promised += len(bodies)
        texts = list(zip(messages, bodies, itertools.cycle(to), strict=False))
        for person in dict.fromkeys(person for _, _, person in texts):
            mine = [(message, body) for message, body, other in texts if other is person]
            await self._promise(person, mine)
        return messages

    async def _promise(self, person: E164, texts: Sequence[tuple[str, str]]) -> None:
        events: list[Event] = []
        stream = self._conversations.get(person)
        if stream is None:
            stream = self._conversations[person] = f"conv_{len(self._conversations) + 1}"
            events.append(
                ConversationOpened(
                    channel="voice", did=SHORT_CODE, language="en", number=person.value
                )
            )
        effects = []
        for message, body in texts:
            events.append(TextPromised(message=message, template="t", to=person.value, body=body))
            payload: dict[str, object] = {"to": person.value, "body": body}
            effects.append(Effect("sms", message, self.clock.now(), payload))
        await self.store.append(stream, events, subject=person.subject(_KEY), effects=effects)

    async def send_due(self, gateway: SmppGateway) -> None:
        """Everything that is due leaves, in as many rounds as it takes, and is settled."""
        retry = RetryPolicy(first=1.0, longest=4.0, attempts=12)
        sender = TextSender(gateway, self.store, self.clock, self.meter, retry)
        relay = Relay(self.store, self.clock, self.meter, {"sms": sender})
        before: dict[str, MessageState] | None = None
        while (states := await self.states()) != before:
            before = states
            await relay.run_once()

    async def text(
        self, gateway: SmppGateway, *bodies: str, to: Sequence[E164] = (ALICE,)
    ) -> list[str]:
        """Promise and send; their ids."""
        messages = await self.promise(*bodies, to=to)
        await self.send_due(gateway)
        return messages

    async def states(self) -> dict[str, MessageState]:
        """What is known of each text, read from the log."""
        found: dict[str, MessageState] = {}
        for stream in await self._streams():
            conversation = await self.store.state(stream)
            found.update((id, message.state) for id, message in conversation.messages.items())
        return {id: found[id] for id in sorted(found, key=lambda id: int(id[4:]))}

    async def fates(self) -> Counter[MessageState]:
        """How many texts are in which state."""
        return Counter((await self.states()).values())

    async def state(self, message: str) -> MessageState:
        """What is known of one text."""
        return (await self.states())[message]

    async def heard(self) -> list[TextReceived]:
        """The texts that came in, in every conversation."""
        events = [
            e.event for stream in await self._streams() for e in await self.store.read(stream)
        ]
        return [event for event in events if isinstance(event, TextReceived)]

    async def _streams(self) -> list[str]:
        return [stream for stream, _ in await self.store.recent(100)]

    async def replies(self) -> list[str]:
        """What they say."""
        return [event.body for event in await self.heard()]


@contextlib.asynccontextmanager
async def ours_in(folder: Path) -> AsyncIterator[Ours]:
    """With a real SQLite store in the folder."""
    clock = FakeClock()
    async with opened(folder, clock) as store:
        yield Ours(store, clock)
