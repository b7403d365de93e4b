"""`segue store`: back the database up, restore it, migrate it, and see whether it is well."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ari_app.bootstrap.premises import Premises, Privacy, engine
from ari_app.cli.installation import (
    apart,
    folder_of,
    key_files,
    mark_of,
    notes_of,
    verifier_of,
)
from ari_app.cli.recordings import check_recordings
from ari_app.config import Settings, load
from ari_app.errors import SettingsError
from ari_app.store import doctor as examination
from ari_app.store import migration, rehearsal
from ari_app.store import restoring as restoration
from ari_app.store.backup import take
from ari_app.store.backup_file import Manifest, opened
from ari_app.store.engine import Engine
from ari_app.store.findings import Check, State
from ari_app.store.rehearsal import Verified
from ari_app.store.sqlite import SqliteEngine
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

_STYLES = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red"}


def backup(config: Path | None, file: Path, force: bool, as_json: bool) -> None:
    """Take a backup while the service runs; say what is in it, and what is not."""
    settings = load(config)
    database = engine(settings, SystemClock(), read_only=True)
    began = time.monotonic()
    with _closing(database):
        database.open()
        migration.prepare(database)
        with _bar("backup", as_json) as progress:
            manifest = take(database, file, SystemClock(), force=force, progress=progress)
    seconds, size = time.monotonic() - began, file.stat().st_size
    if as_json:
        elsewhere = list(apart(settings))
        found = {"file": str(file), "bytes": size, "seconds": round(seconds, 3)}
        _print_json({**_plain(manifest), **found, "apart": elsewhere})
        return
    _say(f"{file}: {manifest.events} events, {size / 1e6:.1f} MB in {seconds:.1f} s", "green")
    _say("It has no keys. Back these up as well, and keep them apart from it:")
    for path, why in apart(settings).items():
        _say(f"  {path}: {why}")


def check(
    config: Path | None, file: Path, key: Path | None, checkpoints: list[Path], as_json: bool
) -> int:
    """Say whether the backup is what was written, and would serve; the exit status."""
    settings, clock = load(config), SystemClock()
    with opened(file, clock, folder_of(settings)) as (manifest, _):
        database = SqliteEngine(file, clock, read_only=True)
        found = _verified(settings, database, manifest, key, checkpoints, as_json)
    return _report(manifest, found, {"file": str(file)}, as_json)


def restore(
    config: Path | None,
    file: Path,
    force: bool,
    resume: bool,
    verify: bool,
    key: Path | None,
    checkpoints: list[Path],
    as_json: bool,
) -> int:
    """Restore a backup, erase the erased again, and verify if asked to; the exit status."""
    settings, clock = load(config), SystemClock()
    mark = mark_of(settings)
    if mark is None:
        raise SettingsError(
            f"there is no subject key in {folder_of(settings)}: put the keys of the installation "
            f"in place first, the newest that you have ({', '.join(apart(settings))})"
        )
    missing = [str(path) for path in key_files(settings) if not path.exists()]
    database = engine(settings, clock)
    with _closing(database), _bar("restore", as_json) as progress:
        restored = restoration.restore(
            file,
            database,
            clock,
            mark=mark,
            force=force,
            resume=resume,
            workspace=folder_of(settings),
            progress=progress,
        )
    asyncio.run(_erase_again(settings))
    facts: dict[str, object] = {"held": restored.held, "missing": missing}
    if not as_json:
        taken = _time(restored.manifest.taken)
        _say(f"restored {restored.manifest.events} events, as they were at {taken}", "green")
        for path in missing:
            _say(f"{path} is not there: put the newest that you have in place", "yellow")
        if restored.held:
            waiting = ", ".join(f"{count} {kind}" for kind, count in restored.held.items())
            _say(f"On hold, since nobody knows what was sent after that: {waiting}.", "yellow")
            _say("`segue store release` makes them due.", "yellow")
    if not verify:
        if as_json:
            _print_json({**_plain(restored.manifest), **facts})
        return 0
    database = engine(settings, clock, read_only=True)
    with _closing(database):
        database.open()
        found = _verified(settings, database, restored.manifest, key, checkpoints, as_json)
    return _report(restored.manifest, found, facts, as_json)


def release(config: Path | None, as_json: bool) -> None:
    """Make due what a restore has put on hold."""
    database = engine(load(config), SystemClock())
    with _closing(database):
        database.open()
        migration.prepare(database)
        count = restoration.release(database)
    if as_json:
        _print_json({"released": count})
    else:
        _say(f"{count} effects are due now" if count else "nothing is on hold")


def migrate(config: Path | None, dry_run: bool, as_json: bool) -> None:
    """Take the steps to this program's schema, or say which they would be."""
    database = engine(load(config), SystemClock(), read_only=dry_run)
    with _closing(database):
        database.open()
        found = migration.status(database)
        done: list[str] = []
        if not dry_run:
            with _bar("migrate", as_json) as progress:
                done = migration.migrate(database, lambda n, total, _: progress(n, total))
    if as_json:
        _print_json({**asdict(found), "done": done})
        return
    _say(f"schema {found.current or '(empty)'}, this program needs {found.wanted}")
    for step in found.pending:
        _say(f"  {step}: {'done' if step in done else 'pending'}")


