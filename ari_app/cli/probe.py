"""`segue probe`: one synthetic call through the running system, step by step."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from ari_app.agent.turn import Agent
from ari_app.bootstrap import speaking
from ari_app.bootstrap.premises import load_bundle, subject_key
from ari_app.cli.conversations import reading
from ari_app.config import Settings, load
from ari_app.errors import SegueError
from ari_app.phone.probe import Log, Probe, Script
from ari_app.phone.verdict import Verdict
from ari_app.speech.espeak import Espeak
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter
from ari_app.understanding.intents import Intents

WELL, FAILED, NOT_RUN = 0, 1, 2


class Given(NamedTuple):
    """What the command line says instead of [probe]; what is empty is not said."""

    lines: Sequence[str] = ()
    sip: str = ""
    number: str = ""
    caller: str = ""


def script_of(settings: Settings, given: Given, *, may_text: bool) -> Script:
    """Whom to call as whom, and what to say."""
    probe = settings.probe
    return Script(
        sip=given.sip or probe.sip,
        number=given.number or probe.number,
        caller=given.caller or probe.caller,
        lines=tuple(given.lines) or probe.say,
        variant=probe.voice,
        may_text=may_text,
        limit=probe.limit,
    )


def run(config: Path | None, given: Given, *, may_text: bool, log: bool, as_json: bool) -> int:
    """WELL, FAILED if a step did, or NOT_RUN if it could not be tried."""
    screen = Console(highlight=False, soft_wrap=True)
    # The alarm line is for the service's log; here the same is shown below.
    logging.getLogger("ari_app").addHandler(logging.NullHandler())
    try:
        settings = load(config)
        script = script_of(settings, given, may_text=may_text)
        verdict = asyncio.run(_run(settings, script, log))
    except SegueError as error:
        if as_json:
            screen.print_json(json.dumps({"ok": None, "error": str(error)}))
        else:
            Console(stderr=True, soft_wrap=True, highlight=False).print(
                f"segue: {error}", markup=False
            )
        return NOT_RUN
    if as_json:
        screen.print_json(json.dumps(verdict.plain()))
    else:
        _show(screen, verdict)
    return WELL if verdict.ok else FAILED


async def _run(settings: Settings, script: Script, log: bool) -> Verdict:
    if not log:
        return await _probed(settings, script, None, "")

    async def with_the_log(store: EventStore) -> Verdict:
        return await _probed(settings, script, store, script.subject(subject_key(settings)))

    return await reading(settings, with_the_log)


async def _probed(settings: Settings, script: Script, log: Log | None, subject: str) -> Verdict:
    bundle = load_bundle(settings)
    intents = await asyncio.to_thread(Intents, bundle.intents)
    clock = SystemClock()
    agent = Agent(bundle, intents, clock, lambda: bool(settings.sms.host))
    # Without the service's folder of prompts: what is spoken anew is alike enough.
    meter = PrometheusMeter()
    voice = speaking.voice(settings, bundle, clock, meter, folder=None)
    try:
        await speaking.prepared(voice, bundle)
        async with Espeak() as caller:
            probe = Probe(script, agent, voice, caller, log, subject, clock, meter)
            return await probe.run_once()
    finally:
        await voice.aclose()


def _show(screen: Console, verdict: Verdict) -> None:
    shown = Table("step", "", "ms", "what was found")
    for step in verdict.steps:
        good = "[green]well[/green]" if step.ok else "[red]failed[/red]"
        took = "" if step.seconds is None else f"{1000 * step.seconds:.0f}"
        shown.add_row(step.stage.value, good, took, step.said)
    screen.print(shown)
    if verdict.received:
        screen.print(f"{verdict.received} packets heard, {verdict.missing} missing")
    if verdict.conversation:
        screen.print(f"segue conversation show {verdict.conversation}")
    if verdict.failed is not None:
        screen.print(f"look at {verdict.failed.look_at}", markup=False)
