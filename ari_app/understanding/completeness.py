"""Pure. Whether the words of a caller can be all that they want to say."""

from __future__ import annotations

from enum import Enum

from ari_app.understanding.turn_words import TurnWords, turn_words
from ari_app.understanding.words import digits, normalise


class Standing(Enum):
    """How far an answer is, by its words alone."""

    NOTHING = "nothing"  #: no word
    UNFINISHED = "unfinished"  #: "I want to": more must come
    POSSIBLE = "possible"  #: it may be over, or not
    WHOLE = "whole"  #: an answer, though more may come
    COMPLETE = "complete"  #: all that was asked for


def standing(
    text: str,
    *,
    profile: str = "open",
    count: int = 0,
    phrases: frozenset[str] = frozenset(),
    language: str = "en",
) -> Standing:
    """How far this answer to a question of that `profile` is.

    `count` is how many digits are awaited, 0 if nobody knows; each of `phrases` (normalised) is a
    whole answer. In a language without turn words only digits and phrases are known to be whole.
    """
    words = normalise(text).split()
    if not words:
        return Standing.NOTHING
    if " ".join(words) in phrases:
        return Standing.WHOLE
    named = digits(text) if profile == "digits" else ""
    if named and len(named) == count:
        return Standing.COMPLETE
    known = turn_words(language)
    if known is not None and _goes_on(words, known):
        return Standing.UNFINISHED
    if named and count:
        return Standing.UNFINISHED if len(named) < count else Standing.POSSIBLE
    if named or known is None:
        return Standing.POSSIBLE
    if _is_whole(words, profile, known):
        return Standing.WHOLE
    return _of_a_date(words, known) if profile == "date" else Standing.POSSIBLE


def is_back_channel(text: str, language: str) -> bool:
    """Whether this only says "I am listening": "mm-hm", "okay"; so does no word at all."""
    words = normalise(text)
    known = turn_words(language)
    return not words or (known is not None and words in known.back_channels)


def _goes_on(words: list[str], known: TurnWords) -> bool:
    """Whether the last words need others."""
    if words[-1] in known.hesitations:
        return True
    # "Yes I do" and "no it isn't" end so, but nothing longer does.
    if len(words) <= 4 and words[0] in known.answers and set(words) <= known.answers | known.beside:
        return words[-1] in ("i", "that's", "of", "the")
    return words[-1] in known.dangling or " ".join(words[-2:]) in known.dangling_pairs


def _is_whole(words: list[str], profile: str, known: TurnWords) -> bool:
    spoken = set(words) - known.hesitations
    if spoken & known.answers and spoken <= known.answers | known.beside:
        return profile != "open" or len(words) > 1
    if profile == "date":
        return False
    return words[-1] in known.closing


def _of_a_date(words: list[str], known: TurnWords) -> Standing:
    """A day is one; a month wants its day, before or after."""
    spoken = set(words)
    numbered = spoken & known.ordinals or any(w[:1].isdecimal() for w in words)
    if spoken & known.months:
        return Standing.WHOLE if numbered else Standing.UNFINISHED
    return Standing.WHOLE if spoken & known.days else Standing.POSSIBLE
