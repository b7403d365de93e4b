"""Which language a conversation goes on in: at its start, and when the caller shows another."""

from __future__ import annotations

from collections.abc import Mapping

from ari_app.agent.hearing import Heard, expected
from ari_app.conversation.events import LanguageChosen
from ari_app.conversation.state import Conversation
from ari_app.policy.bundle import Bundle
from ari_app.understanding.answers import Kind
from ari_app.understanding.commands import SWITCH, read_command
from ari_app.understanding.intents import Intents
from ari_app.understanding.languages import language, primary
from ari_app.understanding.tongue import identify


class Tongues:
    """A bundle and its translations, by primary language."""

    def __init__(self, bundle: Bundle, intents: Intents) -> None:
        """Trains the intents of the translations, which takes part of a second for each."""
        self._base = bundle
        self._bundles: Mapping[str, Bundle] = {
            primary(bundle.language): bundle,
            **bundle.translations,
        }
        self._intents = {
            tag: intents if each is bundle else Intents(each.intents)
            for tag, each in self._bundles.items()
        }

    def bundle(self, tag: str) -> Bundle:
        """The bundle in this language, or in its own if it has no other."""
        return self._bundles.get(primary(tag), self._base)

    def intents(self, tag: str) -> Intents:
        """The intents of `bundle` in this language."""
        return self._intents[primary(self.bundle(tag).language)]

    def others(self, tag: str) -> tuple[Bundle, ...]:
        """The bundle in every other language."""
        return tuple(each for known, each in self._bundles.items() if known != primary(tag))

    def at_start(self, did: str, preferred: str | None) -> LanguageChosen | None:
        """What a known person prefers counts, then the number that was dialled."""
        if preferred is not None and primary(preferred) in self._bundles:
            return self._chosen(primary(preferred), "preference")
        for tag, each in self._bundles.items():
            if did in each.offer.numbers:
                return self._chosen(tag, "number")
        return None

    def in_turn(self, state: Conversation, heard: Heard) -> LanguageChosen | None:
        """The other language that the caller asks for by key or name, or simply speaks."""
        now = self.bundle(state.language)
        if len(self._bundles) == 1 or not heard.text:
            return None
        if heard.by == "key":
            return self._by_key(now, state, heard.text)
        if heard.by not in ("speech", "text"):
            return None
        command = read_command(heard.text, language(now.language), tuple(self._bundles))
        if command is not None and command.name == SWITCH and command.language is not None:
            return self._chosen(command.language, "request", heard.text)
        return self._by_words(now, heard)

    def _by_key(self, now: Bundle, state: Conversation, key: str) -> LanguageChosen | None:
        wanted = expected(now, state)
        if wanted is not None and wanted.kind is Kind.DIGITS:
            return None  # it is part of the answer
        for other in self.others(now.language):
            if other.offer.key == key:
                return self._chosen(primary(other.language), "key", key)
        return None

    def _by_words(self, now: Bundle, heard: Heard) -> LanguageChosen | None:
        """Only what means nothing in the language of now: a name or a loan word is no switch."""
        found = identify(heard.text, self._bundles)
        if found is None or found.language == primary(now.language):
            return None
        if self.intents(now.language).read(heard.text).intent is not None:
            return None
        return self._chosen(found.language, "words", " ".join(found.words[:5]))

    def _chosen(self, tag: str, by: str, words: str = "") -> LanguageChosen:
        return LanguageChosen(language=self._bundles[tag].language, by=by, words=words)
