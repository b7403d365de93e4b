"""STOP is heard however it is written, and nothing else is taken for it."""

from __future__ import annotations

import pytest

from ari_app.errors import SettingsError
from ari_app.policy.sending.words import Answer, Said, Says, normalise, read_vocabulary
from tests.unit.policy.sending.sending_story import vocabulary

WORDS = vocabulary()
LEAST = """
[en]
stop = ["stop"]
help = ["help"]
[en.answers]
stopped = "{brand}: no more."
started = "{brand}: more."
help = "{brand}: ask {contact}."
"""


def says(body: str) -> Says | None:
    said = WORDS.read(body)
    return said.says if said else None


# 47 CFR 64.1200(a)(10) and the list of the CTIA.
@pytest.mark.parametrize(
    "word",
    [*"stop quit end revoke optout cancel unsubscribe stopall".split(), "opt out", "stop all"],
)
def test_every_word_of_us_law_stops(word: str) -> None:
    assert says(word.upper()) is Says.STOP


@pytest.mark.parametrize(
    ("body", "language"),
    [
        ("ARRÊT", "fr"),
        ("arret", "fr"),
        ("STOPP", "de"),
        ("Abmelden", "de"),
        ("BAJA", "es"),
        ("Basta!", "it"),
        ("SAIR", "pt"),
        ("afmelden", "nl"),
        ("avsluta", "sv"),
        ("AFMELD", "da"),
        ("avmeld", "nb"),
        ("LOPETA", "fi"),
        ("koniec", "pl"),
        ("İPTAL", "tr"),
        ("iptal", "tr"),
        ("СТОП", "ru"),
        ("στοπ", "el"),
        ("הסר", "he"),
        ("退订", "zh"),
        ("停止", "ja"),
        ("수신거부", "ko"),
        ("बंद", "hi"),
    ],
)
def test_a_word_of_any_language_stops(body: str, language: str) -> None:
    said = WORDS.read(body)
    assert said is not None
    assert (said.says, said.language) == (Says.STOP, language)


@pytest.mark.parametrize(
    "body",
    [
        "stop",
        "Stop.",
        "  STOP!!! ",
        '"Stop"',
        "s.t.o.p",
        "S T O P",
        "STOP \N{OCTAGONAL SIGN}",
        "\N{ZERO WIDTH SPACE}stop",
        "\N{FULLWIDTH LATIN CAPITAL LETTER S}TOP",
        "stop stop STOP",
        "stop, unsubscribe",
        "Opt-Out",
        "STOP 36111",
        "STOP au 36111",
        "please stop",
    ],
)
def test_case_spaces_marks_and_repetition_do_not_count(body: str) -> None:
    assert says(body) is Says.STOP


@pytest.mark.parametrize(
    "body",
    [
        "",
        "   ",
        "?!",
        "stop by tomorrow at 5",
        "the bus stop",
        "cancel 2",
        "1",
        "fine",
        "Friday",
        "stop help",
        "can you text me the times",
        "don't forget my appointment",
        "which bus will take me to the station",
        "stop " * 200,
        "stop" * 40,
        "STOP 123",
    ],
)
def test_what_says_something_else_is_a_text_like_any_other(body: str) -> None:
    assert says(body) is None


@pytest.mark.parametrize("body", ["START", "unstop", "Opt in", "Reprendre", "alta"])
def test_start_is_heard(body: str) -> None:
    assert says(body) is Says.START


@pytest.mark.parametrize("body", ["yes", "OUI", "Sí", "ja!"])
def test_yes_is_a_word_of_its_own(body: str) -> None:
    assert says(body) is Says.YES


@pytest.mark.parametrize("body", ["HELP", "info", "Aide", "Hilfe?", "AYUDA", "ajuda", "apua"])
def test_help_is_heard(body: str) -> None:
    assert says(body) is Says.HELP


