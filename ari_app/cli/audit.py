"""`segue audit`: is the log what was written, and the proof that one event is in it."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ari_app.bootstrap.premises import engine
from ari_app.cli.installation import notes_of, verifier_of
from ari_app.config import Settings, load
from ari_app.privacy import audit
from ari_app.privacy.audit import Report
from ari_app.store.migration import prepare
from ari_app.store.seals import AuditedDatabase
from ari_app.telemetry.clock import SystemClock


def verify(config: Path | None, key: Path | None, checkpoints: list[Path], as_json: bool) -> int:
    """Print what is wrong with the log; the exit status."""
    settings = load(config)
    notes = notes_of(settings, checkpoints)
    began = time.monotonic()
    with _log(settings) as log:
        verifier = verifier_of(settings, key, needed=bool(notes or log.seals()))
        with _progress(log.count(), as_json) as step:
            report = audit.verify(log, verifier, notes, step, hands=os.cpu_count() or 1)
    _print(report, time.monotonic() - began, as_json)
    return 0 if report.sound else 1


def prove(config: Path | None, event: str) -> None:
    """Print the proof."""
    with _log(load(config)) as log:
        typer.echo(audit.prove(log, event))


@contextlib.contextmanager
def _log(settings: Settings) -> Iterator[AuditedDatabase]:
    database = engine(settings, SystemClock(), read_only=True)
    database.open()
    prepare(database)
    with contextlib.closing(AuditedDatabase(database)) as log:
        yield log
    database.close()


def _print(report: Report, seconds: float, as_json: bool) -> None:
    if as_json:
        found = asdict(report) | {"sound": report.sound, "seconds": round(seconds, 3)}
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    console = Console(soft_wrap=True)

    def say(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False)

    for finding in report.findings:
        say(finding.text, "red")
    say(
        f"{report.events} events in {seconds:.1f} s: {report.sealed} under {report.seals} seals, "
        f"{report.erased} with erased payloads; {report.checkpoints} checkpoints from elsewhere"
    )
    if report.sound:
        say("the log is what was written", "green")
    else:
        say(f"the log is not what was written: {len(report.findings)} findings", "bold red")


@contextlib.contextmanager
def _progress(events: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    bar = Progress(
        TextColumn("events"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        disable=quiet,
        transient=True,
    )
    with bar:
        task = bar.add_task("events", total=events)
        yield lambda done: bar.advance(task, done)
