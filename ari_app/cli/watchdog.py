"""`segue watchdog`: a process of its own that outlives the service, for its callers."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import typer

from ari_app.ami.supervision import AmiState, AmiSupervision
from ari_app.ami.vigil import Sign
from ari_app.ami.watchdog import Rescue, Watchdog, sign_of_life
from ari_app.cli.processes import announce
from ari_app.config import Settings, load, read_secret
from ari_app.errors import SegueError, SettingsError, Unavailable
from ari_app.telemetry.logs import set_up
from ari_app.telemetry.meter import PrometheusMeter

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  listened on, not spoken to
_PATIENCE = 3.0  # seconds that a single look waits for AMI


def run(config: Path | None, ready: Path | None, once: bool, as_json: bool) -> int:
    """The exit status. Once: 0 if the application lives and AMI is up, else 1, nothing is moved."""
    settings = load(config)
    ami, watched = _supervision(settings), settings.watchdog
    look = partial(sign_of_life, *_application(settings))
    dog = Watchdog(
        ami,
        look,
        Rescue(settings.pbx.app, watched.context),
        interval=watched.interval,
        grace=watched.grace,
        hang=watched.hang,
    )
    if once:
        return asyncio.run(_once(ami, dog, look, as_json))
    style = settings.telemetry.json_lines
    set_up("json" if style else "console", settings.telemetry.level.upper())
    with _alone(settings):
        asyncio.run(_watch(ami, dog, ready))
    return 0


async def _watch(ami: AmiSupervision, dog: Watchdog, ready: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ami.start()
    watching = asyncio.create_task(dog.run())
    announce(ready, {})
    await stop.wait()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await ami.aclose()


async def _once(
    ami: AmiSupervision, dog: Watchdog, look: Callable[[], Awaitable[Sign]], as_json: bool
) -> int:
    ami.start()
    try:
        sign = await look()
        up = await _is_up(ami)
        left = len(await dog.find()) if up else None
        version = ami.pbx.version if ami.pbx else None
    except SegueError as error:
        raise Unavailable(f"AMI: {error}") from error
    finally:
        await ami.aclose()
    if as_json:
        seen = {"application": sign.value, "ami": up, "asterisk": version, "alone": left}
        typer.echo(json.dumps(seen))
    else:
        pbx = f"Asterisk {version}, {left} calls without a person" if up else "no AMI"
        typer.echo(f"application {sign.value}; {pbx}")
    return 0 if up and sign is Sign.ALIVE else 1


async def _is_up(ami: AmiSupervision) -> bool:
    end = asyncio.get_running_loop().time() + _PATIENCE
    while ami.pbx is None and asyncio.get_running_loop().time() < end:
        if ami.state is AmiState.REFUSED:
            break
        await asyncio.sleep(0.02)
    return ami.pbx is not None


def _supervision(settings: Settings) -> AmiSupervision:
    ami = settings.ami
    if not ami.port:
        raise SettingsError("the watchdog moves calls by AMI: set [ami] port")
    secret = read_secret(ami.secret_file, "ami_secret", "ami.secret_file")
    if secret is None:
        raise SettingsError(
            "the AMI secret is not set: write it to a file and name that in [ami] secret_file"
        )
    return AmiSupervision(ami.host, ami.port, ami.user, secret, PrometheusMeter())


def _application(settings: Settings) -> tuple[str, int]:
    """Where to ask whether it lives."""
    named = settings.watchdog.application
    if not named:
        agi = settings.agi
        if not agi.port:
            raise SettingsError("the watchdog asks the application by FastAGI: set [agi] port")
        return _EVERYWHERE.get(agi.host, agi.host), agi.port
    host, _, port = named.rpartition(":")
    if not 0 < int(port) < 65536:
        raise SettingsError(f"[watchdog] application: {port} is no port")
    return host.strip("[]"), int(port)


def _alone(settings: Settings) -> socket.socket:
    """The right to be the only one for this PBX and application on this machine.

    An abstract name is taken atomically, and given back by the kernel however we die.
    """
    ami = settings.ami
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        mark.bind(f"\0segue-watchdog-{ami.host}:{ami.port}:{settings.pbx.app}"[:100])
    except OSError:
        mark.close()
        raise Unavailable(
            f"another watchdog already watches {settings.pbx.app} on {ami.host}:{ami.port}"
        ) from None
    return mark
