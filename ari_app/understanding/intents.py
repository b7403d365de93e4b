"""Intents from examples: trained in memory in milliseconds, out-of-scope detection built in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion

from ari_app.understanding.words import normalise

# Words that no example has carry no meaning for us; how alike the rest must be to count.
_SCOPE = 0.42


@dataclass(frozen=True, slots=True)
class Meaning:
    """The best intent (None: out of scope), how sure, and what else it might have been."""

    intent: str | None
    confidence: float
    alternatives: tuple[tuple[str, float], ...] = ()


class Intents:
    """A classifier over the examples of a bundle.

    Two views must agree: a linear classifier ranks the intents, and the nearest example of the
    winner must be alike enough (cosine of character and word n-grams), or it is out of scope.
    """

    def __init__(self, examples: Mapping[str, Sequence[str]]) -> None:
        """Train; `examples` has at least two intents with at least one example each."""
        pairs = [(normalise(e), name) for name, texts in examples.items() for e in texts]
        self._exact = dict(pairs)
        self._features = FeatureUnion(
            [
                (
                    "letters",
                    TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True),
                ),
                ("words", TfidfVectorizer(token_pattern=r"[\w']+", ngram_range=(1, 2))),
            ]
        )
        self._known = self._features.fit_transform([text for text, _ in pairs])
        self._labels = np.array([name for _, name in pairs])
        # Weak regularisation: there are few examples, and each was written on purpose.
        self._linear = LogisticRegression(C=20.0, class_weight="balanced", max_iter=2000)
        self._linear.fit(self._known, self._labels)

    def read(self, text: str) -> Meaning:
        """What the words mean; the same words always mean the same."""
        plain = normalise(text)
        if not plain:
            return Meaning(None, 0.0)
        if plain in self._exact:
            return Meaning(self._exact[plain], 1.0)
        seen = self._features.transform([plain])
        likely = self._linear.predict_proba(seen)[0]
        order = np.argsort(likely)[::-1][:3]
        ranked = tuple((str(self._linear.classes_[i]), round(float(likely[i]), 4)) for i in order)
        # Both parts of the union have norm 1, so the dot product of two texts is at most 2.
        alike = (self._known @ seen.T).toarray()[:, 0] / 2.0
        best = ranked[0][0]
        if alike[self._labels == best].max(initial=0.0) < _SCOPE:
            return Meaning(None, 1.0 - ranked[0][1], ranked)
        return Meaning(best, ranked[0][1], ranked)
