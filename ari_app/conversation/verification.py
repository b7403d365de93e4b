"""
What a person has proved of themselves: what, how, when, and until when.

A proof has a level: 1 is what the network says (a caller's number), 2 is something that only
they should have or know (a texted code, keys pressed for a PIN), 3 is a person who has looked.

    texted = make_challenge(known, "number", id=…, key=…, entropy=…, now=now, lasts=…)
    append(texted.event), and text `texted.code`
    answer, events = check(known, "402 117", key=…, now=now, lasts=…)
    append(*events), with the position that `known` was folded at: so no code counts twice

Only the newest code counts. Wrong answers are counted over all codes of a conversation, so that
asking for new ones buys no more guesses.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from ari_app.conversation.events import CodeTexted, CodeWrong, IdentityProved, ProofEnded

#: How a proof can have been given.
HOWS = frozenset({"caller_id", "texted_code", "keys", "operator"})
LEVELS = (1, 2, 3)
#: Wrong answers in a row, over all codes, after which only a person can help.
MOST_WRONG = 9

_REMEMBERED = 32  # challenges
_KEPT = 32  # proofs, of which none makes another superfluous
#: How many digits a code has.
CODE_DIGITS = 6
_ENTROPY = 8  # bytes: the code is less than 2⁻⁴⁰ away from even


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing proved; times are UTC microseconds."""

    what: str
    how: str
    level: int
    at: int
    until: int
    origin: str | None = None  # the conversation it was proved in, if not this one

    def holds(self, now: int) -> bool:
        """Whether it still counts."""
        return now < self.until


@dataclass(frozen=True, slots=True)
class Challenge:
    """A code that was texted; itself it stands nowhere."""

    id: str
    what: str
    digest: str
    until: int
    tries: int  # that are left
    used: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """What one conversation knows; part of its state."""

    proofs: tuple[Proof, ...] = ()
    ended: Mapping[str, int] = field(default_factory=dict)  # by what: when the last end was
    challenge: Challenge | None = None  # the newest
    texted: tuple[str, ...] = ()  # the latest challenges: none of them comes to life again
    wrong: int = 0  # answers in a row, over all challenges

    @property
    def locked(self) -> bool:
        """Whether too much was guessed: no code is texted, and none is right."""
        return self.wrong >= MOST_WRONG


class Answer(Enum):
    """What became of a code that somebody gave."""

    RIGHT = "right"
    WRONG = "wrong"
    EXPIRED = "expired"  #: the code was texted too long ago
    USED = "used"  #: it was right once already
    SPENT = "spent"  #: it was tried too often, or too many codes were
    UNASKED = "unasked"  #: no code was texted


Happened = CodeTexted | CodeWrong | IdentityProved | ProofEnded


def after(known: Verification, event: Happened) -> Verification:
    """What is known after one more fact; only a wrong answer counts as often as it is told."""
    match event:
        case CodeTexted():
            if event.challenge in known.texted:
                return known
            made = Challenge(event.challenge, event.what, event.digest, event.until, event.tries)
            texted = (*known.texted, event.challenge)[-_REMEMBERED:]
            return replace(known, challenge=made, texted=texted)
        case CodeWrong():
            wrong, challenge = known.wrong + 1, known.challenge
            if challenge and challenge.id == event.challenge:
                challenge = replace(challenge, tries=max(challenge.tries - 1, 0))
            return replace(known, wrong=wrong, challenge=challenge)
        case IdentityProved():
            return _proved(known, event)
        case ProofEnded(what=what, at=at):
            last = max(at, known.ended.get(what, at))
            kept = tuple(p for p in known.proofs if p.what != what or p.at > last)
            return replace(known, proofs=kept, ended={**known.ended, what: last})


def proved(known: Verification, what: str, level: int, now: int) -> bool:
    """Whether this is proved at this level or a higher one, now."""
    return any(p.what == what and p.level >= level and p.holds(now) for p in known.proofs)


# -- a texted code --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Texted:
    """The event to append, and the code to text: into the outbox, and into no event."""

    event: CodeTexted
    code: str = field(repr=False)


