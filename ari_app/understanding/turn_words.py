"""Words of a language that tell whether somebody has finished: data, a set a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TurnWords:
    """What people say while they think, agree, or are not at the end yet; all normalised."""

    #: Said in order to keep the turn.
    hesitations: frozenset[str]
    #: With one of these a sentence goes on.
    dangling: frozenset[str]
    #: So do these two.
    dangling_pairs: frozenset[str]
    #: "Go on, I hear you": said while another speaks, and no turn of one's own.
    back_channels: frozenset[str]
    #: Any of these is an answer to a yes-or-no question...
    answers: frozenset[str]
    #: ...and these may stand beside it.
    beside: frozenset[str]
    #: After these nothing is left to be said.
    closing: frozenset[str]
    days: frozenset[str]
    months: frozenset[str]
    #: Which day of a month, in words.
    ordinals: frozenset[str]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _phrases(*phrases: str) -> frozenset[str]:
    return frozenset(phrases)


_ENGLISH = TurnWords(
    hesitations=_set("um uh er erm em hm hmm mm mmm ah eh huh well so like"),
    dangling=_set(
        "a an the my your his her its our their some any every each another "
        "of to for with from at by about into between until till than as onto near since "
        "and or but because if when while whose which where who how whether also then "
        "i we he she they i'm i'd i'll i've we're we'd we'll we've you're you'd it's there's "
        "what's where's that's who's is are was were am be been being isn't aren't wasn't "
        "could would will shall should might must may can't couldn't won't wouldn't don't "
        "didn't doesn't have has had does did want need like would've make get give tell find "
        "book change check send bring take let put see know going gonna wanna trying looking "
        "wondering calling having getting next other new same mister mrs miss very "
        "really just actually maybe perhaps"
    ),
    dangling_pairs=_phrases(
        "tell me",
        "give me",
        "send me",
        "show me",
        "help me",
        "let me",
        "can you",
        "could you",
        "can i",
        "could i",
        "do you",
        "will you",
        "would you",
        "i can",
        "i am",
        "on my",
        "and then",
        "this is",
        "it is",
        "what is",
        "where is",
        "how much",
        "how many",
        "how long",
        "what time",
        "my last",
        "the first",
        "the second",
        "the third",
        "the last",
        "a few",
        "want it",
        "is it",
    ),
    back_channels=_phrases(
        "mm",
        "mmm",
        "mhm",
        "mm hm",
        "mm hmm",
        "hm",
        "hmm",
        "uh huh",
        "uh",
        "um",
        "ah",
        "oh",
        "okay",
        "ok",
        "okay okay",
        "right",
        "i see",
        "yeah",
        "yeah yeah",
        "aha",
        "sure",
        "alright",
        "all right",
        "got it",
        "really",
        "huh",
        "uh huh okay",
        "okay yeah",
        "er",
        "erm",
    ),
    answers=_set(
        "yes yeah yep yup sure ok okay right correct exactly absolutely definitely certainly "
        "alright fine no nope nah never"
    ),
    beside=_set(
        "please thank you thanks of course i do don't am not really it is isn't would wouldn't can "
        "that's that very much go ahead sir ma'am uh um oh well"
    ),
    closing=_set("please thanks today tomorrow tonight yesterday now soon again bye goodbye"),
    days=_set(
        "monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight yesterday"
    ),
    months=_set(
        "january february march april may june july august september october november december"
    ),
    ordinals=_set(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
        "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth "
        "thirtieth one two three four five six seven eight nine ten eleven twelve thirteen "
        "fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty"
    ),
)

_SPANISH = TurnWords(
    hesitations=_set("eh em este esto ah mm mmm hm pues bueno o sea um"),
    dangling=_set(
        "el la los las un una unos unas mi mis tu tus su sus nuestro nuestra de del a al con en "
        "para por sin sobre desde hasta entre hacia y e o u pero porque si cuando mientras que "
        "quien cual donde como muy más yo es son era está están soy estoy quiero quería "
        "quisiera necesito tengo tiene tenía puedo puede podría podrían me te se le nos les lo "
        "voy va vamos hacer cambiar pedir reservar saber decir dar enviar mandar próximo próxima "
        "otro otra nuevo nueva primer tal vez quizás también"
    ),
    dangling_pairs=_phrases(
        "me gustaría",
        "me puede",
        "me podría",
        "quiero que",
        "lo que",
        "a ver",
        "cuánto es",
        "qué hora",
        "es que",
        "tengo que",
    ),
    back_channels=_phrases(
        "mm",
        "mmm",
        "mhm",
        "ajá",
        "aja",
        "ah",
        "ya",
        "vale",
        "sí sí",
        "claro",
        "de acuerdo",
        "okay",
        "ok",
        "entiendo",
        "bueno",
        "eh",
        "hm",
        "ya veo",
        "muy bien",
        "está bien",
    ),
    answers=_set("sí si no claro vale bueno correcto exacto exactamente perfecto nunca ok okay"),
    beside=_set(
        "por favor gracias muchas de acuerdo está bien señor señora que así es eso lo quiero "
        "supuesto eh pues no"
    ),
    closing=_set("gracias hoy mañana ahora favor adiós ayer"),
    days=_set("lunes martes miércoles jueves viernes sábado domingo hoy mañana ayer"),
    months=_set(
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
    ),
    ordinals=_set(
        "primero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce "
        "quince dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés "
        "veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve treinta"
    ),
)

_LANGUAGES: Mapping[str, TurnWords] = {"en": _ENGLISH, "es": _SPANISH}


def turn_words(language: str) -> TurnWords | None:
    """Those of a language tag such as `en` or `en-GB`; None if nobody has written them down."""
    return _LANGUAGES.get(language.lower().replace("_", "-").split("-")[0])
