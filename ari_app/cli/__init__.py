"""Every command of `segue`; what a command needs is imported when it runs, so that help is fast."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ari_app.cli.callbacks_app import callbacks_app
from ari_app.cli.dialplan_app import write_dialplan
from ari_app.cli.log_app import log_app
from ari_app.cli.model_app import model_app
from ari_app.cli.optout_app import optout_app
from ari_app.cli.prompts_app import prompts_app
from ari_app.cli.recordings_app import recording_app
from ari_app.cli.sms import sms_app
from ari_app.cli.store_app import store_app
from ari_app.errors import BundleError, SegueError, SettingsError

app = typer.Typer(
    name="segue",
    help="Moves a caller from voice to text without losing a word.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Settings: check them, or print their table.", no_args_is_help=True)
conversation_app = typer.Typer(help="Conversations: list them, show one.", no_args_is_help=True)
bench_app = typer.Typer(help="Figures, measured on this machine.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(conversation_app, name="conversation")
app.add_typer(bench_app, name="bench")
subject_app = typer.Typer(help="Persons: export or erase what is known.", no_args_is_help=True)
app.add_typer(subject_app, name="subject")
audit_app = typer.Typer(help="The log: is it what was written?", no_args_is_help=True)
app.add_typer(audit_app, name="audit")
app.add_typer(log_app, name="log")
app.add_typer(model_app, name="model")
app.add_typer(store_app, name="store")
app.command("dialplan")(write_dialplan)
app.add_typer(sms_app, name="sms")
app.add_typer(optout_app, name="optout")
app.add_typer(recording_app, name="recording")
app.add_typer(prompts_app, name="prompts")
app.add_typer(callbacks_app, name="callbacks")

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else $SEGUE_CONFIG, else /etc/segue."),
]
Ready = Annotated[
    Path | None,
    typer.Option(help="Write a JSON file here once everything is up (for scripts)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def main() -> None:
    """The entry point: errors of ours are one sentence, and the exit status says which kind."""
    try:
        app()
    except (SettingsError, BundleError) as error:
        _complain(error)
        sys.exit(2)
    except SegueError as error:
        _complain(error)
        sys.exit(1)


def _complain(error: Exception) -> None:
    Console(stderr=True, soft_wrap=True).print(f"segue: {error}", markup=False, highlight=False)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"segue {version('segue')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Moves a caller from voice to text without losing a word."""


@app.command()
def run(config: Config = None, ready: Ready = None) -> None:
    """The service: takes calls from your Asterisk, texts through your carrier. SIGTERM drains."""
    from ari_app.cli import service

    service.run(config, ready)


@app.command()
def pbx(
    home: Annotated[
        Path | None, typer.Option(help="Folder to run in; short, kept. Default: a temporary one.")
    ] = None,
    ready: Ready = None,
) -> None:
    """A private Asterisk 22 on free loopback ports, fetched once, without root. Ctrl-C stops it."""
    from ari_app.cli import private_pbx

    private_pbx.run(home, ready)


@app.command("watchdog")
def watch(
    config: Config = None,
    once: Annotated[
        bool, typer.Option("--once", help="One look, nothing is moved; status 1: not all is well.")
    ] = False,
    as_json: AsJson = False,
    ready: Ready = None,
) -> None:
    """Beside the service, in a process of its own: when it dies, move its callers to people."""
    from ari_app.cli import watchdog

    raise typer.Exit(watchdog.run(config, ready, once, as_json))


