"""What callers say to which question; a sentence is in one set only, by its own hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_UNITS = "zero one two three four five six seven eight nine oh".split()
_MONTHS = (
    "january february march april may june july august september october november december"
).split()
_DAYS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth twentieth"
).split()
_YES_NO = (
    "yes",
    "no",
    "yeah",
    "yes please",
    "no thanks",
    "no thank you",
    "okay",
    "sure",
    "of course",
    "correct",
    "that's right",
    "nope",
    "not now",
)
_BEGINNINGS = (
    "i would like to",
    "can i",
    "i need to",
    "please",
    "could you",
    "i want to",
    "hello i have to",
    "good morning i would like to",
    "sorry can you",
    "is it possible to",
)
_ENDINGS = (
    "change my appointment",
    "speak to somebody",
    "pay my bill",
    "get your address",
    "come on monday instead",
    "hear the opening hours",
    "cancel the visit tomorrow",
    "talk to the doctor about the results",
    "move it to next friday afternoon",
    "order another prescription",
    "ask about a letter that i got",
    "leave a message for the nurse",
    # Words that the model has never heard of.
    "discuss my orthodontist's invoice",
    "reschedule the colonoscopy",
    "complain about the chandelier",
    "borrow a trombone for the quartet",
    "enquire after the xylophone repair",
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text, the question of `_BUNDLE` that it answers, and whether there is a voice at all."""

    text: str
    question: str
    audible: bool = True


def sentences(which: str, count: int, rng: np.random.Generator) -> list[Spoken]:
    """So many; at every question some callers say something else, and some only breathe."""
    source = _drawn(rng)
    found: list[Spoken] = []
    while len(found) < count:
        spoken = next(source)
        short = len(spoken.text.split()) < 4 and spoken.question == "yes_no"
        # There are too few ways to say yes: these are in both sets, in other voices.
        if short or (_half(spoken.text) == "figures") == (which == "figures"):
            found.append(spoken)
    return found


def _drawn(rng: np.random.Generator) -> Iterator[Spoken]:
    while True:
        question = str(rng.choice(["yes_no", "digits", "date", "open"], p=[0.3, 0.25, 0.1, 0.35]))
        other = rng.random() < 0.2
        text = _answer("open" if other else question, rng)
        yield Spoken(text, question, audible=rng.random() > 0.04)


def _answer(question: str, rng: np.random.Generator) -> str:
    if question == "yes_no":
        return str(rng.choice(_YES_NO))
    if question == "digits":
        return " ".join(rng.choice(_UNITS, 4))
    if question == "date":
        return f"the {rng.choice(_DAYS)} of {rng.choice(_MONTHS)}"
    return f"{rng.choice(_BEGINNINGS)} {rng.choice(_ENDINGS)}"


def _half(text: str) -> str:
    return "figures" if hashlib.sha256(text.encode()).digest()[0] % 2 else "tune"
