"""The end of a call in the log, and what the dialplan may see of it."""

from __future__ import annotations

from collections.abc import Sequence

from ari_app.agent.turn import Agent
from ari_app.calls.journal import Journal
from ari_app.conversation.events import Event
from ari_app.ports import Effect, Exit, failpoint


async def close(
    journal: Journal, agent: Agent, exit: Exit | None, reason: str, last: Sequence[Event]
) -> None:
    """The end and its hand-off record in one append; one record has been made for people."""
    await journal.catch_up()
    events = list(last)
    effects: list[Effect] = []
    if exit is not Exit.HANDOFF:
        outcome = "text promised" if journal.state.messages else "ended without a text"
        recorded, effect = agent.hand_off(
            journal.stream, journal.state, outcome, reason or "the call is over"
        )
        events.append(recorded)
        effects.append(effect)
    await journal.append(events, effects=effects, held=False)
    failpoint("call.after_ended")


def variables(journal: Journal, reason: str) -> dict[str, str]:
    """What the dialplan and the person who takes the call may see: no words of the caller."""
    brief = " ".join(filter(None, (journal.state.topic, reason)))
    return {"SEGUE_CONVERSATION": journal.stream, "SEGUE_BRIEF": brief[:200]}
