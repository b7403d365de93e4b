"""What a probe refuses to try, before any packet is sent."""

from __future__ import annotations

import numpy as np
import pytest

from ari_app.agent.turn import Agent
from ari_app.errors import SettingsError, Unavailable
from ari_app.phone.probe import Pcm, Probe, Script
from ari_app.ports import AS_USUAL, Delivery, Prompt
from tests.support.bundle import demo_bundle, demo_intents
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter

KEY = b"k" * 32


class Mute:
    """Both voices, for a call that is never placed."""

    async def speak(self, text: str, language: str, delivery: Delivery = AS_USUAL) -> bytes:
        return b"\xff" * 800

    async def prompt(self, text: str, language: str, delivery: Delivery = AS_USUAL) -> Prompt:
        return Prompt(await self.speak(text, language))

    async def synthesize(self, text: str, voice: str = "", variant: str | None = None) -> Pcm:
        return np.zeros(800, np.int16)


def probe(
    *lines: str,
    meter: RecordingMeter | None = None,
    sip: str = "127.0.0.1:9",
    number: str = "+15550100",
    may_text: bool = False,
) -> Probe:
    script = Script(sip, number, "+12025550190", lines, may_text=may_text)
    agent = Agent(demo_bundle(), demo_intents(), FakeClock(), lambda: True)
    return Probe(
        script, agent, Mute(), Mute(), None, "subj_x", FakeClock(), meter or RecordingMeter()
    )


async def refused(tried: Probe) -> str:
    with pytest.raises((SettingsError, Unavailable)) as error:
        await tried.run_once()
    return str(error.value)


async def test_words_that_lead_to_a_text_are_not_said_unless_that_is_allowed() -> None:
    lines = ("what are your opening hours", "yes please", "yes please")
    assert "lead to a text" in await refused(probe(*lines))
    assert probe(*lines, may_text=True).rehearsed().texts == 1


async def test_words_that_the_policy_does_not_know_are_not_said() -> None:
    assert "understands nothing in" in await refused(probe("purple elephants waltz sideways"))


async def test_a_number_and_words_are_needed() -> None:
    assert "[probe] number" in await refused(probe("1", number=""))
    assert "[probe] say" in await refused(probe())


@pytest.mark.parametrize("sip", ["nonsense", "host:", ":5060", "host:0", "host:70000", "host:x"])
async def test_an_address_that_is_none_is_refused(sip: str) -> None:
    assert "must be host:port" in await refused(probe("1", sip=sip))


async def test_a_host_that_does_not_exist_is_named() -> None:
    assert "no-such-host.invalid" in await refused(probe("1", sip="no-such-host.invalid:5060"))


async def test_a_probe_that_could_not_be_tried_is_counted_and_says_nothing_of_health() -> None:
    meter = RecordingMeter()
    await refused(probe("1", sip="nonsense", meter=meter))
    assert meter.counts["segue_probe_runs_total", "not run"] == 1
    assert ("segue_probe_ok",) not in meter.gauges


def test_all_synthetic_calls_are_one_subject() -> None:
    script = Script("h:1", "1", "+12025550190", ("1",))
    assert script.subject(KEY) == script.subject(KEY)
    assert script.subject(KEY) != script.subject(b"j" * 32)
    with pytest.raises(SettingsError, match=r"\[probe\] caller"):
        Script("h:1", "1", "anonymous", ("1",)).subject(KEY)
