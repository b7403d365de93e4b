"""A caller who waits for an answer hears a sign of life, and nobody else does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ari_app.calls.comfort import Comfort, Sign, Waiting, one_moment
from ari_app.policy.bundle import read_bundle
from tests.unit.calls.call_story import CallStory


def signs(waiting: Waiting, *moments: tuple[float, bool]) -> list[tuple[float, Sign]]:
    told = []
    for now, waits in moments:
        sign = waiting.sign(waits, now)
        if sign is not None:
            told.append((now, sign))
    return told


def test_words_come_after_the_patience_then_a_tone_every_four_seconds() -> None:
    moments = [(t / 10, True) for t in range(131)]
    told = signs(Waiting(2.0), *moments)
    assert [sign for _, sign in told] == [Sign.WORDS, Sign.TONE, Sign.TONE]
    assert [now for now, _ in told] == pytest.approx([2.0, 6.0, 10.0])


def test_an_answer_in_time_is_waited_for_in_silence() -> None:
    waiting = Waiting(2.0)
    assert signs(waiting, (0.0, True), (1.9, True), (2.0, False), (2.1, True), (4.0, True)) == []
    assert waiting.sign(True, 4.1) is Sign.WORDS


def test_the_next_wait_begins_with_words_again() -> None:
    waiting = Waiting(2.0)
    assert len(signs(waiting, (0.0, True), (2.0, True), (3.0, False), (3.1, True))) == 1
    assert waiting.sign(True, 5.1) is Sign.WORDS


def test_without_patience_there_is_no_sign() -> None:
    assert signs(Waiting(0.0), (0.0, True), (100.0, True)) == []


def test_a_language_without_words_has_the_tone() -> None:
    comfort = Comfort(2.0, b"tone", {"en": b"one moment", "es": b""})
    assert comfort.audio(Sign.WORDS, "en") == b"one moment"
    assert comfort.audio(Sign.TONE, "en") == b"tone"
    assert comfort.audio(Sign.WORDS, "es") == b"tone"
    assert comfort.audio(Sign.WORDS, "fr") == b"tone"


def test_the_words_are_the_bundles_or_the_languages() -> None:
    text = """
bundle: b
language: {language}
people: us
intents: {{yes: ["yes"], no: ["no"]}}
keys: {{"1": "yes"}}
greeting: {{disclosure: hello, question: what}}
questions: {{what: {{may_repeat: true}}}}
prompts: {{hello: Hello., what: What now{more}}}
texts: {{}}
rules: [{{rule: rest, then: {{say: hello, end: true}}}}]
"""
    assert one_moment(read_bundle(text.format(language="es", more=""))) == "Un momento, por favor."
    own = read_bundle(text.format(language="es", more=", one_moment: Ya voy."))
    assert one_moment(own) == "Ya voy."


@pytest.fixture
def patient(story: CallStory) -> CallStory:
    assert story.calls._tools is not None
    comfort = Comfort(2.0, b"tone", {"en": b"one moment"})
    story.calls.use(replace(story.calls._tools, comfort=comfort))
    return story


async def test_a_caller_whose_answer_takes_long_is_told_and_then_answered(
    patient: CallStory,
) -> None:
    patient.rings()
    await patient.hears_out("disclosure", "what")
    await _a_tick(patient)  # that the disclosure was heard is written by now
    patient.gates.close()
    patient.says("what are your opening hours")
    line = patient.lines.opened[0]
    await patient.eventually(lambda: "recogniser.finish" in patient.gates.passed)
    await _a_tick(patient)
    patient.clock.advance(2.1)
    await patient.eventually(lambda: line.playing == "one moment")
    patient.hears_the_end()
    patient.clock.advance(4.1)
    await patient.eventually(lambda: line.playing == "tone")
    patient.gates.open()
    await patient.hears_out("offer_hours")
    assert line.played.count("one moment") == line.played.count("tone") == 1


async def test_nothing_is_said_before_who_is_speaking(patient: CallStory) -> None:
    patient.rings()
    await patient.hears("disclosure")
    speaks = [n for n, name in enumerate(patient.gates.passed, 1) if name == "voice.speak"]
    patient.hangs_up()
    await patient.is_over()

    # The second one: the disclosure is ready, and its question takes for ever.
    patient.gates.at(len(patient.gates.passed) + speaks[1], patient.gates.close)
    patient.rings("caller-2")
    await patient.eventually(lambda: patient.gates.passed.count("voice.speak") == 4)
    await _a_tick(patient)
    patient.clock.advance(20.0)
    await _a_tick(patient)
    assert patient.lines.opened[1].played == []
    patient.gates.open()
    await patient.hears("disclosure", line=1)


async def _a_tick(story: CallStory) -> None:
    """Return when the call has looked at the clock again."""
    looks = story.clock.looks
    await story.eventually(lambda: story.clock.looks > looks + 2)
