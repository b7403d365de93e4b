"""What a question says that it expects, from its YAML."""

from __future__ import annotations

from typing import Any

from ari_app.conversation.verification import CODE_DIGITS
from ari_app.understanding.answers import Expected, Kind

#: An answer that is a code which was texted.
CODE = Expected(Kind.DIGITS, (CODE_DIGITS, CODE_DIGITS))
_MOST = 64  # digits or letters
_ALONE = (Kind.YES_NO, Kind.DIGITS, Kind.DATE, Kind.SPELLING)
_PROFILES = {
    Kind.YES_NO: "yes_no",
    Kind.DIGITS: "digits",
    Kind.DATE: "date",
    Kind.SPELLING: "digits",
}


def read_expected(question: str, value: Any) -> Expected | None:
    """What `yes_no`, `{digits: 6}` or `{choices: {…}}` means; ValueError says what is wrong."""
    if value is None:
        return None
    if isinstance(value, dict) and len(value) == 1:
        ((name, detail),) = value.items()
    else:
        name, detail = value, None
    kinds = {kind.value: kind for kind in Kind}
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"question {question} expects {value!r}; known are {', '.join(kinds)}")
    try:
        return _expected(kind, detail)
    except ValueError as error:
        raise ValueError(f"question {question} expects {name}: {error}") from None


def profile(expected: Expected | None) -> str:
    """How an answer of this kind is endpointed, unless the question says otherwise."""
    return _PROFILES.get(expected.kind, "open") if expected else "open"


def _expected(kind: Kind, detail: Any) -> Expected:
    if detail is None:
        if kind not in _ALONE:
            raise ValueError("name what can be answered, each with its phrases")
        return Expected(kind)
    match kind:
        case Kind.YES_NO:
            raise ValueError(f"{detail!r} is of no use here")
        case Kind.DATE:
            if detail not in ("past", "future"):
                raise ValueError(f"a date is past or future, not {detail!r}")
            return Expected(kind, past=detail == "past")
        case Kind.DIGITS | Kind.SPELLING:
            return Expected(kind, _count(detail))
        case Kind.CHOICES | Kind.PHRASES:
            if not isinstance(detail, dict) or not detail:
                raise ValueError("name what can be answered, each with its phrases")
            named = {str(k): _phrases(v) for k, v in detail.items()}
            return Expected(kind, named=named)


def _count(detail: Any) -> tuple[int, int]:
    """`6`, or `[4, 8]` for from four to eight."""
    least, most = detail if isinstance(detail, list) and len(detail) == 2 else (detail, detail)
    for count in (least, most):
        if type(count) is not int or not 1 <= count <= _MOST:
            raise ValueError(f"how many is a number from 1 to {_MOST}, or two, not {detail!r}")
    if least > most:
        raise ValueError(f"{least} is more than {most}")
    return least, most


def _phrases(value: Any) -> tuple[str, ...]:
    phrases = value if isinstance(value, list) else [value]
    if not phrases or not all(isinstance(p, str) and p.strip() for p in phrases):
        raise ValueError(f"phrases are words, not {value!r}")
    return tuple(phrases)
