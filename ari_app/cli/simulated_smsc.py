"""`segue smsc`: the carrier simulator in the foreground."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from rich.console import Console

from ari_app.cli.processes import announce
from ari_app.config import read_secret
from ari_app.errors import SettingsError
from smpp.control import ControlServer
from smpp.simulator import Smsc


def run(
    port: int,
    control_port: int,
    system_id: str,
    password_file: Path | None,
    receipt_delay: float,
    ready: Path | None,
) -> None:
    """Until SIGTERM or Ctrl-C."""
    accounts = None
    if system_id:
        password = read_secret(password_file, "", "--password-file")
        if password is None:
            raise SettingsError("--system-id needs a --password-file")
        accounts = {system_id: password}
    smsc = _Foreground(accounts, receipt_delay)
    asyncio.run(smsc.serve(port, control_port, ready))


class _Foreground:
    def __init__(self, accounts: dict[str, str] | None, receipt_delay: float) -> None:
        self._accounts = accounts
        self._receipt_delay = receipt_delay

    async def serve(self, port: int, control_port: int, ready: Path | None) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        smsc = Smsc(accounts=self._accounts, receipt_delay=self._receipt_delay)
        try:
            await smsc.start(port=port)
        except OSError as error:
            raise SettingsError(f"--port {port}: cannot listen ({error.strerror})") from None
        control = ControlServer(smsc)
        try:
            await control.start(port=control_port)
            Console(stderr=True).print(
                f"SMSC on 127.0.0.1:{smsc.port}, control on 127.0.0.1:{control.port}"
            )
            announce(ready, {"port": smsc.port, "control_port": control.port})
            await stop.wait()
        finally:
            await control.aclose()
            await smsc.aclose()
