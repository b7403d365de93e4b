"""English: numbers with `and`, dates month first, the clock with a.m. and p.m."""

from __future__ import annotations

from datetime import date, time
from decimal import ROUND_HALF_UP, Decimal

from ari_app.understanding.saying.language import MOST, Currency, Language

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = (
    "January February March April May June July August September October November December"
).split()
_LETTERS = (
    "ay bee cee dee ee eff gee aitch eye jay kay ell em en oh pee cue are ess tee you vee "
    "double-you ex why zee"
).split()
_WORDS = (
    "Alpha Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliet Kilo Lima Mike November "
    "Oscar Papa Quebec Romeo Sierra Tango Uniform Victor Whiskey X-ray Yankee Zulu"
).split()
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


class English(Language):
    """As it is understood everywhere; where usage differs, that of the United States."""

    tag = "en"
    one_moment = "One moment, please."
    currency = "USD"
    currencies = {
        "USD": Currency("dollar", "dollars", "cent", "cents"),
        "EUR": Currency("euro", "euros", "cent", "cents"),
        "GBP": Currency("pound", "pounds", "penny", "pence"),
        "CAD": Currency("Canadian dollar", "Canadian dollars", "cent", "cents"),
        "AUD": Currency("Australian dollar", "Australian dollars", "cent", "cents"),
        "CHF": Currency("Swiss franc", "Swiss francs", "centime", "centimes"),
        "MXN": Currency("Mexican peso", "Mexican pesos", "centavo", "centavos"),
    }
    point = "point"
    minus = "minus"
    names = {
        **{str(i): word for i, word in enumerate(_SMALL[:10])},
        **dict(zip(_ALPHABET, _LETTERS, strict=True)),
        "@": "at",
        ".": "dot",
        ",": "comma",
        "-": "dash",
        "_": "underscore",
        "/": "slash",
        "+": "plus",
        "#": "hash",
        "*": "star",
        "&": "and",
        ":": "colon",
        "'": "apostrophe",
    }
    words = dict(zip(_ALPHABET, _WORDS, strict=True))
    as_in = "{letter} as in {word}"
    accented = "{letter} with an accent"

    def whole(self, value: int) -> str:
        """See Language."""
        if value < 20:
            return _SMALL[value]
        if value < 100:
            tens, rest = divmod(value, 10)
            return f"{_TENS[tens]}-{_SMALL[rest]}" if rest else _TENS[tens]
        if value < 1000:
            hundreds, rest = divmod(value, 100)
            said = f"{_SMALL[hundreds]} hundred"
            return f"{said} and {self.whole(rest)}" if rest else said
        for size, scale in _SCALES:
            if value >= size:
                many, rest = divmod(value, size)
                said = f"{self.whole(many)} {scale}"
                if not rest:
                    return said
                return f"{said} {'and ' if rest < 100 else ''}{self.whole(rest)}"
        raise AssertionError(value)

    def ordinal(self, value: int) -> str:
        """See Language."""
        if value >= MOST:
            return self.digits(str(value))
        said = self.whole(value)
        cut = max(said.rfind(" "), said.rfind("-")) + 1
        last = said[cut:]
        if last in _ORDINALS:
            return said[:cut] + _ORDINALS[last]
        return said[:-1] + "ieth" if last.endswith("y") else said + "th"

    def day(self, day: date) -> str:
        """See Language."""
        return f"{_WEEKDAYS[day.weekday()]}, {_MONTHS[day.month - 1]} {self.ordinal(day.day)}"

    def year(self, year: int) -> str:
        """See Language."""
        century, rest = divmod(year, 100)
        if year < 1000 or (century % 10 == 0 and rest < 10):
            return self.whole(year)
        if rest == 0:
            return f"{self.whole(century)} hundred"
        return f"{self.whole(century)} {'oh ' if rest < 10 else ''}{self.whole(rest)}"

    def full_date(self, day: date) -> str:
        """See Language."""
        return f"{self.day(day)}, {self.year(day.year)}"

    def clock(self, at: time) -> str:
        """See Language."""
        if at.minute == 0 and at.hour in (0, 12):
            return "noon" if at.hour else "midnight"
        said = self.whole(at.hour % 12 or 12)
        if at.minute:
            said += f" {'oh ' if at.minute < 10 else ''}{self.whole(at.minute)}"
        return f"{said} {'p.m.' if at.hour >= 12 else 'a.m.'}"

    def moment(self, day: date, at: time) -> str:
        """See Language."""
        return f"{self.day(day)}, at {self.clock(at)}"

    def money(self, amount: Decimal, currency: str) -> str:
        """See Language."""
        called = self.currencies[currency]
        whole, cents = divmod(int(abs(amount * 100).to_integral_value(ROUND_HALF_UP)), 100)
        parts = []
        if whole or not cents:
            parts.append(
                f"{self.number(Decimal(whole))} {called.one if whole == 1 else called.many}"
            )
        if cents:
            parts.append(f"{self.whole(cents)} {called.cent if cents == 1 else called.cents}")
        sign = f"{self.minus} " if amount < 0 else ""
        return sign + " and ".join(parts)