@app.command()
def smsc(
    port: Annotated[int, typer.Option(help="SMPP port; 0: a free one.")] = 2775,
    host: Annotated[str, typer.Option(help="Address to listen on; ::1 is IPv6.")] = "127.0.0.1",
    control_port: Annotated[
        int, typer.Option(help="Loopback port to watch it and to write as the handset; 0: any.")
    ] = 0,
    page: Annotated[bool, typer.Option(help="A page to watch it, write and switch.")] = True,
    page_port: Annotated[int, typer.Option(help="Loopback port of the page; 0: any.")] = 0,
    system_id: Annotated[str, typer.Option(help="Who may bind; empty: everybody.")] = "",
    password_file: Annotated[
        Path | None, typer.Option(help="File with the password of --system-id.")
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE: who else may bind. May be repeated.")
    ] = None,
    receipt_delay: Annotated[
        str, typer.Option(help="Seconds before a receipt: 2, 1-3, 2~0.8 (skewed) or carrier.")
    ] = "0.5",
    fault: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE: misbehave from the start. Repeatable.")
    ] = None,
    list_faults: Annotated[bool, typer.Option(help="List the faults, and end.")] = False,
    alphabet: Annotated[
        str, typer.Option(help="What data_coding 0 means: gsm7, latin1, latin9, ascii, packed.")
    ] = "gsm7",
    seed: Annotated[int | None, typer.Option(help="Makes chance repeat itself.")] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="Serve TLS with this certificate (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The key of --tls-certificate.")] = None,
    tls_clients: Annotated[
        Path | None, typer.Option(help="Demand a client certificate of this authority.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="What happens, texts included, as JSON lines on stdout.")
    ] = False,
    ready: Ready = None,
) -> None:
    """A carrier's SMSC, simulated: takes texts, sends receipts. Ctrl-C stops it."""
    from ari_app.cli import simulated_smsc

    if list_faults:
        simulated_smsc.list_faults(Console())
        return
    simulated_smsc.run(
        simulated_smsc.Rehearsal(
            host=host,
            port=port,
            control_port=control_port,
            page=page,
            page_port=page_port,
            system_id=system_id,
            password_file=password_file,
            accounts=account or (),
            faults=fault or (),
            receipt_delay=receipt_delay,
            alphabet=alphabet,
            seed=seed,
            tls_certificate=tls_certificate,
            tls_key=tls_key,
            tls_clients=tls_clients,
            as_json=as_json,
            ready=ready,
        )
    )


@app.command()
def call(
    words: Annotated[
        list[str], typer.Argument(help="What the caller says, one sentence for each turn.")
    ],
    sip: Annotated[str, typer.Option(help="host:port of the PBX.")] = "127.0.0.1:5060",
    to: Annotated[str, typer.Option(help="The number to dial.")] = "+15550100",
    caller: Annotated[str, typer.Option("--from", help="The caller's number.")] = "+12025550123",
    voice: Annotated[str, typer.Option(help="espeak-ng variant of the caller.")] = "f4",
    as_json: AsJson = False,
) -> None:
    """Place one simulated call: speak, listen, and measure each answer by its packets."""
    from ari_app.cli import simulated_call

    simulated_call.run(words, sip, to, caller, voice, as_json)


