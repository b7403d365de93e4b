"""Every setting: one TOML file, SEGUE_<ROOM>__<KEY> in the environment, secrets by file."""

from __future__ import annotations

import difflib
import os
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ari_app.errors import SettingsError

DEFAULT_PATH = Path("/etc/segue/segue.toml")
_Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """A room's settings; a key that nobody knows is an error, not a surprise later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Pbx(Section):
    """The Asterisk whose calls we control, by ARI."""

    url: str = Field("http://127.0.0.1:8088/ari", description="ARI of your Asterisk (http.conf)")
    user: str = Field("segue", description="ARI user (ari.conf)")
    password_file: Path | None = Field(
        None, description="file with the ARI password; else the systemd credential `ari_password`"
    )
    app: str = Field("segue", description="name of the Stasis application in the dialplan")
    transport: Literal["auto", "websocket", "http"] = Field(
        "auto", description="how commands travel; `auto` falls back to HTTP on Asterisk < 22.5"
    )
    patience: float = Field(
        4.0,
        ge=1,
        le=10,
        description="seconds without any event, though asked for, after which the link is made "
        "anew",
    )


class Ami(Section):
    """Supervision of the PBX by AMI; off unless a port is set."""

    host: str = Field("127.0.0.1", description="AMI host (manager.conf)")
    port: int = Field(0, ge=0, le=65535, description="AMI port, 5038 by default; 0: no AMI")
    user: str = Field("segue", description="AMI user")
    secret_file: Path | None = Field(
        None, description="file with the AMI secret; else the systemd credential `ami_secret`"
    )


class Agi(Section):
    """FastAGI for the dialplan: agi://host:port/consent, eligibility, text and others."""

    host: str = Field("127.0.0.1", description="address to listen on; keep it on loopback")
    port: int = Field(4573, ge=0, le=65535, description="port to listen on; 0: no FastAGI")
    deadline: float = Field(
        4.0, gt=0.5, le=30, description="seconds for one question; less than SEGUE_AGI_LIMIT"
    )
    most: int = Field(64, ge=1, le=1000, description="questions at once; more are turned away")


class Watchdog(Section):
    """The watchdog, which moves the callers of a dead application; needs [ami]."""

    application: str = Field(
        "",
        pattern=r"^(.+:[0-9]{1,5})?$",
        description="host:port where FastAGI of the application answers; empty: as of [agi]",
    )
    context: str = Field(
        "app-down",
        pattern=r"^[A-Za-z0-9_-]{1,79}$",
        description="context of the dialplan to which callers are moved, extension s",
    )
    interval: float = Field(0.5, ge=0.1, le=5, description="seconds between two looks")
    grace: float = Field(
        2.0, ge=0.5, le=60, description="seconds that nobody may listen before callers are moved"
    )
    hang: float = Field(
        10.0, ge=2, le=600, description="seconds without an answer before callers are moved"
    )


class Media(Section):
    """Audio between Asterisk and us."""

    transport: Literal["rtp", "websocket"] = Field(
        "rtp",
        description="`websocket`: over Asterisk's HTTP server, on the same machine or LAN, from "
        "Asterisk 20.18 or 22.8 on (chan_websocket); needs no port and no address of ours",
    )
    host: str = Field("127.0.0.1", description="address that our RTP sockets bind")
    advertise: str = Field("", description="address that Asterisk sends to, if it is another one")
    first_port: _Port = Field(20000, description="first port of our RTP range")
    last_port: _Port = Field(20999, description="last port of our RTP range")
    sources: tuple[str, ...] = Field(
        (),
        description="networks that Asterisk's RTP may also come from, where it is behind NAT or "
        "has several addresses, such as 192.0.2.0/28; empty: only the address it names",
    )


