"""Templates of what is said and written; prompts may have marks such as `{amount:money}`."""

from __future__ import annotations

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ari_app.understanding.saying.marks import as_template, said

TEMPLATES = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined)


def _say(value: object, kind: str, language: str, option: str = "") -> str:
    """In words; what cannot be read as that is said as it is: a caller is on the line."""
    try:
        return said(value, kind, language, option)
    except ValueError:
        return str(value)


TEMPLATES.filters["say"] = _say

_STRICT = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined)
_STRICT.filters["say"] = said


def prompt_template(wording: str, language: str) -> str:
    """A wording as a template; ValueError for a mark that nobody can say in this language."""
    return as_template(wording, language)


def check_values(wording: str, language: str, values: object, people: str) -> None:
    """ValueError if a value of the bundle is marked as what it is not.

    What is only known in a call cannot be checked here.
    """
    _STRICT.from_string(prompt_template(wording, language)).render(
        values=values, people=people, choice="", code="", topic="", answer=""
    )
