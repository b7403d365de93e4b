"""The commands of `segue sms`; what one needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

sms_app = typer.Typer(
    help="Texts: see the queue, send again, take back, stop all.", no_args_is_help=True
)

_Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else $SEGUE_CONFIG, else /etc/segue."),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
_Id = Annotated[str, typer.Argument(metavar="ID", help="msg_…, as `segue sms list` shows it.")]
_Scope = Annotated[
    str,
    typer.Argument(
        metavar="SCOPE",
        help="all, carrier:NAME, class:at_most_once|at_least_once|reconcile, "
        "or priority:urgent|normal|bulk.",
    ),
]


@sms_app.command("list")
def sms_list(
    config: _Config = None,
    state: Annotated[
        str | None, typer.Option(help="promised, claimed, held, submitted, delivered, unknown, …")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="NUMBER", help="To this number.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="30m, 2h, 7d, or a time: 2026-11-20T12:00Z.")
    ] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, max=1000)] = 50,
    as_json: _AsJson = False,
) -> None:
    """The newest texts and what has become of them; also what is paused."""
    from ari_app.cli import queue

    queue.show_list(config, queue.Filter(state, to, since, limit), as_json)


@sms_app.command("show")
def sms_show(id: _Id, config: _Config = None, as_json: _AsJson = False) -> None:
    """One text, and every event of it."""
    from ari_app.cli import queue

    queue.show_one(config, id, as_json)


@sms_app.command("retry")
def sms_retry(id: _Id, config: _Config = None, as_json: _AsJson = False) -> None:
    """Send a waiting text now; or one of unknown fate again, as a possible duplicate."""
    from ari_app.cli import queue

    queue.retry(config, id, as_json)


@sms_app.command("cancel")
def sms_cancel(
    id: _Id,
    config: _Config = None,
    reason: Annotated[str, typer.Option(help="For the log.")] = "by hand",
    as_json: _AsJson = False,
) -> None:
    """Take a text back, as long as no worker has claimed it."""
    from ari_app.cli import queue

    queue.cancel(config, id, reason, as_json)


@sms_app.command("pause")
def sms_pause(
    scope: _Scope = "all",
    config: _Config = None,
    reason: Annotated[str, typer.Option(help="For whoever looks at the list.")] = "by hand",
    as_json: _AsJson = False,
) -> None:
    """The kill switch: nothing of the scope is claimed from now on, also after a restart."""
    from ari_app.cli import queue

    queue.pause(config, scope, reason, as_json)


@sms_app.command("resume")
def sms_resume(scope: _Scope = "all", config: _Config = None, as_json: _AsJson = False) -> None:
    """Claim the texts of the scope again."""
    from ari_app.cli import queue

    queue.resume(config, scope, as_json)


@sms_app.command("preview")
def sms_preview(
    text: Annotated[str, typer.Argument(help="The text, or - for what is piped in.")],
    config: _Config = None,
    carrier: Annotated[str, typer.Option(help="As this carrier gets it; else the first.")] = "",
    as_json: _AsJson = False,
) -> None:
    """What a text costs: its encoding and segments, what made it dear, and what would help."""
    from ari_app.cli import carriage

    if text == "-":
        text = typer.get_text_stream("stdin").read().rstrip("\n")
    carriage.preview(config, text, carrier, as_json)


@sms_app.command("route")
def sms_route(
    number: Annotated[str, typer.Argument(help="A phone number.")],
    config: _Config = None,
    as_json: _AsJson = False,
) -> None:
    """Which carriers would be asked to take a text to this number, in which order."""
    from ari_app.cli import carriage

    carriage.route(config, number, as_json)