class Speech(Section):
    """Hearing, by Vosk."""

    model_path: Path | None = Field(
        None, description="folder of a Vosk model, 8 or 16 kHz; unset: the mini model (demo only)"
    )
    models: dict[Annotated[str, Field(pattern="^[a-z]{2,3}$")], Path] = Field(
        {},
        description="folders of models for other languages, such as {es = ...}: each has `workers` "
        "of its own, and all have one sample rate; without one a language is heard by `model_path`",
    )
    workers: int = Field(0, ge=0, le=64, description="ASR worker processes; 0: one for each core")
    spare: int = Field(
        0,
        ge=0,
        le=8,
        description="workers more that wait with the model loaded, and take over at once when one "
        "dies; of use above all beside a single worker, or a model that loads slowly",
    )
    deadline: float = Field(2.0, gt=0, description="seconds a worker has to finish a turn")
    hang: float = Field(
        1.0,
        gt=0,
        description="seconds after which a worker that gives no sign of life is replaced; at most "
        "`deadline` counts",
    )
    behind: float = Field(
        5.0,
        gt=0,
        le=60,
        description="seconds of a call's audio that may wait for its worker; the rest is dropped",
    )
    remote: str = Field(
        "",
        pattern=r"^(wss?://[^\s/@?#]+(/[^\s?#]*)?)?$",
        description="a vosk-server that hears instead of workers here, such as ws://10.0.0.7:2700; "
        "`model_path` and `workers` are of no use then",
    )
    remote_rate: Literal[8000, 16000] = Field(
        16000,
        description="Hz of the audio that the server gets; not less than its model is made for",
    )
    pause: float = Field(
        0.55,
        gt=0.1,
        le=3,
        description="seconds of silence that end a turn to an open question, where neither words "
        "nor voice tell whether the caller has finished",
    )


class Voice(Section):
    """Speaking: recorded prompts, else prepared ones, else piper or espeak-ng."""

    voice: str = Field(
        "", description="espeak-ng voice file of the bundle's language; empty: the usual one"
    )
    voices: dict[str, str] = Field(
        {}, description='espeak-ng voice files of other languages, such as { es = "roa/es-419" }'
    )
    rate: int = Field(165, ge=80, le=400, description="words a minute of espeak-ng")
    deadline: float = Field(
        3.0,
        gt=0,
        le=60,
        description="seconds a synthesizer has for one text; one that is slower is ended, and "
        "another gets as long again",
    )
    recordings: Path | None = Field(
        None,
        description="folder of recorded prompts: a folder for each language, in it `<prompt>.wav`, "
        "`<prompt>.2.wav` for its second wording",
    )
    lexicon: Path | None = Field(
        None, description='words that are said wrongly (TOML): [en], "Siobhan" = "Shivawn"'
    )
    piper: str = Field("piper", description="program of piper; of use with `piper_models`")
    piper_models: dict[str, Path] = Field(
        {}, description='models of piper by language, such as { en = "/srv/amy.onnx" }'
    )
    cache: Path | None = Field(
        None, description="folder for prepared prompts; unset: beside the database"
    )
    cache_size: int = Field(
        256, ge=1, le=100_000, description="MiB of that folder; the least used ones are deleted"
    )


class Policy(Section):
    """What the agent says and decides."""

    bundle: Path | None = Field(
        None, description="policy bundle (YAML); unset: the Harbour Clinic example"
    )


class Calls(Section):
    """Live calls."""

    most: int = Field(50, ge=1, description="calls at once; more go to the dialplan as `overload`")
    capacity: Path | None = Field(
        None,
        description="file of `segue bench capacity`; if it says less than `most`, that counts",
    )
    headroom: float = Field(
        0.2, ge=0, le=0.9, description="share of the measured capacity that is kept free"
    )
    per_caller: int = Field(0, ge=0, description="calls of one number at once; 0: any")
    per_trunk: int = Field(0, ge=0, description="calls of one trunk endpoint at once; 0: any")
    adoption: float = Field(
        10.0,
        ge=0,
        le=60,
        description="seconds in which a worker may go on with the calls of one that died, before "
        "their records are closed",
    )
    no_input: float = Field(6.0, gt=0.5, description="seconds of silence that are an answer")
    comfort: float = Field(
        2.0,
        ge=0,
        le=30,
        description="seconds of waiting for an answer after which a caller hears `one_moment`; "
        "0: never",
    )
    dial: str = Field(
        "",
        pattern=r"^$|^\S+/\S*\{number\}\S*$",
        description="endpoint that call-backs are dialled by, such as PJSIP/{number}@carrier; "
        "empty: nobody is called back",
    )
    region: str = Field(
        "US", description="ISO country that callers' national numbers are read in; empty: none"
    )
    drain: float = Field(60.0, ge=0, description="seconds that calls may go on after SIGTERM")


