"""Speaking over a prompt in two steps, and answers that are ready before a turn is over."""

from __future__ import annotations

from ari_app.conversation.events import CallerSpoke, DecisionMade, PromptInterrupted
from tests.unit.calls.call_story import CallStory, kinds


def counted(story: CallStory, name: str) -> float:
    """A counter, by its name and labels as Prometheus reads them; 0 if it is not there."""
    for line in story.meter.text().splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    return 0.0


async def asked(story: CallStory) -> None:
    """The first question is being spoken."""
    story.rings()
    await story.hears_out("disclosure")
    await story.hears("what")


async def test_a_cough_pauses_a_prompt_and_lets_it_go_on(story: CallStory) -> None:
    await asked(story)
    line = story.lines.opened[0]
    story.speaks()
    assert line.playing is None
    story.hesitates()
    await story.hears("what")
    assert line.paused is None
    assert counted(story, "segue_barge_in_false_total") == 1
    assert PromptInterrupted not in map(type, await story.log())


async def test_words_in_a_pause_confirm_that_the_prompt_is_over(story: CallStory) -> None:
    await asked(story)
    story.says("what are your opening hours")
    await story.hears("offer_hours")
    assert kinds(await story.log()).count("PromptInterrupted") == 1
    assert counted(story, "segue_barge_in_false_total") == 0


async def test_a_single_word_stops_a_prompt_once_the_recogniser_is_sure(
    story: CallStory,
) -> None:
    await asked(story)
    line = story.lines.opened[0]
    story.speaks()
    story.is_understood("hours")
    assert line.paused is not None
    story.hesitates()
    await story.logged("PromptInterrupted")


async def test_words_without_a_voice_stop_no_prompt(story: CallStory) -> None:
    await asked(story)
    story.detectors[0].voice_near = False
    story.is_understood("is there a noise")
    assert story.lines.opened[0].playing is not None
    story.detectors[0].voice_near = True
    story.is_understood("is there a voice")
    await story.logged("PromptInterrupted")


async def test_words_of_our_echo_are_no_part_of_what_the_caller_says(story: CallStory) -> None:
    await asked(story)
    story.detectors[0].voice_near = False
    story.is_understood("how can i help you")
    ear = story.recognisers.opened[0]
    await story.eventually(lambda: not ear.understood.text)
    story.detectors[0].voice_near = True
    story.says("what are your opening hours")
    await story.hears("offer_hours")
    (spoke,) = [e for e in await story.log() if isinstance(e, CallerSpoke)]
    assert spoke.text == "what are your opening hours"


async def test_words_of_a_flicker_of_voice_do_not_confirm_that_it_was_one(
    story: CallStory,
) -> None:
    await asked(story)
    story.detectors[0].voice_near = False
    story.speaks()
    story.is_understood("is there a noise")
    story.hesitates()
    await story.hears_out("what")
    assert PromptInterrupted not in map(type, await story.log())


