"""What tests of the rules before the wire share."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path

import ari_app
from ari_app.policy.sending.limits import Counts, Limits
from ari_app.policy.sending.rules import Asked, Despite, Known, Left, Objection, Rules
from ari_app.policy.sending.words import Vocabulary, read_vocabulary
from tests.support.clock import NOON

DATA = Path(ari_app.__file__).parent / "policy" / "sending"
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
PARIS = "+33612345678"
NO_LIMITS = Limits(0, 0, 0, 0, 6, 0, 9, 0.0, 30, 0, 3)

_MESSAGES = itertools.count(1)


def shipped(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


def vocabulary(*extra: str) -> Vocabulary:
    return read_vocabulary(shipped("words.toml"), "words.toml", extra)


def asked(number: str = PARIS, **changes: object) -> Asked:
    """A text that wants to leave; each has a message id of its own."""
    digits = number[1:]
    values: dict[str, object] = {
        "message": f"msg_{next(_MESSAGES)}",
        "number": number,
        "recipient": f"subj_{digits}",
        "prefix": digits[:6],
        "sender": "15550199",
        "body": "open from 8 to 6",
        "purpose": "transactional",
        "despite": Despite.NOTHING,
        "conversation": f"c:conv_{digits}",
        "sent": f"p:{digits[:6]}",
        "failed": f"f:{digits[:6]}",
        "near": f"n:{digits[:9]}",
    }
    return Asked(**{**values, **changes})  # type: ignore[arg-type]  # by name


class Desk:
    """Rules and a memory between claims, as the tables give it; time is moved by hand."""

    def __init__(self, rules: Rules, now: int = NOON) -> None:
        self.rules, self.now = rules, now
        self.counts: dict[tuple[str, int], int] = {}
        self.left: dict[str, list[Left]] = {}
        self.opted_out: dict[str, dict[str, int]] = {}
        self.alarms: list[str] = []

    def asks(self, *texts: Asked) -> list[Objection | None]:
        """One claim of these texts."""
        known = Known(Counts(self.now), self.opted_out, self.left)
        known.counts.learn((key, until, value) for (key, until), value in self.counts.items())
        judged = [self.rules.judge(text, known) for text in texts]
        for key, until, value in known.counts.rows():
            self.counts[key, until] = self.counts.get((key, until), 0) + value
        self.alarms += known.alarms
        return judged

    def rule(self, text: Asked) -> str | None:
        """The rule that is against it."""
        (objection,) = self.asks(text)
        return objection.rule if objection else None


def at(text: str) -> int:
    """ISO time in UTC, as microseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND
