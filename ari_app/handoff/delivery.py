"""Brings a record to its routes in order until one acknowledges, or escalates it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ari_app.conversation.events import (
    Event,
    HandoffAcknowledged,
    HandoffDelayed,
    HandoffEscalated,
)
from ari_app.errors import Unavailable
from ari_app.handoff.saga import Outcome, Step, advance
from ari_app.outbox.relay import Settlement
from ari_app.outbox.retry import RetryPolicy
from ari_app.ports import HandoffRoute, Job, Meter, failpoint

logger = logging.getLogger(__name__)


class HandoffDelivery:
    """The executor of `handoff` effects. Routes are safe to repeat, so a crash repeats."""

    def __init__(self, routes: Sequence[HandoffRoute], meter: Meter, retry: RetryPolicy) -> None:
        self._routes = routes
        self._meter = meter
        self._retry = retry

    async def perform(self, job: Job) -> Settlement:
        """Try every route once; wait and try again, or escalate when the tries are used up."""
        step = Step.RECORDED if job.attempts == 1 else Step.WAITING
        delays: list[Event] = []
        for route in self._routes:
            try:
                receipt = await route.deliver(job.id, job.payload)
            except Unavailable as error:
                self._count(route.name, Outcome.FAILED)
                step = advance(step, Outcome.FAILED)
                reason = str(error)
                delays.append(HandoffDelayed(handoff=job.id, route=route.name, reason=reason))
                continue
            failpoint("handoff.after_delivery")
            self._count(route.name, Outcome.TAKEN)
            taken = HandoffAcknowledged(handoff=job.id, route=route.name, receipt=receipt)
            return self._at(advance(step, Outcome.TAKEN), [*delays, taken])
        pause = self._retry.pause(job.attempts)
        if pause is not None:
            return Settlement(delays, retry_in=pause)
        logger.error("hand-off %s was taken by no route: a person must look", job.id)
        self._count("none", Outcome.GAVE_UP)
        lost = HandoffEscalated(handoff=job.id, reason="no route took the record")
        return self._at(advance(step, Outcome.GAVE_UP), [*delays, lost])

    def _at(self, step: Step, events: Sequence[Event]) -> Settlement:
        assert step.final, "a record ends acknowledged or escalated; nothing else"
        return Settlement(events)

    def _count(self, route: str, outcome: Outcome) -> None:
        self._meter.count("segue_handoffs_total", route=route, result=outcome.value)
