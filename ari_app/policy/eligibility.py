"""May this person be texted now: one answer, one reason."""

from __future__ import annotations

from dataclasses import dataclass

import phonenumbers

from ari_app.conversation.identity import E164

# What a text can reach; fixed lines and premium numbers cannot, or must not, be texted.
_REACHABLE = frozenset(
    {
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        phonenumbers.PhoneNumberType.PERSONAL_NUMBER,
        # Numbering plans change faster than tables: unknown is tried, and the receipt tells.
        phonenumbers.PhoneNumberType.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whether a text may be offered, and why not."""

    ok: bool
    reason: str


def may_text(number: str | None, bind_up: bool) -> Eligibility:
    """Eligibility of an offer. Who refused before may ask for a text: the yes is asked for anew."""
    if number is None:
        return Eligibility(False, "the caller withheld the number")
    try:
        parsed = phonenumbers.parse(E164(number).value)
    except (ValueError, phonenumbers.NumberParseException):
        return Eligibility(False, "the number is not an E.164 number")
    if phonenumbers.number_type(parsed) not in _REACHABLE:
        return Eligibility(False, "the number cannot receive texts")
    if not bind_up:
        return Eligibility(False, "no carrier bind is up")
    return Eligibility(True, "the number can receive texts and a bind is up")
