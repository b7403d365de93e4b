"""The commands of `segue callbacks`; what one needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

callbacks_app = typer.Typer(
    help="Who waits to be called back: list them, cancel one.", no_args_is_help=True
)

_Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else $SEGUE_CONFIG, else /etc/segue."),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


@callbacks_app.command("list")
def callbacks_list(config: _Config = None, as_json: _AsJson = False) -> None:
    """Every call-back that is open: when it is due, and how often it was tried."""
    from ari_app.cli import callbacks

    callbacks.show(config, as_json)


@callbacks_app.command("cancel")
def callbacks_cancel(
    id: Annotated[str, typer.Argument(help="The call-back, back_…")],
    reason: Annotated[str, typer.Option(help="Why, for the log; name nobody in it.")],
    config: _Config = None,
    as_json: _AsJson = False,
) -> None:
    """Do not call this person back any more."""
    from ari_app.cli import callbacks

    callbacks.cancel(config, id, reason, as_json)
