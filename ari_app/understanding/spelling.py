"""Letters and digits one by one: "b as in bravo, double t, seven"."""

from __future__ import annotations

from ari_app.understanding.languages import Language
from ari_app.understanding.words import plain

_MOST_LETTERS = 64


def read_spelling(text: str, language: Language) -> str | None:
    """Upper-case letters and digits; None if a word is none of them, or there are too many."""
    words = plain(text).split()
    found: list[str] = []
    at, times = 0, 1
    while at < len(words):
        if words[at] in language.times and _letter(words, at, language)[1] < 2:
            times, at = language.times[words[at]], at + 1
            continue
        letter, taken = _letter(words, at, language)
        if not taken:
            return None
        at += taken + _as_in(words[at + taken :], letter, language)
        found.append(letter * times)
        times = 1
    spelled = "".join(found).upper()
    return spelled if times == 1 and 0 < len(spelled) <= _MOST_LETTERS else None


def _letter(words: list[str], at: int, language: Language) -> tuple[str, int]:
    """The letter that begins here, and of how many words its name is."""
    two = " ".join(words[at : at + 2])
    if two in language.letters and " " in two:
        return language.letters[two], 2
    word = words[at]
    if word in language.letters:
        return language.letters[word], 1
    if word.isascii() and word.isdecimal():
        return word, 1
    number = language.numbers.get(word, 10)
    return (str(number), 1) if number < 10 else ("", 0)


def _as_in(words: list[str], letter: str, language: Language) -> int:
    """How many words only explain the letter: "as in bravo"."""
    for phrase in language.as_in:
        said = phrase.split()
        example = words[len(said) : len(said) + 1]
        if words[: len(said)] != said or not example or not letter.isalpha():
            continue
        # "be de" are two letters in Spanish; "be de burro" is one.
        if example[0].startswith(letter) and len(example[0]) > 2:
            return len(said) + 1
    return 0
