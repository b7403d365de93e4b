"""The life of a text, as a table."""

from __future__ import annotations

from enum import Enum

from ari_app.errors import IllegalMove


class MessageState(Enum):
    """What we know of a text; nothing is ever guessed."""

    PROMISED = "promised"  #: stored with the decision that made it
    SUBMITTED = "submitted"  #: the SMSC has taken every segment
    DELIVERED = "delivered"  #: the handset has it
    UNDELIVERABLE = "undeliverable"  #: the carrier gave up
    EXPIRED = "expired"  #: its validity ended first
    REJECTED = "rejected"  #: the SMSC or the network refused it
    UNKNOWN = "unknown"  #: the session ended before the answer: it may have arrived

    @property
    def final(self) -> bool:
        """Whether no later receipt can change it."""
        return self in _FINAL


_FINAL = frozenset(
    {
        MessageState.DELIVERED,
        MessageState.UNDELIVERABLE,
        MessageState.EXPIRED,
        MessageState.REJECTED,
    }
)


class Fate(Enum):
    """What happened to a text."""

    TAKEN = "taken"  #: submit_sm_resp with ESME_ROK for every segment
    REFUSED = "refused"  #: refused for good
    LOST_SIGHT = "lost_sight"  #: no answer
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    REJECTED = "rejected"


NEXT: dict[tuple[MessageState, Fate], MessageState] = {
    (MessageState.PROMISED, Fate.TAKEN): MessageState.SUBMITTED,
    (MessageState.PROMISED, Fate.REFUSED): MessageState.REJECTED,
    (MessageState.PROMISED, Fate.LOST_SIGHT): MessageState.UNKNOWN,
    (MessageState.SUBMITTED, Fate.DELIVERED): MessageState.DELIVERED,
    (MessageState.SUBMITTED, Fate.FAILED): MessageState.UNDELIVERABLE,
    (MessageState.SUBMITTED, Fate.EXPIRED): MessageState.EXPIRED,
    (MessageState.SUBMITTED, Fate.REJECTED): MessageState.REJECTED,
    # A receipt that finds an unknown text settles it.
    (MessageState.UNKNOWN, Fate.DELIVERED): MessageState.DELIVERED,
    (MessageState.UNKNOWN, Fate.FAILED): MessageState.UNDELIVERABLE,
    (MessageState.UNKNOWN, Fate.EXPIRED): MessageState.EXPIRED,
    (MessageState.UNKNOWN, Fate.REJECTED): MessageState.REJECTED,
}

# SMPP 3.4 §5.2.28 and appendix B; states that are not final (ENROUTE, ACCEPTD, …) are absent.
RECEIPT_FATES: dict[str, Fate] = {
    "DELIVRD": Fate.DELIVERED,
    "UNDELIV": Fate.FAILED,
    "DELETED": Fate.FAILED,
    "UNKNOWN": Fate.FAILED,
    "EXPIRED": Fate.EXPIRED,
    "REJECTD": Fate.REJECTED,
}


def advance(state: MessageState, fate: Fate) -> MessageState:
    """The state after a fate; IllegalMove if the table has none."""
    try:
        return NEXT[state, fate]
    except KeyError:
        raise IllegalMove(state.value, fate.value) from None
