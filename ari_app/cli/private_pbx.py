"""`segue pbx`: the private Asterisk in the foreground."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from rich.console import Console

from ari_app.cli.processes import announce
from ari_app.errors import Unavailable
from asterisk.fetch import AsteriskMissing, find_root
from asterisk.private import AsteriskFailed, PrivateAsterisk


def run(home: Path | None, ready: Path | None) -> None:
    """Until SIGTERM or Ctrl-C; Unavailable if there is no Asterisk to be had."""
    screen = Console(stderr=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        root = find_root(lambda step: screen.print(step, markup=False))
        with PrivateAsterisk(root, home=home) as pbx:
            _show(screen, pbx)
            announce(ready, facts(pbx))
            signal.pause()
    except (AsteriskMissing, AsteriskFailed) as error:
        raise Unavailable(str(error)) from error
    except KeyboardInterrupt:
        screen.print("Asterisk stopped.")


def facts(pbx: PrivateAsterisk) -> dict[str, object]:
    """What another process needs to use this Asterisk."""
    return {
        "pid": pbx.pid,
        "home": str(pbx.home),
        "sip_port": pbx.sip_port,
        "ari_url": pbx.ari_url,
        "ari_user": pbx.ari_user,
        "ari_password": pbx.ari_password,
        "ami_port": pbx.ami_port,
        "ami_user": pbx.ami_user,
        "ami_secret": pbx.ami_secret,
        "agi": pbx.agi,
        "app_ports": [pbx.app_ports.start, pbx.app_ports.stop - 1],
        "phone_user": pbx.phone_user,
        "phone_password": pbx.phone_password,
    }


def _show(screen: Console, pbx: PrivateAsterisk) -> None:
    screen.print(f"Asterisk is up in {pbx.home}", markup=False)
    screen.print(f"  SIP   udp 127.0.0.1:{pbx.sip_port}, any number such as +15550100")
    screen.print(f"  ARI   {pbx.ari_url} user {pbx.ari_user}, password in etc/ari.conf")
    screen.print(f"  AMI   127.0.0.1:{pbx.ami_port} user {pbx.ami_user}, FastAGI at {pbx.agi}")
