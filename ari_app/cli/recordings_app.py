"""The words of `segue recording`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

recording_app = typer.Typer(
    help="Recordings of calls: list, hear, export, erase.", no_args_is_help=True
)

_Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else $SEGUE_CONFIG, else /etc/segue."),
]
_Which = Annotated[str, typer.Argument(help="The recording, rec_…; or `last`.")]
_Cut = Annotated[
    bool, typer.Option("--cut", help="Also what is left of one that was cut or damaged.")
]


@recording_app.command("list")
def list_recordings(
    config: _Config = None,
    conversation: Annotated[str, typer.Option(help="Only of this conversation, conv_….")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """What is in the folder, the oldest first. Whether it can be heard, `play` says."""
    from ari_app.cli import recordings

    recordings.show(config, conversation, as_json)


@recording_app.command("play")
def play_recording(which: _Which, config: _Config = None, cut: _Cut = False) -> None:
    """Write a WAV file to a program that plays it: `segue recording play last | aplay`."""
    from ari_app.cli import recordings

    recordings.play(config, which, cut)


@recording_app.command("export")
def export_recording(
    which: _Which,
    file: Annotated[Path, typer.Argument(help="WAV file to write; it is not sealed.")],
    config: _Config = None,
    cut: _Cut = False,
) -> None:
    """Write a WAV file: the caller on the left channel, Segue on the right one."""
    from ari_app.cli import recordings

    recordings.export(config, which, file, cut)


@recording_app.command("erase")
def erase_recording(
    which: Annotated[str, typer.Argument(help="The recording, rec_….")],
    config: _Config = None,
    reason: Annotated[
        str, typer.Option(help="request, consent_withdrawn, unlawful, authority.")
    ] = "request",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove one recording for ever; all of a person: `segue subject erase`."""
    from ari_app.cli import recordings

    recordings.erase(config, which, reason, yes)
