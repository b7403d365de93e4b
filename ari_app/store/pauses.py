"""The kill switch: what is not claimed until somebody says so, also after a restart."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ari_app.conversation.message import MessageClass, Priority
from ari_app.store.engine import Link

_PREFIX = "pause:"
_PAUSED = "SELECT key, value FROM meta WHERE key LIKE ? ORDER BY key"
_PAUSE = """
    INSERT INTO meta (key, value) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
_RESUME = "DELETE FROM meta WHERE key = ?"


@dataclass(frozen=True, slots=True)
class Pause:
    """One switch that is off: no text of this scope is claimed."""

    scope: str  # `all`, `carrier:<name>`, `class:<message class>`, `priority:<name>`
    by: str
    reason: str
    at: int  # UTC microseconds


def scope_of(text: str) -> str:
    """The scope that a person wrote; ValueError says what can be written."""
    kind, _, name = text.partition(":")
    known = {
        "class": [c.value for c in MessageClass],
        "priority": [p.name.lower() for p in Priority],
    }
    if text == "all" or (kind == "carrier" and name) or name in known.get(kind, ()):
        return text
    raise ValueError(
        f"{text!r} is no scope: write all, carrier:NAME, "
        f"class:{'|'.join(known['class'])} or priority:{'|'.join(known['priority'])}"
    )


def paused(link: Link) -> list[Pause]:
    """All that is off now."""
    return [
        Pause(key.removeprefix(_PREFIX), **json.loads(value))
        for key, value in link.rows(_PAUSED, (f"{_PREFIX}%",))
    ]


def pause(link: Link, scope: str, by: str, reason: str, now: int) -> None:
    """Switch it off; a scope that is off already learns the new reason."""
    value = json.dumps({"by": by, "reason": reason, "at": now}, ensure_ascii=False)
    link.run(_PAUSE, (_PREFIX + scope, value))


def resume(link: Link, scope: str) -> bool:
    """Switch it on again; whether it was off."""
    return bool(link.run(_RESUME, (_PREFIX + scope,)))
