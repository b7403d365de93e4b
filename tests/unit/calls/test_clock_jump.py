"""The wall clock is set anew while a call is up."""

from __future__ import annotations

import pytest

from ari_app.conversation.events import CallerSilent
from ari_app.conversation.state import fold
from tests.support.faults import fault
from tests.unit.calls.call_story import CallStory, kinds

HOUR = 3600.0


@fault("the clock jumps a day ahead and an hour back", "calls go on as if nothing had happened")
@pytest.mark.parametrize("jump", [-HOUR, -1.0, 1.0, 24 * HOUR])
async def test_a_call_goes_on_when_the_clock_jumps(story: CallStory, jump: float) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.clock.jump(jump)
    story.says("what are your opening hours")
    await story.hears_out("offer_hours")
    story.clock.jump(-2 * jump)
    story.says("yes please")
    await story.hears_out("promised")
    await story.is_over()

    log = await story.log()
    assert CallerSilent not in map(type, log)
    assert kinds(log)[-3:] == ["CallLeft", "CallEnded", "HandoffRecorded"]
    (stream, _), *_others = await story.store.recent(1)
    state = fold(await story.store.read(stream))
    assert state.on_the_line is None
    assert list(state.consent) == ["texts"]


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
async def test_how_long_a_caller_may_be_silent_is_no_matter_of_the_wall_clock(
    story: CallStory, jump: float
) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.clock.jump(jump)
    story.is_silent()
    await story.hears("still_there")
