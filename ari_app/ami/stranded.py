"""Which calls nobody serves, read from Asterisk's list of channels; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# Channels that Asterisk makes beside people: media legs, and what plays and records in bridges.
_MACHINES = ("UnicastRTP/", "WebSocket/", "Announcer/", "Recorder/", "Snoop/")


@dataclass(frozen=True, slots=True)
class Stranded:
    """A channel that is in the application, without anybody at the other end."""

    name: str  # Asterisk's, for AMI; a Local channel's holds a number, so it is never logged
    id: str
    caller: bool  # else a person's own leg, whose caller is not there


def stranded(channels: Iterable[Mapping[str, str]], app: str) -> list[Stranded]:
    """Of the events CoreShowChannel those who are in the Stasis application `app`, alone.

    A caller who is bridged with a person is not: the two hear each other without us.
    """
    rows = list(channels)
    found = []
    for row in rows:
        role = _role(row, app)
        if role in ("inbound", "agent") and not _has_company(row, rows):
            name, id = row.get("Channel", ""), row.get("Uniqueid", "")
            if name:
                found.append(Stranded(name, id, caller=role == "inbound"))
    return found


def _role(row: Mapping[str, str], app: str) -> str:
    """The first argument of Stasis(app,…): `inbound`, `agent`, `media`; "" outside of `app`."""
    if row.get("Application") != "Stasis":
        return ""
    name, _, arguments = row.get("ApplicationData", "").partition(",")
    return arguments.partition(",")[0] if name == app else ""


def _has_company(row: Mapping[str, str], rows: Sequence[Mapping[str, str]]) -> bool:
    bridge = row.get("BridgeId", "")
    return bool(bridge) and any(
        other is not row
        and other.get("BridgeId") == bridge
        and not other.get("Channel", "").startswith(_MACHINES)
        for other in rows
    )
