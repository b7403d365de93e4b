"""`segue dialplan`: write a site's dialplan, or compare what is there with it."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import typer

from ari_app.cli.site_dialplan import (
    SITE_FILES,
    Site,
    files,
    house_files,
    include_lines,
    known,
    snippet,
)
from ari_app.errors import SettingsError, Unavailable


def show(site: Site) -> int:
    """The snippet to standard output."""
    typer.echo(snippet(site, "segue"), nl=False)
    return 0


def write(site: Site, folder: Path, *, force: bool) -> int:
    """All files into the folder, each whole or not at all; what somebody has changed stays.

    SettingsError names what is there and other than it would be, unless `force`; Unavailable if
    the folder cannot be written.
    """
    wanted = files(site, _name(folder))
    try:
        changed = [name for name in wanted if _text(folder / name) not in (None, wanted[name])]
        if changed and not force:
            raise SettingsError(
                f"{folder}: {', '.join(changed)} would change: look at it with --check, then give "
                "--force"
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in wanted.items():
            _put(folder / name, text)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written: {error}") from None
    typer.echo(f"; {len(wanted)} files are in {folder}. For extensions.conf:\n", err=True)
    typer.echo(include_lines(_name(folder)), nl=False)
    typer.echo(
        f"\n; In pjsip.conf the endpoint of the trunk has: context = {site.context}\n"
        "; Then: asterisk -rx 'dialplan reload'",
        err=True,
    )
    return 0


def check(site: Site | None, folder: Path) -> int:
    """Print how the folder differs from what would be written; 0 if it does not, else 1.

    Without a `site` its own two files are not looked at. Files that are not ours are only named.
    """
    if not folder.is_dir():
        raise SettingsError(f"--check: there is no folder {folder}")
    wanted = files(site, _name(folder)) if site else house_files(_name(folder))
    wrong = 0
    for name, text in wanted.items():
        found = _text(folder / name)
        if found == text:
            continue
        wrong += 1
        if found is None:
            typer.echo(f"{name}: missing")
            continue
        lines = difflib.unified_diff(
            found.splitlines(), text.splitlines(), str(folder / name), "as it would be", lineterm=""
        )
        typer.echo("\n".join(lines))
    for name in sorted(known(folder) - wanted.keys() - set(SITE_FILES)):
        typer.echo(f"{name}: not written by segue dialplan")
    typer.echo("the same" if not wrong else f"{wrong} of {len(wanted)} files differ", err=True)
    return 1 if wrong else 0


def _name(folder: Path) -> str:
    """How Asterisk calls it: a folder below /etc/asterisk."""
    name = folder.resolve().name
    if not name or any(c in name for c in '"\\;\n'):
        raise SettingsError(f"{folder}: Asterisk cannot include files from a folder of that name")
    return name


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""


def _put(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
