"""The end of a call: given back to the dialplan, in the log, and in the figures."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ari_app.calls.instruments import Instruments
from ari_app.calls.journal import Journal
from ari_app.conversation.events import CallEnded, CallLeft, Event
from ari_app.errors import AriRefused, LeaseLost, Unavailable
from ari_app.ports import Effect, Exit, failpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended."""

    call: str
    cause: str
    reason: str  # why it left as it did
    exit: Exit | None  # as it was decided: with HANDOFF people have its record already
    left: Exit | None  # how it was given back to the dialplan; None: it was not
    statistics: Mapping[str, int]  # of its audio
    seconds: float  # that it took


async def give_back(
    tools: Instruments, journal: Journal, call: str, channel: str, exit: Exit, reason: str
) -> bool:
    """Whether the dialplan has the channel now; it may be gone, or Asterisk be away."""
    try:
        await tools.telephone.leave(channel, exit, _variables(journal, reason))
    except (AriRefused, Unavailable) as error:
        logger.warning("call %s could not be given back: %s", call, error)
        return False
    return True


async def close(tools: Instruments, journal: Journal, end: Ending, last: Sequence[Event]) -> None:
    """After these `last` events its end, and the record if people have none, in one append."""
    events = list(last)
    if end.left:
        events.append(CallLeft(call=end.call, exit=end.left.value, reason=end.reason or end.cause))
    events.append(CallEnded(call=end.call, cause=end.cause, statistics=dict(end.statistics)))
    try:
        await _store(tools, journal, end, events)
    except (Unavailable, LeaseLost) as error:
        logger.error("the end of call %s could not be stored: %s", end.call, error)


def count(tools: Instruments, end: Ending) -> None:
    """In the figures."""
    tools.meter.observe("segue_call_duration_seconds", end.seconds)
    outcome = end.left.value if end.left else "hangup"
    tools.meter.count("segue_calls_total", outcome=outcome)


async def _store(tools: Instruments, journal: Journal, end: Ending, events: list[Event]) -> None:
    await journal.catch_up()
    effects: list[Effect] = []
    if end.exit is not Exit.HANDOFF:
        outcome = "text promised" if journal.state.messages else "ended without a text"
        recorded, effect = tools.agent.hand_off(
            journal.stream, journal.state, outcome, end.reason or "the call is over"
        )
        events.append(recorded)
        effects.append(effect)
    await journal.append(events, effects=effects, held=False)
    failpoint("call.after_ended")


def _variables(journal: Journal, reason: str) -> dict[str, str]:
    """What the dialplan and the person who takes the call may see: no words of the caller."""
    brief = " ".join(filter(None, (journal.state.topic, reason)))
    return {"SEGUE_CONVERSATION": journal.stream, "SEGUE_BRIEF": brief[:200]}
