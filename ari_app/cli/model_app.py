"""The commands of `segue model`; what one needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

model_app = typer.Typer(
    help="Speech models: install one, check it, measure it on this machine.",
    no_args_is_help=True,
)

_Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else $SEGUE_CONFIG, else /etc/segue."),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
_Model = Annotated[Path | None, typer.Argument(help="Its folder; else the model of the settings.")]


@model_app.command("install")
def model_install(
    source: Annotated[Path, typer.Argument(help="A Vosk model: its folder or its zip file.")],
    into: Annotated[Path, typer.Option(help="Folder of the models.")] = Path(
        "/var/lib/segue/models"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace one of the same name.")] = False,
    as_json: _AsJson = False,
) -> None:
    """Put a Vosk model of any language in place: unpacked, checked, tried, with checksums.

    Nothing is fetched from the network: download the zip file first.
    """
    from ari_app.cli import models

    models.install(source, into, force, as_json)


@model_app.command("verify")
def model_verify(model: _Model = None, config: _Config = None, as_json: _AsJson = False) -> None:
    """Compare a model with its checksums and load it in a process of its own; status 1 if bad."""
    from ari_app.cli import models

    models.verify(model, config, as_json)


@model_app.command("bench")
def model_bench(
    model: _Model = None,
    clips: Annotated[
        list[Path] | None,
        typer.Option("--clip", help="WAV file with speech, 16-bit mono; again for more."),
    ] = None,
    config: _Config = None,
    as_json: _AsJson = False,
) -> None:
    """What a model costs here: processor and memory, and how late the last words come.

    Without clips a synthesized voice says a few sentences; recordings of people say more.
    """
    from ari_app.cli import models

    models.bench(model, config, clips or [], as_json)
