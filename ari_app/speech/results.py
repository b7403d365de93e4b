"""Pure. What Vosk says, in its JSON, from this machine or from another."""

from __future__ import annotations

import json
import math

from ari_app.ports import Word

# Of one turn: minutes without a breath. Beyond that the newest are kept.
MOST_WORDS = 1000
_LONGEST = 1 << 20  # characters of an answer
_LONGEST_WORD = 200  # characters


class Unreadable(ValueError):
    """This is no result of Vosk."""


def read(answer: str) -> str | tuple[Word, ...]:
    """The words so far (a str) or those of a whole utterance (a tuple); Unreadable.

    A whole utterance must come with the times and confidences of its words (SetWords).
    """
    if len(answer) > _LONGEST:
        raise Unreadable(f"an answer of {len(answer)} characters")
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        raise Unreadable("an answer that is not JSON") from None
    if not isinstance(said, dict):
        raise Unreadable("an answer that is not an object")
    if "text" not in said:
        return _text(said.get("partial"))
    words = said.get("result", [])
    if not isinstance(words, list):
        raise Unreadable("a result that is not a list")
    if not words and _text(said["text"]):
        raise Unreadable("a text without its words: the server must be run with words (SetWords)")
    return tuple(_word(word) for word in words)


def later(words: tuple[Word, ...], seconds: float) -> tuple[Word, ...]:
    """The same words, so many seconds later."""
    if not seconds:
        return words
    return tuple(Word(w.text, w.start + seconds, w.end + seconds, w.confidence) for w in words)


def newest(words: list[Word]) -> list[Word]:
    """As many of them as a turn may have."""
    return words[-MOST_WORDS:]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unreadable("an answer without a text")
    return " ".join(value.lower().split())


def _word(value: object) -> Word:
    if not isinstance(value, dict):
        raise Unreadable("a word that is not an object")
    text = _text(value.get("word"))
    if not 0 < len(text) <= _LONGEST_WORD:
        raise Unreadable(f"a word of {len(text)} characters")
    start, end = _number(value.get("start")), _number(value.get("end"))
    if not 0 <= start <= end:
        raise Unreadable(f"a word from {start:g} to {end:g} s")
    # A posterior that is summed in floats may be a trace above 1.
    confidence = _number(value.get("conf"))
    if not -0.01 <= confidence <= 1.01:
        raise Unreadable(f"a confidence of {confidence:g}")
    return Word(text, start, end, min(max(confidence, 0.0), 1.0))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unreadable("a word without its times and confidence")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Unreadable("a number that is none")
    return number
