"""The life of a text, as a table."""

from __future__ import annotations

from enum import Enum, IntEnum

from ari_app.errors import IllegalMove


class MessageState(Enum):
    """What we know of a text; nothing is ever guessed.

    Beside these, a text that a worker has in hand is `claimed`: that is the state of its row in
    the outbox, and no fact of the log.
    """

    PROMISED = "promised"  #: stored with the decision that made it
    SUBMITTED = "submitted"  #: the SMSC has taken every segment
    DELIVERED = "delivered"  #: the handset has it
    UNDELIVERABLE = "undeliverable"  #: the carrier gave up
    EXPIRED = "expired"  #: its validity ended first, with us or with the carrier
    REJECTED = "rejected"  #: the SMSC or the network refused it
    UNKNOWN = "unknown"  #: the session ended before the answer: it may have arrived
    POSSIBLE_DUPLICATE = "possible_duplicate"  #: written again though it may have arrived before
    BLOCKED = "blocked"  #: a rule of ours forbids it: it was never written
    CANCELLED = "cancelled"  #: taken back before it was claimed

    @property
    def final(self) -> bool:
        """Whether it is settled. Another segment can still make a failure worse, never good."""
        return self in _FINAL


_FINAL = frozenset(
    {
        MessageState.DELIVERED,
        MessageState.UNDELIVERABLE,
        MessageState.EXPIRED,
        MessageState.REJECTED,
        MessageState.BLOCKED,
        MessageState.CANCELLED,
    }
)


class MessageClass(Enum):
    """What is done with a text whose fate is unknown: sent perhaps, and no answer came."""

    AT_MOST_ONCE = "at_most_once"  #: it stays unknown until a receipt settles it
    AT_LEAST_ONCE = "at_least_once"  #: it is sent again, as a possible duplicate
    RECONCILE = "reconcile"  #: a receipt is waited for, then it is reported


class Priority(IntEnum):
    """Which text goes first; two texts to one recipient keep the order of their promises."""

    URGENT = 0
    NORMAL = 1
    BULK = 2


class Fate(Enum):
    """What happened to a text."""

    TAKEN = "taken"  #: submit_sm_resp with ESME_ROK for every segment
    REFUSED = "refused"  #: refused for good
    LOST_SIGHT = "lost_sight"  #: no answer
    RESENT = "resent"  #: claimed again after its fate was lost
    LAPSED = "lapsed"  #: its validity ended before it was written
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    REJECTED = "rejected"


# SMPP 3.4 §5.2.28 and appendix B; states that are not final (ENROUTE, ACCEPTD, …) are absent.
RECEIPT_FATES: dict[str, Fate] = {
    "DELIVRD": Fate.DELIVERED,
    "UNDELIV": Fate.FAILED,
    "DELETED": Fate.FAILED,
    "UNKNOWN": Fate.FAILED,
    "EXPIRED": Fate.EXPIRED,
    "REJECTD": Fate.REJECTED,
}

# From bad to worst: of a long text the worst end of a segment counts, in whatever order they come.
_FAILURES = {
    Fate.EXPIRED: MessageState.EXPIRED,
    Fate.FAILED: MessageState.UNDELIVERABLE,
    Fate.REJECTED: MessageState.REJECTED,
}
_ENDS = {Fate.DELIVERED: MessageState.DELIVERED, **_FAILURES}

NEXT: dict[tuple[MessageState, Fate], MessageState] = {
    (MessageState.PROMISED, Fate.TAKEN): MessageState.SUBMITTED,
    (MessageState.PROMISED, Fate.REFUSED): MessageState.REJECTED,
    (MessageState.PROMISED, Fate.LOST_SIGHT): MessageState.UNKNOWN,
    (MessageState.PROMISED, Fate.LAPSED): MessageState.EXPIRED,
    (MessageState.PROMISED, Fate.BLOCKED): MessageState.BLOCKED,
    (MessageState.PROMISED, Fate.CANCELLED): MessageState.CANCELLED,
    # An unknown text that lapses, is blocked or cancelled before it goes again stays unknown.
    (MessageState.UNKNOWN, Fate.RESENT): MessageState.POSSIBLE_DUPLICATE,
    # The SMSC has answered after all, before it was sent again.
    (MessageState.UNKNOWN, Fate.TAKEN): MessageState.SUBMITTED,
    (MessageState.UNKNOWN, Fate.REFUSED): MessageState.REJECTED,
    (MessageState.POSSIBLE_DUPLICATE, Fate.TAKEN): MessageState.POSSIBLE_DUPLICATE,
    # That the second was refused or lost says nothing of the first.
    (MessageState.POSSIBLE_DUPLICATE, Fate.REFUSED): MessageState.UNKNOWN,
    (MessageState.POSSIBLE_DUPLICATE, Fate.LOST_SIGHT): MessageState.UNKNOWN,
    # A receipt settles what was taken, and also what nobody knew of.
    **{
        (state, fate): end
        for state in (
            MessageState.SUBMITTED,
            MessageState.UNKNOWN,
            MessageState.POSSIBLE_DUPLICATE,
        )
        for fate, end in _ENDS.items()
    },
    (MessageState.EXPIRED, Fate.FAILED): MessageState.UNDELIVERABLE,
    (MessageState.EXPIRED, Fate.REJECTED): MessageState.REJECTED,
    (MessageState.UNDELIVERABLE, Fate.REJECTED): MessageState.REJECTED,
}

# The user data header of a text counts its segments in one octet (3GPP TS 23.040 §9.2.3.24.1).
_MOST_SEGMENTS = 255


def advance(state: MessageState, fate: Fate) -> MessageState:
    """The state after a fate; IllegalMove if the table has none."""
    try:
        return NEXT[state, fate]
    except KeyError:
        raise IllegalMove(state.value, fate.value) from None


def after_receipt(
    state: MessageState, settled: frozenset[str], segments: int, id: str, told: str
) -> tuple[MessageState, frozenset[str]]:
    """The state, and the ids of the segments that have come to an end, after one more receipt.

    `settled` are those before it, `segments` how many there are (0: nobody knows, so the first
    settles the text), `id` the carrier's id of the one that it is about, `told` the state that it
    names. Delivered when every segment is, else the worst end of one; the order of receipts makes
    no difference. What is not final, or comes again for the same segment, changes nothing.
    """
    fate = RECEIPT_FATES.get(told)
    if fate is None or id in settled or not _open(state) or len(settled) >= _MOST_SEGMENTS:
        return state, settled
    settled |= {id}
    if fate is Fate.DELIVERED and len(settled) < segments:
        return state, settled
    return NEXT.get((state, fate), state), settled


def _open(state: MessageState) -> bool:
    """Whether a receipt can still say something new, now or once the text was submitted."""
    return state is MessageState.PROMISED or (state, Fate.REJECTED) in NEXT
