"""Pure. A caller who waits for an answer hears that we are still there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ari_app.policy.bundle import Bundle
from ari_app.understanding.saying.languages import language_of

_PROMPT = "one_moment"
_AGAIN = 4.0  # seconds from one sign to the next


class Sign(Enum):
    """What a waiting caller hears."""

    WORDS = "words"  #: "one moment, please"
    TONE = "tone"  #: a soft tone: still here


@dataclass(frozen=True, slots=True)
class Comfort:
    """When a caller is comforted, and by what; audio is 8 kHz mu-law."""

    after: float  # seconds without an answer; 0: never
    tone: bytes
    words: Mapping[str, bytes] = field(default_factory=dict)  # by language

    def audio(self, sign: Sign, language: str) -> bytes:
        """The words of the language; where there are none, the tone."""
        words = self.words.get(language, b"") if sign is Sign.WORDS else b""
        return words or self.tone


class Waiting:
    """How long one caller has been waiting. Times are monotonic seconds."""

    def __init__(self, after: float) -> None:
        self._after = after
        self._next: float | None = None  # when they are comforted; None: they do not wait
        self._told = False

    def sign(self, waits: bool, now: float) -> Sign | None:
        """Words after `after` seconds of waiting, then a tone every 4 s; asked at every tick."""
        if not waits or not self._after:
            self._next, self._told = None, False
            return None
        if self._next is None:
            self._next = now + self._after
        if now < self._next:
            return None
        self._next = now + _AGAIN
        told, self._told = self._told, True
        return Sign.TONE if told else Sign.WORDS


def one_moment(bundle: Bundle) -> str:
    """The bundle's prompt `one_moment`, else that of its language; "" if there is neither."""
    if _PROMPT in bundle.prompts:
        return bundle.prompt(_PROMPT)
    language = language_of(bundle.language)
    return language.one_moment if language else ""
