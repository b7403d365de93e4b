"""The languages whose numbers, dates, money and letters can be said."""

from __future__ import annotations

from collections.abc import Mapping

from ari_app.understanding.saying.english import English
from ari_app.understanding.saying.language import Language
from ari_app.understanding.saying.spanish import Spanish

LANGUAGES: Mapping[str, Language] = {known.tag: known for known in (English(), Spanish())}


def language_of(tag: str) -> Language | None:
    """By a tag such as `en`, `en-GB` or `es_MX`; None if it cannot be said."""
    return LANGUAGES.get(tag.lower().replace("_", "-").split("-")[0])
