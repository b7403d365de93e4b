"""Marks in prompts, `{amount:money}` or `{when:datetime}`: what a template's values are."""

from __future__ import annotations

import re

from ari_app.understanding.saying.languages import LANGUAGES, language_of
from ari_app.understanding.saying.values import KINDS, say

# One brace only: `{{ … }}` and `{% … %}` are the template's own.
_MARK = re.compile(
    r"(?<!\{)\{\s*([A-Za-z_]\w*(?:\.\w+)*)\s*:\s*([A-Za-z_]+)(?:\s+([A-Za-z]{3}))?\s*\}(?!\})"
)


def as_template(wording: str, language: str) -> str:
    """The wording with each mark as an expression of the template: `(amount)|say('money', …)`.

    ValueError, in one sentence, for a kind that nobody can say or a language without words for it.
    """

    def expression(mark: re.Match[str]) -> str:
        path, kind, option = mark[1], mark[2], mark[3] or ""
        check(kind, language)
        first, *rest = path.split(".")
        return (
            "{{ "
            + first
            + "".join(f"['{key}']" for key in rest)
            + (f"|say('{kind}', '{language}', '{option.upper()}') }}}}")
        )

    return _MARK.sub(expression, wording)


def check(kind: str, language: str) -> None:
    """ValueError if this language cannot say a value of this kind."""
    if kind not in KINDS:
        raise ValueError(f"there is no way to say {kind!r}; known are {', '.join(KINDS)}")
    if language_of(language) is None:
        raise ValueError(
            f"a {kind} cannot be said in {language!r}, only in {', '.join(LANGUAGES)}: write it "
            "out in words"
        )


def said(value: object, kind: str, language: str, option: str = "") -> str:
    """`say` for a template; ValueError also for a language that is not known."""
    check(kind, language)
    known = language_of(language)
    assert known is not None
    return say(value, kind, known, option)