@app.command("probe")
def probe_once(
    lines: Annotated[
        list[str] | None,
        typer.Argument(help="What is said, a sentence or one key for each turn; else [probe] say."),
    ] = None,
    config: Config = None,
    sip: Annotated[str, typer.Option(help="host:port of the PBX; else [probe] sip.")] = "",
    to: Annotated[str, typer.Option(help="The number to dial; else [probe] number.")] = "",
    caller: Annotated[
        str, typer.Option("--from", help="The probe's own number; else [probe] caller.")
    ] = "",
    text: Annotated[bool, typer.Option("--text", help="Lines may lead to a text.")] = False,
    log: Annotated[
        bool, typer.Option("--log/--no-log", help="Look for the call's events in the log.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Try the whole path by one synthetic call. Status 1 if a step failed, 2 if it cannot be tried.

    It dials, hears the disclosure and the question, says a sentence, hears the reply, hangs up,
    and looks for the call's events in the log. It sends no text unless --text allows it.
    """
    from ari_app.cli import probe

    given = probe.Given(lines or [], sip, to, caller)
    raise typer.Exit(probe.run(config, given, may_text=text, log=log, as_json=as_json))


@config_app.command("check")
def config_check(config: Config = None) -> None:
    """Read the settings, the policy bundle, the speech model and every secret; change nothing."""
    from ari_app.cli import settings

    settings.check(config)


@config_app.command("docs")
def config_docs() -> None:
    """Print docs/settings.md."""
    from ari_app.config import as_table

    typer.echo(as_table(), nl=False)


@conversation_app.command("list")
def conversation_list(
    config: Config = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The latest conversations, newest first."""
    from ari_app.cli import conversations

    conversations.show_list(config, limit, as_json)


@conversation_app.command("show")
def conversation_show(
    id: Annotated[str, typer.Argument(help="conv_…; `last` for the newest.")] = "last",
    config: Config = None,
    as_json: AsJson = False,
    svg: Annotated[Path | None, typer.Option(help="Write it as a picture.")] = None,
) -> None:
    """One conversation as a timeline: who, channel, words, decisions, texts, milliseconds."""
    from ari_app.cli import conversations

    conversations.show_one(config, id, as_json, svg)


@subject_app.command("export")
def subject_export(
    number: Annotated[str, typer.Argument(help="The person's phone number.")],
    config: Config = None,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder to write the recordings to, as WAV files.")
    ] = None,
) -> None:
    """Everything that is held of a number: events as JSON Lines, recordings as WAV files."""
    from ari_app.cli import subjects

    subjects.export(config, number, recordings)


@subject_app.command("erase")
def subject_erase(
    number: Annotated[str, typer.Argument(help="The person's phone number.")],
    config: Config = None,
    reason: Annotated[
        str, typer.Option(help="request, consent_withdrawn, unlawful, authority.")
    ] = "request",
    tombstone: Annotated[
        bool, typer.Option(help="Also put hashes where the sealed texts are.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Shred the keys of a person: numbers, words and texts can never be read again."""
    from ari_app.cli import subjects

    subjects.erase(config, number, reason, tombstone, yes)


@subject_app.command("hold")
def subject_hold(
    number: Annotated[str, typer.Argument(help="The person's phone number.")],
    config: Config = None,
    reason: Annotated[str, typer.Option(help="litigation, authority.")] = "litigation",
) -> None:
    """Let nothing of a person be erased or expire until it is released."""
    from ari_app.cli import subjects

    subjects.hold(config, number, reason)


@subject_app.command("release")
def subject_release(
    number: Annotated[str, typer.Argument(help="The person's phone number.")],
    config: Config = None,
    reason: Annotated[str, typer.Option(help="settled, authority.")] = "settled",
) -> None:
    """End a hold; what is due goes with the next `segue retention`."""
    from ari_app.cli import subjects

    subjects.release(config, number, reason)


@subject_app.command("holds")
def subject_holds(config: Config = None, as_json: AsJson = False) -> None:
    """Who is held, by pseudonym."""
    from ari_app.cli import subjects

    subjects.holds(config, as_json)


@subject_app.command("join")
def subject_join(
    number: Annotated[str, typer.Argument(help="A phone number of the person.")],
    other: Annotated[str, typer.Argument(help="Another one of the same person.")],
    config: Config = None,
    reason: Annotated[
        str, typer.Option(help="operator, proved, same_number_changed.")
    ] = "operator",
) -> None:
    """Make two numbers one person: texts of both join one conversation."""
    from ari_app.cli import subjects

    subjects.join(config, number, other, reason)


@subject_app.command("prefer")
def subject_prefer(
    number: Annotated[str, typer.Argument(help="A phone number of the person.")],
    what: Annotated[str, typer.Argument(help="language, channel or hours.")],
    value: Annotated[
        str, typer.Argument(help="For example es, sms, or 'mon-fri 09:00-17:00 Europe/Paris'.")
    ],
    config: Config = None,
) -> None:
    """Note what a person prefers; rules look at it from their next conversation on."""
    from ari_app.cli import subjects

    subjects.prefer(config, number, what, value)


@subject_app.command("part")
def subject_part(
    number: Annotated[str, typer.Argument(help="A phone number.")],
    other: Annotated[str, typer.Argument(help="The one that it was joined with.")],
    config: Config = None,
    reason: Annotated[
        str, typer.Option(help="operator, mistaken, number_reassigned.")
    ] = "mistaken",
) -> None:
    """Undo a join."""
    from ari_app.cli import subjects

    subjects.part(config, number, other, reason)


@subject_app.command("rotate")
def subject_rotate(
    new: Annotated[Path, typer.Argument(help="File with the new key, 64 hex digits, mode 0400.")],
    config: Config = None,
) -> None:
    """Wrap all keys of persons by a new key-encryption key. Repeat it if it was cut off."""
    from ari_app.cli import subjects

    subjects.rotate(config, new)


@app.command()
def retention(
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Shred the keys of what has been kept long enough ([privacy] …_days)."""
    from ari_app.cli import subjects

    subjects.expire(config, dry_run, as_json)


@audit_app.command("verify")
def audit_verify(
    config: Config = None,
    key: Annotated[
        Path | None, typer.Option(help="File with the verifier key; else seal.pub by the database.")
    ] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="File with checkpoints that were kept elsewhere.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find every event that was changed, removed, moved or cut off. Status 1 if there is one."""
    from ari_app.cli import audit

    raise typer.Exit(audit.verify(config, key, checkpoint or [], as_json))


@audit_app.command("prove")
def audit_prove(
    event: Annotated[str, typer.Argument(help="evt_…")],
    config: Config = None,
) -> None:
    """Print the proof that an event is in the log, as JSON; it needs nothing but the key."""
    from ari_app.cli import audit

    audit.prove(config, event)


@app.command()
def demo(
    say: Annotated[
        str, typer.Option(help="Other first words of the caller; several turns with `|` between.")
    ] = "",
    keep: Annotated[bool, typer.Option(help="Leave everything running until Ctrl-C.")] = False,
    folder: Annotated[Path, typer.Option(help="Where settings, logs and database go.")] = Path(
        "build/demo"
    ),
) -> None:
    """The whole path once: a call, a text, its receipt, a reply, its answer."""
    from ari_app.cli import demonstration

    raise typer.Exit(demonstration.run(say, keep, folder))


@bench_app.command("call")
def bench_call(
    calls: Annotated[int, typer.Option(min=1, help="Calls with speech.")] = 20,
    out: Annotated[Path, typer.Option(help="Folder of the JSON file.")] = Path("build/bench"),
) -> None:
    """Latency in packets and PDUs, and CPU for each call."""
    from ari_app.cli import bench

    raise typer.Exit(bench.run_call(calls, out))


@bench_app.command("store")
def bench_the_store(
    largest: Annotated[
        int, typer.Option(min=100_000, max=10_000_000, help="Events of the longest log.")
    ] = 1_000_000,
    postgres: Annotated[
        str,
        typer.Option(
            envvar="SEGUE_BENCH_POSTGRES", help="Address of an empty PostgreSQL database."
        ),
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder of the JSON file.")] = Path("build/bench"),
    plot: Annotated[Path | None, typer.Option(help="SVG file of the costs by size.")] = None,
) -> None:
    """The event log and the outbox against the bare limit of the driver."""
    from ari_app.cli import bench_store

    raise typer.Exit(bench_store.run_store(largest, postgres, out, plot))


@bench_app.command("capacity")
def bench_the_capacity(
    config: Config = None,
    most: Annotated[int, typer.Option(min=1, max=96, help="Callers at once, at most.")] = 96,
    seconds: Annotated[float, typer.Option(min=2, help="Seconds that each level lasts.")] = 20.0,
    quick: Annotated[bool, typer.Option(help="Two small levels only: does it work?")] = False,
    headroom: Annotated[
        float | None,
        typer.Option(min=0, max=0.9, help="Share left free; else that of [calls] headroom."),
    ] = None,
    say: Annotated[
        list[str] | None, typer.Option(help="What the callers say, if your policy needs it.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Capacity file for admission, written if a level is held.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the JSON file.")] = Path("build/bench"),
) -> None:
    """How many calls this machine holds, with your model and policy and a private Asterisk."""
    from ari_app.cli.bench_capacity import Plan, run_capacity

    lines = tuple(say or ())
    plan = Plan(config, most, seconds, headroom=headroom, lines=lines, out=out, write=write)
    raise typer.Exit(run_capacity(plan.quick() if quick else plan))


@bench_app.command("soak")
def bench_the_soak(
    config: Config = None,
    minutes: Annotated[float, typer.Option(min=0.5, help="How long.")] = 30.0,
    calls: Annotated[int, typer.Option(min=1, max=48, help="Callers at once.")] = 8,
    seed: Annotated[int, typer.Option(help="The same one makes the same people call.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the JSON file.")] = Path("build/bench"),
) -> None:
    """Mixed calls for half an hour: does memory, do files, tasks or channels grow?"""
    from ari_app.cli.soak import Soak, run_soak

    raise typer.Exit(run_soak(Soak(minutes, calls, seed, config, out)))


@app.command(hidden=True)
def docs(folder: Annotated[Path, typer.Argument(help="Where the pages go.")]) -> None:
    """Write the pages of docs/ that are made from the code."""
    from ari_app.cli import pages

    pages.write(folder, typer.main.get_command(app))
