"""Pure. What became of a text, from what became of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ari_app.ports import Accepted, Late, Lost, Outcomes, Refused, Throttled
from smpp.constants import status_name
from smpp.errors import NotSent, SessionClosed
from smpp.profile_sections import Meaning, Statuses

#: The carrier's id, its refusal (a status), or why there is neither.
Answer: TypeAlias = str | int | SessionClosed | NotSent
Fate: TypeAlias = Accepted | Refused | Throttled | Lost

#: Seconds for a throttled text; the bind that was told to slow down does so by itself.
PAUSE = 1.0


@dataclass(slots=True, eq=False)
class Flight:
    """A text whose parts are with a carrier."""

    message: str
    answers: list[Answer]  # by part; what is open counts as not sent
    open: int  # parts without an answer
    since: float
    told: Outcomes


def fate(carrier: str, statuses: Statuses, answers: Sequence[Answer]) -> Fate:
    """What the answers to all parts of one text mean for the whole of it.

    A part that is refused for good refuses the text, whatever became of the others: it never
    arrives as a whole, and is not sent again. Else a text of which the SMSC has some parts, or
    may have, is `Lost`: sent again as a whole, its beginning would come twice.
    """
    ids = tuple(answer for answer in answers if isinstance(answer, str))
    if len(ids) == len(answers):
        return Accepted(carrier, ids)
    meanings = [statuses.meaning(a) for a in answers if isinstance(a, int)]
    reasons = [status_name(a) if isinstance(a, int) else str(a) for a in answers]
    for meaning in (Meaning.OPTED_OUT, Meaning.PERMANENT):
        if meaning in meanings:
            why = reasons[_first(statuses, answers, meaning)]
            return Refused(why, transient=False, opted_out=meaning is Meaning.OPTED_OUT)
    for answer in answers:
        if isinstance(answer, SessionClosed):
            return Lost(str(answer), carrier, ids, len(answers))
    why = next(r for a, r in zip(answers, reasons, strict=True) if not isinstance(a, str))
    if ids:
        why = f"{len(ids)} of {len(answers)} parts were taken: {why}"
        return Lost(why, carrier, ids, len(answers))
    if Meaning.THROTTLED in meanings:
        return Throttled(PAUSE)
    return Refused(why, transient=True)


def late(
    carrier: str, statuses: Statuses, flight: Flight, place: int, answer: str | int
) -> Late | None:
    """What is known now that a part is answered after all; None if it makes no difference.

    While other parts are open it is for them to tell; and a text that was refused stays so.
    """
    before = fate(carrier, statuses, flight.answers)
    flight.answers[place] = answer
    if flight.open or not isinstance(before, Lost):
        return None
    ids = tuple(answer for answer in flight.answers if isinstance(answer, str))
    match fate(carrier, statuses, flight.answers):
        case Refused(reason=reason):
            refused = reason
        case Throttled():
            refused = "the carrier was too busy"
        case _:
            refused = ""
    return Late(carrier, ids, len(flight.answers), refused)


def _first(statuses: Statuses, answers: Sequence[Answer], meaning: Meaning) -> int:
    return next(
        n
        for n, answer in enumerate(answers)
        if isinstance(answer, int) and statuses.meaning(answer) is meaning
    )
