"""The simulated caller on a real Asterisk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from ari_app.phone.call import Phone, Side
from ari_app.phone.errors import CallEnded, CallRefused, NoAnswer, NothingHeard
from asterisk.private import PrivateAsterisk
from tests.support.pbx import Ami, hang_up_everything

PATIENCE = 10.0

# Far ends that the tests stand up in the running dialplan: number -> applications.
FAR_ENDS = {
    "7101": ["Answer", "Echo"],
    "7102": ["Answer", "Playback,hello", "Hangup"],
    "7103": ["Busy"],
    "7104": ["Wait,60"],
    "7105": ["Answer", "WaitExten,10"],
    "1*9": ["UserEvent,Keys,Keys: ${EXTEN}", "Hangup"],
    "7106": ["Ringing", "Wait,60"],
    "7107": ["Congestion"],
}


@pytest.fixture(scope="module")
def far_ends(pbx: PrivateAsterisk) -> Iterator[PrivateAsterisk]:
    for number, applications in FAR_ENDS.items():
        for priority, application in enumerate(applications, start=1):
            pbx.cli(f'dialplan add extension {number},{priority},"{application}" into from-carrier')
    yield pbx
    hang_up_everything(pbx)
    for number in FAR_ENDS:
        pbx.cli(f"dialplan remove extension {number}@from-carrier")


def speech(seconds: float = 1.5) -> npt.NDArray[np.int16]:
    """A chirp: unlike itself at every other place, so a correlation finds it once."""
    t = np.arange(int(seconds * 8000)) / 8000
    return (8000 * np.sin(2 * np.pi * (300 + 400 * t) * t)).astype(np.int16)


def correlation(heard: npt.NDArray[np.int16], said: npt.NDArray[np.int16]) -> float:
    """How alike what was said and the best place in what was heard are, -1 to 1."""
    a, b = heard.astype(float), said.astype(float)
    at = int(np.argmax(np.correlate(a, b, "valid")))
    return float(np.corrcoef(a[at : at + len(b)], b)[0, 1])


def channels(pbx: PrivateAsterisk) -> str:
    return pbx.cli("core show channels count")


async def no_channel_is_left(pbx: PrivateAsterisk) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if "0 active channels" in await asyncio.to_thread(channels, pbx):
                return


async def test_a_phone_hears_its_own_words_from_an_echo(far_ends: PrivateAsterisk) -> None:
    said = speech()
    async with await Phone.open() as phone:
        await phone.call("127.0.0.1", far_ends.sip_port, "7101")
        began = time.monotonic()
        ended = await phone.say(said)
        began_to_hear = await phone.until_prompt(PATIENCE, since=began)
        heard_last = await phone.until_quiet(0.2, PATIENCE, since=began)

        # The last packet goes out one packet time before the speech's length is over.
        assert ended - began == pytest.approx(1.5 - 0.02, abs=0.1)
        assert phone.first_voice_after(began) == began_to_hear
        assert began_to_hear - began < 0.2
        assert heard_last - ended < 0.2
        assert correlation(phone.heard(), said) > 0.99
        assert phone.worst_lateness < 0.2


async def test_silence_is_sent_without_a_break(far_ends: PrivateAsterisk) -> None:
    async with await Phone.open() as phone:
        await phone.call("127.0.0.1", far_ends.sip_port, "7101")
        with pytest.raises(NothingHeard, match="no prompt"):
            await phone.until_prompt(1.0)

        # The echo returns each packet, so their spacing is the phone's own.
        assert len(phone.packets) >= 40
        sequences = [packet.sequence for _, packet in phone.packets]
        steps = {(b - a) & 0xFFFF for a, b in zip(sequences, sequences[1:], strict=False)}
        assert steps == {1}


async def test_keys_arrive(far_ends: PrivateAsterisk) -> None:
    with Ami(far_ends) as ami:
        async with await Phone.open() as phone:
            await phone.call("127.0.0.1", far_ends.sip_port, "7105")
            for key in "1*9":
                await phone.press(key)
            event = await asyncio.to_thread(ami.user_event, "Keys")
            assert event["Keys"] == "1*9"
            assert (await phone.until_ended(PATIENCE)).by is Side.FAR_END


async def test_a_prompt_is_heard_from_its_beginning_to_its_end(
    far_ends: PrivateAsterisk,
) -> None:
    async with await Phone.open() as phone:
        await phone.call("127.0.0.1", far_ends.sip_port, "7102")
        began = await phone.until_prompt(PATIENCE)
        ended = await phone.until_quiet(0.6, PATIENCE)
        assert 0.3 < ended - began < 3

        ending = await phone.until_ended(PATIENCE)

        assert ending.by is Side.FAR_END
        assert "cause=16" in ending.reason
        with pytest.raises(CallEnded):
            await phone.say(speech())
        with pytest.raises(CallEnded):
            await phone.until_prompt(PATIENCE)


async def test_a_caller_who_hangs_up_leaves_nothing_behind(far_ends: PrivateAsterisk) -> None:
    async with await Phone.open() as phone:
        await phone.call("127.0.0.1", far_ends.sip_port, "7101")
        speaking = phone.send_audio(speech(30))
        await phone.hang_up()

        assert phone.ending is not None
        assert phone.ending.by is Side.PHONE
        with pytest.raises(CallEnded):
            await speaking
        await phone.hang_up()
    await no_channel_is_left(far_ends)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_hangs_up(far_ends: PrivateAsterisk) -> None:
    phone = await Phone.open()
    await phone.call("127.0.0.1", far_ends.sip_port, "7101")
    await phone.aclose()
    await phone.aclose()
    await no_channel_is_left(far_ends)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(("number", "status"), [("7103", 486), ("7107", 503), ("nonesuch", 404)])
async def test_a_refused_call_says_with_what_status(
    far_ends: PrivateAsterisk, number: str, status: int
) -> None:
    async with await Phone.open() as phone:
        with pytest.raises(CallRefused) as refused:
            await phone.call("127.0.0.1", far_ends.sip_port, number)
        assert refused.value.status == status
        assert not phone.up


@pytest.mark.parametrize("number", ["7104", "7106"], ids=["trying", "ringing"])
async def test_a_call_that_nobody_answers_is_cancelled(
    far_ends: PrivateAsterisk, number: str
) -> None:
    async with await Phone.open() as phone:
        with pytest.raises(NoAnswer):
            await phone.call("127.0.0.1", far_ends.sip_port, number, deadline=0.5)
        await no_channel_is_left(far_ends)


async def test_a_call_whose_task_is_cancelled_is_cancelled_too(far_ends: PrivateAsterisk) -> None:
    async with await Phone.open() as phone:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await phone.call("127.0.0.1", far_ends.sip_port, "7106", deadline=60)
    await no_channel_is_left(far_ends)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_many_phones_speak_at_once(far_ends: PrivateAsterisk) -> None:
    said = speech(0.5)

    async def one() -> float:
        async with await Phone.open() as phone:
            await phone.call("127.0.0.1", far_ends.sip_port, "7101")
            began = time.monotonic()
            await phone.say(said)
            await phone.until_quiet(0.2, PATIENCE, since=began)
            return correlation(phone.heard(), said)

    alike = await asyncio.gather(*(one() for _ in range(10)))
    assert min(alike) > 0.99
