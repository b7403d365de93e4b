"""When somebody who asked for it is called back, how often, and when it is given up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ari_app.conversation.identity import E164
from ari_app.policy.people import Outcome
from ari_app.policy.preferences import Hours, good_hours, read_hours
from ari_app.policy.sending.numbers import facts_of

_MINUTE = 60_000_000
_KEYS = frozenset("hours after attempts pause ring confirm about".split())
#: Nobody is called there: who calls from such a number earns by being called.
NOT_CALLED = frozenset({"premium_rate", "shared_cost", "pager", "uan", "voicemail", "unknown"})
# Who is still on the line hangs up soon.
_SECONDS = 5_000_000
# How soon it is looked again, whether the hour is good now or there is room for a call.
_LOOK_AGAIN = 5 * _MINUTE


class Step(Enum):
    """What is to be done with a call-back that is due."""

    DIAL = "dial"
    WAIT = "wait"
    GIVE_UP = "give_up"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The step, why, and when it is looked at again (UTC microseconds; WAIT only)."""

    step: Step
    reason: str
    due: int = 0


@dataclass(frozen=True, slots=True)
class CallbackRules:
    """The section `callbacks` of a bundle. Prompts are names of the bundle's prompts."""

    hours: tuple[Hours, ...] = ()  # quiet outside of them; none: at any hour
    after: int = 15  # minutes until the first attempt, where people were looked for in vain
    attempts: int = 3
    pause: int = 15  # minutes before the second attempt; each next pause is twice as long
    ring: int = 30  # seconds
    confirm: str | None = None  # asks whoever picks up for key 1; none: nobody is called back
    about: str | None = None  # said when they have pressed it, before the question that is open

    def verdict(
        self, *, now: int, attempts: int, preferred: str | None, room: bool, on_the_line: bool
    ) -> Verdict:
        """What to do after so many attempts; the `preferred` hours of the person count too."""
        if self.confirm is None:
            return Verdict(Step.GIVE_UP, "no_confirm")
        if attempts >= self.attempts:
            return Verdict(Step.GIVE_UP, "attempts")
        if self.hours and not any(hours.has(now) for hours in self.hours):
            return Verdict(Step.WAIT, "quiet_hours", now + _LOOK_AGAIN)
        if not good_hours(preferred, now):
            return Verdict(Step.WAIT, "preferred_hours", now + _LOOK_AGAIN)
        if on_the_line:
            return Verdict(Step.WAIT, "on_the_line", now + _SECONDS)
        if not room:
            return Verdict(Step.WAIT, "full", now + _MINUTE)
        return Verdict(Step.DIAL, "due")

    def again(self, now: int, attempt: int) -> int:
        """When the next attempt is made after this one, if it does not reach the person."""
        return now + (self.pause * _MINUTE << (attempt - 1))


#: After these it makes no sense to try again.
FINAL = frozenset({Outcome.DECLINED})


def may_be_called(number: E164, countries: Collection[str] | None = None) -> bool:
    """Whether the number may be called at all; `countries` (ISO 3166) None: everywhere."""
    facts = facts_of(number.value)
    return facts.kind not in NOT_CALLED and (countries is None or facts.region in countries)


def read_callbacks(document: Any) -> CallbackRules:
    """From the section `callbacks` of a bundle; ValueError says what is wrong."""
    if not document:
        return CallbackRules()
    if not isinstance(document, Mapping):
        raise ValueError("callbacks must be a mapping")
    for key in document.keys() - _KEYS:
        raise ValueError(f"callbacks has the unknown key {key!r}; known are {sorted(_KEYS)}")
    written = document.get("hours") or []
    hours = written if isinstance(written, list) else [written]
    if document.get("confirm") is None:
        raise ValueError("callbacks: `confirm` is missing, the prompt that asks for key 1")
    about = document.get("about")
    return CallbackRules(
        hours=tuple(read_hours(str(h)) for h in hours),
        after=_number(document, "after", 15, 1440, least=0),
        attempts=_number(document, "attempts", 3, 10),
        pause=_number(document, "pause", 15, 1440),
        ring=_number(document, "ring", 30, 120),
        confirm=str(document["confirm"]),
        about=None if about is None else str(about),
    )


def check_callbacks(rules: CallbackRules, prompts: Collection[str]) -> None:
    """ValueError unless everything that they say can be said."""
    for prompt in (rules.confirm, rules.about):
        if prompt is not None and prompt not in prompts:
            raise ValueError(f"callbacks says the unknown prompt {prompt!r}")


def _number(document: Mapping[str, Any], key: str, default: int, most: int, least: int = 1) -> int:
    value = document.get(key, default)
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"callbacks: {key} cannot be {value!r}: {least} to {most}")
    return value
