"""What is said: sentences from a seeded grammar, and the ones that only the evaluation may hear."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TAG = re.compile(r"<(\w+)>")
_NOTHING = "_"
_LANGUAGES = Path(__file__).parent / "languages"
_LONGEST_HEARD, _LONGEST_READ = 16, 20  # words in a sentence of the audio, of the language model
_HESITATING = 0.06  # share of the sentences that hesitate somewhere inside

# Rules whose alternatives callers say as they are: always trained on, tested with other voices.
_SHORT = ("textme", "yes", "no", "cmd", "thanks", "bye", "greet", "maybe", "heard")

Rules = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Sentences of one language; a capital letter stands for the letter's name."""

    train: tuple[str, ...]  # to be spoken, in this order, from the start again if too few
    dev: tuple[str, ...]  # for tuning
    read: tuple[str, ...]  # for the language model
    words: tuple[str, ...]  # the vocabulary, sorted


def written(sentence: str) -> str:
    """A sentence as a recogniser writes it."""
    return sentence.lower()


def read_rules(text: str) -> Rules:
    """The rules of a grammar; ValueError if one is there twice or stands for what is not there."""
    rules: dict[str, list[str]] = {}
    for entry in re.split(r"\n(?=\S)", text):
        if not entry.strip() or entry.startswith("#"):
            continue
        name, colon, body = entry.partition(":")
        if not colon or not name.isidentifier() or name in rules:
            raise ValueError(f"a rule that is none, or is there twice: {entry[:40]!r}")
        rules[name] = [_plain(alternative) for alternative in body.split("|")]
    for name, alternatives in rules.items():
        for alternative in alternatives:
            for wanted in _TAG.findall(alternative):
                if wanted not in rules:
                    raise ValueError(f"{name} stands for <{wanted}>, which is no rule")
    return rules


def read_test(text: str) -> dict[str, tuple[str, ...]]:
    """The sets of a test file: `# name` begins one, then a sentence a line."""
    sets: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            sets[line[2:]] = []
        elif line.strip():
            sets[next(reversed(sets))].append(line.strip())
    return {name: tuple(sentences) for name, sentences in sets.items()}


def expand(rng: random.Random, sentence: str, rules: Rules) -> str:
    """The sentence with an alternative in the place of every <rule>."""
    while found := _TAG.search(sentence):
        chosen = rng.choice(rules[found[1]])
        sentence = sentence[: found.start()] + chosen + sentence[found.end() :]
    return " ".join(sentence.split())


def compose(rules: Rules, test: Mapping[str, tuple[str, ...]], spoken: int, read: int) -> Corpus:
    """The corpus: so many sentences to speak and to read; the same for the same arguments.

    No sentence of `test` is in `train`, `dev` or `read`, except those that are a rule's own
    alternatives ("main menu"): they are short phrases, tested with voices never heard.
    """
    fixed = _fixed(rules)
    secret = {written(s) for sentences in test.values() for s in sentences} - fixed
    grammar = _Grammar(rules, fixed)
    dev = grammar.sample(random.Random(7001), 200, secret | fixed, shortest=3)
    ban = secret | {written(s) for s in dev}
    train = grammar.train(random.Random(1), spoken, ban)
    texts = grammar.read(random.Random(2), read, ban)
    words = sorted({w for s in (*train, *texts) for w in written(s).split()})
    return Corpus(train, dev, texts, tuple(words))


def language_corpus(language: str, spoken: int, read: int) -> Corpus:
    """The corpus of a language that we have a grammar of; FileNotFoundError without."""
    return compose(_rules(language), kept_back(language), spoken, read)


def kept_back(language: str) -> dict[str, tuple[str, ...]]:
    """The sets of sentences of a language that no training may hear."""
    return read_test((_LANGUAGES / f"{language}-test.txt").read_text(encoding="utf-8"))


def evaluation_sets(language: str) -> dict[str, tuple[str, ...]]:
    """All sets of sentences for the table; "short phrases" are texts of the training."""
    return {**kept_back(language), "short phrases": _short(_rules(language))}


def _rules(language: str) -> Rules:
    return read_rules((_LANGUAGES / f"{language}.txt").read_text(encoding="utf-8"))


class _Grammar:
    def __init__(self, rules: Rules, fixed: Iterable[str]) -> None:
        self._rules = rules
        self._fixed = frozenset(fixed)
        self._words = sorted({w for alts in rules.values() for a in alts for w in _words(a)})

    def sample(
        self, rng: random.Random, count: int, ban: Iterable[str], shortest: int = 1
    ) -> tuple[str, ...]:
        """So many different sentences, or as many as there are."""
        found: dict[str, str] = {}
        banned = set(ban)
        for _ in range(count * 60):
            if len(found) == count:
                break
            sentence = self._sentence(rng, "top")
            key = written(sentence)
            if key not in banned and shortest <= len(sentence.split()) <= _LONGEST_HEARD:
                found.setdefault(key, sentence)
        return tuple(found.values())

    def train(self, rng: random.Random, count: int, ban: set[str]) -> tuple[str, ...]:
        """Every alternative twice, plain language, words in any order, then whole calls."""
        said = [
            expand(rng, alternative, self._rules)
            for alternatives in self._rules.values()
            for alternative in alternatives
            for _ in range(2)
        ]
        said += [self._sentence(rng, "gen") for _ in range(count // 6)]
        said += [
            " ".join(rng.choice(self._words) for _ in range(rng.randint(3, 8)))
            for _ in range(count // 8)
        ]
        train = [s for s in said if written(s) not in ban and 1 <= len(s.split()) <= _LONGEST_HEARD]
        del train[count:]
        seen = ban | {written(s) for s in train}
        train += self.sample(rng, count - len(train), seen)
        rng.shuffle(train)
        return tuple(train)

    def read(self, rng: random.Random, count: int, ban: set[str]) -> tuple[str, ...]:
        """Sentences as often as the grammar says them."""
        drawn = (self._sentence(rng, "top" if rng.random() < 0.72 else "gen") for _ in range(count))
        return tuple(
            s for s in drawn if s and written(s) not in ban and len(s.split()) <= _LONGEST_READ
        )

    def _sentence(self, rng: random.Random, rule: str) -> str:
        words = expand(rng, f"<{rule}>", self._rules).split()
        if len(words) > 2 and rng.random() < _HESITATING:
            words.insert(rng.randrange(1, len(words)), rng.choice(self._rules["hes"]))
        return " ".join(words)


def _fixed(rules: Rules) -> set[str]:
    return {written(a) for alts in rules.values() for a in alts if a and not _TAG.search(a)}


def _short(rules: Rules) -> tuple[str, ...]:
    rng = random.Random(7002)
    phrases = (expand(rng, a, rules) for rule in _SHORT for a in rules[rule])
    return tuple(sorted({p for p in phrases if p}))


def _words(alternative: str) -> list[str]:
    return _TAG.sub(" ", alternative).split()


def _plain(alternative: str) -> str:
    text = " ".join(alternative.split())
    return "" if text == _NOTHING else text
