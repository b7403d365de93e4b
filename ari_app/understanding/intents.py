"""Intents from examples: trained in memory in milliseconds, out-of-scope detection built in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion

from ari_app.understanding.words import plain

# How alike, how likely and how well known the words must be to be about anything of ours.
# Tuned on the example bundle; tests/unit/understanding holds sentences that were not.
_SCOPE = 0.38
_LIKELY = 0.3


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
    Words that no example has are invisible to both, so they weigh against the sentence by length.
    """

    def __init__(self, examples: Mapping[str, Sequence[str]]) -> None:
        """Train; `examples` has at least two intents with at least one example each."""
        pairs = [(plain(e), name) for name, texts in examples.items() for e in texts]
        self._exact = dict(pairs)
        self._words = frozenset(word for text, _ in pairs for word in text.split())
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
        # `sag` works in one thread; the usual solver wakes every core for each of its small steps.
        self._linear = LogisticRegression(
            C=20.0,
            class_weight="balanced",
            solver="sag",
            tol=1e-3,
            max_iter=2000,
            random_state=0,
        )
        self._linear.fit(self._known, self._labels)

    def read(self, text: str) -> Meaning:
        """What the words mean; the same words always mean the same."""
        said = plain(text)
        if not said:
            return Meaning(None, 0.0)
        if said in self._exact:
            return Meaning(self._exact[said], 1.0)
        seen = self._features.transform([said])
        likely = self._linear.predict_proba(seen)[0]
        order = np.argsort(likely)[::-1][:3]
        ranked = tuple((str(self._linear.classes_[i]), round(float(likely[i]), 4)) for i in order)
        # Both parts of the union have norm 1, so the dot product of two texts is at most 2.
        alike = (self._known @ seen.T).toarray()[:, 0] / 2.0
        best, likelihood = ranked[0]
        near = alike[self._labels == best].max(initial=0.0) + _LIKELY * likelihood
        if near * self._known_share(said) < _SCOPE:
            return Meaning(None, 1.0 - likelihood, ranked)
        return Meaning(best, likelihood, ranked)

    def _known_share(self, said: str) -> float:
        words = said.split()
        return sum(len(w) for w in words if w in self._words) / sum(map(len, words))
