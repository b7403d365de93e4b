"""A value and what it is, said: `say("86.40", "money", english)`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, time
from decimal import Decimal, InvalidOperation

import phonenumbers

from ari_app.understanding.saying.language import MOST, Language

_LONGEST = 200  # characters of a value: longer ones are no number, date or code
_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP"}
_MONEY = re.compile(r"(-?)([$€£]?)\s*(-?\d[\d,]*(?:\.\d+)?)\s*([A-Za-z]{3}|[$€£])?")
_SHOUTED = re.compile(r"[^\W\d_]{3,}")


def say(value: object, kind: str, language: Language, option: str = "") -> str:
    """The words for a value of this kind; "" for nothing.

    ValueError, in one sentence, if the value cannot be read as that, or there is no such kind.
    `option` is the currency (ISO 4217) of an amount that names none.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no way to say {kind!r}; known are {', '.join(KINDS)}")
    if option and kind != "money":
        raise ValueError(f"{kind} takes no option, but {option!r} was given")
    if option and option not in language.currencies:
        raise ValueError(_no_currency(option, language))
    text = str(value).strip()
    if not text:
        return ""
    if len(text) > _LONGEST:
        raise ValueError(f"a {kind} of {len(text)} characters is longer than {_LONGEST}")
    return KINDS[kind](text, language, option)


def _number(text: str, language: Language, _: str) -> str:
    return language.number(_decimal(text, "number"))


def _ordinal(text: str, language: Language, _: str) -> str:
    value = _decimal(text, "ordinal")
    if value != int(value) or not 1 <= value < MOST:
        raise ValueError(f"{text!r} is no place in a row")
    return language.ordinal(int(value))


def _digits(text: str, language: Language, _: str) -> str:
    if not any(c in "0123456789" for c in text):
        raise ValueError(f"{text!r} has no digits")
    return language.digits(text)


def _money(text: str, language: Language, option: str) -> str:
    found = _MONEY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no amount of money: write it like 86.40 USD")
    minus, sign, amount, after = found.groups()
    named = _SIGNS.get(sign) or _SIGNS.get(after or "") or (after or "").upper()
    currency = named or option or language.currency
    if currency not in language.currencies:
        raise ValueError(_no_currency(currency, language))
    return language.money(_decimal(minus + amount, "amount"), currency)


def _no_currency(currency: str, language: Language) -> str:
    known = ", ".join(language.currencies)
    return f"{language.tag} has no words for the currency {currency!r}; known are {known}"


def _date(text: str, language: Language, _: str) -> str:
    return language.full_date(_moment(text).date())


def _day(text: str, language: Language, _: str) -> str:
    return language.day(_moment(text).date())


def _time(text: str, language: Language, _: str) -> str:
    try:
        return language.clock(time.fromisoformat(text if text[1:2] != ":" else f"0{text}"))
    except ValueError:
        return language.clock(_moment(text, "time of day: write it like 14:30").time())


def _datetime(text: str, language: Language, _: str) -> str:
    moment = _moment(text)
    return language.moment(moment.date(), moment.time())


def _phone(text: str, language: Language, _: str) -> str:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return _digits(text, language, "")  # a short code, a national number
    international = phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return language.phone(phonenumbers.format_number(number, international))


def _spell(text: str, language: Language, _: str) -> str:
    return language.spell(text)


def _phonetic(text: str, language: Language, _: str) -> str:
    return language.phonetic(text)


def _name(text: str, _language: Language, _: str) -> str:
    """As it is written; a name in capitals would be spelled by some voices."""
    return _SHOUTED.sub(lambda word: word[0].capitalize() if word[0].isupper() else word[0], text)


KINDS: Mapping[str, Callable[[str, Language, str], str]] = {
    "number": _number,
    "ordinal": _ordinal,
    "digits": _digits,
    "money": _money,
    "date": _date,
    "day": _day,
    "time": _time,
    "datetime": _datetime,
    "phone": _phone,
    "spell": _spell,
    "phonetic": _phonetic,
    "name": _name,
}


def _decimal(text: str, what: str) -> Decimal:
    try:
        value = Decimal(text.replace(",", "").replace("_", ""))
    except InvalidOperation:
        raise ValueError(f"{text!r} is no {what}") from None
    if not value.is_finite() or abs(value.adjusted()) > _LONGEST:
        raise ValueError(f"{text!r} is no {what}")
    return value


def _moment(text: str, what: str = "date: write it like 2026-11-30") -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no {what}") from None
