"""`segue run`: start, wait for a signal, drain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from pathlib import Path

from ari_app.bootstrap.service import Service
from ari_app.cli.processes import announce, collect_seldom
from ari_app.config import Settings, load
from ari_app.errors import Unavailable
from ari_app.telemetry.logs import set_up

logger = logging.getLogger(__name__)


def run(config: Path | None, ready: Path | None) -> None:
    """Until SIGTERM or SIGINT; SegueError if it cannot start, or had to stop by itself."""
    settings = load(config)
    style = settings.telemetry.json_lines
    set_up("json" if style else "console", settings.telemetry.level.upper())
    asyncio.run(_serve(settings, ready))


async def _serve(settings: Settings, ready: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = Service(settings)
    starting = asyncio.create_task(service.start())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    if stop.is_set():
        return
    collect_seldom()
    announce(ready, {"agi_port": service.agi_port})
    _tell_systemd("READY=1")
    logger.info("segue is up")
    await asyncio.wait((stopped, service.failed), return_when=asyncio.FIRST_COMPLETED)
    _tell_systemd("STOPPING=1")
    await service.stop()
    logger.info("segue has stopped")
    if service.failed.done():
        raise Unavailable(service.failed.result())


def _tell_systemd(state: str) -> None:
    """sd_notify(3): a datagram to $NOTIFY_SOCKET, if systemd started us."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
