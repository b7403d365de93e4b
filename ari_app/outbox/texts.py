"""Sends promised texts: never twice without saying so, never against a rule, never too late."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from ari_app.conversation.events import TextRefused
from ari_app.conversation.identity import E164
from ari_app.errors import StoreUnavailable
from ari_app.outbox.aftermath import Fate, after, status
from ari_app.outbox.one_by_one import in_batches
from ari_app.outbox.retry import RetryPolicy
from ari_app.ports import (
    Accepted,
    BatchGateway,
    Claim,
    Clock,
    Job,
    Late,
    Lost,
    Meter,
    Outcome,
    OutgoingText,
    Settled,
    SeveralCarriers,
    SmsGateway,
    Store,
    Throttled,
    failpoint,
)

logger = logging.getLogger(__name__)

# What is claimed has an open fate if we die, so claim no more than this even if there is room.
_MOST = 1000
# A settlement is known to nobody else: it outlasts a store that is away for a while.
_SETTLE_TRIES = 60
_PAUSE = 0.5
_DIED = Lost("the process ended while it was being sent")


class TextSender:
    """The executor of `sms` effects, many at a time.

    Each text is claimed and made `sending` by one durable write before it goes to the gateway,
    and settled by one after its answer; each of these writes is shared by as many texts as wait.
    """

    def __init__(
        self,
        gateway: SmsGateway | BatchGateway,
        store: Store,
        clock: Clock,
        meter: Meter,
        retry: RetryPolicy,
        *,
        patience: float = 3600.0,
        keeps: float = 86400.0,
    ) -> None:
        """`patience` is how many seconds a text of unknown fate waits to be reconciled; what
        waited for longer than `keeps` seconds is not sent any more.
        """
        self._gateway = in_batches(gateway)
        self._store = store
        self._clock = clock
        self._meter = meter
        self._retry = retry
        self._carriers = gateway if isinstance(gateway, SeveralCarriers) else None
        self._patience = patience
        self._keeps = int(keeps * 1_000_000)
        self._sent: dict[str, tuple[Job, float]] = {}  # the job, and when it was handed over
        self._told: list[Settled] = []
        self._late: list[tuple[str, Late]] = []
        self._settling: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._paused: frozenset[str] = frozenset()

    # -- claiming -----------------------------------------------------------------------------

    async def claim(self) -> int:
        """Take what there is room for and hand it over; how many rows of the queue moved.

        StoreUnavailable if nothing can be claimed now.
        """
        room = min(self._gateway.room, _MOST - len(self._sent))
        if room <= 0:
            return 0
        now = self._clock.now()
        names = self._carriers.names if self._carriers else ()
        claim = await self._store.claim_texts(now, room, carriers=names, stale=now - self._keeps)
        if claim.moved:
            failpoint("outbox.after_claim")
        self._count(claim)
        for job in claim.lost:
            self._settle(job, _DIED)
        self._hand_over(claim.send)
        return claim.moved

    async def wait(self, timeout: float) -> None:
        """Return when a text has been answered, after so many seconds at the latest."""
        self._moved.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._moved.wait()

    async def drain(self) -> None:
        """Wait until all that was claimed is answered and settled."""
        while self._sent or self._told or self._late or self._settling:
            if self._settling is not None:
                await asyncio.wait([self._settling])
            else:
                await self.wait(_PAUSE)

    def _count(self, claim: Claim) -> None:
        paused = frozenset(claim.paused)
        for scope in paused ^ self._paused:
            self._meter.gauge("segue_sms_paused", int(scope in paused), scope=scope)
            logger.warning(
                "texts of %s are %s", scope, "paused" if scope in paused else "sent again"
            )
        self._paused = paused
        if self._carriers is not None:
            named = (s.removeprefix("carrier:") for s in paused if s.startswith("carrier:"))
            self._carriers.pause(frozenset(named))
        for rule in claim.blocked:
            self._meter.count("segue_sms_blocked_total", rule=rule)
        if claim.expired:
            self._meter.count("segue_sms_total", claim.expired, status="expired")
        again = sum(1 for job in claim.send if job.doubts)
        if again:
            self._meter.count("segue_sms_possible_duplicates_total", again)

    def _hand_over(self, jobs: Sequence[Job]) -> None:
        started = self._clock.monotonic()
        texts = []
        for job in jobs:
            text = _text(job)
            if text is None:
                self._refuse(job)
                continue
            self._sent[job.id] = (job, started)
            texts.append(text)
        if not texts:
            return
        failpoint("sms.before_send")
        try:
            self._gateway.send_many(texts, self._answered)
        except Exception:  # outermost of a hand-over: nobody knows how far it came
            logger.exception("the gateway failed with %d texts in hand", len(texts))
            self._meter.count("segue_outbox_failures_total", kind="sms")
            lost = Lost("the gateway failed")
            self._answered([Outcome(t.message, lost) for t in texts if t.message in self._sent])

    def _refuse(self, job: Job) -> None:
        """Its person was erased meanwhile; or it was promised to what is no number."""
        self._meter.count("segue_sms_total", status="refused")
        reason = "there is no number to send it to any more"
        refused = TextRefused(message=job.id, reason=reason, attempts=job.attempts)
        self._keep(Settled(job, (refused,)))

    # -- settling -----------------------------------------------------------------------------

    def _answered(self, outcomes: Sequence[Outcome]) -> None:
        """See the port `BatchGateway`."""
        failpoint("sms.after_send")
        now, counts = self._clock.monotonic(), dict[str, int]()
        for message, fate in outcomes:
            if isinstance(fate, Late):
                self._late.append((message, fate))
                self._settle_soon()
                continue
            known = self._sent.pop(message, None)
            if known is None:
                logger.error("message %s was answered twice", message)
                continue
            job, started = known
            said = self._settle(job, fate)
            counts[said] = counts.get(said, 0) + 1
            if isinstance(fate, Accepted):
                self._meter.observe("segue_sms_submit_seconds", now - started)
        for said, count in counts.items():
            self._meter.count("segue_sms_total", count, status=said)
        self._moved.set()

    def _settle(self, job: Job, fate: Fate) -> str:
        settled = after(job, fate, self._clock.now(), self._retry, self._patience)
        said = status(settled, fate)
        if isinstance(fate, Throttled):
            logger.debug("message %s goes again in %g s", job.id, fate.pause)
        elif not isinstance(fate, Accepted):
            logger.info("message %s is %s: %s", job.id, said, fate)
        elif logger.isEnabledFor(logging.DEBUG):
            masked = E164(str(job.payload["to"])).masked
            logger.debug("message %s to %s submitted", job.id, masked)
        self._keep(settled)
        return said

    def _keep(self, settled: Settled) -> None:
        self._told.append(settled)
        self._settle_soon()

    def _settle_soon(self) -> None:
        if self._settling is None:
            self._settling = asyncio.create_task(self._write(), name="outbox settles")

    async def _write(self) -> None:
        """All that has been told meanwhile by one durable write, until nothing is left."""
        try:
            while self._told or self._late:
                # A text is lost before it is found again.
                late, self._late = self._late, []
                told, self._told = self._told, []
                if told:
                    failpoint("outbox.before_settle")
                    await self._write_down(told)
                if late:
                    await self._write_late(late)
        finally:
            self._settling = None
            self._moved.set()

    async def _write_down(self, settled: Sequence[Settled]) -> None:
        for _ in range(_SETTLE_TRIES):
            try:
                refused = await self._store.settle_many(settled)
            except StoreUnavailable as error:
                logger.error("%d texts are answered but not settled yet: %s", len(settled), error)
                await asyncio.sleep(_PAUSE)
                continue
            for one, why in zip(settled, refused, strict=True):
                if why is not None:
                    # We were taken for dead: whoever has it now says what is known of it.
                    logger.error("message %s is not ours any more: %s", one.job.id, why)
            return
        ids = ", ".join(one.job.id for one in settled)
        logger.error("the store stays away: the fate of %s is told at the next start", ids)

    async def _write_late(self, late: Sequence[tuple[str, Late]]) -> None:
        for _ in range(_SETTLE_TRIES):
            try:
                await self._store.answered_late(late)
            except StoreUnavailable as error:
                logger.error("%d late answers are not stored yet: %s", len(late), error)
                await asyncio.sleep(_PAUSE)
            else:
                return
        ids = ", ".join(message for message, _ in late)
        logger.error("the store stays away: the late answers of %s are lost", ids)


def _text(job: Job) -> OutgoingText | None:
    """None if there is no number: its person was erased."""
    try:
        to = E164(str(job.payload["to"]))
        return OutgoingText(job.id, to, str(job.payload["body"]), job.until, bool(job.doubts))
    except (KeyError, ValueError):
        return None
