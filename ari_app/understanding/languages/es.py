"""Spanish, as it is understood on both sides of the Atlantic."""

from __future__ import annotations

from ari_app.understanding.languages.language import Language

_UNITS = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "dieciseis diecisiete dieciocho diecinueve veinte veintiuno veintidos veintitres "
    "veinticuatro veinticinco veintiseis veintisiete veintiocho veintinueve"
).split()
_TENS = "treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
_HUNDREDS = (
    "doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos "
    "novecientos"
).split()
_ORDINALS = "primero segundo tercero cuarto quinto sexto septimo octavo noveno decimo".split()
_MONTHS = (
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
).split()
_WEEKDAYS = "lunes martes miercoles jueves viernes sabado domingo".split()
_LETTERS = {
    **{"a": "a", "be": "b", "be larga": "b", "ce": "c", "de": "d", "e": "e", "efe": "f"},
    **{"ge": "g", "hache": "h", "i": "i", "jota": "j", "ka": "k", "ele": "l", "eme": "m"},
    **{"ene": "n", "o": "o", "pe": "p", "cu": "q", "erre": "r", "ere": "r", "ese": "s"},
    **{"te": "t", "u": "u", "uve": "v", "ve": "v", "ve corta": "v", "uve doble": "w"},
    **{"doble ve": "w", "doble u": "w", "equis": "x", "i griega": "y", "ye": "y", "zeta": "z"},
}
_PHONETIC = (
    "antonio barcelona carmen dolores enrique francia gerona historia ines jose kilo lorenzo "
    "madrid navarra oviedo paris querido ramon sabado tarragona ulises valencia washington xilofono"
).split()

SPANISH = Language(
    tag="es",
    numbers={word: n for n, word in enumerate(_UNITS)}
    | {word: 10 * n for n, word in enumerate(_TENS, start=3)}
    | {"un": 1, "una": 1, "veintiun": 21, "veintiuna": 21},
    hundreds={"cien": 100, "ciento": 100}
    | {word: 100 * n for n, word in enumerate(_HUNDREDS, start=2)},
    scales={"mil": 1000},
    ordinals={word: n for n, word in enumerate(_ORDINALS, start=1)}
    | {word[:-1] + "a": n for n, word in enumerate(_ORDINALS, start=1)}
    | {"primer": 1, "tercer": 3},
    nought=frozenset(),
    times={"doble": 2, "triple": 3},
    months={name: n for n, name in enumerate(_MONTHS, start=1)} | {"setiembre": 9},
    weekdays={name: n for n, name in enumerate(_WEEKDAYS)},
    days={"hoy": 0, "manana": 1, "pasado manana": 2},
    month_names=tuple(_MONTHS),
    date="{day} de {month} de {year}",
    date_glue=frozenset(
        "el la de del en dia para y proximo proxima este esta que viene por favor es eh".split()
    ),
    letters={letter: letter for letter in "abcdefghijklmnopqrstuvwxyz"}
    | _LETTERS
    | {word: word[0] for word in _PHONETIC},
    as_in=("de", "como"),
    choice_glue=frozenset(
        "el la lo los las numero opcion por favor quiero quisiera me gustaria tomar elegir elijo "
        "escojo si vale bueno y gracias de".split()
    ),
    pronoun="",
    yes=(
        *("si", "si por favor", "claro", "claro que si", "por supuesto", "correcto", "vale"),
        *("de acuerdo", "esta bien", "eso es", "si asi es", "exacto", "asi es", "bueno"),
    ),
    no=(
        *("no", "no gracias", "ahora no", "no esta mal", "incorrecto", "para nada"),
        *("de ninguna manera", "no es correcto", "nunca", "claro que no"),
    ),
    commands={
        "repeat": (
            *("repita", "repite", "repitalo", "repita eso", "otra vez", "de nuevo", "como"),
            *("como dice", "que dijo", "digalo otra vez", "perdon", "no entendi"),
        ),
        "slower": (
            *("mas despacio", "mas lento", "despacio", "hable mas despacio", "habla despacio"),
            *("muy rapido", "habla muy rapido", "va muy rapido", "demasiado rapido"),
        ),
        "louder": (
            *("mas alto", "mas fuerte", "hable mas alto", "hable mas fuerte", "suba el volumen"),
            *("no le oigo", "no lo oigo", "no te oigo", "no le escucho", "no se oye"),
        ),
        "wait": (
            *("espere", "espera", "un momento", "un momentito", "un segundo", "un minuto"),
            *("espere un momento", "deme un momento", "deme un minuto", "dame un segundo"),
        ),
        "help": ("ayuda", "ayudeme", "que puedo decir", "que puedo hacer", "que opciones hay"),
        "operator": (
            *("operador", "operadora", "agente", "una persona", "un agente", "persona"),
            *("hablar con una persona", "hablar con alguien", "una persona real"),
            *("quiero hablar con una persona", "quiero hablar con alguien", "recepcion"),
        ),
    },
    courtesy=frozenset("por favor puede podria usted perdone eh bueno quiero me lo".split()),
    names=("spanish", "espanol", "castellano", "hispanic"),
    asks=(
        *("{language}", "en {language}", "en {language} por favor", "habla {language}"),
        *("hable {language}", "hablo {language}", "{language} por favor", "hablan {language}"),
    ),
    markers=frozenset(
        "el la los las que de por para con una mi su cuando donde quiero quisiera necesito tengo "
        "puede hola gracias buenos buenas dias como esta cita favor puedo estan horario".split()
    ),
)
