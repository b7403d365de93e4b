"""What an ESME asks about a message that it has given: query, cancel, replace. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from smpp import times
from smpp.constants import MESSAGE_STATES, Status
from smpp.encoding import read_text
from smpp.pdu import CancelSm, CancelSmResp, Pdu, QuerySm, QuerySmResp, ReplaceSm, ReplaceSmResp
from smpp.simulator.held import Held, Messages
from smpp.simulator.notices import Progress, TextCancelled, TextReplaced
from smpp.style import TextStyle

_NUMBERS = {state: number for number, state in MESSAGE_STATES.items()}


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer, what is told of it, and the messages whose fate is to be reported anew."""

    answer: Pdu
    told: tuple[Progress, ...] = ()
    report: tuple[Held, ...] = ()


def reply(
    pdu: QuerySm | CancelSm | ReplaceSm, messages: Messages, now: float, style: TextStyle
) -> Reply:
    """What the SMSC does about it, at `now` of the loop's clock."""
    match pdu:
        case QuerySm():
            return _query(pdu, messages, now)
        case CancelSm():
            return _cancel(pdu, messages, now)
        case ReplaceSm():
            return _replace(pdu, messages, now, style)


def _query(pdu: QuerySm, messages: Messages, now: float) -> Reply:
    held = messages.find(pdu.message_id, pdu.source)
    if held is None:
        return Reply(QuerySmResp(sequence=pdu.sequence, status=Status.ESME_RINVMSGID))
    fate, final = held.state(now), now >= held.due
    ended = datetime.fromtimestamp(held.at + held.wait, UTC)
    error = int(fate.error) if fate.error.isdecimal() else 0
    return Reply(
        QuerySmResp(
            sequence=pdu.sequence,
            message_id=held.answered,
            final_date=times.absolute(ended) if final else "",
            message_state=_NUMBERS[fate.state],
            error_code=min(error, 255),
        )
    )


def _cancel(pdu: CancelSm, messages: Messages, now: float) -> Reply:
    meant = messages.meant(pdu)
    cancelled = tuple(held for held in meant if held.cancel(now))
    status = Status.ESME_ROK if cancelled else Status.ESME_RCANCELFAIL
    if pdu.message_id and not meant:
        status = Status.ESME_RINVMSGID
    return Reply(
        CancelSmResp(sequence=pdu.sequence, status=status),
        tuple(TextCancelled(held.answered) for held in cancelled),
        cancelled,
    )


def _replace(pdu: ReplaceSm, messages: Messages, now: float, style: TextStyle) -> Reply:
    held = messages.find(pdu.message_id, pdu.source)
    if held is None or now >= held.due:
        status = Status.ESME_RINVMSGID if held is None else Status.ESME_RREPLACEFAIL
        return Reply(ReplaceSmResp(sequence=pdu.sequence, status=status))
    was_reported, held.registered_delivery = held.is_reported, pdu.registered_delivery
    text = read_text(pdu.short_message, held.data_coding, style)
    return Reply(
        ReplaceSmResp(sequence=pdu.sequence),
        (TextReplaced(held.answered, text),),
        () if was_reported else (held,),
    )
