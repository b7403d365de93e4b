"""The ordered table of rules; the first match decides."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from ari_app.errors import BundleError
from ari_app.policy.preferences import check_preference

_WORDS = frozenset(
    "channel by intent topic question consent choice code prefers preferred_language "
    "command answer language".split()
)
_NUMBERS = frozenset("heard sure misses silences verified frustration".split())
_FLAGS = frozenset("can_text can_code hearing good_hours".split())
#: What a rule may look at.
FACTS = _WORDS | _NUMBERS | _FLAGS
_COMPARE: tuple[tuple[str, Callable[[Any, Any], bool]], ...] = (
    ("<=", operator.le),
    (">=", operator.ge),
    ("<", operator.lt),
    (">", operator.gt),
)
_COMPARISON = re.compile(r"(?:<=|>=|<|>) *[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Then:
    """What a rule does, in this order; `{topic}` in a name is the topic after this rule."""

    topic: str | None = None  # from now on this is what we talk about
    miss: bool = False  # counts as not understood
    choose: bool = False  # the choice that was named is made
    consent: str | None = None  # the person agrees to this purpose
    refuse: str | None = None  # the person does not agree to it
    text: str | None = None  # promise this text
    code: str | None = None  # promise this text with a code in it, that proves who has the number
    prefer: str | None = None  # the person prefers this: `channel sms`, `language es`, `hours …`
    handoff: str | None = None  # make a hand-off record with this outcome
    take: bool = False  # the answer that was given is noted
    confirm: bool = False  # the answer that was noted last is right: it was read back
    slower: bool = False  # speak slower from now on
    louder: bool = False
    wait: str | None = None  # so many seconds more count as no silence; the question stays open
    say: tuple[str, ...] = ()  # prompts, one after the other
    ask: str | None = None  # this question is open now; `same`: ask again what was asked
    people: str | None = None  # give the person to people, with this reason
    end: bool = False  # say goodbye and end the call

    def names(self) -> tuple[str, ...]:
        """The actions, short, for the decision's record."""
        return tuple(
            f.name if (value := getattr(self, f.name)) is True else f"{f.name} {_plain(value)}"
            for f in fields(self)
            if getattr(self, f.name)
        )


def _plain(value: Any) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition over facts, what to do, and the reason to give."""

    name: str
    because: str
    when: tuple[tuple[str, Any], ...]
    then: Then

    def matches(self, facts: Mapping[str, Any]) -> bool:
        """Whether every condition holds."""
        return all(_holds(wanted, facts.get(fact)) for fact, wanted in self.when)

    def takes(self, fact: str, value: str) -> bool:
        """Whether the rule's condition on this one fact, if it has any, holds."""
        return _holds(dict(self.when).get(fact, "*"), value)


def decide(rules: Sequence[Rule], facts: Mapping[str, Any]) -> Rule:
    """The first rule that matches; a checked bundle always has one."""
    for rule in rules:
        if rule.matches(facts):
            return rule
    raise BundleError("no rule matches")  # the bundle's check has a rule for what is left


def _holds(wanted: Any, fact: Any) -> bool:
    """One condition: any of a list, a comparison `<0.6`, a pattern `offer_*`, or equal."""
    if isinstance(wanted, tuple):
        return any(_holds(w, fact) for w in wanted)
    if isinstance(wanted, str):
        for sign, compare in _COMPARE:
            if wanted.startswith(sign):
                return isinstance(fact, int | float) and compare(fact, float(wanted[len(sign) :]))
        return isinstance(fact, str) and fnmatchcase(fact, wanted)
    return bool(wanted == fact)


def read_rule(document: Any) -> Rule:
    """A rule from its YAML mapping; BundleError says what is wrong."""
    if not isinstance(document, dict) or not isinstance(document.get("rule"), str):
        raise BundleError(f"a rule must be a mapping with a name: {document!r:.80}")
    name = document["rule"]
    for key in document.keys() - {"rule", "because", "when", "then"}:
        raise BundleError(f"rule {name} has the unknown key {key!r}")
    when = document.get("when") or {}
    if not isinstance(when, dict):
        raise BundleError(f"rule {name}: `when` must be a mapping of facts")
    for fact in when.keys() - FACTS:
        raise BundleError(f"rule {name} looks at the unknown fact {fact!r}")
    return Rule(
        name=name,
        because=str(document.get("because", name.replace("_", " "))),
        when=tuple((fact, _condition(name, fact, value)) for fact, value in when.items()),
        then=_then(name, document.get("then")),
    )


def _condition(rule: str, fact: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_condition(rule, fact, v) for v in value)
    if fact in _FLAGS:
        fits = isinstance(value, bool)
    elif isinstance(value, bool):
        fits = False
    elif fact in _NUMBERS:
        fits = isinstance(value, int | float) or bool(_COMPARISON.fullmatch(str(value)))
    else:
        # `choice: 1` is the digit; nothing at all is `null`.
        value = str(value) if isinstance(value, int) else value
        fits = value is None or isinstance(value, str)
    if not fits:
        raise BundleError(f"rule {rule}: {fact} cannot be {value!r}")
    return value


def _then(rule: str, document: Any) -> Then:
    if not isinstance(document, dict) or not document:
        raise BundleError(f"rule {rule} does nothing")
    kinds = {f.name: f.default for f in fields(Then)}
    values: dict[str, Any] = {}
    for key, value in document.items():
        if key not in kinds:
            raise BundleError(f"rule {rule} has the unknown action {key!r}")
        if key == "say":
            values[key] = tuple(map(str, value)) if isinstance(value, list) else (str(value),)
        elif isinstance(kinds[key], bool) != isinstance(value, bool):
            raise BundleError(f"rule {rule}: action {key} cannot be {value!r}")
        else:
            values[key] = value if isinstance(value, bool) else str(value)
    if "wait" in values and not re.fullmatch("[1-9][0-9]?|1[01][0-9]|120", values["wait"]):
        raise BundleError(f"rule {rule}: wait is seconds up to 120, not {values['wait']!r}")
    if "prefer" in values:
        try:
            check_preference(*_two(values["prefer"]))
        except ValueError as error:
            raise BundleError(f"rule {rule}: {error}") from error
    return Then(**values)


def _two(written: str) -> tuple[str, str]:
    what, _, value = written.partition(" ")
    return what, value.strip()
