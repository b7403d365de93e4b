"""What is said in words comes back as the value that it was made of, in every language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ari_app.conversation.manner import Manner
from ari_app.understanding.answers import Expected, Kind, guided_answer, phrases, read_answer
from ari_app.understanding.answers import say_answer as said_back
from ari_app.understanding.commands import read_command
from ari_app.understanding.confidence import Evidence, calibrated
from ari_app.understanding.cues import frustration
from ari_app.understanding.dates import read_date, say_date
from ari_app.understanding.languages import LANGUAGES, Language
from ari_app.understanding.numbers import cardinal
from ari_app.understanding.spelling import read_spelling
from ari_app.understanding.tongue import identify
from ari_app.understanding.words import digits, plain

LANGUAGE = st.sampled_from(sorted(LANGUAGES.values(), key=lambda known: known.tag))
DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))
TODAY = date(2026, 11, 21)
ANYTHING = st.text(max_size=40) | st.lists(
    st.sampled_from(
        sorted(
            {
                word
                for known in LANGUAGES.values()
                for table in (known.numbers, known.months, known.letters, known.weekdays)
                for word in table
            }
            | {"and", "y", "the", "of", "de", "[unk]", "double", "doble", "yes", "no", "as", "in"}
        )
    ),
    max_size=8,
).map(" ".join)
EXPECTED = st.sampled_from(
    [
        Expected(Kind.YES_NO),
        Expected(Kind.DIGITS, (4, 4)),
        Expected(Kind.DATE),
        Expected(Kind.SPELLING, (2, 8)),
        Expected(Kind.CHOICES, named={"1": ("morning",), "2": ("the evening",)}),
        Expected(Kind.PHRASES, named={"red": ("red", "crimson")}),
    ]
)


def word_of(number: int, table: Mapping[str, int]) -> str:
    return next(word for word, value in table.items() if value == number)


def below_hundred(n: int, spoken: Language) -> str:
    if n in spoken.numbers.values():
        return word_of(n, spoken.numbers)
    between = " y " if spoken.tag == "es" else " "
    return word_of(n - n % 10, spoken.numbers) + between + word_of(n % 10, spoken.numbers)


def below_thousand(n: int, spoken: Language) -> str:
    hundreds, rest = divmod(n, 100)
    words = []
    if hundreds:
        if spoken.hundreds:
            words.append(
                "ciento" if n > 100 and hundreds == 1 else word_of(100 * hundreds, spoken.hundreds)
            )
        else:
            words.append(f"{word_of(hundreds, spoken.numbers)} hundred")
    if rest or not n:
        words.append(below_hundred(rest, spoken))
    return " ".join(words)


def in_words(n: int, spoken: Language) -> str:
    thousands, rest = divmod(n, 1000)
    if not thousands:
        return below_thousand(n, spoken)
    thousand = word_of(1000, spoken.scales)
    head = (
        thousand
        if spoken.tag == "es" and thousands == 1
        else f"{below_thousand(thousands, spoken)} {thousand}"
    )
    return f"{head} {below_thousand(rest, spoken)}" if rest else head


@given(st.integers(0, 999_999), LANGUAGE)
def test_every_number_below_a_million_comes_back(number: int, spoken: Language) -> None:
    assert cardinal(in_words(number, spoken).split(), spoken) == number


@given(DAYS, LANGUAGE)
def test_every_date_comes_back_as_it_is_read_back(day: date, spoken: Language) -> None:
    assert read_date(say_date(day, spoken), spoken, TODAY) == day
    assert read_date(day.isoformat(), spoken, TODAY) == day


@given(DAYS.filter(lambda day: day.year > 1999), LANGUAGE)
def test_every_date_comes_back_from_words(day: date, spoken: Language) -> None:
    month = word_of(day.month, spoken.months)
    number, year = below_hundred(day.day, spoken), in_words(day.year, spoken)
    said = f"{number} de {month} de {year}" if spoken.tag == "es" else f"{month} {number} {year}"
    assert read_date(said, spoken, TODAY) == day


@given(DAYS, LANGUAGE, st.booleans())
def test_a_date_without_its_year_is_the_next_or_the_last_such_day(
    today: date, spoken: Language, past: bool
) -> None:
    day = today + timedelta(days=-40 if past else 40)
    said = f"{day.day} {word_of(day.month, spoken.months)}"
    if (day.month, day.day) != (2, 29):
        assert read_date(said, spoken, today, past=past) == day


@given(st.text("0123456789", min_size=1, max_size=12), LANGUAGE)
def test_digits_come_back_said_and_read_back(number: str, spoken: Language) -> None:
    said = " ".join(word_of(int(digit), spoken.numbers) for digit in number)
    assert digits(said, spoken.tag) == number
    assert digits(said_back(Kind.DIGITS, number, spoken), spoken.tag) == number


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=12), LANGUAGE, st.randoms())
def test_letters_come_back_by_any_of_their_names(
    letters: str, spoken: Language, random: object
) -> None:
    names = [
        [name for name, letter in spoken.letters.items() if letter == wanted.lower()]
        for wanted in letters
    ]
    said = " ".join(random.choice(each) for each in names)  # type: ignore[attr-defined]
    # In Spanish, "doble" before "ve" or "u" is one letter.
    if "doble" not in said and "ve corta" not in said and "be larga" not in said:
        assert read_spelling(said, spoken) == letters
    assert read_spelling(said_back(Kind.SPELLING, letters, spoken), spoken) == letters


@given(ANYTHING, EXPECTED, LANGUAGE, DAYS)
def test_nothing_that_is_said_breaks_an_answer(
    text: str, expected: Expected, spoken: Language, today: date
) -> None:
    answer = read_answer(expected, text, spoken, today)
    guided = guided_answer(expected, text, spoken, today)
    if guided is not None:
        assert guided == answer
        assert guided.complete
        assert "[unk]" not in text.split()
    if answer is not None and answer.kind in (Kind.CHOICES, Kind.PHRASES):
        assert answer.value in expected.named
    read_command(text, spoken, tuple(LANGUAGES))
    identify(text, LANGUAGES)


@given(EXPECTED, LANGUAGE)
def test_what_is_listened_for_is_in_plain_words(expected: Expected, spoken: Language) -> None:
    for phrase in phrases(expected, spoken):
        assert plain(phrase) == phrase


SHARE = st.floats(0, 1)
EVIDENCE = st.builds(
    Evidence,
    lowest=SHARE,
    mean=SHARE,
    unknown=SHARE,
    stable=st.sampled_from([0.0, 1.0]),
    agrees=st.sampled_from([-1.0, 0.0, 1.0]),
    guided=st.sampled_from([0.0, 1.0]),
    snr=st.floats(-100, 200),
    clipped=st.floats(-1, 2),
    lost=st.floats(-1, 2),
    length=st.floats(0, 1000),
)


@given(EVIDENCE)
def test_a_confidence_is_a_probability(evidence: Evidence) -> None:
    assert 0.0 <= calibrated(evidence) <= 1.0


MANNER = st.builds(
    Manner,
    misses=st.integers(0, 50),
    interruptions=st.integers(0, 50),
    odd_keys=st.integers(0, 50),
    louder_db=st.none() | st.floats(-50, 50),
    faster=st.none() | st.floats(0, 10),
)


@given(st.integers(0, 20), st.integers(0, 20), MANNER)
def test_frustration_is_bounded_and_one_more_sign_never_lowers_it(
    misses: int, silences: int, manner: Manner
) -> None:
    now = frustration(misses, silences, manner)
    assert 0.0 <= now.score <= 1.0
    assert all(share > 0 for _, share in now.because)
    for more in (
        frustration(misses, silences + 1, manner),
        frustration(misses, silences, replace(manner, odd_keys=manner.odd_keys + 1)),
        frustration(misses, silences, replace(manner, interruptions=manner.interruptions + 1)),
    ):
        assert more.score >= now.score
