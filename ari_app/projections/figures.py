"""What is counted of an event, so that it can be added up by the hour."""

from __future__ import annotations

from ari_app.conversation.events import (
    CallerSpoke,
    DecisionMade,
    Event,
    KeyPressed,
    TextReceived,
)
from ari_app.projections.parts import Part
from ari_app.projections.plain import plain
from ari_app.projections.ports import CallRow, HandoffRow, MessageRow


def figures_of(
    event: Event | None, before: Part | None, after: Part | None
) -> list[tuple[str, str]]:
    """(name, label) of what is to be counted once; see MetricRow.

    `before` and `after` are the call, text or hand-off that the event has changed.
    """
    match after:
        case CallRow():
            figures = _of_call(before, after)
        case MessageRow() if not isinstance(before, MessageRow) or before.state != after.state:
            figures = [("texts", after.state)]
        case HandoffRow() if not isinstance(before, HandoffRow) or before.state != after.state:
            figures = [("handoffs", after.state)]
        case _:
            figures = []
    match event:
        case CallerSpoke() | KeyPressed():
            figures.append(("turns", ""))
        case TextReceived():
            figures += [("turns", ""), ("texts", "received")]
        case DecisionMade(rule=rule, actions=actions):
            figures.append(("decisions", plain(rule)))
            if "miss" in actions:
                figures.append(("misses", ""))
        case _:
            pass
    return figures


def _of_call(before: Part | None, after: CallRow) -> list[tuple[str, str]]:
    was = before if isinstance(before, CallRow) else None
    figures = [] if was else [("calls", "")]
    if after.answered_at is not None and (was is None or was.answered_at is None):
        figures.append(("answered", ""))
    if after.exit is not None and (was is None or was.exit is None):
        figures.append(("left", after.exit))
    if after.ended_at is not None and (was is None or was.ended_at is None):
        figures.append(("ended", after.cause or ""))
    return figures
