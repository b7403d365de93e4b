"""The rules before the wire, asked in the transaction that claims."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Sequence

from ari_app.conversation.identity import E164
from ari_app.outbox.verdict import ALLOWED, Blocked, Verdict, Wait
from ari_app.policy.sending.limits import Counts
from ari_app.policy.sending.rules import FAILED, Asked, Despite, Known, Rules
from ari_app.policy.sending.senders import sender_of
from ari_app.ports import Job, Meter
from ari_app.store.engine import Engine, Link
from ari_app.store.sending_counts import SendingCounts
from ari_app.store.suppressions import lock_subjects

logger = logging.getLogger(__name__)

_TEXTS = "sms"
_ERASED = Blocked("erased", "whom it was for has been erased")
_NO_NUMBER = Blocked("number", "it is for what is no E.164 number")


class SendingGate:
    """Implements `Gate`: opt-outs, countries, quiet hours and limits, for a whole claim at once.

    At most six statements for a claim of any size; in every 64th claim two more, which forget.
    """

    def __init__(
        self, engine: Engine, rules: Rules, meter: Meter, *, subject_key: bytes, sender: str
    ) -> None:
        """`subject_key` is that of the pseudonyms, `sender` who our texts are from."""
        self._rules = rules
        self._meter = meter
        self._key = subject_key
        self._near_key = hmac.digest(subject_key, b"segue near numbers", "sha256")
        self._sender = sender_of(sender)
        self._listed = engine.listed
        self._counts = SendingCounts(engine)
        self._lock = lock_subjects(engine, shared=True)

    def judge(self, link: Link, jobs: Sequence[Job], now: int) -> list[Verdict]:
        """See the protocol."""
        asked = [self._asked(job) for job in jobs]
        texts = [text for text in asked if isinstance(text, Asked)]
        known = Known(Counts(now))
        if texts:
            if self._lock is not None:
                link.rows(self._lock, (sorted({text.recipient for text in texts}),))
            self._counts.read(link, self._rules, texts, known)
        verdicts = [
            self._verdict(text, known) if isinstance(text, Asked) else text for text in asked
        ]
        if texts:
            self._counts.write(link, known)
        self._tell(verdicts, known)
        return verdicts

    def _asked(self, job: Job) -> Asked | Verdict:
        if job.kind != _TEXTS:
            return ALLOWED
        payload = job.payload
        to = payload.get("to")
        if to is None:
            return _ERASED
        number = str(to)
        try:
            E164(number)
        except ValueError:
            return _NO_NUMBER
        limits = self._rules.limits
        prefix, sender = limits.prefix(number), payload.get("sender")
        return Asked(
            message=job.id,
            number=number,
            recipient=self._subject(number),
            prefix=prefix,
            sender=self._sender if sender is None else sender_of(str(sender)),
            body=str(payload.get("body", "")),
            purpose=str(payload.get("purpose", "transactional")),
            despite=_despite(payload),
            conversation=f"c:{job.stream}",
            sent=f"p:{prefix}",
            failed=f"{FAILED}{prefix}",
            near=self._near(limits.near(number)) if limits.near_hour else "",
        )

    def _subject(self, number: str) -> str:
        """As E164.subject, in a third of the time."""
        return "subj_" + hmac.digest(self._key, number.encode(), "sha256")[:16].hex()

    def _near(self, digits: str) -> str:
        """Nine digits of a number are hardly less than all: nor are they stored."""
        hashed = hashlib.blake2b(digits.encode(), digest_size=16, key=self._near_key)
        return f"n:{hashed.hexdigest()}"

    def _verdict(self, text: Asked, known: Known) -> Verdict:
        objection = self._rules.judge(text, known)
        if objection is None:
            return ALLOWED
        if objection.until is None:
            return Blocked(objection.rule, objection.reason)
        return Wait(objection.until, objection.rule)

    def _tell(self, verdicts: Sequence[Verdict], known: Known) -> None:
        for verdict in verdicts:
            if isinstance(verdict, Wait):
                self._meter.count("segue_sms_held_total", rule=verdict.rule)
        for rule in sorted(set(known.alarms)):
            count = known.alarms.count(rule)
            self._meter.count("segue_sms_pumping_total", count, rule=rule)
            logger.error("%d texts look as if somebody were paid for them: %s", count, rule)


def _despite(payload: dict[str, object]) -> Despite:
    if payload.get("answers") == Despite.HELP.value:
        return Despite.HELP
    return Despite.CONFIRMATION if payload.get("despite_refusal") else Despite.NOTHING
