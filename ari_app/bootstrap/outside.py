"""Whom committed events and checkpoints are told to, from the settings."""

from __future__ import annotations

from pathlib import Path

from ari_app.backends.anchor_command import AnchorCommand
from ari_app.backends.anchor_file import AnchorFile
from ari_app.backends.anchor_syslog import AnchorSyslog
from ari_app.bus.credentials import Login, Tls
from ari_app.bus.jetstream import JetStream
from ari_app.bus.lines import LineFile, LineOutput
from ari_app.config import Settings
from ari_app.errors import SettingsError
from ari_app.ports import Clock
from ari_app.privacy.ports import Anchor
from ari_app.projections.feed import Destination


def destination(settings: Settings) -> Destination | None:
    """Where events are relayed to; None if nowhere. SettingsError, Unavailable."""
    bus = settings.bus
    if not bus.to:
        return None
    if bus.to == "-":
        return LineOutput()
    if "://" not in bus.to:
        return LineFile(Path(bus.to), largest=bus.file_size, kept=bus.files)
    given = (bus.ca_file, bus.certificate_file, bus.key_file)
    try:
        return JetStream(
            [server.strip() for server in bus.to.split(",")],
            bus.stream,
            bus.prefix,
            login=Login(bus.user, bus.password_file, bus.token_file, bus.credentials_file),
            tls=Tls(*given) if any(given) else None,
            replicas=bus.replicas,
        )
    except ValueError as error:
        raise SettingsError(f"[bus]: {error}") from None


def anchors(settings: Settings, clock: Clock) -> list[Anchor]:
    """Places outside the database that keep checkpoints; SettingsError."""
    audit = settings.audit
    found: list[Anchor] = []
    try:
        if audit.anchor:
            found.append(AnchorFile(audit.anchor))
        if audit.anchor_syslog:
            found.append(AnchorSyslog(audit.anchor_syslog, clock))
        if audit.anchor_command:
            found.append(AnchorCommand(list(audit.anchor_command)))
    except ValueError as error:
        raise SettingsError(f"[audit]: {error}") from None
    return found
