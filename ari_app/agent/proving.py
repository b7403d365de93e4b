"""Proofs in a turn: what an answer to a texted code is worth, and the text that carries one."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ari_app.conversation.events import CodeTexted, CodeWrong, IdentityProved
from ari_app.conversation.identity import new_id
from ari_app.conversation.state import Conversation, apply
from ari_app.conversation.verification import CODE_DIGITS, Answer, check, make_challenge
from ari_app.policy.bundle import Bundle, Proofs
from ari_app.understanding.answers import Kind
from ari_app.understanding.words import digits

#: What a texted code proves: that the person has the number that we know of them.
NUMBER = "number"
#: How a code stands where the log shows what was texted.
MASK = "\N{BULLET}" * CODE_DIGITS
_MINUTE = 60 * 1_000_000
# A caller's number is what the network says: no proof of ours, and not nothing.
_BY_NUMBER = 1


@dataclass(frozen=True, slots=True)
class Proving:
    """What the answer to a code led to; nothing, if no code was asked for or given."""

    state: Conversation
    answer: Answer | None = None
    events: tuple[CodeWrong | IdentityProved, ...] = ()


def prove(bundle: Bundle, state: Conversation, given: str, *, key: bytes, now: int) -> Proving:
    """Check what was said, keyed or written, if the open question is for a code.

    Words without so many digits are no answer: a person may ask for something else.
    """
    question = bundle.questions.get(state.question or "")
    code = digits(given, bundle.language)
    if question is None or not question.code or len(code) != CODE_DIGITS:
        return Proving(state)
    lasts = bundle.proofs.lasts * _MINUTE
    answer, events = check(state.verification, code, key=key, now=now, lasts=lasts)
    for event in events:
        state = apply(state, event)
    return Proving(state, answer, events)


def collects(bundle: Bundle, state: Conversation) -> int:
    """How many keys make the answer to the open question; 1 where each key is one."""
    question = bundle.questions.get(state.question or "")
    expects = question.expects if question else None
    return expects.count[1] if expects and expects.kind is Kind.DIGITS else 1


def level(state: Conversation, now: int) -> int:
    """How far this person is known to be who they are: 0 to 3, now."""
    held = [proof.level for proof in state.verification.proofs if proof.holds(now)]
    return max([*held, _BY_NUMBER if state.number else 0])


def text_code(
    proofs: Proofs, state: Conversation, *, key: bytes, now: int
) -> tuple[CodeTexted, str]:
    """A new challenge, and the code for the text; ValueError if too much was guessed already."""
    made = make_challenge(
        state.verification,
        NUMBER,
        id=new_id("code", now, os.urandom(10)),
        key=key,
        entropy=os.urandom(8),
        now=now,
        lasts=proofs.code_lasts * _MINUTE,
        tries=proofs.code_tries,
    )
    if made is None:
        raise ValueError("too many codes were guessed")
    return made.event, made.code
