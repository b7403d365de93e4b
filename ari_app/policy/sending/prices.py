"""What a text costs, by the beginning of its number, read from one TOML text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ari_app.errors import SettingsError

_PREFIX = re.compile(r"[0-9]{0,15}")
_MILLIONTHS = 1_000_000
# Segments of GSM 03.38 and UCS-2: alone, and as a part of several.
_GSM = (160, 153)
_UCS2 = (70, 67)


@dataclass(frozen=True, slots=True)
class Prices:
    """Millionths of one currency for each segment; the longest prefix counts, "" is all others."""

    by_prefix: Mapping[str, int]
    lengths: tuple[int, ...] = field(init=False)  # of the prefixes, the longest first

    def __post_init__(self) -> None:
        lengths = sorted({len(prefix) for prefix in self.by_prefix}, reverse=True)
        object.__setattr__(self, "lengths", tuple(lengths))

    def of(self, number: str, body: str) -> int:
        """What sending it costs, at most: a text of rare characters may need fewer segments."""
        for length in self.lengths:
            price = self.by_prefix.get(number[1 : 1 + length])
            if price is not None:
                return price * segments(body)
        return 0


def segments(body: str) -> int:
    """How many, at most."""
    # A character of the extension table takes two places.
    size, (alone, part) = len(body), _GSM
    if not body.isascii():
        size, (alone, part) = len(body.encode("utf-16-be", "surrogatepass")) // 2, _UCS2
    else:
        size += sum(map(body.count, "^{}\\[~]|\f`"))
    return 1 if size <= alone else -(-size // part)


def read_prices(text: str, where: str) -> Prices:
    """A table `[prices]` of numbers by prefix; SettingsError names the place in `where`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{where} is not TOML: {error}") from None
    table = document.get("prices")
    if not isinstance(table, dict) or document.keys() != {"prices"}:
        raise SettingsError(f'{where}: it needs one table, [prices], such as "44" = 0.04')
    found = {}
    for prefix, price in table.items():
        if not _PREFIX.fullmatch(prefix):
            raise SettingsError(f"{where}: {prefix!r} is not the beginning of a number: write 4479")
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < 1000:
            raise SettingsError(f"{where}: {prefix!r} has no price from 0 to 1000")
        found[prefix] = round(price * _MILLIONTHS)
    if "" not in found:
        raise SettingsError(f'{where}: "" is missing: the price of all other numbers')
    return Prices(found)
