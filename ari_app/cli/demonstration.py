"""`segue demo`: one caller, one call, one text, its receipt, a reply, and its answer."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ari_app.cli.conversations import reading
from ari_app.cli.simulated_call import place, spoken, unknown_words
from ari_app.cli.stage import CALLER, DID, SENDER, Stage, raised
from ari_app.cli.timeline import table
from ari_app.config import load
from ari_app.conversation.events import Envelope, TextPromised, TextReceived
from ari_app.conversation.identity import E164
from ari_app.conversation.message import MessageState
from ari_app.conversation.state import Conversation, fold
from ari_app.errors import SegueError
from ari_app.speech.espeak import Espeak
from ari_app.store.store import EventStore

FIRST_WORDS = "hi i would like to reschedule my appointment"
_THEN = ("can you text me the times", "yes please")
_REPLY = "2"
_VOICE = "f4"  # not among the voices that the mini model was trained on
_PATIENCE = 20.0


def run(say: str, keep: bool, folder: Path) -> int:
    """0 only if the receipt arrived and the reply was answered on the same conversation."""
    screen = Console()
    try:
        return asyncio.run(_demo(screen, _lines(say), keep, folder))
    except KeyboardInterrupt:
        return 0
    except SegueError as error:
        screen.print(f"[red]the demo failed:[/red] {error}", highlight=False)
        screen.print(f"logs are in {folder}")
        return 1


def _lines(say: str) -> list[str]:
    """Other first words; a whole conversation if there are several turns."""
    turns = [turn.strip() for turn in say.split("|") if turn.strip()] or [FIRST_WORDS]
    return turns if len(turns) > 1 else [*turns, *_THEN]


async def _demo(screen: Console, lines: list[str], keep: bool, folder: Path) -> int:
    unknown = unknown_words(lines)
    if unknown:
        screen.print(
            f"[yellow]the mini model does not know: {', '.join(unknown)}[/yellow]; "
            "it will hear something else"
        )
    shutil.rmtree(folder, ignore_errors=True)
    with _progress(screen) as progress:
        task = progress.add_task("starting")

        def step(what: str) -> None:
            progress.update(task, description=what)

        async with raised(folder, step) as stage:
            step("on the phone")
            started = time.monotonic()
            async with Espeak() as espeak:
                sound = await spoken(espeak, lines, _VOICE)
            await place(stage.sip, DID, CALLER, sound)
            progress.console.print(f"the call took {time.monotonic() - started:.0f} s")
            step("waiting for the receipt")
            found = await _until(stage, lambda state: _delivered(state) or _no_text(state))
            if found is not None and _delivered(fold(found)):
                step(f"replying {_REPLY!r} by text")
                await stage.handset.mo(CALLER, SENDER, _REPLY)
                found = await _until(stage, _answered)
            progress.update(task, description="done", total=1, completed=1)
            progress.stop()
            status = _report(screen, found)
            if keep:
                _invite(screen, stage)
                await asyncio.Event().wait()
            return status


def _delivered(state: Conversation) -> bool:
    return any(m.state is MessageState.DELIVERED for m in state.messages.values())


def _no_text(state: Conversation) -> bool:
    """The call is over, and no text was promised in it."""
    return bool(state.handoffs) and not state.messages


def _answered(state: Conversation) -> bool:
    """Every text has arrived, one of them after the person wrote."""
    arrived = [m.state is MessageState.DELIVERED for m in state.messages.values()]
    wrote = any(turn.channel == "sms" for turn in state.turns)
    return wrote and len(arrived) > 1 and all(arrived)


async def _until(stage: Stage, true: Callable[[Conversation], bool]) -> Sequence[Envelope] | None:
    """The newest conversation once it is so, or as it is when patience ends."""
    deadline = time.monotonic() + _PATIENCE

    async def newest(store: EventStore) -> Sequence[Envelope] | None:
        found = None
        while time.monotonic() < deadline:
            recent = await store.recent(1)
            found = await store.read(recent[0][0]) if recent else None
            if found and true(fold(found)):
                return found
            await asyncio.sleep(0.1)
        return found

    return await reading(load(stage.config), newest)


def _report(screen: Console, found: Sequence[Envelope] | None) -> int:
    if not found:
        screen.print("[red]no conversation was stored[/red]")
        return 1
    screen.print(table(found))
    state = fold(found)
    replied = next((i for i, e in enumerate(found) if isinstance(e.event, TextReceived)), None)
    answers = 0
    if replied is not None:
        answers = sum(isinstance(e.event, TextPromised) for e in found[replied:])
    checks = {
        "the receipt of the text arrived": _delivered(state),
        "the reply joined the same conversation": replied is not None,
        "the reply was answered by text, and the answer arrived": bool(answers)
        and _answered(state),
    }
    for what, good in checks.items():
        screen.print(f"{'[green]✓[/green]' if good else '[red]✗[/red]'} {what}")
    return 0 if all(checks.values()) else 1


def _invite(screen: Console, stage: Stage) -> None:
    host, port = stage.sip
    number = E164(CALLER).masked
    screen.print(
        f"\nEverything is still running. Dial [bold]sip:{DID}@{host}:{port}[/bold] (UDP) with a "
        "softphone on this machine.\n"
        "The mini model hears synthesized voices only: as a person use the keys (1 yes, 2 no), or "
        "install an official model first ([bold]speech.model_path[/bold] in "
        f"{stage.config}).\n"
        f"Watch with: segue conversation show --config {stage.config}\n"
        f"The demo's caller was {number}. Ctrl-C ends it all.",
        highlight=False,
    )


def _progress(screen: Console) -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=screen
    )
