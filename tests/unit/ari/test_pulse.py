"""When to ask the event stream for a sign of life, and when it is dead."""

from __future__ import annotations

import pytest

from ari_app.ari.pulse import Beat, Pulse

PATIENCE = 4.0
LOOK = 0.2


class Watch:
    """Somebody who looks five times a second, and writes down what is to be done."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pulse = Pulse(PATIENCE, self.now)
        self.beats: list[tuple[float, Beat]] = []

    def passes(self, seconds: float, *, heard_every: float | None = None) -> None:
        end, next_event = self.now + seconds, self.now
        while self.now < end - 1e-9:
            self.now += LOOK
            if heard_every is not None and self.now >= next_event:
                self.pulse.heard(self.now)
                next_event += heard_every
            beat = self.pulse.look(self.now)
            if beat is not Beat.WAIT:
                self.beats.append((round(self.now - 1000.0, 1), beat))

    def kinds(self) -> set[Beat]:
        return {beat for _, beat in self.beats}


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_a_sign_of_life_is_asked_for_twice_in_each_patience(watch: Watch) -> None:
    watch.passes(8.0, heard_every=0.5)
    assert watch.beats == [(2.0, Beat.ASK), (4.0, Beat.ASK), (6.0, Beat.ASK), (8.0, Beat.ASK)]


def test_silence_for_the_whole_patience_is_death(watch: Watch) -> None:
    watch.passes(PATIENCE)
    assert watch.beats == [(2.0, Beat.ASK), (4.0, Beat.DEAD)]


def test_one_event_in_each_patience_is_life(watch: Watch) -> None:
    watch.passes(60.0, heard_every=PATIENCE - 2 * LOOK)
    assert watch.kinds() == {Beat.ASK}


def test_a_stream_that_stops_late_dies_a_patience_after_its_last_event(watch: Watch) -> None:
    watch.passes(10.0, heard_every=LOOK)
    watch.passes(10.0)
    first = next(at for at, beat in watch.beats if beat is Beat.DEAD)
    assert PATIENCE <= first - 10.0 <= PATIENCE + LOOK


def test_when_we_were_away_ourselves_nobody_is_dead_for_it(watch: Watch) -> None:
    watch.passes(1.0, heard_every=LOOK)
    watch.now += 30.0  # the process was stopped, or its loop blocked
    watch.passes(1.0)
    assert Beat.DEAD not in watch.kinds()
    watch.passes(PATIENCE)
    assert Beat.DEAD in watch.kinds()  # but what stays silent afterwards is
