"""Pure. Whose an application is in Asterisk: we sign the filter of its events with a mark.

The filter is a list of types, and Asterisk takes any word for a type and gives the list back. So
`GET /applications/{app}` tells whether it was we who set it last, also where the event
ApplicationReplaced was lost with the websocket.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

_MARK = "SegueMark_"


class Owner(Enum):
    """Who set the filter of the application last."""

    WE = "we"
    ANOTHER = "another"  #: a process like ours
    NOBODY = "nobody"  #: the application has no filter, or one without a mark


def mark(token: str) -> str:
    """What a process signs with; no other process has its token."""
    return _MARK + token


def owner(application: Any, token: str) -> Owner:
    """Who has the application, by Asterisk's description of it and our token."""
    allowed = application.get("events_allowed") if isinstance(application, dict) else None
    names = [entry.get("type") for entry in allowed or () if isinstance(entry, dict)]
    marks = [name for name in names if isinstance(name, str) and name.startswith(_MARK)]
    if not marks:
        return Owner.NOBODY
    return Owner.WE if mark(token) in marks else Owner.ANOTHER
