"""A bundle in another language: its words replaced, its rules kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ari_app.errors import BundleError
from ari_app.policy import defaults
from ari_app.policy.content import Offer
from ari_app.understanding.languages import LANGUAGES, primary

_SECTIONS = frozenset(
    "language people values intents prompts texts choices expects recording offer".split()
)
_WHOLE = ("intents", "prompts", "texts")  # each name of the bundle needs its words


def merged(base: Mapping[str, Any], translation: Any) -> dict[str, Any]:
    """The document of the bundle in the language of the translation; BundleError."""
    language = check_language(translation)
    where = f"the translation to {language}"
    for section in translation.keys() - _SECTIONS:
        known = ", ".join(sorted(_SECTIONS))
        raise BundleError(f"{where} has the unknown section {section!r}; known are {known}")
    document = dict(base)
    for section in _WHOLE:
        document[section] = _whole(language, section, base[section], translation.get(section))
    document["language"] = language
    document["people"] = translation.get("people", base["people"])
    document["values"] = {**(base.get("values") or {}), **(translation.get("values") or {})}
    # Only the words of the disclosure that tell of it are of a language.
    document["recording"] = {
        **(base.get("recording") or {}),
        **(translation.get("recording") or {}),
    }
    document["questions"] = _questions(where, base["questions"], translation)
    return document


def read_offer(translation: Mapping[str, Any]) -> Offer:
    """How callers come to the language; ValueError."""
    offer = translation.get("offer") or {}
    for key in offer.keys() - {"numbers", "key", "invite"}:
        raise ValueError(f"offer has the unknown key {key!r}; known are invite, key, numbers")
    numbers = offer.get("numbers") or []
    if not isinstance(numbers, list):
        raise ValueError("offer: numbers is a list of the numbers that are dialled")
    key = offer.get("key")
    if key is not None and (len(str(key)) != 1 or str(key) not in "0123456789*#"):
        raise ValueError(f"offer: key cannot be {key!r}")
    invite = offer.get("invite")
    return Offer(
        frozenset(map(str, numbers)),
        None if key is None else str(key),
        None if invite is None else str(invite),
    )


def check_language(document: Any) -> str:
    """The language of a bundle or translation; BundleError if it is not understood."""
    written = document.get("language") if isinstance(document, dict) else None
    if not isinstance(written, str):
        raise BundleError("a translation is a mapping that names its language, such as `es`")
    if primary(written) not in LANGUAGES:
        known = ", ".join(sorted(LANGUAGES))
        raise BundleError(f"the language {written!r} is not understood; known are {known}")
    return written


def _whole(language: str, section: str, base: Mapping[str, Any], words: Any) -> dict[str, Any]:
    where, words = f"the translation to {language}", words or {}
    if not isinstance(words, dict):
        raise BundleError(f"{where}: {section} must be a mapping")
    for name in words.keys() - base.keys():
        if not (section == "prompts" and name in defaults.prompts(primary(language))):
            raise BundleError(f"{where} has {section} {name!r}, which the bundle has not")
    for name in base:
        if name not in words:
            raise BundleError(f"{where} lacks {section} {name!r}")
    if section != "texts":
        return dict(words)
    return {name: {**text, "body": words[name]} for name, text in base.items()}


def _questions(where: str, base: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    """Choices and expected phrases that are words must have others."""
    after = {name: dict(question) for name, question in base.items()}
    for section in ("choices", "expects"):
        given = words.get(section) or {}
        for name in given.keys() - base.keys():
            raise BundleError(f"{where}: {section} names the unknown question {name!r}")
        for name, question in base.items():
            before = question.get(section)
            if isinstance(before, dict) and _has_words(section, before):
                if name not in given:
                    raise BundleError(f"{where} lacks the {section} of question {name!r}")
                if _values(section, given[name]) != _values(section, before):
                    raise BundleError(f"{where}: {section} of {name!r} must have the same names")
                after[name][section] = given[name]
    return after


def _has_words(section: str, value: Mapping[str, Any]) -> bool:
    return section == "choices" or bool(value.keys() & {"choices", "phrases"})


def _values(section: str, value: Any) -> set[str]:
    """What is named, without the words for it."""
    if not isinstance(value, dict):
        return set()
    if section == "choices":
        return {str(k) for k in value}
    return {f"{kind} {k}" for kind, names in value.items() for k in names or {}}
