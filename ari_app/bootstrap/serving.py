"""What stands beside the calls: answers to the dialplan, figures, and the view of AMI."""

from __future__ import annotations

from ari_app.agi.callers import Callers, Reach
from ari_app.agi.server import AgiServer
from ari_app.agi.uses import uses
from ari_app.ami.supervision import AmiSupervision
from ari_app.bootstrap import sending
from ari_app.bootstrap.life import Life
from ari_app.bootstrap.premises import need
from ari_app.bootstrap.texting import Texting
from ari_app.config import read_secret
from ari_app.errors import SettingsError
from ari_app.policy.bundle import Bundle
from ari_app.store.store import EventStore


def serve_metrics(life: Life) -> None:
    """Show the figures, if somebody wants them."""
    host, port = life.settings.telemetry.metrics_host, life.settings.telemetry.metrics_port
    if not port:
        return
    try:
        life.meter.serve(host, port)
    except OSError as error:
        raise SettingsError(
            f"[telemetry] metrics_port: cannot listen on {host}:{port} ({error.strerror}): "
            "stop the other program, or choose another port"
        ) from None
    life.at_end(life.meter.aclose)


async def supervise(life: Life) -> None:
    """Watch by AMI, if there is one."""
    ami = life.settings.ami
    if not ami.port:
        return
    secret = need(
        read_secret(ami.secret_file, "ami_secret", "ami.secret_file"),
        "the AMI secret is not set: write it to a file and name that in [ami] secret_file",
    )
    supervision = AmiSupervision(ami.host, ami.port, ami.user, secret, life.meter)
    supervision.start()
    life.at_end(supervision.aclose)


async def serve_agi(
    life: Life, store: EventStore, bundle: Bundle, texting: Texting, key: bytes
) -> int:
    """Answer the dialplan; the port, 0 if nobody asks."""
    settings, agi = life.settings, life.settings.agi
    if not agi.port:
        return 0
    rules = sending.rules(settings)
    callers = Callers(
        store,
        life.clock,
        key,
        region=settings.calls.region or None,
        language=bundle.language,
        outs=store.suppressions(),
        sender=settings.sms.source,
    )
    table = uses(
        callers,
        bundle,
        Reach(rules.countries, rules.refused_kinds),
        lambda: texting.up,
        settings.sms.receipt_patience,
    )
    server = AgiServer(agi.host, agi.port, table, deadline=agi.deadline, most=agi.most)
    try:
        await server.start()
    except OSError as error:
        raise SettingsError(
            f"[agi] port: cannot listen on {agi.host}:{agi.port} ({error.strerror}): "
            "stop the other program, or choose another port"
        ) from None
    life.at_end(server.aclose)
    return server.port
