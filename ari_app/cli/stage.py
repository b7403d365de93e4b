"""A whole system on this machine: private Asterisk, carrier simulator and service as processes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from ari_app.cli.processes import Process
from ari_app.errors import Unavailable
from asterisk.fetch import AsteriskMissing, find_root
from smpp.control import ControlClient

DID = "+15550100"
SENDER = "+15550199"
CALLER = "+12025550123"
_START_PATIENCE = 60.0
_SYSTEM_ID = "segue"
_BIND_PASSWORD = "rehearse"  # noqa: S105  of the simulator, on loopback, for this run


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that a rehearsal needs to know."""

    folder: Path
    sip: tuple[str, int]
    handset: ControlClient
    config: Path
    database: Path
    handoffs: Path
    pbx: Process
    smsc: Process
    service: Process


@contextlib.asynccontextmanager
async def raised(
    folder: Path,
    step: Callable[[str], None] = lambda _: None,
    *,
    settings: str = "",
    receipt_delay: float = 0.5,
) -> AsyncIterator[Stage]:
    """Start all three, and take them down in reverse; Unavailable says which did not come up.

    `settings` is TOML of further sections for the service.
    """
    folder = _made(folder)
    async with contextlib.AsyncExitStack() as stack:
        step("private Asterisk")
        await _fetched(step)
        pbx = Process(folder, "pbx", "pbx")
        stack.push_async_callback(pbx.stop)
        asterisk = await pbx.start(_START_PATIENCE)

        step("carrier simulator")
        smsc_secret = _secret(folder / "smpp.secret", _BIND_PASSWORD)
        smsc = Process(
            folder,
            "smsc",
            *("smsc", "--port", "0", "--system-id", _SYSTEM_ID),
            *("--password-file", str(smsc_secret), "--receipt-delay", str(receipt_delay)),
        )
        stack.push_async_callback(smsc.stop)
        carrier = await smsc.start(_START_PATIENCE)

        step("the service")
        database = folder / "segue.db"
        first, last = asterisk["app_ports"]
        agi_host, _, agi_port = str(asterisk["agi"]).rpartition(":")
        config = folder / "segue.toml"
        config.write_text(
            f"""[pbx]
url = "{asterisk["ari_url"]}"
user = "{asterisk["ari_user"]}"
password_file = "{_secret(folder / "ari.secret", asterisk["ari_password"])}"
[ami]
port = {asterisk["ami_port"]}
user = "{asterisk["ami_user"]}"
secret_file = "{_secret(folder / "ami.secret", asterisk["ami_secret"])}"
[agi]
host = "{agi_host}"
port = {agi_port}
[media]
first_port = {first}
last_port = {last}
[store]
path = "{database}"
[sms]
carrier = "simulator"
host = "127.0.0.1"
port = {carrier["port"]}
system_id = "{_SYSTEM_ID}"
password_file = "{smsc_secret}"
source = "{SENDER}"
[handoff]
folder = "{folder / "handoffs"}"
{settings}
""",
            encoding="utf-8",
        )
        service = Process(folder, "service", "run", "--config", str(config))
        stack.push_async_callback(service.stop)
        await service.start(_START_PATIENCE)
        yield Stage(
            folder=folder,
            sip=("127.0.0.1", int(asterisk["sip_port"])),
            handset=ControlClient(port=int(carrier["control_port"])),
            config=config,
            database=database,
            handoffs=folder / "handoffs",
            pbx=pbx,
            smsc=smsc,
            service=service,
        )


async def _fetched(step: Callable[[str], None]) -> None:
    """Fetch Asterisk here, the first time, where the steps can be shown."""
    try:
        await asyncio.to_thread(find_root, step)
    except AsteriskMissing as error:
        raise Unavailable(str(error)) from error


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _secret(path: Path, value: object) -> Path:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(str(value), encoding="utf-8")
    return path.resolve()
