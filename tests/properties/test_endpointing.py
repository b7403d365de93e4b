"""What holds for every caller and every profile."""

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ari_app.speech.endpointing import (
    FRAME,
    Decision,
    Ending,
    EndOfTurn,
    Endpointer,
    Profile,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
)
from ari_app.understanding.completeness import Standing

seconds = st.floats(0.04, 3.0)
profiles = st.builds(
    lambda silence, more, longest, wordless: Profile(
        silence * 0.6,
        silence,
        silence + more,
        silence + more,
        silence + more,
        longest,
        wordless,
        0.06,
        silence * 0.3,
    ),
    seconds,
    st.floats(0, 2.0),
    st.floats(1.0, 8.0),
    st.floats(0.5, 8.0),
)
# Runs of frames that are speech or not, and words that come between them.
runs = st.lists(
    st.tuples(st.booleans(), st.integers(1, 60), st.sampled_from(["", "yes", "five", "five two"])),
    max_size=25,
)
Runs = list[tuple[bool, int, str]]
START = 50.0


def worth(text: str) -> Standing:
    """As an answer."""
    standings = {"": Standing.NOTHING, "yes": Standing.WHOLE, "five": Standing.UNFINISHED}
    return standings.get(text, Standing.POSSIBLE)


def play(profile: Profile, runs: Runs) -> tuple[list[Decision], list[float], Endpointer, float]:
    """The decisions, and the times at which voice ended."""
    endpointer = Endpointer(profile, worth)
    decisions: list[Decision | None] = []
    voiced = []
    now = START
    for is_speech, frames, text in runs:
        for _ in range(frames):
            now += FRAME
            if is_speech:
                voiced.append(now)
            decisions.append(endpointer.voice(is_speech, now))
        finish = frames % 2
        told = endpointer.piece if finish else endpointer.partial
        decisions.append(told(text, now))
    return [d for d in decisions if d is not None], voiced, endpointer, now


@given(profiles, runs)
def test_a_silence_is_never_shorter_than_the_profiles(profile: Profile, runs: Runs) -> None:
    decisions, voiced, _, _ = play(profile, runs)
    for end in decisions:
        if isinstance(end, EndOfTurn) and end.reason is Ending.SILENCE:
            assert end.at - end.speech_ended_at >= profile.whole - 1e-6
            last = max((at for at in voiced if at < end.at), default=float("-inf"))
            assert end.speech_ended_at >= last


@given(profiles, runs)
def test_starts_and_ends_alternate_and_time_never_goes_back(profile: Profile, runs: Runs) -> None:
    decisions, _, _, _ = play(profile, runs)
    turns = [d for d in decisions if isinstance(d, SpeechStarted | EndOfTurn)]
    for index, decision in enumerate(turns):
        assert isinstance(decision, EndOfTurn if index % 2 else SpeechStarted)
    for before, after in itertools.pairwise(decisions):
        if isinstance(after, SpeechPaused):
            assert not isinstance(before, EndOfTurn)
        if isinstance(after, SpeechResumed):
            assert isinstance(before, SpeechPaused)
    times = [decision.at for decision in decisions]
    assert times == sorted(times)
    for end in decisions:
        if isinstance(end, EndOfTurn):
            assert end.speech_started_at <= end.speech_ended_at <= end.at


@given(profiles, runs)
def test_no_turn_outlasts_the_longest(profile: Profile, runs: Runs) -> None:
    decisions, _, endpointer, now = play(profile, runs)
    for end in decisions:
        if isinstance(end, EndOfTurn):
            assert end.at - end.speech_started_at <= profile.longest + 2 * FRAME
    if endpointer.speaking:
        assert isinstance(endpointer.poll(now + profile.longest), EndOfTurn)
        assert not endpointer.speaking


@given(profiles, runs)
def test_speech_that_goes_on_is_never_ended_by_silence(profile: Profile, runs: Runs) -> None:
    decisions, _, _, _ = play(
        replace(profile, whole=2.0, silence=2.0, unfinished=2.0, midway=2.0, unsure=2.0),
        short_pauses(runs),
    )
    assert not [d for d in decisions if isinstance(d, EndOfTurn) and d.reason is Ending.SILENCE]


@given(profiles, runs)
def test_more_patience_never_ends_a_first_turn_earlier(profile: Profile, runs: Runs) -> None:
    patient = replace(
        profile,
        whole=profile.whole + 0.3,
        silence=profile.silence + 0.3,
        unfinished=profile.unfinished + 0.3,
        midway=profile.midway + 0.3,
        unsure=profile.unsure + 0.3,
    )
    assert first_end(profile, runs) <= first_end(patient, runs)


@given(profiles, runs, st.lists(st.floats(-5, 5), max_size=10))
def test_a_clock_that_jumps_back_changes_nothing(
    profile: Profile, runs: Runs, jumps: list[float]
) -> None:
    _, _, endpointer, now = play(profile, runs)
    latest = now
    for jump in jumps:
        before = endpointer.speaking
        decision = endpointer.poll(now + jump)
        if now + jump <= latest and not before:
            assert decision is None
        latest = max(latest, now + jump)


def short_pauses(runs: Runs) -> Runs:
    """The same caller without a pause of two seconds, speaking first and last."""
    spoken = [(is_speech, frames, text) for is_speech, frames, text in runs if is_speech]
    pauses: Runs = [(False, 40, "")] * len(spoken)
    mixed = [run for pair in zip(spoken, pauses, strict=True) for run in pair]
    return [*mixed, (True, 5, "")]


def first_end(profile: Profile, runs: Runs) -> float:
    decisions, _, endpointer, now = play(profile, runs)
    for decision in decisions:
        if isinstance(decision, EndOfTurn):
            return decision.at
    return float("inf")
