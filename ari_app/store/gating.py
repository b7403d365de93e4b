"""What is asked before a text goes to the wire, in the transaction that claims it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from ari_app.outbox.verdict import ALLOWED, Blocked, Verdict
from ari_app.ports import Job
from ari_app.store.engine import Engine, Link

#: The purpose of the consent that texts need.
_PURPOSE = "texts"
_REFUSED = Blocked("consent", "consent was taken back before it was sent")


class Gate(Protocol):
    """The rules before the wire."""

    def judge(self, link: Link, jobs: Sequence[Job], now: int) -> Sequence[Verdict]:
        """One verdict for each text, in order.

        Called in the transaction of the claim, which may be run more than once: what it writes by
        `link` is committed with the claim, or not at all. `now` is UTC microseconds.
        """


class Open:
    """Implements `Gate` without any rule."""

    def judge(self, link: Link, jobs: Sequence[Job], now: int) -> Sequence[Verdict]:
        """See the protocol."""
        return [ALLOWED] * len(jobs)


class Consent:
    """Implements `Gate`: consent that was taken back stops what was promised before."""

    def __init__(self, engine: Engine) -> None:
        self._listed = engine.listed
        # The condition on the name is that of the index `event_consent`.
        self._said = f"""
            SELECT stream, name, payload FROM event
            WHERE {engine.any_of("stream")} AND name IN ('consent.given', 'consent.refused')
            ORDER BY stream, sequence"""

    def judge(self, link: Link, jobs: Sequence[Job], now: int) -> Sequence[Verdict]:
        """See the protocol. The confirmation of a refusal is sent all the same."""
        refused: dict[str, bool] = {}
        for stream, name, payload in link.rows(
            self._said, (self._listed({job.stream for job in jobs}),)
        ):
            # Of an event that was erased nothing is known; the last word before it counts.
            if payload is not None and json.loads(payload).get("purpose") == _PURPOSE:
                refused[stream] = name == "consent.refused"
        return [
            _REFUSED
            if refused.get(job.stream) and not job.payload.get("despite_refusal")
            else ALLOWED
            for job in jobs
        ]