async def test_words_without_a_voice_may_be_a_whispered_answer(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.detectors[0].voice_near = False
    story.is_understood("what are your opening hours")
    story.clock.advance(60.0)
    await story.hears("offer_hours")


async def test_a_prompt_goes_on_with_the_word_that_was_cut(story: CallStory) -> None:
    story.voice.boundaries = (0, 80, 300)
    await asked(story)
    story.speaks()  # 120 ms into the prompt
    story.hesitates()
    await story.hears("what")
    assert story.lines.opened[0].resumed == [80]


async def test_a_line_finds_the_place_itself_in_a_prompt_whose_words_nobody_knows(
    story: CallStory,
) -> None:
    await asked(story)
    story.speaks()
    story.hesitates()
    await story.hears("what")
    assert story.lines.opened[0].resumed == [None]


async def test_what_we_play_is_told_to_voice_activity(story: CallStory) -> None:
    await asked(story)
    story.lines.opened[0].sink.sent(b"ours", 1.0)
    assert story.detectors[0].echoes == [b"ours"]


async def test_a_word_that_the_recogniser_doubts_stops_no_prompt(story: CallStory) -> None:
    await asked(story)
    story.speaks()
    story.is_understood("hi", confidence=0.4)
    story.hesitates()
    await story.hears_out("what")
    assert counted(story, "segue_barge_in_false_total") == 1
    story.says("what are your opening hours")
    await story.hears("offer_hours")
    (spoke,) = [e for e in await story.log() if isinstance(e, CallerSpoke)]
    assert spoke.text == "what are your opening hours"


async def test_okay_during_an_explanation_is_written_and_is_no_answer(story: CallStory) -> None:
    story.rings()
    await story.hears("disclosure")
    story.speaks()
    story.is_understood("okay")
    story.hesitates()
    await story.logged("CallerSpoke")
    story.pauses()
    await story.hears_out("disclosure", "what")
    story.says("what are your opening hours")
    await story.hears("offer_hours")
    spoke = [e.text for e in await story.log() if isinstance(e, CallerSpoke)]
    assert spoke == ["okay", "what are your opening hours"]
    assert kinds(await story.log()).count("DecisionMade") == 2


async def test_a_disclosure_is_not_paused_and_what_is_said_during_it_is_kept(
    story: CallStory,
) -> None:
    story.rings()
    await story.hears("disclosure")
    story.speaks()
    story.is_understood("what are your")
    story.hesitates()
    assert story.lines.opened[0].playing is not None
    await story.eventually(lambda: story.detectors[0].pieces)
    story.is_understood("opening hours")
    story.pauses()
    await story.hears_out("disclosure", "what")
    await story.hears("offer_hours")
    (spoke,) = [e for e in await story.log() if isinstance(e, CallerSpoke)]
    assert spoke.text == "what are your opening hours"


async def test_what_is_said_in_pieces_is_one_turn(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.speaks()
    story.is_understood("what are your")
    story.hesitates()
    await story.eventually(lambda: story.detectors[0].pieces == ["what are your"])
    story.is_understood("opening hours")
    story.pauses()
    await story.hears("offer_hours")
    (spoke,) = [e for e in await story.log() if isinstance(e, CallerSpoke)]
    assert spoke.text == "what are your opening hours"
    assert [w[0] for w in spoke.words] == ["what are your", "opening hours"]


async def test_the_answer_to_all_that_was_said_is_ready_before_the_turn_is_over(
    story: CallStory,
) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    await story.logged("DisclosurePlayed")
    before = kinds(await story.log())
    story.speaks()
    story.is_understood("what are your opening hours")
    spoken = story.gates.passed.count("voice.speak")
    story.hesitates()
    await story.eventually(lambda: story.gates.passed.count("voice.speak") > spoken)
    assert kinds(await story.log()) == before  # nothing is stored, sent or played yet
    assert story.lines.opened[0].playing is None
    story.pauses()
    await story.hears("offer_hours")
    assert counted(story, 'segue_speculations_total{result="used"}') == 1
    assert kinds(await story.log()).count("DecisionMade") == 2


async def test_an_answer_to_half_of_what_was_said_is_never_given(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.speaks()
    story.is_understood("what are your opening hours")
    story.hesitates()
    await story.eventually(lambda: story.detectors[0].pieces)
    story.is_understood("no wait i want to speak to someone")
    story.pauses()
    await story.logged("AgentSpoke")
    assert counted(story, 'segue_speculations_total{result="used"}') == 0
    assert counted(story, 'segue_speculations_total{result="dropped"}') == 1
    decided = [e for e in await story.log() if isinstance(e, DecisionMade)]
    assert len(decided) == 2


async def test_a_key_is_no_answer_to_what_was_thought_ahead(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.speaks()
    story.is_understood("can i talk to a person")
    story.hesitates()
    await story.eventually(lambda: story.detectors[0].pieces)
    story.presses("1")
    await story.hears("offer_hours")
    assert counted(story, 'segue_speculations_total{result="used"}') == 0
    assert "CallerSpoke" in kinds(await story.log())


async def test_words_are_kept_when_hearing_is_lost_after_them(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.speaks()
    story.is_understood("what are your opening hours")
    story.hesitates()
    await story.eventually(lambda: story.detectors[0].pieces)
    story.hearing_is_lost()
    await story.logged("HearingLost")
    log = kinds(await story.log())
    assert log.index("CallerSpoke") < log.index("HearingLost")


async def test_nothing_new_is_said_while_the_caller_speaks_on(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.says("what are your opening hours")
    story.speaks()  # again, before the answer has begun
    await story.eventually(lambda: len(story.detectors[0].expected) > 1)
    assert story.lines.opened[0].playing is None
    story.hesitates()
    await story.hears("offer_hours")
    await story.logged("AgentSpoke")


async def test_noise_for_ever_does_not_mute_us(story: CallStory) -> None:
    await asked(story)
    story.speaks()
    assert story.lines.opened[0].playing is None
    story.clock.advance(2.0)
    await story.hears("what")


async def test_the_end_of_a_turn_is_sought_by_the_question(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.says("what are your opening hours")
    await story.hears("offer_hours")
    first, second = story.detectors[0].expected
    assert (first.profile, second.profile) == ("open", "yes_no")
    assert first.language == "en"
    assert "what are your opening hours" in first.phrases
