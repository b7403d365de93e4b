"""What the service watches itself by: its loop, and synthetic calls."""

from __future__ import annotations

from ari_app.agent.turn import Agent
from ari_app.bootstrap.joining import Worker
from ari_app.bootstrap.life import Life
from ari_app.config import Settings
from ari_app.phone.probe import Probe, Script
from ari_app.ports import Clock, Fence, Meter, Voice
from ari_app.speech.espeak import Espeak
from ari_app.store.store import EventStore
from ari_app.telemetry.loop_watch import LoopWatch


def probe(
    settings: Settings,
    agent: Agent,
    voice: Voice,
    caller: Espeak,
    store: EventStore,
    key: bytes,
    clock: Clock,
    meter: Meter,
) -> Probe | None:
    """The synthetic calls that the settings want; SettingsError if they would lead to a text."""
    wanted = settings.probe
    if not wanted.every:
        return None
    script = Script(
        wanted.sip, wanted.number, wanted.caller, wanted.say, wanted.voice, limit=wanted.limit
    )
    made = Probe(script, agent, voice, caller, store, script.subject(key), clock, meter)
    made.rehearsed()
    return made


def watch_ourselves(life: Life, worker: Worker, ours: Probe | None) -> None:
    """Our loop, always; and the whole path, by calls of our own if they are wanted."""
    life.spawn(LoopWatch(life.meter).run, "loop watch")
    if ours is None:
        return

    async def call(_: Fence) -> None:
        await ours.run_once()

    worker.ticker.every(life.settings.probe.every, "probe", worker.leases.only("probe", call))