class Store(Section):
    """The conversation's home."""

    path: Path = Field(
        Path("/var/lib/segue/segue.db"),
        description="SQLite database; keys and seals lie in its folder, also with `url`",
    )
    url: str = Field(
        "",
        description="PostgreSQL instead, for several workers: postgresql://user@host/database",
    )
    password_file: Path | None = Field(
        None, description="password for `url`; else the systemd credential `database_password`"
    )
    schema_name: str = Field(
        "segue",
        pattern="^[a-z][a-z0-9_]{0,30}$",
        description="schema in the database of `url`; give each tenant its own",
    )
    lease: float = Field(
        4.0,
        ge=1,
        le=60,
        description="seconds after which the work of a worker that is gone is taken over",
    )
    subject_key_file: Path | None = Field(
        None,
        description="key of the pseudonyms, 32 bytes or more; else the systemd credential "
        "`subject_key`, else made once beside the database",
    )


class Privacy(Section):
    """How long what belongs to a person can be read; after that its keys are shredded."""

    kek_file: Path | None = Field(
        None,
        description="key-encryption key, 64 hex digits; else the systemd credential `kek`, else "
        "made once beside the database",
    )
    keys_url: str = Field(
        "",
        description="PostgreSQL database of the keys, for workers on several hosts; empty: keys.db "
        "beside `store.path`",
    )
    keys_password_file: Path | None = Field(
        None, description="password for `keys_url`; else the systemd credential `keys_password`"
    )
    ledger_url: str = Field(
        "", description="PostgreSQL database of the erasure ledger; needed with `keys_url`"
    )
    ledger_password_file: Path | None = Field(
        None, description="password for `ledger_url`; else the credential `ledger_password`"
    )
    identity_days: int = Field(395, ge=1, description="days that phone numbers are kept")
    words_days: int = Field(90, ge=1, description="days that spoken words are kept")
    texts_days: int = Field(90, ge=1, description="days that bodies of texts are kept")
    records_days: int = Field(395, ge=1, description="days that hand-off records are kept")
    recordings_days: int = Field(30, ge=1, description="days that recordings of calls are kept")


class Recording(Section):
    """Recordings of calls, where the policy bundle asks for them; sealed as they are written."""

    folder: Path | None = Field(
        None,
        description="folder of the recordings, one that all workers share; unset: beside the "
        "database",
    )
    longest: float = Field(
        120.0, gt=0, le=1440, description="minutes after which a recording ends by itself"
    )
    behind: float = Field(
        10.0,
        ge=1,
        le=60,
        description="seconds of a recording that may wait for the disk, before it ends",
    )
    least_free: int = Field(
        500, ge=0, description="MB that the disk must still have, or recordings end; 0: any"
    )


class Audit(Section):
    """Seals of the log: signed checkpoints, kept in the database and elsewhere."""

    origin: str = Field(
        "",
        pattern=r"^[^\s+]*$",
        description="name that seals are signed under, never to be changed; empty: from the key",
    )
    anchor: Path | None = Field(
        None, description="file that every checkpoint is added to; best on another machine"
    )
    anchor_syslog: str = Field(
        "",
        description="syslog that every checkpoint is told to: udp://host:port, tcp://host:port "
        "or unix:///dev/log",
    )
    anchor_command: tuple[str, ...] = Field(
        (), description="program with its arguments that gets every checkpoint on its input"
    )


class Bus(Section):
    """A relay of committed events to others, what is personal in them sealed."""

    to: str = Field(
        "",
        description="nats://host:port (several with commas), a file, or - for standard output; "
        "empty: none",
    )
    stream: str = Field("segue", description="JetStream stream; made if it is not there")
    prefix: str = Field("segue.events", description="subjects are this and the event's name")
    replicas: int = Field(1, ge=1, le=5, description="of the stream, if it is made")
    user: str = Field("", description="name for the server; empty: none")
    password_file: Path | None = Field(None, description="password of `user`")
    token_file: Path | None = Field(None, description="token instead of a name")
    credentials_file: Path | None = Field(None, description="file as `nsc` writes it, instead")
    ca_file: Path | None = Field(None, description="authorities of the server; else the system's")
    certificate_file: Path | None = Field(None, description="our certificate, if it asks for one")
    key_file: Path | None = Field(None, description="key of our certificate")
    file_size: int = Field(100_000_000, ge=10_000, description="bytes of a file before the next")
    files: int = Field(10, ge=1, description="full files that are kept")


