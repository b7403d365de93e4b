"""Text without marks, made ready for a voice: what would be read out wrongly, in words."""

from __future__ import annotations

import re
from collections.abc import Callable

from ari_app.understanding.saying.language import Language
from ari_app.understanding.saying.languages import language_of
from ari_app.understanding.saying.values import say

_MONEY = re.compile(
    r"[$€£]\s?\d[\d,]*(?:\.\d{1,2})?(?![\d.]*\d)|\b\d[\d,]*(?:\.\d{1,2})? ?(?:€|(?:[A-Z]{3})\b)"
)
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_PHONE = re.compile(r"(?<!\w)\+\d[\d ()-]{5,18}\d\b")
_TIME = re.compile(
    r"(?:\b(las?) )?(?<![\d:])([01]?[0-9]|2[0-3]):([0-5][0-9])(?![\d:])(?: ?[ap]\.?m\b\.?)?"
)


def read_aloud(text: str, tag: str) -> str:
    """Amounts, dates, times of day and international numbers as words; all else as it is.

    A language that is not known is left to the voice.
    """
    language = language_of(tag)
    if language is None:
        return text
    for pattern, kind in ((_PHONE, "phone"), (_DATE, "date"), (_MONEY, "money")):
        text = pattern.sub(_saying(kind, language), text)
    return _TIME.sub(lambda found: _time(found, language), text)


def _saying(kind: str, language: Language) -> Callable[[re.Match[str]], str]:
    def words(found: re.Match[str]) -> str:
        try:
            return say(found[0], kind, language)
        except ValueError:  # 100 SMS are no money, 2026-02-31 is no date
            return found[0]

    return words


def _time(found: re.Match[str], language: Language) -> str:
    article, hour, minute = found.groups()
    if "m" in found[0].lower().rpartition(minute)[2]:  # it says itself which half of the day
        return found[0]
    words = say(f"{int(hour):02}:{minute}", "time", language)
    if article and not words.startswith(language.time_articles or ("\0",)):
        return f"{article} {words}"
    return words
