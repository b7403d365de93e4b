"""English."""

from __future__ import annotations

from ari_app.understanding.languages.language import Language

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_MONTHS = (
    "January February March April May June July August September October November December"
).split()
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
# ITU and NATO, with the spellings that recognisers use.
_PHONETIC = (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar "
    "papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu"
).split()

ENGLISH = Language(
    tag="en",
    numbers={word: n for n, word in enumerate(_UNITS)}
    | {word: 10 * n for n, word in enumerate(_TENS, start=2)},
    hundreds={},
    scales={"hundred": 100, "thousand": 1000},
    ordinals={word: n for n, word in enumerate(_ORDINALS, start=1)} | {"thirtieth": 30},
    nought=frozenset({"oh", "o", "nought"}),
    times={"double": 2, "triple": 3},
    months={name.lower(): n for n, name in enumerate(_MONTHS, start=1)},
    weekdays={name: n for n, name in enumerate(_WEEKDAYS)},
    days={"today": 0, "tomorrow": 1, "the day after tomorrow": 2, "day after tomorrow": 2},
    month_names=tuple(_MONTHS),
    date="{day} {month} {year}",
    date_glue=frozenset("the of on in and at next this coming please it's its is um uh".split()),
    letters={letter: letter for letter in "abcdefghijklmnopqrstuvwxyz"}
    | {word: word[0] for word in _PHONETIC}
    | {"zee": "z", "zed": "z", "alfa": "a", "juliett": "j", "whisky": "w", "ex": "x"},
    as_in=("as in", "like", "for"),
    choice_glue=frozenset(
        "the number option please i want would like to take choose pick choice one yes ok okay "
        "and thanks thank you let me have i'll i'd id".split()
    ),
    pronoun="one",
    yes=(
        *("yes", "yeah", "yep", "yes please", "sure", "okay", "of course", "correct"),
        *("that's right", "yes that's right", "yes it is", "right", "exactly", "go ahead"),
    ),
    no=(
        *("no", "nope", "no thanks", "no thank you", "not now", "no it isn't", "wrong"),
        *("that's wrong", "no that's wrong", "never", "no that's not right"),
    ),
    commands={
        "repeat": (
            *("repeat", "repeat that", "say that again", "say it again", "again", "pardon"),
            *("come again", "what did you say", "one more time", "what was that"),
        ),
        "slower": (
            *("slower", "more slowly", "speak slower", "speak more slowly", "slow down"),
            *("you are too fast", "that's too fast", "too fast", "talk slower"),
        ),
        "louder": (
            *("louder", "speak louder", "speak up", "i can't hear you", "talk louder"),
            *("i can hardly hear you", "too quiet", "that's too quiet", "volume up"),
        ),
        "wait": (
            *("wait", "wait a moment", "wait a minute", "one moment", "just a moment"),
            *("hold on", "hold on a second", "one second", "just a second", "one minute"),
            *("just a minute", "give me a moment", "give me a minute", "give me a second"),
            "hang on",
        ),
        "help": ("help", "help me", "what can i say", "what can i do", "what are my options"),
        "operator": (
            *("operator", "agent", "representative", "a person", "a human", "people"),
            *("a real person", "talk to a person", "speak to a person", "talk to a human"),
            *("speak to a human", "talk to someone", "speak to someone", "customer service"),
        ),
    },
    courtesy=frozenset("please can could would you sorry um uh er oh hey okay i to want".split()),
    names=("english", "ingles"),
    asks=(
        *("{language}", "in {language}", "{language} please", "do you speak {language}"),
        *("can we speak {language}", "i speak {language}", "speak {language}"),
    ),
    markers=frozenset(
        "the and my you is what can would like with for your have are this that please want need "
        "how when it's don't i'd".split()
    ),
)
