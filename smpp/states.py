"""The life of a bind (SMPP 3.4 §2.2) as a table, from which its diagram is drawn."""

from __future__ import annotations

from enum import Enum

from smpp.errors import LocalProtocolError


class State(Enum):
    """Where a bind stands; BOUND_TRX and its sisters (§2.2) are one state here."""

    CLOSED = "closed"  #: no session
    OPEN = "open"  #: the SMSC has connected to us; its outbind is waited for
    BINDING = "binding"  #: bind sent, not answered
    BOUND = "bound"  #: may submit
    UNBINDING = "unbinding"  #: we asked for the end
    UNBOUND = "unbound"  #: the SMSC asked for the end: the last answers are waited for


class Move(Enum):
    """What happens to a bind."""

    ACCEPTED = "connection accepted"
    BIND_SENT = "bind sent"
    BIND_ACCEPTED = "bind accepted"
    BIND_REFUSED = "bind refused"
    UNBIND_SENT = "unbind sent"
    UNBIND_RECEIVED = "unbind received"
    UNBIND_ANSWERED = "unbind answered"
    DRAINED = "drained"
    LOST = "lost"


NEXT: dict[tuple[State, Move], State] = {
    (State.CLOSED, Move.BIND_SENT): State.BINDING,
    (State.CLOSED, Move.ACCEPTED): State.OPEN,
    (State.OPEN, Move.BIND_SENT): State.BINDING,  # the outbind has come
    (State.OPEN, Move.UNBIND_RECEIVED): State.UNBOUND,
    (State.OPEN, Move.LOST): State.CLOSED,
    (State.BINDING, Move.BIND_ACCEPTED): State.BOUND,
    (State.BINDING, Move.BIND_REFUSED): State.CLOSED,
    (State.BINDING, Move.UNBIND_RECEIVED): State.UNBOUND,
    (State.BINDING, Move.LOST): State.CLOSED,
    (State.BOUND, Move.UNBIND_SENT): State.UNBINDING,
    (State.BOUND, Move.UNBIND_RECEIVED): State.UNBOUND,
    (State.BOUND, Move.LOST): State.CLOSED,
    (State.UNBINDING, Move.UNBIND_RECEIVED): State.UNBINDING,  # both at once: both are answered
    (State.UNBINDING, Move.UNBIND_ANSWERED): State.CLOSED,
    (State.UNBINDING, Move.LOST): State.CLOSED,
    (State.UNBOUND, Move.UNBIND_RECEIVED): State.UNBOUND,
    (State.UNBOUND, Move.DRAINED): State.CLOSED,
    (State.UNBOUND, Move.LOST): State.CLOSED,
}


def advance(state: State, move: Move) -> State:
    """The state after a move; LocalProtocolError if the table has none."""
    try:
        return NEXT[state, move]
    except KeyError:
        raise LocalProtocolError(f"no {move.value!r} while {state.value}") from None


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.CLOSED.value}"]
    for (state, move), after in NEXT.items():
        lines.append(f"    {state.value} --> {after.value}: {move.value}")
    return "\n".join(lines)
