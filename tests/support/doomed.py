"""Processes that are killed in the middle of their work: `python -m tests.support.doomed STORY`."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from ari_app.agent.turn import Agent
from ari_app.backends.file_drop import FileDrop
from ari_app.conversation.events import (
    CallAnswered,
    ConsentGiven,
    ConversationOpened,
    TextPromised,
)
from ari_app.conversation.identity import E164
from ari_app.handoff.delivery import HandoffDelivery
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.policy.bundle import read_bundle
from ari_app.ports import Accepted, Effect, IncomingText, OutgoingText, Receipt
from ari_app.store.store import EventStore
from ari_app.threads.inbox import Inbox
from ari_app.threads.replies import Replies
from ari_app.understanding.intents import Intents
from tests.support.bundle import demo_bundle, demo_intents
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import opened
from tests.unit.calls.call_story import CallStory

_SHORT = Path(__file__).parents[1] / "fixtures" / "short.yaml"
CALLER = E164("+12025550123")
_KEY = b"k" * 32
_CONSENT = ConsentGiven(purpose="texts", channel="voice", how="key", confidence=1.0, wording="w")


class Carrier:
    """Writes what it has taken to a file, as a carrier outside this process would know it."""

    up = True

    def __init__(self, taken: Path) -> None:
        self._taken = taken

    async def send(self, text: OutgoingText) -> Accepted:
        with self._taken.open("a") as file:
            file.write(f"{text.message}\n")
        return Accepted("main", (f"smsc-{text.message}",))


def relay(store: EventStore, folder: Path, clock: FakeClock) -> Relay:
    """A relay whose carrier writes to `taken` in the folder, and whose records drop beside it."""
    meter, retry = RecordingMeter(), RetryPolicy(first=1, longest=1, attempts=3)
    sender = TextSender(Carrier(folder / "taken"), store, clock, meter, retry)
    delivery = HandoffDelivery([FileDrop(folder / "handoffs")], meter, retry)
    return Relay(store, clock, meter, {"sms": sender, "handoff": delivery})


async def writes_for_ever(folder: Path) -> None:
    """Appends to four streams at once; prints each as soon as it is acknowledged."""
    async with opened(folder) as store:

        async def write(stream: str) -> None:
            for n in itertools.count(1):
                effect = Effect("sms", f"msg_{stream}_{n}", 0, {"n": n})
                events = [CallAnswered(call=f"{n}a"), CallAnswered(call=f"{n}b")]
                await store.append(stream, events, effects=[effect])
                print(stream, n, flush=True)  # noqa: T201  the parent reads what is acknowledged

        await asyncio.gather(*(write(f"conv_{s}") for s in range(4)))


async def sends_one_text(folder: Path) -> None:
    """Promises a text and relays it."""
    clock = FakeClock()
    async with opened(folder, clock) as store:
        promised = TextPromised(message="msg_1", template="t", to=CALLER.value, body="b")
        effect = Effect("sms", "msg_1", clock.now(), {"to": CALLER.value, "body": "b"})
        await store.append("conv_1", [_CONSENT, promised], effects=[effect])
        await relay(store, folder, clock).run_once()


async def answers_a_reply(folder: Path) -> None:
    """A person asks for one by text; the SMSC repeats what was not answered before a crash."""
    clock = FakeClock()
    async with opened(folder, clock) as store:
        await store.bury()
        subject = CALLER.subject(_KEY)
        called = ConversationOpened(channel="voice", did="1", language="en", number=CALLER.value)
        await store.append("conv_1", [called, _CONSENT], subject=subject, dedupe="call")
        inbox = Inbox(store, clock, RecordingMeter(), _KEY)
        await inbox.receipt(Receipt("main", "7", "DELIVRD", ""))
        await inbox.text(IncomingText("main", CALLER.value, "1", "please write to me", "mo_1"))
        agent = Agent(demo_bundle(), demo_intents(), clock, lambda: True)
        await Replies(store, agent, clock, RecordingMeter()).run_once()
        await relay(store, folder, clock).run_once()


async def takes_a_call(folder: Path) -> None:
    """A caller wants a text, and gets the promise of one."""
    bundle = read_bundle(_SHORT.read_text(encoding="utf-8"))
    story = CallStory(folder, bundle, Intents(bundle.intents))
    await story.store.open()
    story.rings()
    await story.hears_out("disclosure", "what")
    story.says("what are your opening hours")
    await story.hears_out("offer_hours")
    story.says("yes please")
    await story.hears_out("promised")
    await story.is_over()
    await story.store.aclose()


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](Path(sys.argv[2])))
