"""Who somebody is: E.164 numbers, visitors without one, subjects, and the ids that we choose."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

import phonenumbers

# ITU-T E.164: at most 15 digits, the first of a country code is never 0.
_E164 = re.compile(r"\+[1-9][0-9]{5,14}")
_POSSIBLE = phonenumbers.ValidationResult.IS_POSSIBLE
# What a trunk or SMSC writes for a number; a sender's name is none, whatever digits it has.
_WRITTEN = re.compile(r"\+?[0-9][0-9 ()./-]{3,30}|\([0-9][0-9 ()./-]{3,30}")
_PSEUDONYM = re.compile(r"subj_[0-9a-f]{32}")
_LONGEST_VISIT = 200


@dataclass(frozen=True, slots=True)
class E164:
    """A number that the whole world can dial, such as +33123456789."""

    value: str

    def __post_init__(self) -> None:
        if not _E164.fullmatch(self.value):
            raise ValueError("not an E.164 number")

    @classmethod
    def read(cls, text: str, region: str | None = None) -> E164 | None:
        """The number as a trunk or SMSC writes it, or None if it is not one.

        `region` (ISO 3166, such as "US") reads national formats; digits that are none are read
        as an international number without its plus, or with 00 instead.
        """
        if not _WRITTEN.fullmatch(text.strip()):
            return None
        abroad = "+" + text.strip().removeprefix("+").removeprefix("00")
        for candidate, home in ((text, region), (abroad, None)):
            try:
                number = phonenumbers.parse(candidate, home)
            except phonenumbers.NumberParseException:
                continue
            # Not `is_possible_number`: that takes a local number without its area code too.
            if phonenumbers.is_possible_number_with_reason(number) == _POSSIBLE:
                written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
                return cls(written) if _E164.fullmatch(written) else None
        return None

    @property
    def masked(self) -> str:
        """For logs and screens: +331******89."""
        return self.value[:4] + "*" * (len(self.value) - 6) + self.value[-2:]

    def subject(self, key: bytes) -> str:
        """The pseudonym of whoever has this number: keyed, so that nobody can try all numbers."""
        return _pseudonym(key, self.value)


#: Channels whose visitors need no number.
WITHOUT_NUMBER = frozenset({"chat", "desk"})


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever came without a number: a chat session, or a visit to the desk."""

    channel: str
    visit: str  # the session's or visit's own id

    def __post_init__(self) -> None:
        if self.channel not in WITHOUT_NUMBER:
            raise ValueError(f"nobody comes without a number by {self.channel!r}")
        if not 0 < len(self.visit) <= _LONGEST_VISIT:
            raise ValueError("a visit has an id of 1 to 200 characters")

    def subject(self, key: bytes) -> str:
        """A pseudonym like that of a number, and never the same: it can be joined with one."""
        return _pseudonym(key, f"{self.channel}:{self.visit}")


def is_pseudonym(text: str) -> bool:
    """Whether it names a subject; the stream of that name holds whom the subject is joined with."""
    return _PSEUDONYM.fullmatch(text) is not None


def _pseudonym(key: bytes, address: str) -> str:
    digest = hmac.new(key, address.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
    return "subj_" + digest[:32]


def new_id(prefix: str, now: int, entropy: bytes) -> str:
    """`<prefix>_` and a UUIDv7 (RFC 9562 §5.7) of `now` (µs UTC) and ten random bytes."""
    number = (now // 1000) << 80 | int.from_bytes(entropy[:10], "big")
    number = number & ~(0xF << 76) | 0x7 << 76  # version 7
    number = number & ~(0x3 << 62) | 0x2 << 62  # variant of RFC 9562
    return f"{prefix}_{number:032x}"
