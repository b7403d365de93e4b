"""Whether one text may leave now: the rules in their order, the first objection counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ari_app.policy.sending.countries import DEFAULT
from ari_app.policy.sending.hours import Hours, first_allowed
from ari_app.policy.sending.limits import DAY, HOUR, Counts, Limits, room_among
from ari_app.policy.sending.numbers import facts_of, zones_of
from ari_app.policy.sending.prices import Prices

_SECOND = 1_000_000
#: 47 CFR 64.1200(a)(12): the one confirmation of an opt-out is sent within five minutes.
CONFIRMED_WITHIN = 300 * _SECOND
#: Opted out of all senders here.
ALL = "*"
#: Key of the money that was spent.
MONEY = "money"
#: Beginning of the keys under which stands how many texts to a prefix have failed.
FAILED = "f:"
_LEAST_WAIT = _SECOND


class Despite(Enum):
    """Why a text may go to somebody who has opted out."""

    NOTHING = "text"  #: it may not
    CONFIRMATION = "confirmation"  #: of the opt-out itself, once
    HELP = "help"  #: HELP is always answered


class Pumping(Enum):
    """What happens to texts that look as if somebody were paid for their number."""

    ALARM = "alarm"
    WAIT = "wait"
    BLOCK = "block"


@dataclass(slots=True)  # not frozen: that makes each one take three times as long
class Asked:
    """A text that wants to leave; `recipient` and what is in `near` are keyed hashes.

    The last four are the keys that it is counted under.
    """

    message: str
    number: str  # E.164
    recipient: str
    prefix: str
    sender: str
    body: str
    purpose: str
    despite: Despite
    conversation: str  # c:…
    sent: str  # p:…, those to its prefix
    failed: str  # f:…, those of them that did not arrive
    near: str  # n:…, the numbers that are near


@dataclass(frozen=True, slots=True)
class Objection:
    """Against sending it: for good, or until a moment (µs UTC) at which it is asked for anew."""

    rule: str
    reason: str
    until: int | None = None


class Left(NamedTuple):
    """A text that has been let through before."""

    message: str
    at: int
    why: str  # a value of Despite


@dataclass(slots=True)
class Known:
    """What is known of the recipients of one claim, and what its texts change."""

    counts: Counts
    opted_out: dict[str, dict[str, int]] = field(default_factory=dict)  # by sender: since when
    left: dict[str, list[Left]] = field(default_factory=dict)
    let_through: list[Asked] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rules:
    """`countries` None: all are allowed. `quiet` are the purposes that keep quiet hours."""

    opt_out: bool = True
    countries: frozenset[str] | None = None
    refused_kinds: frozenset[str] = frozenset()
    hours: Mapping[str, Hours] = field(default_factory=dict)
    quiet: frozenset[str] = frozenset()
    any_zone: bool = False  # where no hour is allowed in all zones: one that is in some will do
    limits: Limits = Limits()
    prices: Prices = Prices({})
    pumping: Pumping = Pumping.WAIT
    longest_wait: int = 2 * HOUR  # for a limit, in µs: what would wait for longer is refused
    zones: Callable[[str], tuple[ZoneInfo, ...]] = zones_of

    def judge(self, text: Asked, known: Known) -> Objection | None:
        """None: it may leave now, and is counted. Asked again for the same text counts once."""
        before = known.left.get(text.recipient)
        others = [left for left in before if left.message != text.message] if before else []
        objection = None
        if text.recipient in known.opted_out or text.despite is not Despite.NOTHING:
            objection = self._opted_out(text, known, others)
        if objection is None:
            objection = self._place(text)
        if objection is None and text.purpose in self.quiet:
            objection = self._quiet(text, known.counts.now)
        if objection is not None or (before and len(others) < len(before)):
            return objection
        cost = self.prices.of(text.number, text.body) if self.limits.money_day else 0
        is_new = self._is_new(others, known.counts.now)
        objection = self._too_many(text, known.counts, others, cost)
        if objection is None:
            objection = self._pumped(text, known, is_new)
        if objection is None:
            self._count(text, known, is_new, cost)
        return objection

    def _opted_out(self, text: Asked, known: Known, others: list[Left]) -> Objection | None:
        now = known.counts.now
        if text.despite is Despite.HELP:
            answers = [left.at for left in others if left.why == Despite.HELP.value]
            if room_among(answers, now, HOUR, self.limits.help_hour) is None:
                return None
            return Objection("help", "HELP was answered often enough in this hour")
        out = known.opted_out.get(text.recipient) if self.opt_out else None
        since = [out[sender] for sender in (ALL, text.sender) if sender in out] if out else []
        if not since:
            return None
        last = max(since)
        if text.despite is not Despite.CONFIRMATION:
            return Objection("opt_out", "the recipient wants no more texts")
        if now > last + CONFIRMED_WITHIN:
            return Objection("opt_out", "too late to confirm that the recipient has opted out")
        if any(left.at >= last and left.why == Despite.CONFIRMATION.value for left in others):
            return Objection("opt_out", "that the recipient has opted out was confirmed before")
        return None

    def _place(self, text: Asked) -> Objection | None:
        # Who has written to us can be answered there.
        if text.despite is not Despite.NOTHING:
            return None
        if self.countries is None and not self.refused_kinds:
            return None
        facts = facts_of(text.number)
        if self.countries is not None and facts.region not in self.countries:
            return Objection("country", f"no texts are sent to {facts.region}")
        if facts.kind in self.refused_kinds:
            return Objection("number_type", f"no texts are sent to a {facts.kind} number")
        return None

    def _quiet(self, text: Asked, now: int) -> Objection | None:
        if text.despite is not Despite.NOTHING:
            return None
        hours = self.hours.get(facts_of(text.number).region) or self.hours[DEFAULT]
        zones = self.zones(text.number)
        until = first_allowed(hours, zones, now)
        if until is None and self.any_zone:
            found = [first_allowed(hours, [zone], now) for zone in zones]
            until = min((moment for moment in found if moment is not None), default=None)
        if until is None:
            return Objection(
                "quiet_hours", "no hour is allowed in every time zone that the number may be in"
            )
        if until == now:
            return None
        return Objection("quiet_hours", "it is too early or too late there", until)

    def _too_many(
        self, text: Asked, counts: Counts, others: list[Left], cost: int
    ) -> Objection | None:
        limits, now = self.limits, counts.now
        if others:
            times = [left.at for left in others]
            for rule, span, most in (
                ("recipient_hour", HOUR, limits.recipient_hour),
                ("recipient_day", DAY, limits.recipient_day),
            ):
                if most and (until := room_among(times, now, span, most)) is not None:
                    return self._over(rule, until, now)
        most = limits.conversation_day
        if most and (until := counts.room(text.conversation, most)) is not None:
            return self._over("conversation_day", until, now)
        most = limits.prefix_hour
        if most and (until := counts.room(text.sent, most)) is not None:
            return self._over("prefix_hour", until, now)
        most = limits.money_day
        if most and (until := counts.room(MONEY, most, cost)) is not None:
            return self._over("money_day", until, now)
        return None

    def _over(self, rule: str, until: int, now: int) -> Objection:
        """0 is never. What would come hours after it was asked for is of no use to anybody."""
        reason = f"the limit {rule} is reached"
        if not now < until <= now + self.longest_wait:
            return Objection(rule, reason)
        return Objection(rule, reason, until)

    def _pumped(self, text: Asked, known: Known, is_new: bool) -> Objection | None:
        limits, counts = self.limits, known.counts
        if limits.near_hour and is_new:
            full = counts.room(text.near, limits.near_hour)
            if full is not None:
                return self._alarm("near", "texts go to many numbers that are near", full, known)
        if limits.failure_share:
            failed = counts.total(text.failed)
            sent = counts.total(text.sent) if failed else 0
            if sent >= limits.failure_least and failed >= sent * limits.failure_share:
                until = counts.last(text.failed)
                return self._alarm("failures", "most texts to such numbers fail", until, known)
        return None

    def _alarm(self, rule: str, reason: str, until: int, known: Known) -> Objection | None:
        known.alarms.append(rule)
        if self.pumping is Pumping.ALARM:
            return None
        if self.pumping is Pumping.BLOCK or not until:
            return Objection(rule, reason)
        return Objection(rule, reason, max(until, known.counts.now + _LEAST_WAIT))

    def _count(self, text: Asked, known: Known, is_new: bool, cost: int) -> None:
        limits, counts = self.limits, known.counts
        if limits.conversation_day:
            counts.add(text.conversation, DAY)
        if limits.prefix_hour or limits.failure_share:
            counts.add(text.sent, HOUR)
        if limits.near_hour and is_new:
            counts.add(text.near, HOUR)
        if cost:
            counts.add(MONEY, DAY, cost)
        left = Left(text.message, counts.now, text.despite.value)
        if text.recipient in known.left:
            known.left[text.recipient].append(left)
        else:
            known.left[text.recipient] = [left]
        known.let_through.append(text)

    def _is_new(self, others: list[Left], now: int) -> bool:
        """Whether the recipient counts as one more among near ones."""
        return not others or not any(left.at > now - HOUR for left in others)

    def keys_of(self, texts: Iterable[Asked]) -> set[str]:
        """Under which keys `judge` will look."""
        limits, keys = self.limits, set[str]()
        for wanted, key in (
            (limits.conversation_day, attrgetter("conversation")),
            (limits.prefix_hour or limits.failure_share, attrgetter("sent")),
            (limits.failure_share, attrgetter("failed")),
            (limits.near_hour, attrgetter("near")),
        ):
            if wanted:
                keys.update(map(key, texts))
        if limits.money_day:
            keys.add(MONEY)
        return keys


def span_of(key: str) -> int:
    """How long what is counted under a key stays in its window."""
    return DAY if key == MONEY or key.startswith("c:") else HOUR
