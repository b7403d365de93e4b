"""Who a text is from, in one form however a carrier or a setting writes it."""

from __future__ import annotations


def sender_of(address: str) -> str:
    """A number or short code as its digits, a name in lower case.

    "+15550199" and "0015550199" are one sender; a national number stays what it is.
    """
    plain = "".join(address.split())
    digits = plain.removeprefix("+")
    if digits.isascii() and digits.isdigit():
        return digits.removeprefix("00") if digits == plain else digits
    return plain.casefold()
