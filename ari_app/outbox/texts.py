"""Sends promised texts: never twice without saying so, never against a refusal."""

from __future__ import annotations

import logging

from ari_app.conversation.events import TextDelayed, TextRefused, TextSightLost, TextSubmitted
from ari_app.conversation.identity import E164
from ari_app.errors import SmsRefused, SmsUnknown, StoreUnavailable
from ari_app.outbox.relay import Settlement
from ari_app.outbox.retry import RetryPolicy
from ari_app.ports import Clock, Job, Meter, OutgoingText, SmsGateway, Store, failpoint

logger = logging.getLogger(__name__)


class TextSender:
    """The executor of `sms` effects. Class at_most_once: an unknown fate is a state."""

    def __init__(
        self, gateway: SmsGateway, store: Store, clock: Clock, meter: Meter, retry: RetryPolicy
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._clock = clock
        self._meter = meter
        self._retry = retry

    async def perform(self, job: Job) -> Settlement:
        """Send one text and say what became of it."""
        if job.state == "sending":
            return self._lost(job, "the process ended while it was being sent")
        if not job.payload.get("despite_refusal"):
            try:
                state = await self._store.state(job.stream)
            except StoreUnavailable as error:
                logger.error("message %s waits: %s", job.id, error)
                return Settlement([], retry_in=self._retry.first)
            if state.consent.get("texts") is False:
                return self._refused(job, "consent was taken back before it was sent")
        text = OutgoingText(
            message=job.id, to=E164(str(job.payload["to"])), body=str(job.payload["body"])
        )
        started = self._clock.monotonic()
        try:
            await self._store.sending(job)
        except StoreUnavailable as error:
            logger.error("message %s waits: %s", job.id, error)
            return Settlement([], retry_in=self._retry.first)
        failpoint("sms.before_send")
        try:
            accepted = await self._gateway.send(text)
        except SmsRefused as error:
            pause = self._retry.pause(job.attempts) if error.transient else None
            if pause is None:
                return self._refused(job, str(error))
            self._meter.count("segue_sms_total", status="delayed")
            logger.info("message %s waits %.0f s: %s", job.id, pause, error)
            delayed = TextDelayed(message=job.id, reason=str(error), attempts=job.attempts)
            return Settlement([delayed], retry_in=pause)
        except SmsUnknown as error:
            return self._lost(job, str(error))
        failpoint("sms.after_send")
        self._meter.observe("segue_sms_submit_seconds", self._clock.monotonic() - started)
        self._meter.count("segue_sms_total", status="submitted")
        logger.info("message %s to %s submitted", job.id, text.to.masked)
        submitted = TextSubmitted(
            message=job.id,
            carrier=accepted.carrier,
            ids=accepted.ids,
            attempts=job.attempts,
        )
        return Settlement([submitted], wire=(accepted.carrier, accepted.ids))

    def _refused(self, job: Job, reason: str) -> Settlement:
        self._meter.count("segue_sms_total", status="refused")
        logger.warning("message %s refused: %s", job.id, reason)
        refused = TextRefused(message=job.id, reason=reason, attempts=job.attempts)
        return Settlement([refused])

    def _lost(self, job: Job, reason: str) -> Settlement:
        self._meter.count("segue_sms_total", status="unknown")
        logger.warning("message %s has an unknown fate: %s", job.id, reason)
        return Settlement([TextSightLost(message=job.id, reason=reason)])
