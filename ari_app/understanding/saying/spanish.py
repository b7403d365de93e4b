"""Spanish: numbers that agree with what is counted, the clock by its part of the day."""

from __future__ import annotations

from datetime import date, time
from decimal import ROUND_HALF_UP, Decimal

from ari_app.understanding.saying.language import Currency, Language

_SMALL = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés "
    "veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve"
).split()
_TENS = "cero diez veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
_HUNDREDS = (
    "cero ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos "
    "ochocientos novecientos"
).split()
_ORDINALS = (
    "cero primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo undécimo "
    "duodécimo decimotercero decimocuarto decimoquinto decimosexto decimoséptimo decimoctavo "
    "decimonoveno"
).split()
_ORDINAL_TENS = (
    "cero décimo vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo "
    "octogésimo nonagésimo"
).split()
_WEEKDAYS = "lunes martes miércoles jueves viernes sábado domingo".split()
_MONTHS = (
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
).split()
_LETTERS = (
    "a be ce de e efe ge hache i jota ka ele eme ene eñe o pe cu erre ese te u uve uve-doble "
    "equis i-griega zeta"
).split()
_WORDS = (
    "Antonio Barcelona Carmen Dolores Enrique Francia Gerona Historia Inés José Kilo Lorenzo "
    "Madrid Navarra Ñoño Oviedo París Querido Ramón Sábado Tarragona Ulises Valencia Washington "
    "Xilófono Yegua Zaragoza"
).split()
_ALPHABET = "abcdefghijklmnñopqrstuvwxyz"


class Spanish(Language):
    """As it is understood on both sides of the Atlantic; large numbers on the long scale."""

    tag = "es"
    one_moment = "Un momento, por favor."
    currency = "EUR"
    currencies = {
        "USD": Currency("dólar", "dólares", "centavo", "centavos"),
        "EUR": Currency("euro", "euros", "céntimo", "céntimos"),
        "GBP": Currency("libra", "libras", "penique", "peniques", feminine=True),
        "CAD": Currency("dólar canadiense", "dólares canadienses", "centavo", "centavos"),
        "AUD": Currency("dólar australiano", "dólares australianos", "centavo", "centavos"),
        "CHF": Currency("franco suizo", "francos suizos", "céntimo", "céntimos"),
        "MXN": Currency("peso mexicano", "pesos mexicanos", "centavo", "centavos"),
    }
    point = "coma"
    minus = "menos"
    names = {
        **{str(i): word for i, word in enumerate(_SMALL[:10])},
        **{c: name.replace("-", " ") for c, name in zip(_ALPHABET, _LETTERS, strict=True)},
        "@": "arroba",
        ".": "punto",
        ",": "coma",
        "-": "guion",
        "_": "guion bajo",
        "/": "barra",
        "+": "más",
        "#": "almohadilla",
        "*": "asterisco",
        "&": "y",
        ":": "dos puntos",
        "'": "apóstrofo",
    }
    words = dict(zip(_ALPHABET, _WORDS, strict=True))
    as_in = "{letter} de {word}"
    accented = "{letter} con acento"
    time_articles = ("las", "la")

    def whole(self, value: int) -> str:
        """See Language."""
        if value < 30:
            return _SMALL[value]
        if value < 100:
            tens, rest = divmod(value, 10)
            return f"{_TENS[tens]} y {_SMALL[rest]}" if rest else _TENS[tens]
        if value < 1000:
            hundreds, rest = divmod(value, 100)
            if value == 100:
                return "cien"
            return f"{_HUNDREDS[hundreds]} {self.whole(rest)}" if rest else _HUNDREDS[hundreds]
        if value < 10**6:
            thousands, rest = divmod(value, 1000)
            said = "mil" if thousands == 1 else f"{_before_noun(self.whole(thousands))} mil"
        else:
            size, one, many = (10**6, "millón", "millones")
            if value >= 10**12:
                size, one, many = (10**12, "billón", "billones")
            millions, rest = divmod(value, size)
            called = one if millions == 1 else many
            said = f"{_before_noun(self.whole(millions))} {called}"
        return f"{said} {self.whole(rest)}" if rest else said

    def ordinal(self, value: int) -> str:
        """See Language; from the hundredth on, as people do, the plain number."""
        if value < 20:
            return _ORDINALS[value]
        if value < 100:
            tens, rest = divmod(value, 10)
            return f"{_ORDINAL_TENS[tens]} {_ORDINALS[rest]}" if rest else _ORDINAL_TENS[tens]
        return self.number(Decimal(value))

    def day(self, day: date) -> str:
        """See Language."""
        which = "primero" if day.day == 1 else self.whole(day.day)
        return f"{_WEEKDAYS[day.weekday()]}, {which} de {_MONTHS[day.month - 1]}"

    def year(self, year: int) -> str:
        """See Language."""
        return self.whole(year)

    def full_date(self, day: date) -> str:
        """See Language."""
        return f"{self.day(day)} de {self.year(day.year)}"

    def clock(self, at: time) -> str:
        """See Language; with its article, as in `a las nueve`."""
        hour = at.hour % 12 or 12
        said = "la una" if hour == 1 else f"las {self.whole(hour)}"
        if at.minute:
            said += f" y {({15: 'cuarto', 30: 'media'}).get(at.minute) or self.whole(at.minute)}"
        return f"{said} {_part_of_day(at.hour)}"

    def moment(self, day: date, at: time) -> str:
        """See Language."""
        return f"{self.day(day)}, a {self.clock(at)}"

    def money(self, amount: Decimal, currency: str) -> str:
        """See Language."""
        called = self.currencies[currency]
        whole, cents = divmod(int(abs(amount * 100).to_integral_value(ROUND_HALF_UP)), 100)
        parts = []
        if whole or not cents:
            said = self.number(Decimal(whole))
            said = _before_feminine(said) if called.feminine else _before_noun(said)
            if said.endswith(("illón", "illones")):  # un millón de euros
                said += " de"
            parts.append(f"{said} {called.one if whole == 1 else called.many}")
        if cents:
            said = _before_noun(self.whole(cents))
            parts.append(f"{said} {called.cent if cents == 1 else called.cents}")
        sign = f"{self.minus} " if amount < 0 else ""
        return sign + " con ".join(parts)


def _before_noun(said: str) -> str:
    """`uno` loses its end before what it counts."""
    if said.endswith("veintiuno"):
        return said[:-3] + "ún"
    return said[:-1] if said.endswith("uno") else said


def _before_feminine(said: str) -> str:
    said = said[:-1] + "a" if said.endswith("uno") else said
    return said.replace("cientos", "cientas").replace("quinientos", "quinientas")


def _part_of_day(hour: int) -> str:
    if hour == 12:
        return "del mediodía"
    if 1 <= hour < 6:
        return "de la madrugada"
    if 6 <= hour < 12:
        return "de la mañana"
    return "de la tarde" if 12 < hour < 20 else "de la noche"
