"""The commands of `segue prompts`; what one needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

prompts_app = typer.Typer(
    help="Prompts: list them, listen to them, check the recordings.", no_args_is_help=True
)

_Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else $SEGUE_CONFIG, else /etc/segue."),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


@prompts_app.command("list")
def prompts_list(config: _Config = None, as_json: _AsJson = False) -> None:
    """Every wording that is the same for all callers, and the file that its recording may have."""
    from ari_app.cli import prompts

    prompts.show(config, as_json)


@prompts_app.command("render")
def prompts_render(
    folder: Annotated[Path, typer.Argument(help="Where the WAV files go, by language.")],
    config: _Config = None,
    prompt: Annotated[
        list[str] | None, typer.Option(help="Only this prompt. May be repeated.")
    ] = None,
    text: Annotated[str, typer.Option(help="Speak this instead, into text.wav.")] = "",
    slower: Annotated[bool, typer.Option("--slower", help="As to a caller who asks so.")] = False,
    louder: Annotated[bool, typer.Option("--louder", help="As to a caller who asks so.")] = False,
    as_json: _AsJson = False,
) -> None:
    """Write prompts as callers hear them, to listen to; named as recordings are."""
    from ari_app.cli import prompts

    raise typer.Exit(prompts.render(config, folder, prompt or [], text, slower, louder, as_json))


@prompts_app.command("verify")
def prompts_verify(config: _Config = None, as_json: _AsJson = False) -> None:
    """Can all be said, and is every recording used? Status 1 if not."""
    from ari_app.cli import prompts

    raise typer.Exit(prompts.verify(config, as_json))
