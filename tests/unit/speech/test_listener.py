"""What a call is told of its recogniser: in order, once, and nothing after it has closed it."""

from __future__ import annotations

import asyncio

import pytest

from ari_app.errors import AsrLost
from ari_app.ports import Utterance, Word
from ari_app.speech.listener import Listener, Loss
from tests.support.meter import RecordingMeter

YES = (Word("yes", 0.5, 0.9, 0.8),)


class Told:
    """A call, and what it was told."""

    def __init__(self, *, opened: bool = True) -> None:
        self.words: list[str] = []
        self.losses = 0
        self.meter = RecordingMeter()
        self.listener = Listener(self.words.append, self._lost, self.meter)
        self.listener.opened = opened

    def _lost(self) -> None:
        self.losses += 1


async def turn_of_the_loop() -> None:
    await asyncio.sleep(0)


async def test_words_are_told_when_they_change_and_never_from_inside_a_feed() -> None:
    told = Told()
    for text in ("yes", "yes", "yes please"):
        told.listener.partial(text)
    assert told.words == []
    await turn_of_the_loop()
    assert told.words == ["yes", "yes please"]


async def test_the_same_words_are_told_again_in_the_next_turn() -> None:
    told = Told()
    told.listener.partial("yes")
    final = told.listener.ask()
    assert told.listener.final(YES)
    assert await told.listener.answer(final, 1.0) == Utterance("yes", YES)
    told.listener.partial("yes")
    await turn_of_the_loop()
    assert told.words == ["yes", "yes"]


async def test_words_that_come_after_the_end_of_a_turn_are_not_told() -> None:
    told = Told()
    told.listener.ask()
    told.listener.partial("yes")
    await turn_of_the_loop()
    assert told.words == []


async def test_an_answer_that_nobody_asked_for_is_refused() -> None:
    assert not Told().listener.final(YES)


async def test_a_loss_is_told_once_and_counted_by_its_reason() -> None:
    told = Told()
    assert told.listener.lose(Loss.DIED)
    assert not told.listener.lose(Loss.STOPPED)
    assert told.losses == 0  # not from inside whoever noticed it
    await turn_of_the_loop()
    assert told.losses == 1
    assert dict(told.meter.counts) == {("segue_asr_lost_total", "died"): 1}


async def test_a_call_that_closes_before_the_loss_reaches_it_hears_of_none() -> None:
    told = Told()
    told.listener.partial("yes")
    told.listener.lose(Loss.DIED)
    told.listener.close()
    await turn_of_the_loop()
    assert (told.losses, told.words) == (0, [])


async def test_a_loss_before_the_recogniser_was_opened_is_told_by_whoever_opens_it() -> None:
    told = Told(opened=False)
    told.listener.lose(Loss.STUCK)
    await turn_of_the_loop()
    assert told.losses == 0


@pytest.mark.parametrize("lost", [True, False])
async def test_every_turn_that_is_being_finished_fails_with_the_recogniser(lost: bool) -> None:
    told = Told()
    finals = [told.listener.ask() for _ in range(2)]
    if lost:
        told.listener.lose(Loss.DIED)
    else:
        told.listener.close()
    for final in finals:
        with pytest.raises(AsrLost):
            await told.listener.answer(final, 1.0)
    with pytest.raises(AsrLost):
        told.listener.ask()


async def test_a_turn_that_is_not_answered_in_time_has_no_answer() -> None:
    told = Told()
    assert await told.listener.answer(told.listener.ask(), 0.01) is None
    assert told.meter.observed == {}
