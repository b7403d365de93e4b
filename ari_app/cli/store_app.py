"""The commands of `segue store`; what one needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

store_app = typer.Typer(
    help="The database: back it up, restore it, migrate it, examine it.", no_args_is_help=True
)

_Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else $SEGUE_CONFIG, else /etc/segue."),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
_Key = Annotated[
    Path | None,
    typer.Option(help="File with the verifier key; else seal.pub by the database."),
]
_Checkpoint = Annotated[
    list[Path] | None, typer.Option(help="File with checkpoints that were kept elsewhere.")
]


@store_app.command("backup")
def store_backup(
    file: Annotated[Path, typer.Argument(help="Where it goes.")],
    config: _Config = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Take none: is this one what was written?")
    ] = False,
    key: _Key = None,
    checkpoint: _Checkpoint = None,
    as_json: _AsJson = False,
) -> None:
    """One file of one moment, while the service goes on; for either engine, without any key."""
    from ari_app.cli import stores

    if verify:
        raise typer.Exit(stores.check(config, file, key, checkpoint or [], as_json))
    stores.backup(config, file, force, as_json)


@store_app.command("restore")
def store_restore(
    file: Annotated[Path, typer.Argument(help="A backup, of either engine.")],
    config: _Config = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the events that are there.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Hold nothing: texts sent since the backup are sent again."),
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Audit the whole log and fold every conversation.")
    ] = False,
    key: _Key = None,
    checkpoint: _Checkpoint = None,
    as_json: _AsJson = False,
) -> None:
    """Restore into an empty database, all or nothing; what was to be sent is put on hold."""
    from ari_app.cli import stores

    status = stores.restore(config, file, force, resume, verify, key, checkpoint or [], as_json)
    raise typer.Exit(status)


@store_app.command("release")
def store_release(config: _Config = None, as_json: _AsJson = False) -> None:
    """Make due what a restore has put on hold."""
    from ari_app.cli import stores

    stores.release(config, as_json)


@store_app.command("migrate")
def store_migrate(
    config: _Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = (
        False
    ),
    as_json: _AsJson = False,
) -> None:
    """Bring the database to the schema of this program."""
    from ari_app.cli import stores

    stores.migrate(config, dry_run, as_json)


@store_app.command("doctor")
def store_doctor(
    config: _Config = None,
    backups: Annotated[Path | None, typer.Option(help="Folder that backups go to.")] = None,
    as_json: _AsJson = False,
) -> None:
    """Is the database well, and what lies beside it; status 1 if something does not work."""
    from ari_app.cli import stores

    raise typer.Exit(stores.doctor(config, backups, as_json))
