"""`segue smsc`: the carrier simulator in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ari_app.cli.processes import announce
from ari_app.cli.smsc_lines import line
from ari_app.cli.smsc_page import Page
from ari_app.config import read_secret
from ari_app.errors import SettingsError
from smpp.control import ControlServer
from smpp.simulator import FaultError, Faults, Smsc, Told, Watch, as_json, describe, read
from smpp.style import DefaultAlphabet, TextStyle

_AT_ONCE = 20  # lines of progress a second, for people
_HINTED_SOURCE = "+15550199"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """How the simulator is started; each field is an option of the command."""

    host: str = "127.0.0.1"
    port: int = 2775
    control_port: int = 0
    page: bool = True
    page_port: int = 0
    system_id: str = ""
    password_file: Path | None = None
    accounts: Sequence[str] = ()
    faults: Sequence[str] = ()
    receipt_delay: str = "0.5"
    alphabet: str = DefaultAlphabet.GSM7.value
    seed: int | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_clients: Path | None = None
    as_json: bool = False
    ready: Path | None = None


def run(wanted: Rehearsal) -> None:
    """Until SIGTERM or Ctrl-C; SettingsError if an option cannot be."""
    accounts = _accounts(wanted)
    smsc = Smsc(
        accounts={name: secret for name, (secret, _) in accounts.items()} or None,
        faults=_faults(wanted),
        style=TextStyle(default_alphabet=_alphabet(wanted.alphabet)),
        seed=wanted.seed,
    )
    asyncio.run(_serve(smsc, wanted, _tls(wanted), _hint(wanted, accounts)))


def list_faults(screen: Console) -> None:
    """Every switch, for --list-faults."""
    for row in describe():
        choices = f" ({', '.join(one or 'empty' for one in row.choices)})" if row.choices else ""
        default = "empty" if row.default in ("", None) else row.default
        text = f"{row.group:8} {row.name}={default}: {row.meaning}{choices}"
        screen.print(text, markup=False, highlight=False, soft_wrap=True)


# -- options ----------------------------------------------------------------------------------


def _accounts(wanted: Rehearsal) -> dict[str, tuple[str, Path | None]]:
    """Password and its file by system_id."""
    found: dict[str, tuple[str, Path | None]] = {}
    if wanted.system_id:
        password = read_secret(wanted.password_file, "", "--password-file")
        if password is None:
            raise SettingsError("--system-id needs a --password-file")
        found[wanted.system_id] = (password, wanted.password_file)
    for one in wanted.accounts:
        name, _, file = one.partition("=")
        if not name or not file:
            raise SettingsError("--account is NAME=FILE, a file with the password")
        found[name] = (read_secret(Path(file), "", "--account") or "", Path(file))
    return found


def _faults(wanted: Rehearsal) -> Faults:
    try:
        given = dict(read(one) for one in wanted.faults)
    except FaultError as error:
        raise SettingsError(f"--fault: {error}; --list-faults shows them all") from None
    try:
        delay = read(f"receipt_delay={wanted.receipt_delay}")
    except FaultError as error:
        raise SettingsError(f"--receipt-delay: {error}") from None
    faults = Faults()
    for name, value in (delay, *given.items()):
        setattr(faults, name, value)
    return faults


def _alphabet(written: str) -> DefaultAlphabet:
    try:
        return DefaultAlphabet(written)
    except ValueError:
        allowed = ", ".join(one.value for one in DefaultAlphabet)
        raise SettingsError(f"--alphabet {written}: allowed are {allowed}") from None


def _tls(wanted: Rehearsal) -> ssl.SSLContext | None:
    if wanted.tls_certificate is None or wanted.tls_key is None:
        if wanted.tls_certificate or wanted.tls_key or wanted.tls_clients:
            raise SettingsError("TLS needs both --tls-certificate and --tls-key")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without this word OpenSSL would ask the terminal for a pass phrase.
        context.load_cert_chain(wanted.tls_certificate, wanted.tls_key, password="")
        if wanted.tls_clients is not None:
            context.load_verify_locations(wanted.tls_clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(
            f"the files of TLS cannot be used ({error.strerror or error.args[-1]}): a certificate "
            "and its own key without a pass phrase, in PEM"
        ) from None
    return context


# -- serving ----------------------------------------------------------------------------------


async def _serve(
    smsc: Smsc, wanted: Rehearsal, tls: ssl.SSLContext | None, hint: Sequence[str]
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(smsc.aclose)
        with _port("--port", wanted.port):
            await smsc.start(wanted.host, wanted.port, tls=tls)
        control = ControlServer(smsc)
        stack.push_async_callback(control.aclose)
        with _port("--control-port", wanted.control_port):
            await control.start(port=wanted.control_port)
        facts: dict[str, object] = {"port": smsc.port, "control_port": control.port}
        if wanted.page:
            page = Page(smsc)
            stack.push_async_callback(page.aclose)
            with _port("--page-port", wanted.page_port):
                await page.start(port=wanted.page_port)
            facts |= {"page": f"http://127.0.0.1:{page.port}/"}
        watch = smsc.watch(everything=True)
        screen = Console(stderr=True, soft_wrap=True, highlight=False)
        if wanted.as_json:
            _write_lines([{"event": "listening", "host": wanted.host, **facts}])
            telling = asyncio.create_task(_tell_scripts(watch, stop))
        else:
            _greet(screen, smsc, wanted, facts, hint)
            telling = asyncio.create_task(_tell_people(watch, screen))
        announce(wanted.ready, facts)
        await stop.wait()
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


@contextlib.contextmanager
def _port(option: str, port: int) -> Iterator[None]:
    try:
        yield
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        raise SettingsError(f"{option} {port}: cannot listen ({reason})") from None


def _greet(
    screen: Console, smsc: Smsc, wanted: Rehearsal, facts: dict[str, object], hint: Sequence[str]
) -> None:
    host = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
    secure = ", TLS" if wanted.tls_certificate else ""
    lines = [f"SMSC     {host}:{smsc.port}{secure} (simulated; no text leaves this machine)"]
    if "page" in facts:
        lines.append(f"page     {facts['page']}  handsets, their texts, switches")
    lines.append(f"control  127.0.0.1:{facts['control_port']}  a JSON object per line")
    lines += ["", "in segue.toml:", *hint, f"port = {smsc.port}", "", "Ctrl-C ends it"]
    for one in lines:
        screen.print(one, markup=False)


def _hint(wanted: Rehearsal, accounts: dict[str, tuple[str, Path | None]]) -> list[str]:
    """What segue.toml needs to reach this SMSC, but for the port."""
    name, (_, file) = next(iter(accounts.items()), ("segue", ("", None)))
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(wanted.host, wanted.host)
    return [
        "[sms]",
        'carrier = "simulator"',
        f'host = "{host}"',
        f'system_id = "{name}"',
        f'password_file = "{file.resolve() if file else "/a/file/with/any/password"}"',
        f'source = "{_HINTED_SOURCE}"',
    ]


# -- telling ----------------------------------------------------------------------------------


async def _tell_people(watch: Watch, screen: Console) -> None:
    """A line for each thing that happens, a count for those that come too fast to be read."""
    while True:
        lines = [line(told) for told in await _next(watch)]
        for one in lines[:_AT_ONCE]:
            screen.print(one, markup=False)
        more = len(lines) - _AT_ONCE + watch.missed
        watch.missed = 0
        if more > 0:
            screen.print(f"… and {more} more", markup=False)
        await asyncio.sleep(1.0 if len(lines) >= _AT_ONCE else 0.05)


async def _tell_scripts(watch: Watch, stop: asyncio.Event) -> None:
    """Everything as a JSON object in a line; ends the program when nobody reads any more."""
    while True:
        lines = [as_json(told) for told in await _next(watch)]
        if watch.missed:
            lines.insert(0, {"event": "missed", "count": watch.missed})
            watch.missed = 0
        try:
            await _written(lines)
        except OSError:
            stop.set()
            return


async def _next(watch: Watch) -> list[Told]:
    found = [await watch.get()]
    while not watch.empty():
        found.append(watch.get_nowait())
    return found


async def _written(lines: Sequence[object]) -> None:
    """OSError if nobody reads; a reader that only stops reading holds up nothing but this."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[OSError | None] = loop.create_future()

    def settle(error: OSError | None) -> None:
        if not done.done():
            done.set_result(error)

    def write() -> None:
        error = None
        try:
            _write_lines(lines)
        except OSError as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, error)

    # Not the loop's own threads: the end of the program would wait for those.
    threading.Thread(target=write, daemon=True).start()
    if (error := await done) is not None:
        raise error


def _write_lines(lines: Sequence[object]) -> None:
    # Not by sys.stdout: a thread that hangs in its lock stops the interpreter from ending.
    octets = memoryview("".join(json.dumps(one) + "\n" for one in lines).encode("ascii"))
    while octets:
        octets = octets[os.write(1, octets) :]
