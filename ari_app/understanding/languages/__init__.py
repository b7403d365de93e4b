"""The languages that are understood, each as plain values; another language is one more file."""

from __future__ import annotations

from collections.abc import Mapping

from ari_app.understanding.languages.en import ENGLISH
from ari_app.understanding.languages.es import SPANISH
from ari_app.understanding.languages.language import Language as Language

#: By primary subtag (BCP 47): `en`, `es`.
LANGUAGES: Mapping[str, Language] = {known.tag: known for known in (ENGLISH, SPANISH)}


def primary(tag: str) -> str:
    """The language of a tag, without its region: `es` of `es-419`."""
    return tag.lower().replace("_", "-").split("-")[0]


def language(tag: str) -> Language:
    """The language of a tag; LookupError names those that there are."""
    try:
        return LANGUAGES[primary(tag)]
    except KeyError:
        known = ", ".join(sorted(LANGUAGES))
        raise LookupError(f"the language {tag!r} is not understood; known are {known}") from None
