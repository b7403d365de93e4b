"""Beside the recogniser of all words there is one for what is expected, as long as it is of use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import pytest

from ari_app.errors import AsrLost
from ari_app.ports import Signal, Utterance, Word
from ari_app.speech.hearing import Hearing, Listening

FRAME = b"\x00\x10" * 160
LACKING = "xylophone"


def said(text: str) -> Utterance:
    words = tuple(Word(w, float(n), n + 0.5, 0.9) for n, w in enumerate(text.split()))
    return Utterance(text, words)


class Recogniser:
    """Says what it is told to, once; knows how much it was fed."""

    def __init__(self, on_partial: Callable[[str], None], on_lost: Callable[[], None]) -> None:
        self.on_partial = on_partial
        self.on_lost = on_lost
        self.fed = 0
        self.says = ""
        self.finished = 0
        self.expected: list[tuple[str, ...]] = []
        self.lost = False
        self.closed = False

    def feed(self, pcm: bytes) -> None:
        assert not self.closed
        self.fed += 1

    def expect(self, phrases: Sequence[str]) -> bool:
        self.expected.append(tuple(phrases))
        return True

    async def finish(self) -> Utterance:
        self.finished += 1
        if self.lost:
            raise AsrLost("gone")
        text, self.says = self.says, ""
        return said(text)

    async def aclose(self) -> None:
        self.closed = True


class Hearer:
    """The workers."""

    rate = 8000

    def __init__(self) -> None:
        self.opened: list[Recogniser] = []
        self.most = 9
        self.started = self.ended = 0

    async def open(
        self, on_partial: Callable[[str], None], on_lost: Callable[[], None]
    ) -> Recogniser:
        await asyncio.sleep(0)
        if len(self.opened) >= self.most:
            raise AsrLost("none is alive")
        self.opened.append(Recogniser(on_partial, on_lost))
        return self.opened[-1]

    async def returned(self) -> None:
        return None

    async def start(self) -> None:
        self.started += 1

    async def aclose(self) -> None:
        self.ended += 1


class Ear:
    """A call's ear over such workers, and what it was told."""

    def __init__(self) -> None:
        self.hearer = Hearer()
        self.partials: list[str] = []
        self.losses = 0
        self.listening: Listening

    async def open(self, *, takes_phrases: bool = True) -> Ear:
        hearing = Hearing(self.hearer, takes_phrases, lambda phrase: LACKING not in phrase)
        self.listening = await hearing.open(self.partials.append, self._lost)
        return self

    def _lost(self) -> None:
        self.losses += 1

    async def expects(self, *phrases: str) -> bool:
        taken = self.listening.expect(phrases)
        await settled()
        return taken

    def hears(self, free: str, guided: str | None = None) -> None:
        self.listening.feed(FRAME)
        self.hearer.opened[0].says = free
        if guided is not None:
            self.hearer.opened[1].says = guided

    async def finish(self) -> Utterance:
        return await self.listening.finish()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_without_an_expectation_there_is_one_recogniser() -> None:
    ear = await Ear().open()
    ear.hears("hello there")
    heard = await ear.finish()
    assert (heard.text, heard.guided) == ("hello there", None)
    assert len(ear.hearer.opened) == 1


async def test_what_is_expected_is_heard_beside_all_words() -> None:
    ear = await Ear().open()
    assert await ear.expects("yes", "no")
    assert ear.hearer.opened[1].expected == [("yes", "no")]
    ear.hears("yet", "yes")
    heard = await ear.finish()
    assert heard.text == "yet"
    assert heard.guided == said("yes").words


async def test_the_second_recogniser_is_fed_only_while_something_is_expected() -> None:
    ear = await Ear().open()
    await ear.expects("yes")
    ear.hears("yes", "yes")
    await ear.finish()
    assert await ear.expects()
    ear.hears("what time is it")
    heard = await ear.finish()
    assert heard.guided is None
    assert (ear.hearer.opened[0].fed, ear.hearer.opened[1].fed) == (2, 1)


async def test_the_same_expectation_is_told_once_and_another_anew() -> None:
    ear = await Ear().open()
    for phrases in (("yes",), ("yes",), ("one", "two")):
        await ear.expects(*phrases)
    assert ear.hearer.opened[1].expected == [("yes",), ("one", "two")]
    assert len(ear.hearer.opened) == 2


async def test_what_was_heard_for_one_question_is_no_answer_to_the_next() -> None:
    ear = await Ear().open()
    await ear.expects("yes")
    ear.hears("", "yes")
    await ear.expects("one")
    assert ear.hearer.opened[1].finished == 1
    ear.hears("one", "one")
    heard = await ear.finish()
    assert heard.guided == said("one").words