def doctor(config: Path | None, backups: Path | None, as_json: bool) -> int:
    """Say what is wrong and what to do; the exit status is 1 if something does not work."""
    settings, clock = load(config), SystemClock()
    *secrets, ledger = key_files(settings)
    place = examination.Place(
        folder=folder_of(settings),
        secrets=secrets,
        ledger=ledger,
        mark=mark_of(settings),
        backups=backups,
    )

    def told(check: Check) -> None:
        if not as_json:
            _say(f"{check.state.value:4}  {check.name}: {check.what}", _STYLES[check.state])
            if check.fix:
                _say(f"      {check.fix}")

    checks = examination.examine(engine(settings, clock, read_only=True), place, clock, told)
    checks.append(check_recordings(settings))
    told(checks[-1])
    failed = any(check.state is State.FAIL for check in checks)
    if as_json:
        rows = [asdict(check) | {"state": check.state.value} for check in checks]
        _print_json({"sound": not failed, "checks": rows})
    return 1 if failed else 0


# -- inside -------------------------------------------------------------------------------------


async def _erase_again(settings: Settings) -> None:
    """Whom the ledger says, before anything is read: keys that a backup revived, and texts."""
    premises = Premises(settings, SystemClock(), PrometheusMeter())
    await premises.open()
    await premises.aclose()


def _verified(
    settings: Settings,
    database: Engine,
    manifest: Manifest,
    key: Path | None,
    checkpoints: list[Path],
    quiet: bool,
) -> Verified:
    notes = notes_of(settings, checkpoints)
    verifier = verifier_of(settings, key, needed=bool(notes or manifest.sealed))
    # Without keys it is verified too: then what is sealed is taken for readable.
    vault = None
    with contextlib.ExitStack() as stack:
        if settings.privacy.keys_url or (folder_of(settings) / "keys.db").exists():
            privacy = Privacy(settings, SystemClock())
            privacy.open()
            stack.callback(privacy.close)
            vault = privacy.vault
        with _bar("verify", quiet) as progress:
            done, total = 0, 2 * manifest.events

            def step(count: int) -> None:
                nonlocal done
                done += count
                progress(done, total)

            return rehearsal.verify(database, verifier, notes, vault, step)


def _report(manifest: Manifest, found: Verified, facts: dict[str, object], as_json: bool) -> int:
    if as_json:
        verified = asdict(found) | {"sound": found.sound}
        _print_json({**_plain(manifest), **facts, "verified": verified})
    else:
        for finding in found.report.findings:
            _say(finding.text, "red")
        for example in found.examples:
            _say(f"{example}", "red")
        report = found.report
        _say(
            f"{report.events} events: {report.sealed} under {report.seals} seals, "
            f"{report.erased} with erased payloads, {found.unreadable} unreadable; "
            f"{found.conversations} conversations; {report.checkpoints} checkpoints from "
            f"elsewhere, {found.newer} of later"
        )
        if found.sound:
            _say("it is what was written, and serves", "green")
        else:
            _say("it is not what was written: take another backup", "bold red")
    return 0 if found.sound else 1


def _plain(manifest: Manifest) -> dict[str, object]:
    return asdict(manifest) | {"taken": _time(manifest.taken)}


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="seconds")


@contextlib.contextmanager
def _closing(database: Engine) -> Iterator[None]:
    try:
        yield
    finally:
        database.close()


@contextlib.contextmanager
def _bar(what: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """On stderr, for a person who looks; gone at the end."""
    screen = Console(stderr=True)
    bar = Progress(
        TextColumn(what),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=screen,
        disable=quiet or not screen.is_terminal,
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _say(text: str, style: str = "") -> None:
    Console(soft_wrap=True).print(text, style=style, markup=False, highlight=False)


def _print_json(found: dict[str, object]) -> None:
    typer.echo(json.dumps(found, ensure_ascii=False))
