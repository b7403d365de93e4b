"""Pure. The phrases that are expected at a question, checked before libvosk sees them.

A grammar that is not JSON, or that is empty, kills the process that gives it to libvosk; a word
that the model does not know is left out of it in silence.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TypeGuard

MOST_PHRASES = 500
LONGEST_PHRASE = 200  # characters
UNKNOWN = "[unk]"  # what is heard instead of anything else


def check(phrases: object) -> tuple[str, ...]:
    """The phrases, lower case, single blanks, each once; none of them mean all words again.

    ValueError if they are not a sequence of phrases, too many, too long, or without a word.
    """
    if isinstance(phrases, str | bytes) or not _is_sequence(phrases):
        raise ValueError("expected phrases are a list of texts")
    if len(phrases) > MOST_PHRASES:
        raise ValueError(f"{len(phrases)} expected phrases are more than {MOST_PHRASES}")
    return tuple(dict.fromkeys(_phrase(phrase) for phrase in phrases))


def heard_by(phrases: tuple[str, ...], words: Set[str]) -> bool:
    """Whether a model with these words can hear each of the phrases."""
    return all(word in words for phrase in phrases for word in phrase.split())


def _is_sequence(phrases: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    return isinstance(phrases, list | tuple)


def _phrase(phrase: object) -> str:
    if not isinstance(phrase, str):
        raise ValueError("an expected phrase is not a text")
    spoken = " ".join(phrase.lower().split())
    if not spoken:
        raise ValueError("an expected phrase has no word")
    if len(spoken) > LONGEST_PHRASE:
        raise ValueError(f"an expected phrase is longer than {LONGEST_PHRASE} characters")
    if not spoken.isprintable():
        raise ValueError("an expected phrase holds what cannot be spoken")
    return spoken