async def test_phrases_with_a_word_that_the_model_lacks_are_left_out() -> None:
    ear = await Ear().open()
    assert await ear.expects("yes", f"the {LACKING}")
    assert ear.hearer.opened[1].expected == [("yes",)]
    assert not await ear.expects(LACKING)
    ear.hears("yes")
    assert (await ear.finish()).guided is None


async def test_a_model_without_grammar_hears_all_words_and_it_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hearing = Hearing(Hearer(), False, lambda phrase: True)
    with caplog.at_level(logging.WARNING):
        first = await hearing.open(lambda text: None, lambda: None)
        await hearing.open(lambda text: None, lambda: None)
    assert [r.message for r in caplog.records] == [
        "the speech model takes no run-time grammar: answers are heard among all words"
    ]
    assert not first.expect(["yes"])


async def test_the_loss_of_the_second_recogniser_is_no_loss() -> None:
    ear = await Ear().open()
    await ear.expects("yes")
    ear.hearer.opened[1].on_lost()
    await settled()
    assert ear.hearer.opened[1].closed
    ear.hears("yes")
    assert (await ear.finish()).text == "yes"
    assert ear.losses == 0
    await ear.expects("yes")
    assert ear.hearer.opened[2].expected == [("yes",)]


async def test_a_second_recogniser_that_fails_while_it_finishes_costs_nothing() -> None:
    ear = await Ear().open()
    await ear.expects("yes")
    ear.hears("yes", "yes")
    ear.hearer.opened[1].lost = True
    heard = await ear.finish()
    assert (heard.text, heard.guided) == ("yes", None)


async def test_where_there_is_no_second_recogniser_all_words_are_heard() -> None:
    ear = Ear()
    ear.hearer.most = 1
    await ear.open()
    await ear.expects("yes")
    ear.hears("yes")
    assert (await ear.finish()).guided is None
    ear.hearer.most = 2
    await ear.expects("yes")
    assert ear.hearer.opened[1].expected == [("yes",)]


async def test_the_loss_of_the_first_recogniser_is_a_loss() -> None:
    ear = await Ear().open()
    await ear.expects("yes")
    ear.hears("yes", "yes")
    ear.hearer.opened[0].lost = True
    with pytest.raises(AsrLost):
        await ear.finish()
    ear.hearer.opened[0].on_lost()
    assert ear.losses == 1


async def test_words_that_changed_at_the_end_are_not_stable() -> None:
    ear = await Ear().open()
    ear.hearer.opened[0].on_partial("yes")
    ear.hears("yes")
    assert (await ear.finish()).stable
    ear.hearer.opened[0].on_partial("yet")
    ear.hears("yes")
    assert not (await ear.finish()).stable
    assert ear.partials == ["yes", "yet"]


async def test_the_line_is_measured_for_each_turn() -> None:
    ear = await Ear().open()
    ear.hears("yes")
    first = await ear.finish()
    assert first.signal is not None
    assert first.signal.level_db == pytest.approx(-18, abs=1)
    assert (await ear.finish()).signal is None


async def test_closing_frees_both_and_nothing_is_fed_after() -> None:
    ear = await Ear().open()
    ear.listening.expect(["yes"])
    await ear.listening.aclose()
    ear.listening.feed(FRAME)
    assert all(recogniser.closed for recogniser in ear.hearer.opened)
    with pytest.raises(AsrLost):
        await ear.finish()


async def test_each_language_has_its_own_workers() -> None:
    english, spanish = Hearer(), Hearer()
    other = Hearing(spanish, True, lambda phrase: True)
    hearing = Hearing(english, True, lambda phrase: True, {"es": other})
    await hearing.start()
    assert hearing.in_language("es") is other
    assert hearing.in_language("en") is None
    await hearing.aclose()
    assert (english.started, spanish.started) == (1, 1)
    assert (english.ended, spanish.ended) == (1, 1)


# -- two pieces of a turn ---------------------------------------------------------------------


def test_two_pieces_are_one_turn() -> None:
    one = Utterance("four", said("four").words, said("four").words, True, Signal(-20.0, 12.0))
    two = Utterance("seven", said("seven").words, said("seven").words, False, Signal(-22.0, 15.0))
    both = one.followed_by(two)
    assert both.text == "four seven"
    assert both.guided == (*said("four").words, *said("seven").words)
    assert (both.stable, both.signal) == (False, Signal(-22.0, 15.0))


def test_a_piece_without_words_changes_nothing_but_the_line() -> None:
    one = Utterance("four", said("four").words, said("four").words, True, Signal(-20.0, 12.0))
    for both in (one.followed_by(Utterance("", ())), Utterance("", ()).followed_by(one)):
        assert both == one


def test_a_piece_that_was_not_listened_to_leaves_all_words() -> None:
    one = Utterance("four", said("four").words, said("four").words)
    assert one.followed_by(said("seven")).guided is None
