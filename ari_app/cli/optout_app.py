"""The commands of `segue optout`; what one needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

optout_app = typer.Typer(
    help="Who wants no texts: list them, add or remove a number, export, import.",
    no_args_is_help=True,
)

_Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else $SEGUE_CONFIG, else /etc/segue."),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
_Number = Annotated[str, typer.Argument(help="The person's phone number.")]
_Sender = Annotated[
    str, typer.Option(help="Only texts of this sender of ours; else those of all of them.")
]
_Reason = Annotated[str, typer.Option(help="Why, for the log; name nobody in it.")]


@optout_app.command("list")
def optout_list(
    config: _Config = None,
    number: Annotated[str, typer.Option(help="Only this phone number.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    as_json: _AsJson = False,
) -> None:
    """Who has opted out, by pseudonym: of which sender, since when, and how."""
    from ari_app.cli import optout

    optout.show(config, number, limit, as_json)


@optout_app.command("add")
def optout_add(
    number: _Number,
    reason: _Reason,
    config: _Config = None,
    sender: _Sender = "",
    as_json: _AsJson = False,
) -> None:
    """Send this number no more texts, from now on; what waits to be sent is not sent."""
    from ari_app.cli import optout

    optout.add(config, number, sender, reason, as_json)


@optout_app.command("remove")
def optout_remove(
    number: _Number, reason: _Reason, config: _Config = None, as_json: _AsJson = False
) -> None:
    """Allow texts to this number again: only if the person has asked for it."""
    from ari_app.cli import optout

    optout.remove(config, number, reason, as_json)


@optout_app.command("export")
def optout_export(
    file: Annotated[Path, typer.Argument(help="Where it goes, as JSON Lines; - for the screen.")],
    config: _Config = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="With the numbers that can still be read.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Everybody who has opted out, for a backup of its own or for another program."""
    from ari_app.cli import optout

    optout.export(config, file, numbers, force)


@optout_app.command("import")
def optout_import(
    file: Annotated[Path, typer.Argument(help="An export, or one phone number a line.")],
    config: _Config = None,
    sender: _Sender = "",
    as_json: _AsJson = False,
) -> None:
    """Add everybody in the file; nothing is added if a line of it cannot be read."""
    from ari_app.cli import optout

    optout.bring(config, file, sender, as_json)