class Carrier(Section):
    """One of several carriers, `[[sms.carriers]]`: its profile, our account there, its prices."""

    profile: Path = Field(description="profile of the carrier: its name, hosts and demands (TOML)")
    system_id: str = Field(max_length=15, description="who we are at its SMSC")
    password_file: Path = Field(description="file with the bind password")
    source: str = Field("", description="our number, short code or name there; empty: sms.source")
    costs: dict[str, Decimal] = Field(
        {"": Decimal(0)}, description='price of a segment by E.164 prefix; "": everywhere else'
    )
    weight: int = Field(1, ge=0, description="share among carriers of the same price")


class Sms(Section):
    """The carrier binds, by SMPP 3.4."""

    carrier: str = Field("carrier", description="name of the carrier in logs and events")
    profile: Path | None = Field(
        None, description="profile of the carrier (TOML); its hosts, unless host is set"
    )
    carriers: tuple[Carrier, ...] = Field(
        (), description="several carriers instead, each a table [[sms.carriers]]"
    )
    host: str = Field("", description="SMSC host; empty: no texts are offered")
    port: _Port = Field(2775, description="SMSC port")
    system_id: str = Field("", max_length=15, description="who we are at the SMSC")
    password_file: Path | None = Field(
        None, description="file with the bind password; else the systemd credential `smpp_password`"
    )
    system_type: str = Field("", max_length=12, description="as the carrier asks")
    source: str = Field("", description="our number, short code or name, as the handset sees it")
    window: int = Field(10, ge=1, le=1000, description="submit_sm under way at once")
    retry_first: float = Field(1.0, gt=0, description="seconds before the first new try")
    retry_longest: float = Field(300.0, gt=0, description="longest pause between tries")
    retry_attempts: int = Field(12, ge=1, description="tries of one text before it is refused")
    receipt_patience: float = Field(
        900.0, gt=0, description="seconds a receipt may take before `receipt.overdue`"
    )
    message_class: Literal["at_most_once", "at_least_once", "reconcile"] = Field(
        "at_most_once",
        description="what is done with a text whose fate is unknown, unless its template names a "
        "class: nothing, send it again, or ask the carrier and report it",
    )
    reconcile_patience: float = Field(
        3600.0,
        gt=0,
        description="seconds that a text of the class reconcile waits for a receipt before the "
        "carrier is asked",
    )
    ids_days: float = Field(
        30.0,
        gt=0,
        description="days for which the carriers' ids of texts are known; the receipt of an older "
        "text is one of an unknown text",
    )