def make_challenge(
    known: Verification,
    what: str,
    *,
    id: str,
    key: bytes,
    entropy: bytes,
    now: int,
    lasts: int,
    tries: int = 3,
) -> Texted | None:
    """Six digits from eight random bytes; None if too much was guessed already.

    `key` is secret, and of this use only: a million codes are tried in a second without it.
    """
    if len(entropy) < _ENTROPY or not key:
        raise ValueError("a code needs a key and eight random bytes")
    if lasts <= 0 or tries <= 0:
        raise ValueError("a code lasts for some time, and may be tried")
    if known.locked:
        return None
    code = f"{int.from_bytes(entropy[:_ENTROPY], 'big') % 10**CODE_DIGITS:0{CODE_DIGITS}}"
    digest = _digest(key, id, code)
    event = CodeTexted(challenge=id, what=what, digest=digest, until=now + lasts, tries=tries)
    return Texted(event, code)


def check(
    known: Verification, given: str, *, key: bytes, now: int, lasts: int, level: int = 2
) -> tuple[Answer, tuple[CodeWrong | IdentityProved, ...]]:
    """What the answer is worth, and what to append: a proof that `lasts` so many µs, or a miss."""
    challenge = known.challenge
    if challenge is None:
        return Answer.UNASKED, ()
    if challenge.used:
        return Answer.USED, ()
    if now >= challenge.until:
        return Answer.EXPIRED, ()
    if challenge.tries <= 0 or known.locked:
        return Answer.SPENT, ()
    # People write 402 117 or 402-117; what is no digit of ours is wrong, whatever its script.
    code = given.translate(_SPACING)
    digest = _digest(key, challenge.id, code)
    if not hmac.compare_digest(digest, challenge.digest):
        return Answer.WRONG, (CodeWrong(challenge=challenge.id),)
    return Answer.RIGHT, (
        proof(challenge.what, "texted_code", level, now, lasts, challenge=challenge.id),
    )


def proof(
    what: str, how: str, level: int, now: int, lasts: int, challenge: str | None = None
) -> IdentityProved:
    """The fact that something was proved just now; ValueError for what nobody can prove so."""
    if how not in HOWS or level not in LEVELS or lasts <= 0:
        raise ValueError(f"no proof by {how!r} of level {level} for {lasts} µs")
    return IdentityProved(
        what=what, how=how, level=level, at=now, until=now + lasts, challenge=challenge
    )


# -- from one conversation to the next ------------------------------------------------------------


def carried(
    proofs: Mapping[str, Verification], into: Verification, now: int, highest: int = 3
) -> tuple[IdentityProved, ...]:
    """What to append to a new conversation, so that nobody proves the same thing twice.

    `proofs` is what the other conversations of the same person know, by their streams. How, when
    and until when stay as they were. A proof that was ended in any of them is not carried, nor
    one above the `highest` level, nor what the new conversation knows as well already.
    """
    ended = dict(into.ended)
    for other in proofs.values():
        for what, at in other.ended.items():
            ended[what] = max(at, ended.get(what, at))
    found = [
        replace(p, origin=p.origin or stream)
        for stream, other in proofs.items()
        for p in other.proofs
        if p.level <= highest and p.holds(now) and p.at > ended.get(p.what, p.at - 1)
    ]
    known, new = list(into.proofs), []
    for p in sorted(found, key=lambda p: (p.what, -p.level, -p.until, p.at, p.origin or "")):
        if not any(_covers(k, p) for k in known):
            known.append(p)
            new.append(p)
    return tuple(
        IdentityProved(
            what=p.what, how=p.how, level=p.level, at=p.at, until=p.until, origin=p.origin
        )
        for p in new
    )


def _covers(one: Proof, other: Proof) -> bool:
    """Whether the other proves nothing that this one does not, at any time."""
    return one.what == other.what and one.level >= other.level and one.until >= other.until


def _proved(known: Verification, event: IdentityProved) -> Verification:
    challenge = known.challenge
    if challenge and event.challenge == challenge.id and not challenge.used:
        known = replace(known, challenge=replace(challenge, used=True), wrong=0)
    if event.at <= known.ended.get(event.what, event.at - 1):
        return known
    new = Proof(event.what, event.how, event.level, event.at, event.until, event.origin)
    # The later of two proofs stays, even if it is over first: it may survive an end.
    if any(_covers(p, new) and p.at >= new.at for p in known.proofs):
        return known
    kept = [p for p in known.proofs if not (_covers(new, p) and new.at >= p.at)]
    return replace(known, proofs=(*kept, new)[-_KEPT:])


_SPACING = {ord(mark): None for mark in " -."}


def _digest(key: bytes, challenge: str, code: str) -> str:
    # Half a surrogate pair may come out of a text; it is wrong, but no reason to fail.
    text = f"{challenge}|{code}".encode("utf-8", "surrogatepass")
    return hmac.new(key, text, hashlib.sha256).hexdigest()
