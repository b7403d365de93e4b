"""Turns and other sounds with their truth, from a seed; the sets share nothing.

`tune` is for choosing thresholds, `figures` for what is published. Each has voices, wordings, seeds
and noises of its own, and none of them is in what the mini model was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.bench.turn import line, pauses, wordings
from tests.bench.turn.line import RATE, Samples, Signal
from tests.bench.turn.speaker import INAUDIBLE, Request, Said, say
from tests.bench.turn.wordings import Kind

LEAD = (0.6, 1.4)  # seconds of the line before the first word
TAIL = 2.5  # seconds of the line after the last one
_BRIDGED = 0.1  # seconds: a shorter gap in the sound is a consonant's
_PAUSED = {"yes_no": 0.3, "digits": 0.6, "date": 0.5, "open": 0.65}  # of the turns
_AT_AN_ANSWER = 0.25  # of the places where an answer is complete, in those turns
_TRAILING = 0.06  # of the turns: they end with "um"
_RESTARTED = 0.12  # of the pieces after a pause: the last words before it are said again


@dataclass(frozen=True, slots=True)
class Set:
    """One half of the corpus."""

    name: str
    seed: int
    variants: tuple[str, ...]  # of espeak-ng; the mini model was trained on none of them
    noises: tuple[str, ...]
    says: Mapping[Kind, tuple[str, ...]]


TUNE = Set(
    "tune",
    6101,
    ("f4", "m4", "Andy", "belinda", "robert", "klatt3"),
    ("white", "hum"),
    wordings.TUNE,
)
FIGURES = Set(
    "figures",
    9203,
    ("linda", "Michael", "steph3", "victor", "ed", "miguel"),
    ("pink", "fan"),
    wordings.FIGURES,
)
SETS = {one.name: one for one in (TUNE, FIGURES)}
ACCENTS = ("gmw/en-US", "gmw/en", "gmw/en-GB-x-rp", "gmw/en-US-nyc", "gmw/en-GB-scotland")


@dataclass(frozen=True, slots=True)
class Word:
    """What was said, in seconds of the clip."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Clip:
    """20 ms after 20 ms of a line at 8 kHz, and what is true about it; times in seconds."""

    name: str
    kind: str  # of the question, or what makes the noise
    samples: Samples
    words: tuple[Word, ...] = ()
    voiced: tuple[tuple[float, float], ...] = ()  # of the caller's own voice
    pauses: tuple[float, ...] = ()  # inside the turn
    count: int = 0  # of digits
    trails: bool = False  # ends with "um"
    snr: float = 0.0  # dB
    noise: str = ""
    voice: str = ""
    played: Samples | None = None  # what we play meanwhile, sample for sample

    @property
    def ends(self) -> float:
        """When the caller's last sound is over."""
        return self.voiced[-1][1]

    @property
    def begins(self) -> float:
        """When the caller's first sound is there."""
        return self.voiced[0][0]

    @property
    def text(self) -> str:
        """The words, without "um" and "uh"."""
        return " ".join(w.text for w in self.words if w.text not in wordings.FILLERS)

    @property
    def seconds(self) -> float:
        """Of the whole clip."""
        return self.samples.size / RATE

    def frames(self) -> list[bytes]:
        """20 ms each."""
        size = RATE // 50
        whole = self.samples.astype("<i2")
        return [whole[at : at + size].tobytes() for at in range(0, whole.size - size + 1, size)]


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is said in one breath, after a pause of so many seconds."""

    text: str
    after: float


@dataclass(frozen=True, slots=True)
class _Plan:
    """One turn before it is spoken."""

    kind: Kind
    pieces: tuple[_Piece, ...]
    count: int
    voice: str
    rate: int
    pitch: int

    def requests(self) -> list[Request]:
        """A breath in the middle of a turn ends as a comma does, the last one as a full stop."""
        ends = [","] * (len(self.pieces) - 1) + ["."]
        return [
            Request(piece.text + end, self.voice, self._rate(piece), self.pitch)
            for piece, end in zip(self.pieces, ends, strict=True)
        ]

    def _rate(self, piece: _Piece) -> int:
        """Who hesitates draws it out."""
        return 95 if piece.text in wordings.FILLERS else self.rate


def turns(
    which: Set,
    count: int,
    kinds: Sequence[Kind] = wordings.KINDS,
    snr: float | None = None,
    *,
    alone: bool = False,
) -> list[Clip]:
    """So many turns, the kinds by turns; in dB of noise below the voice if given, else mixed.

    Nobody else is in the room of a caller who is `alone`.
    """
    rng = np.random.default_rng(which.seed)
    plans = [_plan(which, kinds[n % len(kinds)], rng) for n in range(count)]
    room = [behind(which, rng) for _ in range(4)]
    spoken = say([r for plan in plans for r in plan.requests()] + room)
    people = [said.samples for said in spoken[-len(room) :]]
    clips, at = [], 0
    for number, plan in enumerate(plans):
        pieces = spoken[at : at + len(plan.pieces)]
        at += len(pieces)
        name = f"{which.name}-{number:04}"
        clips.append(_clip(name, plan, pieces, which, () if alone else people, snr, rng))
    return clips


def _plan(which: Set, kind: Kind, rng: np.random.Generator) -> _Plan:
    wording = str(rng.choice(which.says[kind]))
    if kind == "yes_no" and rng.random() < 0.4:
        wording = str(rng.choice(wordings.ANSWERS))
    count = int(rng.choice([4, 6, 8])) if kind == "digits" else 0
    groups = _groups([str(rng.choice(wordings.DIGITS)) for _ in range(count)], rng)
    text = wording.replace("{digits}", groups).replace("{date}", _date(rng))
    paused = rng.random() < _PAUSED[kind]
    pieces = _pieces(text, paused, rng)
    if rng.random() < _TRAILING:
        pieces.append(_Piece("um", pauses.draw(rng)))
    return _Plan(
        kind,
        tuple(pieces),
        count,
        f"{rng.choice(ACCENTS)}+{rng.choice(which.variants)}",
        int(rng.integers(125, 200)),
        int(rng.integers(30, 70)),
    )


def _groups(digits: list[str], rng: np.random.Generator) -> str:
    """Twos, threes or fours, with a place to pause between."""
    size = int(rng.choice([2, 3, 4]))
    return " | ".join(" ".join(digits[at : at + size]) for at in range(0, len(digits), size))


def _date(rng: np.random.Generator) -> str:
    day, month = str(rng.choice(wordings.DAYS)), str(rng.choice(wordings.MONTHS))
    ordinal, part = str(rng.choice(wordings.ORDINALS)), str(rng.choice(wordings.PARTS))
    shapes = (
        f"the {ordinal} | of {month}",
        f"{day} | the {ordinal}",
        f"{day} the {ordinal} | of {month}",
        f"on {day} | {part}",
        f"{month} | the {ordinal} {part}",
    )
    return str(rng.choice(shapes))


def _pieces(text: str, paused: bool, rng: np.random.Generator) -> list[_Piece]:
    """The text in breaths: a pause in some of its places, perhaps "um" in it, or a restart."""
    parts = [part.strip() for part in text.split("|")]
    pieces = [_Piece(parts[0].rstrip("."), 0.0)]
    for before, part in zip(parts, parts[1:], strict=False):
        complete = before.endswith(".")
        said = part.rstrip(".")
        if not paused or rng.random() > (_AT_AN_ANSWER if complete else 0.75):
            last = pieces[-1]
            pieces[-1] = _Piece(f"{last.text} {said}", last.after)
            continue
        if rng.random() < 0.3:
            pieces.append(_Piece(str(rng.choice(wordings.FILLERS)), pauses.draw(rng)))
        elif not complete and rng.random() < _RESTARTED and said.split()[0] not in wordings.DIGITS:
            said = f"{' '.join(pieces[-1].text.split()[-2:])} {said}"
        pieces.append(_Piece(said, pauses.draw(rng)))
    return pieces


def behind(which: Set, rng: np.random.Generator) -> Request:
    """Somebody else in the room."""
    texts = rng.permutation(which.says["open"])[:4]
    text = ". ".join(str(text).replace("|", "") for text in texts)
    return Request(f"{text}.", f"{rng.choice(ACCENTS)}+{rng.choice(which.variants)}")


def _clip(
    name: str,
    plan: _Plan,
    spoken: Sequence[Said],
    which: Set,
    people: Sequence[Signal],
    snr: float | None,
    rng: np.random.Generator,
) -> Clip:
    voice, words, voiced, silent = _laid(plan, spoken, float(rng.uniform(*LEAD)))
    level = 10 ** (rng.uniform(-30, -18) / 20) * line.FULL
    voice = voice * (level / line.speech_level(voice))
    below = float(rng.choice([32.0, 20.0, 15.0], p=[0.5, 0.3, 0.2])) if snr is None else snr
    kind = str(rng.choice([*which.noises, "babble"], p=[0.4, 0.35, 0.25]))
    if not people and kind == "babble":
        kind = which.noises[0]
    size = voice.size
    around = line.babble(people, size, rng) if kind == "babble" else line.noise(rng, size, kind)
    around = around * (level * 10 ** (-below / 20) / line.rms(around))
    return Clip(
        name,
        plan.kind,
        line.sent(voice + around, narrow=bool(rng.random() < 0.6)),
        words,
        voiced,
        silent,
        plan.count,
        plan.pieces[-1].text in wordings.FILLERS,
        below,
        kind,
        plan.voice,
    )


def _laid(
    plan: _Plan, spoken: Sequence[Said], lead: float
) -> tuple[Signal, tuple[Word, ...], tuple[tuple[float, float], ...], tuple[float, ...]]:
    """The pieces one after the other: the clean voice, its words, its sounds, its pauses."""
    parts: list[Signal] = [np.zeros(round(lead * RATE))]
    at = parts[0].size
    words: list[Word] = []
    voiced: list[tuple[float, float]] = []
    for piece, said in zip(plan.pieces, spoken, strict=True):
        if piece.after:
            parts.append(np.zeros(round(piece.after * RATE)))
            at += parts[-1].size
        begins, ends = at / RATE, (at + said.samples.size) / RATE
        nexts = [*said.starts[1:], ends - begins]
        words += [
            Word(text, begins + start, begins + end)
            for text, start, end in zip(piece.text.split(), said.starts, nexts, strict=True)
        ]
        voiced += [(begins + start, begins + end) for start, end in sounds(said.samples)]
        parts.append(said.samples)
        at += said.samples.size
    parts.append(np.zeros(round(TAIL * RATE)))
    silent = tuple(piece.after for piece in plan.pieces if piece.after)
    return np.concatenate(parts), tuple(words), tuple(voiced), silent


def sounds(clean: Signal) -> list[tuple[float, float]]:
    """Where a voice without noise sounds, in seconds; shorter gaps than a pause are part of it."""
    (audible,) = np.nonzero(np.abs(clean) > INAUDIBLE * np.abs(clean).max(initial=1e-9))
    if not audible.size:
        return []
    (gaps,) = np.nonzero(np.diff(audible) > _BRIDGED * RATE)
    firsts = [audible[0], *audible[gaps + 1]]
    lasts = [*audible[gaps], audible[-1]]
    return [
        (float(first) / RATE, float(last + 1) / RATE)
        for first, last in zip(firsts, lasts, strict=True)
    ]
