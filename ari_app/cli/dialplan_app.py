"""The command `segue dialplan` and its many options."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ari_app.errors import SettingsError

_Choice = TypeVar("_Choice", bound=Enum)


def write_dialplan(
    did: Annotated[
        list[str] | None,
        typer.Option(help="A number of yours as the trunk sends it; once for each."),
    ] = None,
    entry: Annotated[
        str, typer.Option(help="Where they begin: to-segue, by-hours or static-menu.")
    ] = "to-segue",
    hours: Annotated[
        list[str] | None,
        typer.Option(help="When people are there, such as 'mon-fri 08:00-18:00'; more than once."),
    ] = None,
    closed: Annotated[
        list[str] | None, typer.Option(help="When they are not, such as '25 dec'; more than once.")
    ] = None,
    zone: Annotated[str, typer.Option(help="Time zone of the hours; else that of the PBX.")] = "",
    queue: Annotated[str, typer.Option(help="Queue where people answer.")] = "",
    nobody: Annotated[
        str, typer.Option(help="When nobody does: later, callback or voicemail.")
    ] = "",
    mailbox: Annotated[str, typer.Option(help="For voicemail, such as 600@default.")] = "",
    agi: Annotated[str, typer.Option(help="host:port of the service's FastAGI.")] = "",
    stasis: Annotated[str, typer.Option("--app", help="Name of the Stasis application.")] = "",
    write: Annotated[Path | None, typer.Option(help="Write all files into this folder.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --write: also over files that are other.")
    ] = False,
    check: Annotated[
        Path | None, typer.Option(help="Compare this folder with what would be written.")
    ] = None,
) -> None:
    """The dialplan for your Asterisk: prints the snippet, writes the folder, or compares it."""
    from ari_app.cli import dialplan
    from ari_app.cli.site_dialplan import Entry, Nobody, read_site

    if write is not None and check is not None:
        raise SettingsError("--write and --check do not go together: check first")
    site = read_site(
        dids=did or (),
        entry=_choice(Entry, entry, "--entry"),
        hours=hours or (),
        closed=closed or (),
        zone=zone,
        queue=queue,
        agi=agi,
        app=stasis,
        nobody=_choice(Nobody, nobody, "--nobody") if nobody else None,
        mailbox=mailbox,
    )
    if check is not None:
        raise typer.Exit(dialplan.check(site if site.dids or site.settings else None, check))
    if write is not None:
        raise typer.Exit(dialplan.write(site, write, force=force))
    raise typer.Exit(dialplan.show(site))


def _choice(kind: type[_Choice], said: str, option: str) -> _Choice:
    try:
        return kind(said)
    except ValueError:
        names = ", ".join(str(choice.value) for choice in kind)
        raise SettingsError(f"{option}: {said!r} is none of {names}") from None