@pytest.mark.parametrize(
    ("body", "language"),
    [
        ("please don't text me any more", "en"),
        ("Please don\N{RIGHT SINGLE QUOTATION MARK}t text me", "en"),
        ("STOP TEXTING ME I SAID", "en"),
        ("hey, take me off your list", "en"),
        ("I don't want any more messages from you", "en"),
        ("you have the wrong number", "en"),
        ("Ne m'écrivez plus svp", "fr"),
        ("Bitte schreiben Sie mir nicht mehr", "de"),
        ("no me manden más mensajes", "es"),
        ("non mi scrivete più", "it"),
        ("não me enviem mais nada", "pt"),
        ("ik wil geen berichten meer", "nl"),
        ("больше не присылайте", "ru"),
        ("x" * 900 + " do not text me", "en"),
    ],
)
def test_words_of_ones_own_are_heard_as_a_revocation(body: str, language: str) -> None:
    said = WORDS.read(body)
    assert said is not None
    assert (said.says, said.language) == (Says.REVOKES, language)


def test_a_pattern_looks_at_no_more_than_the_beginning_of_a_long_text() -> None:
    assert says("x" * 1000 + " do not text me") is None


def test_the_words_of_the_site_are_added() -> None:
    assert vocabulary("Schluss").read("SCHLUSS!") == Said(Says.STOP, "Schluss", "site")


def test_an_answer_names_the_brand_and_is_on_one_line() -> None:
    said = WORDS.answer(Answer.HELP, "en", "Harbour Clinic", "call\n+1 202 555 0123")
    assert said == (
        "Harbour Clinic. Help: call +1 202 555 0123. Message frequency varies. "
        "Message and data rates may apply. Reply STOP to end."
    )


def test_a_brand_with_braces_is_not_filled_in_again() -> None:
    assert WORDS.answer(Answer.STOPPED, "en", "{x}", "").startswith("{x}: ")


def test_a_language_without_answers_has_those_of_english() -> None:
    assert WORDS.answer(Answer.STOPPED, "he", "B", "") == WORDS.answer(
        Answer.STOPPED, "en", "B", ""
    )
    assert WORDS.answer(Answer.STOPPED, "fr", "B", "") != WORDS.answer(
        Answer.STOPPED, "en", "B", ""
    )


@pytest.mark.parametrize("kind", Answer)
def test_every_answer_that_ships_fits_into_two_segments(kind: Answer) -> None:
    languages = {language for language, of in WORDS.answers if of is kind}
    assert len(languages) >= 7
    for language in languages:
        assert len(WORDS.answer(kind, language, "Harbour Clinic", "+12025550123")) <= 160


def test_what_ships_has_words_of_at_least_twenty_languages() -> None:
    assert len({s.language for s in WORDS.words.values() if s.says is Says.STOP}) >= 20


def test_the_plain_form_of_a_plain_form_is_itself() -> None:
    for word in WORDS.words:
        assert normalise(word) == word


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[en", "is not TOML"),
        ("en = 1", "en is not a language's table"),
        (LEAST + '[fr]\nhalt = ["x"]', r"\[fr\] has 'halt'; known are answers, help"),
        (LEAST + '[fr]\nstop = "x"', r"\[fr\] stop is not a list"),
        (LEAST + "[fr]\nstop = [1]", r"\[fr\] stop is not a list"),
        (LEAST + '[fr]\nstop = ["..."]', "'...' is not a word"),
        (LEAST + '[fr]\nhelp = ["STOP"]', "'STOP' is in two lists, stop and help"),
        (LEAST + '[fr]\nrevokes = ["("]', r"\[fr\] revokes: '\('"),
        (LEAST + '[fr.answers]\nhelp = "x"', r"\[fr.answers\] needs help, started, stopped"),
        ('[en]\nstop = ["stop"]', r"\[en.answers\] is missing"),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_the_place(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence) as refused:
        read_vocabulary(text, "my.toml")
    assert "my.toml" in str(refused.value)
    assert "\n" not in str(refused.value)
