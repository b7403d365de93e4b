"""Addresses: what TON and NPI a sender or recipient has on the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from smpp.constants import Npi, Ton
from smpp.errors import LocalProtocolError
from smpp.quick import quick

TonNpi: TypeAlias = tuple[int, int]

_E164 = re.compile(r"\+[0-9]{6,15}|[0-9]{9,15}")
_SHORT_CODE = re.compile(r"[0-9]{1,8}")
# '@' is 0x00 in GSM 03.38, which ends a C-octet string on its way through many an SMSC.
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9 !\"#$%&'()*+,\-./:;<=>?_]{1,11}")


@quick
@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """An address as a PDU carries it (§5.2.5 to 5.2.9); never cut, its repr is masked."""

    ton: int
    npi: int
    digits: str  # or letters

    longest: ClassVar[int] = 20  # §5.2.8: 21 octets with the NUL

    def __post_init__(self) -> None:
        digits = self.digits
        if len(digits) > self.longest:
            raise LocalProtocolError(f"an address has at most {self.longest} characters")
        if "\0" in digits or not (digits.isascii() or max(digits) <= "\xff"):
            raise LocalProtocolError("an address is Latin-1 without NUL")

    @classmethod
    def of(
        cls,
        written: str,
        *,
        international: TonNpi = (Ton.INTERNATIONAL, Npi.ISDN),
        short_code: TonNpi = (Ton.NETWORK_SPECIFIC, Npi.UNKNOWN),
        name: TonNpi = (Ton.ALPHANUMERIC, Npi.UNKNOWN),
    ) -> Address:
        """The address of `+33123456789`, of a short code or of a name such as `Segue`.

        International numbers are 1/1 without the plus, short codes 3/0, names 5/0 with at most
        11 characters; a carrier that wants another TON and NPI for one of them is given it.
        LocalProtocolError for anything else: nothing is ever cut to fit.
        """
        if _E164.fullmatch(written):
            return cls(*international, written.lstrip("+"))
        if _SHORT_CODE.fullmatch(written):
            return cls(*short_code, written)
        if _ALPHANUMERIC.fullmatch(written) and not written.startswith("+"):
            return cls(*name, written)
        raise LocalProtocolError("neither a number, a short code nor a name of 11 characters")

    @property
    def written(self) -> str:
        """The way a person writes it: an international number has its plus."""
        if self.ton == Ton.INTERNATIONAL and self.digits.isdecimal():
            return "+" + self.digits
        return self.digits

    @property
    def masked(self) -> str:
        """For logs: +331*****89; what is too short to mask is all stars."""
        written = self.written
        if len(written) < 8:
            return "*" * len(written)
        return written[:4] + "*" * (len(written) - 6) + written[-2:]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.ton}, {self.npi}, {self.masked!r})"


@quick
@dataclass(frozen=True, slots=True, repr=False)
class LongAddress(Address):
    """An address of data_sm (§4.7.1) or alert_notification (§4.12.1): longer than a number is."""

    longest: ClassVar[int] = 64


NOWHERE = Address(Ton.UNKNOWN, Npi.UNKNOWN, "")
