"""Pure. What is done with a text after the carrier's answer, or without one."""

from __future__ import annotations

from typing import TypeAlias

from ari_app.conversation.events import (
    ConsentRefused,
    TextDelayed,
    TextRefused,
    TextSightLost,
    TextSubmitted,
)
from ari_app.conversation.message import MessageClass
from ari_app.outbox.overdue import reconcile_timer
from ari_app.outbox.retry import RetryPolicy
from ari_app.ports import Accepted, Job, Lost, Refused, Settled, Throttled

#: What a text is settled by; a late answer settles nothing, it corrects.
Fate: TypeAlias = Accepted | Refused | Throttled | Lost

_SECOND = 1_000_000
# The carrier keeps a list of its own: what it has from the person, we must know as well.
_OPTED_OUT = ConsentRefused(purpose="texts", channel="sms", how="carrier")


def after(job: Job, fate: Fate, now: int, retry: RetryPolicy, wait: float) -> Settled:
    """How the job is settled at `now` (UTC microseconds).

    `wait` is how many seconds a text of the class `reconcile` waits for a receipt, unknown.
    """
    match fate:
        case Accepted(carrier=carrier, ids=ids):
            submitted = TextSubmitted(
                message=job.id, carrier=carrier, ids=ids, attempts=job.attempts
            )
            return Settled(job, (submitted,), wire=(carrier, ids))
        case Refused():
            return _refused(job, fate, now, retry)
        case Throttled(pause=pause):
            return Settled(job, (), retry_at=now + int(pause * _SECOND), counted=False)
        case Lost():
            return _lost(job, fate, now, retry, wait)


def status(settled: Settled, fate: Fate) -> str:
    """What the figures call it."""
    match fate:
        case Accepted():
            return "submitted"
        case Throttled():
            return "throttled"
        case Refused():
            return "refused" if settled.retry_at is None else "delayed"
        case Lost():
            return "unknown"


def _refused(job: Job, fate: Refused, now: int, retry: RetryPolicy) -> Settled:
    pause = retry.pause(job.attempts) if fate.transient else None
    if pause is None:
        refused = TextRefused(message=job.id, reason=fate.reason, attempts=job.attempts)
        return Settled(job, (refused, _OPTED_OUT) if fate.opted_out else (refused,))
    delayed = TextDelayed(message=job.id, reason=fate.reason, attempts=job.attempts)
    return Settled(job, (delayed,), retry_at=now + int(pause * _SECOND))


def _lost(job: Job, fate: Lost, now: int, retry: RetryPolicy, wait: float) -> Settled:
    """Receipts of what was certainly taken find it, unless all of it goes again."""
    lost = TextSightLost(
        message=job.id,
        reason=fate.reason,
        carrier=fate.carrier or None,
        ids=fate.ids or None,
        segments=fate.segments,
    )
    pause = retry.pause(job.attempts)
    if job.message_class is MessageClass.AT_LEAST_ONCE and pause is not None:
        again = now + int(pause * _SECOND)
        return Settled(job, (lost,), retry_at=again, in_doubt=True)
    wire = (fate.carrier, fate.ids) if fate.ids else None
    reconciled = job.message_class is MessageClass.RECONCILE
    timers = (reconcile_timer(job, now + int(wait * _SECOND)),) if reconciled else ()
    return Settled(job, (lost,), wire=wire, timers=timers, in_doubt=True)