class Sending(Section):
    """What a text must pass before it may go on the wire."""

    opt_out: bool = Field(True, description="whether STOP and its like are kept to")
    opt_out_scope: Literal["sender", "all"] = Field(
        "all", description="whose texts STOP ends: of the sender it was written to, or all"
    )
    revocation_stops: bool = Field(
        True,
        description="whether a text that only reads like STOP ends texts at once; a person is "
        "shown it in any case",
    )
    confirm_opt_out: bool = Field(True, description="whether STOP is confirmed, once")
    stop_words: tuple[str, ...] = Field((), description="further words that mean STOP")
    words: Path | None = Field(
        None, description="words and answers of all languages (TOML); unset: those of Segue"
    )
    brand: str = Field("", max_length=60, description="who we are, in the answers to HELP and STOP")
    contact: str = Field(
        "", max_length=100, description="where help is had: a number or an address"
    )
    countries: tuple[str, ...] = Field(
        (),
        description="ISO countries that texts may go to; empty: that of [calls] region, or all if "
        "it is empty; `*`: all",
    )
    refused_kinds: tuple[str, ...] = Field(
        ("fixed_line", "premium_rate", "shared_cost", "toll_free", "pager", "uan", "voicemail"),
        description="kinds of numbers that no text goes to",
    )
    quiet_purposes: tuple[str, ...] = Field(
        ("marketing",), description="purposes of texts that wait for the recipient's daytime"
    )
    hours: Path | None = Field(
        None, description="hours and holidays of countries (TOML); unset: those of Segue"
    )
    no_common_hour: Literal["block", "any"] = Field(
        "block",
        description="a number that may be in many time zones, without an hour that is allowed in "
        "all: refuse the text, or take an hour that is allowed in one",
    )
    recipient_hour: int = Field(20, ge=0, description="texts to one number in an hour; 0: any")
    recipient_day: int = Field(60, ge=0, description="texts to one number in a day; 0: any")
    conversation_day: int = Field(100, ge=0, description="texts of a conversation in a day; 0: any")
    prefix_hour: int = Field(1000, ge=0, description="texts to a prefix in an hour; 0: any")
    prefix_digits: int = Field(6, ge=1, le=8, description="digits of a prefix, country code first")
    near_hour: int = Field(
        40, ge=0, description="different numbers alike but for their end, in an hour; 0: any"
    )
    near_digits: int = Field(9, ge=4, le=14, description="digits that near numbers share")
    failure_share: float = Field(
        0.6, ge=0, le=1, description="share of failed texts to a prefix that is alarming; 0: none"
    )
    failure_least: int = Field(30, ge=1, description="texts to a prefix before that share counts")
    pumping: Literal["alarm", "wait", "block"] = Field(
        "wait", description="what becomes of texts to near numbers, or to prefixes that fail"
    )
    money_day: float = Field(0.0, ge=0, description="most that texts may cost in a day; 0: any")
    prices: Path | None = Field(
        None, description="what a segment costs by prefix (TOML); unset: high guesses of Segue"
    )
    longest_wait: float = Field(
        7200.0, ge=0, description="seconds a text may wait for a limit; else it is refused"
    )


class Handoff(Section):
    """Where hand-off records go."""

    folder: Path | None = Field(
        None, description="folder that records are dropped into; unset: beside the database"
    )


class Probe(Section):
    """Synthetic calls that try the whole path: by command, or at intervals by the service."""

    every: float = Field(
        0.0, ge=0, description="seconds from one synthetic call to the next; 0: none"
    )
    sip: str = Field("127.0.0.1:5060", description="host:port where the PBX takes SIP over UDP")
    number: str = Field("", description="number to dial, one that leads to us")
    caller: str = Field(
        "+12025550190",
        description="number to call from; give it to nobody else: it marks these calls",
    )
    say: tuple[str, ...] = Field(
        ("i would like to reschedule my appointment",),
        description="what is said, a sentence or one key for each turn; never what leads to a text",
    )
    voice: str = Field("f4", description="espeak-ng variant of the caller")
    limit: float = Field(90.0, gt=0, le=600, description="seconds that a synthetic call may take")


class Telemetry(Section):
    """Logs and metrics."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="log level")
    json_lines: bool = Field(True, description="logs as JSON lines; false: for people")
    metrics_host: str = Field("127.0.0.1", description="address of the metrics page")
    metrics_port: int = Field(0, ge=0, le=65535, description="Prometheus page; 0: none")


class Settings(BaseSettings):
    """All of it; frozen once read."""

    model_config = SettingsConfigDict(
        env_prefix="SEGUE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    pbx: Pbx = Pbx()
    ami: Ami = Ami()
    agi: Agi = Agi()
    watchdog: Watchdog = Watchdog()
    media: Media = Media()
    speech: Speech = Speech()
    voice: Voice = Voice()
    policy: Policy = Policy()
    calls: Calls = Calls()
    store: Store = Store()
    privacy: Privacy = Privacy()
    recording: Recording = Recording()
    audit: Audit = Audit()
    bus: Bus = Bus()
    sms: Sms = Sms()
    sending: Sending = Sending()
    handoff: Handoff = Handoff()
    probe: Probe = Probe()
    telemetry: Telemetry = Telemetry()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, which comes in as init arguments."""
        return env_settings, init_settings


