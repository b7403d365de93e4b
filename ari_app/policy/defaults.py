"""What every bundle does with commands that can be said at any question, unless it says otherwise.

A rule of a bundle that looks at the fact `command` takes the place of the rule here for the same
command; a prompt of the same name takes the place of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ari_app.policy.rules import Rule, read_rule

_SURE: Mapping[str, Any] = {"channel": "voice", "heard": ">=0.5"}


def _rule(command: str, because: str, **then: Any) -> Rule:
    return read_rule(
        {
            "rule": f"command_{command}",
            "because": because,
            "when": {**_SURE, "command": command},
            "then": then,
        }
    )


_RULES = (
    _rule("repeat", "the caller asked to hear it again", ask="same"),
    _rule("slower", "the caller asked us to be slower", slower=True, ask="same"),
    _rule("louder", "the caller asked us to be louder", louder=True, ask="same"),
    _rule("wait", "the caller asked for a moment", say="command_wait", wait="30"),
    _rule("help", "the caller asked what can be said", say="command_help", ask="same"),
    _rule(
        "operator",
        "the caller asked for a person",
        say="command_operator",
        people="asked for a person",
    ),
    _rule("language", "the caller asked for another language", ask="same"),
)

_PROMPTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "command_wait": ("Take your time.",),
        "command_help": (
            "You can answer in your own words. At any time you can say repeat, slower, louder, "
            "wait, or operator to talk to {{ people }}.",
        ),
        "command_operator": ("I am connecting you to {{ people }}. One moment, please.",),
    },
    "es": {
        "command_wait": ("No hay prisa, espero.",),
        "command_help": (
            "Puede responder con sus propias palabras. En cualquier momento puede decir repita, "
            "más despacio, más alto, espere, u operador para hablar con {{ people }}.",
        ),
        "command_operator": ("Le comunico con {{ people }}. Un momento, por favor.",),
    },
}


def prompts(language: str) -> Mapping[str, tuple[str, ...]]:
    """The wordings of the default rules in a language that is understood."""
    return _PROMPTS[language]


def rules(of_the_bundle: Iterable[Rule]) -> tuple[Rule, ...]:
    """The default rules that no rule of the bundle takes the place of."""
    own = [rule for rule in of_the_bundle if dict(rule.when).get("command") is not None]
    return tuple(
        rule
        for rule in _RULES
        if not any(mine.takes("command", str(dict(rule.when)["command"])) for mine in own)
    )
