"""The commands of `segue log`; what one needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

log_app = typer.Typer(
    help="The log: watch it, show it, export it, replay it, count it.", no_args_is_help=True
)

_Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else $SEGUE_CONFIG, else /etc/segue."),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
_Reveal = Annotated[
    bool, typer.Option("--reveal", help="Numbers, words and texts too, not only their masks.")
]


def _event_names(incomplete: str) -> list[str]:
    from ari_app.cli import logs

    return logs.complete_name(incomplete)


def _streams(context: typer.Context, incomplete: str) -> list[str]:
    from ari_app.cli import logs

    return logs.complete_stream(context, incomplete)


@log_app.command("tail")
def log_tail(
    config: _Config = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="The newest so many.")] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Then every new one; Ctrl-C ends it.")
    ] = False,
    after: Annotated[
        str | None, typer.Option(metavar="PLACE", help="All after this place, instead of -n.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Only events of this name: call.*", autocompletion=_event_names),
    ] = None,
    stream: Annotated[
        str | None, typer.Option(help="Only this stream: conv_…", autocompletion=_streams)
    ] = None,
    as_json: _AsJson = False,
    reveal: _Reveal = False,
) -> None:
    """The newest events, one a line; what is personal is masked."""
    from ari_app.cli import logs

    wanted = logs.Tail(lines, follow, after, name or (), stream, as_json, reveal)
    raise typer.Exit(logs.tail(config, wanted))


@log_app.command("show")
def log_show(
    what: Annotated[
        str, typer.Argument(help="evt_…, or a stream: conv_…", autocompletion=_streams)
    ],
    config: _Config = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="SEQUENCE|TIME", help="The stream as it was then; else as it is."),
    ] = None,
    as_json: _AsJson = False,
    reveal: _Reveal = False,
) -> None:
    """One event with what led to it and what it led to, or the state of a stream."""
    from ari_app.cli import logs

    raise typer.Exit(logs.show(config, what, at, as_json, reveal))


@log_app.command("export")
def log_export(
    config: _Config = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="ISO 8601 UTC, or 2h.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Not this one any more.")
    ] = None,
    stream: Annotated[
        list[str] | None, typer.Option(help="Only these streams.", autocompletion=_streams)
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only this person: subj_…, or a phone number.")
    ] = None,
    out: Annotated[str, typer.Option(metavar="FILE", help="A file; - for stdout.")] = "-",
    reveal: _Reveal = False,
) -> None:
    """Events as JSON Lines in log order; what is personal stays sealed."""
    from ari_app.cli import log_export, logs

    wanted = log_export.Export(since, until, stream or (), subject, out, reveal)
    raise typer.Exit(logs.export(config, wanted))


@log_app.command("replay")
def log_replay(
    streams: Annotated[
        list[str] | None, typer.Argument(help="conv_…", autocompletion=_streams)
    ] = None,
    config: _Config = None,
    every: Annotated[bool, typer.Option("--all", help="Every stream there is.")] = False,
    to: Annotated[
        str | None, typer.Option(metavar="SEQUENCE|TIME", help="Only the beginning, up to here.")
    ] = None,
    as_json: _AsJson = False,
) -> None:
    """Is what the log replays to what was decided? Changes nothing. Status 1 if it is not."""
    from ari_app.cli import logs

    raise typer.Exit(logs.replay(config, streams or [], every, to, as_json))


@log_app.command("stats")
def log_stats(
    config: _Config = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Go through a large log instead of a sample of it.")
    ] = False,
    as_json: _AsJson = False,
) -> None:
    """How much there is, who is behind, what waits."""
    from ari_app.cli import logs

    raise typer.Exit(logs.stats(config, exact, as_json))


@log_app.command("verify-projections")
def log_verify_projections(config: _Config = None, as_json: _AsJson = False) -> None:
    """Are the read models what the log says? Status 1 if they are not."""
    from ari_app.cli import logs

    raise typer.Exit(logs.verify_projections(config, as_json))