def load(path: Path | None = None) -> Settings:
    """The settings; SettingsError names the place, what is wrong, and what was meant perhaps.

    `path` None: $SEGUE_CONFIG, else /etc/segue/segue.toml if it is there, else the defaults.
    """
    named = path or (Path(p) if (p := os.environ.get("SEGUE_CONFIG")) else None)
    document = _read(named or DEFAULT_PATH, must_exist=named is not None)
    _check_environment()
    try:
        return Settings(**document)
    except ValidationError as error:
        wrong = error.errors()[0]
        variable = "SEGUE_" + "__".join(str(part).upper() for part in wrong["loc"])
        where = variable if variable in os.environ else str(named or DEFAULT_PATH)
        raise SettingsError(f"{where}: {_sentence(wrong)}") from None


def _check_environment() -> None:
    """SettingsError for a variable that looks like a setting and is none."""
    for variable in os.environ:
        room, nested, _ = variable.removeprefix("SEGUE_").lower().partition("__")
        if not variable.startswith("SEGUE_"):
            continue
        if not nested and room in Settings.model_fields:
            raise SettingsError(f"{variable} is a whole section: set {variable}__<KEY>")
        if nested and room not in Settings.model_fields:
            hint = _hint(room, list(Settings.model_fields))
            raise SettingsError(f"{variable}: unknown setting [{room}]{hint}")


def _read(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if must_exist:
            raise SettingsError(f"there is no settings file {path}") from None
        return {}
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None


def _sentence(error: ErrorDetails) -> str:
    place = [str(part) for part in error["loc"]]
    name = f"[{place[0]}] {'.'.join(place[1:])}" if len(place) > 1 else f"[{place[0]}]"
    if error["type"] != "extra_forbidden":
        return f"{name}: {error['msg'].lower()} (found {error['input']!r})"
    section = Settings.model_fields.get(place[0])
    known: list[str] = list(Settings.model_fields)
    if len(place) > 1 and section is not None:
        known = list(type(section.default).model_fields)
    return f"unknown setting {name}{_hint(place[-1], known)}"


def _hint(written: str, known: list[str]) -> str:
    close = difflib.get_close_matches(written, known, 1)
    return f"; did you mean `{close[0]}`?" if close else f"; known are {', '.join(known)}"


def read_secret(file: Path | None, credential: str, setting: str) -> str | None:
    """A secret from its file, else from the systemd credential; None if neither is set.

    SettingsError if the file is named but cannot be read, is empty, or is open to others.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = file
    if path is None and folder is not None and (Path(folder) / credential).exists():
        path = Path(folder) / credential
    if path is None:
        return None
    try:
        secret = path.read_text(encoding="utf-8").strip()
        open_to_others = path.stat().st_mode & 0o007
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{setting}: cannot read {path}: {error}") from None
    if open_to_others:
        raise SettingsError(f"{setting}: everybody can read {path}; run `chmod 600 {path}`")
    if not secret:
        raise SettingsError(f"{setting}: {path} is empty")
    return secret


def as_table() -> str:
    """Every setting as a Markdown table: docs/settings.md is made from it."""
    lines = [
        "# Settings",
        "",
        "Made from `ari_app/config.py` by `segue config docs`; do not edit.",
        "",
        "One TOML file (`segue run --config FILE`, `$SEGUE_CONFIG`, else `/etc/segue/segue.toml`).",
        "`SEGUE_<SECTION>__<KEY>` in the environment wins over the file. Secrets come by file or",
        "systemd credential only.",
    ]
    for name, field in Settings.model_fields.items():
        section = field.annotation
        assert isinstance(section, type)
        assert issubclass(section, Section)
        lines += ["", f"## [{name}]", "", section.__doc__ or "", ""]
        lines += ["| key | default | meaning |", "|---|---|---|"]
        for key, value in section.model_fields.items():
            default = "" if value.default is None else f"`{_plain(value.default)}`"
            lines.append(f"| `{key}` | {default} | {value.description} |")
    return "\n".join(lines) + "\n"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return str(list(value))
    return f'"{value}"' if isinstance(value, str | Path) else str(value)
