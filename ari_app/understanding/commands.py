"""What can be said at every question, whatever was asked: repeat, slower, another language."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ari_app.understanding.languages import LANGUAGES, Language
from ari_app.understanding.words import plain

#: Those that every language has words for.
COMMANDS = ("repeat", "slower", "louder", "wait", "help", "operator")
#: Said by the name of a language.
SWITCH = "language"
_LONGEST = 120  # characters: what is longer is no command


@dataclass(frozen=True, slots=True)
class Command:
    """One of COMMANDS, or SWITCH with the language that is asked for."""

    name: str
    language: str | None = None


def read_command(text: str, language: Language, offered: Collection[str] = ()) -> Command | None:
    """The command that the whole of the words is, politeness aside; None if they say more.

    `offered` are the languages that may be asked for, in the words of any language.
    """
    if len(text) > _LONGEST:
        return None
    said = plain(text)
    bare = _bare(said, language)
    if not bare:
        return None
    for name, spoken in language.commands.items():
        if any(
            form in (plain(p), _bare(plain(p), language)) for p in spoken for form in {said, bare}
        ):
            return Command(name)
    for tag in offered:
        if tag != language.tag and tag in LANGUAGES and _asks_for(said, LANGUAGES[tag]):
            return Command(SWITCH, tag)
    return None


def _bare(said: str, language: Language) -> str:
    """Without courtesy at both ends: inside it is part of what is said."""
    words = said.split()
    while words and words[0] in language.courtesy:
        words = words[1:]
    while words and words[-1] in language.courtesy:
        words = words[:-1]
    return " ".join(words)


def _asks_for(said: str, wanted: Language) -> bool:
    bare = {_bare(said, known) for known in LANGUAGES.values()} | {said}
    forms = [form for known in LANGUAGES.values() for form in known.asks]
    return any(form.format(language=name) in bare for form in forms for name in wanted.names)
