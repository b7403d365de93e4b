"""What differs from one language to the next: voices, phonemes, and how some words are said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Timbres of espeak-ng ("+f1"); those held out are never heard in training.
VARIANTS = tuple(
    "f1 f2 f3 f5 m1 m2 m3 m5 m6 m7 m8 Alex Alicia Andrea Annie Denis Diogo Gene Henrique Hugo "
    "Jacky Lee Marco Mario Mike Mr Nguyen adam anika antonio aunty benjamin boris caleb david "
    "edward grandma gustave iven iven2 john kaukovalta klatt klatt2 klatt4 klatt6 marcelo max "
    "michel norbert paul pedro quincy rob sandro shelby steph steph2 travis zac announcer".split()
)
HELD_OUT = tuple("f4 m4 linda Michael Andy belinda steph3 victor ed klatt3 robert miguel".split())

SILENCE, GARBAGE = "SIL", "SPN"  # garbage: what [unk] sounds like
_POSITIONS = "BEIS"  # begin, end, inside, single: Kaldi's word boundaries
_STRESS = "',%="
# Pauses and marks of espeak-ng that are no phoneme of a language.
_MARKS = {"_": SILENCE, "_:": SILENCE, "_::": SILENCE, "_|": "", "_!": "", ";": "", "?": "", "": ""}


@dataclass(frozen=True, slots=True)
class Tongue:
    """One language; voices are files of espeak-ng ("gmw/en-US"), repeated for their weight."""

    language: str  # ISO 639-1
    name: str
    accents: tuple[str, ...]
    test_accents: tuple[str, ...]
    phones: tuple[str, ...]  # without silence and garbage
    merged: Mapping[str, str]  # phoneme of espeak-ng -> phone; "" is none
    said: Mapping[str, str] = field(default_factory=dict)  # word -> what espeak-ng is told
    weak: Mapping[str, str] = field(default_factory=dict)  # word -> a form it rarely says

    @property
    def base(self) -> tuple[str, ...]:
        """All phones, silence and garbage first."""
        return (SILENCE, GARBAGE, *self.phones)

    @property
    def pdfs(self) -> int:
        """Outputs of the network: for each phone its first frame, and those that follow."""
        return 2 * len(self.base)

    @property
    def table(self) -> tuple[str, ...]:
        """Kaldi's phones by number, from 0: position-dependent but for silence and garbage."""
        return (
            "<eps>",
            SILENCE,
            GARBAGE,
            *(f"{phone}_{position}" for phone in self.phones for position in _POSITIONS),
        )

    def phone(self, mnemonic: str) -> str:
        """The phone of espeak-ng's phoneme, "" if it is none; ValueError if we do not know it."""
        bare = mnemonic.lstrip(_STRESS)
        found = _MARKS[bare] if bare in _MARKS else self.merged.get(bare, bare)
        if found and found not in self.base:
            raise ValueError(f"espeak-ng's phoneme {mnemonic!r} is none of {self.language!r}")
        return found

    def spoken(self, sentence: str) -> str:
        """What espeak-ng is told to say a sentence."""
        return " ".join(self.said.get(word, word.lower()) for word in sentence.split())


ENGLISH = Tongue(
    "en",
    "English",
    accents=(
        *("gmw/en-US", "gmw/en-US", "gmw/en-US", "gmw/en", "gmw/en", "gmw/en-GB-x-rp"),
        *("gmw/en-GB-scotland", "gmw/en-GB-x-gbclan", "gmw/en-GB-x-gbcwmd", "gmw/en-US-nyc"),
    ),
    test_accents=("gmw/en-US", "gmw/en", "gmw/en-GB-x-rp", "gmw/en-US-nyc", "gmw/en-GB-scotland"),
    phones=tuple(
        "@ 3 3: @L I i E a aa V 0 A: A@ O: O@ U U@ u: i@ e@ eI aI aI@ OI oU aU "
        "p b t d t# k g tS dZ f v T D s z S Z h m n N l r j w".split()
    ),
    merged={
        **{"i:": "i", "I2": "I", "I#": "I", "a#": "@", "@2": "@", "@5": "@", "@-": "@", "o@": "O@"},
        **{"O2": "O:", "O": "O:", "o": "oU", "VR": "3:", "IR": "3:", "3r": "3", "A": "A:"},
        **{"A~": "A:", "aI2": "aI", "aI3": "aI@", "i@3": "i@", "U@r": "U@", "u": "u:", "e": "E"},
        **{"t2": "t", "t[": "t", "w#": "w", "r-": "r", "n-": "n", "l/": "l", "l#": "l"},
        **{"L": "@L", "x": "k"},
    },
    said={"A": "[[eI]]", "mm-hm": "[[@mh'@m]]"},
    weak={
        **{"a": "eI", "and": "@ n d", "to": "t @", "the": "D @", "of": "@ v", "for": "f 3"},
        **{"can": "k @ n"},
    },
)

SPANISH = Tongue(
    "es",
    "Spanish",
    accents=("roa/es", "roa/es-419"),
    test_accents=("roa/es", "roa/es-419"),
    phones=tuple(
        "a e i o u aI eI oI aU eU p b B t d D k g Q tS f T s z x m n n^ N l l^ J^ r R2 j w".split()
    ),
    merged={"E": "e", "*": "r", "**": "r", "@-": "", "dZ": "J^"},
    said={"mmm": "[[m'm]]"},
)

TONGUES: Mapping[str, Tongue] = {tongue.language: tongue for tongue in (ENGLISH, SPANISH)}
