"""Parts die, hang or talk nonsense: the caller always has a way on, and no text is lost unsaid."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from unittest import mock

import pytest

from ari_app.cli.processes import Process
from ari_app.cli.stage import DID
from ari_app.conversation.events import CallEnded, HandoffRecorded, TextPromised, TextSightLost
from ari_app.conversation.message import MessageState
from ari_app.conversation.state import Conversation
from asterisk.private import PrivateAsterisk
from smpp.simulator import Smsc
from tests.support.callers import Caller, Story, kinds, only
from tests.support.faults import fault
from tests.support.house import PATIENCE, eventually
from tests.support.tcp_wire import TcpWire

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.vosk]


# -- the service ------------------------------------------------------------------------------


async def test_a_service_that_is_told_to_stop_finishes_its_calls(story: Story) -> None:
    house = story.house
    caller = await story.caller_at("what")
    stopping = asyncio.create_task(house.service.stop(60.0))
    try:
        await story.logged("draining: 1 calls")
        late = await story.caller()
        await late.dials()
        await house.user_event("SegueAppDown", Reason="overload")
        await late.hangs_up()
        await story.agrees_to_a_text(caller)
        assert await stopping == 0
    finally:
        await stopping
        await house.restart()
    assert len(await story.texts(caller)) == 1


@fault("kill -9 of the service", "the caller always has a way on")
async def test_callers_of_a_service_that_was_killed_reach_people(story: Story) -> None:
    house = story.house
    async with (
        house.dialplan_variable("SEGUE_CALL_LIMIT", "8"),
        house.dialplan_variable("SEGUE_SAY_HOLD", "beep"),
    ):
        caller = await story.caller_at("what")
        await house.kill_before_the_eyes_of_asterisk()
        try:
            following = await story.caller()
            await following.dials()
            await story.people_take_the_call("app_down")
            await following.hangs_up()

            # The one whose call was up hears silence until the limit of the dialplan.
            await story.people_take_the_call("limit")
            await caller.hangs_up()
        finally:
            await house.restart()


@fault("another program takes the ARI application", "the caller always has a way on")
async def test_a_service_that_is_replaced_by_another_ends_and_its_callers_meet_people(
    story: Story, tmp_path: Path
) -> None:
    house = story.house
    caller = await story.caller_at("what")
    config = str(house.stage.config)
    other = Process(tmp_path, "other", "run", "--config", config)
    aside = {"SEGUE_STORE__PATH": str(tmp_path / "segue.db"), "SEGUE_AGI__PORT": "0"}
    try:
        with mock.patch.dict(os.environ, aside):
            await other.start(60.0)
        await story.people_take_the_call("error")
        await caller.hangs_up()
        assert await house.service.stop(60.0) == 1
        assert "another program has taken the Stasis application" in house.news()
        assert await other.stop() == 0
    finally:
        await other.stop()
        await house.restart()


@fault("a stranger takes the ARI application", "the caller always has a way on")
async def test_callers_of_a_service_whose_name_a_stranger_took_meet_people(story: Story) -> None:
    house = story.house
    caller = await story.caller_at("what")
    try:
        async with house.thief():
            await story.people_take_the_call("error")
            assert await house.service.ended() == 1
            await caller.hangs_up()
    finally:
        await house.restart()


async def promised(story: Story) -> Caller:
    caller = await story.caller_at("what")
    await story.agrees_to_a_text(caller)
    return caller


def message_state(state: Conversation) -> MessageState:
    (message,) = state.messages.values()
    return message.state


@fault(
    "kill -9 of the service while a text is sent",
    "its fate is told as unknown, and it is never sent again",
)
async def test_a_text_whose_fate_a_crash_hid_is_called_unknown_and_not_sent_again(
    story: Story,
) -> None:
    house = story.house
    await house.handset.faults(never_answer=True)
    try:
        caller = await promised(story)

        async def taken() -> list[str]:
            return await house.texts_to(caller.number)

        await eventually(taken, "the carrier has the text, and the service does not know")
        await house.kill()
    finally:
        await house.handset.faults(never_answer=False)
        await house.restart()
    await story.state(caller, lambda s: message_state(s) is MessageState.UNKNOWN, "it is unknown")
    events = [e.event for e in await house.conversation_of(caller.number)]
    assert "while it was being sent" in only(events, TextSightLost).reason
    assert len(await taken()) == 1


@fault("kill -9 of the service while a text waits", "the next start sends it, once")
async def test_a_text_that_still_waited_when_the_service_died_is_sent_by_the_next(
    story: Story,
) -> None:
    house = story.house
    before = (await house.handset.counts()).get("SubmitSm", 0)
    await house.handset.faults(throttle_first=1_000_000)

    async def tried_again() -> bool:
        return (await house.handset.counts()).get("SubmitSm", 0) >= before + 2

    try:
        caller = await promised(story)
        await eventually(tried_again, "the carrier has said: not now, and is asked again")
        await house.kill()
    finally:
        await house.handset.faults(throttle_first=0)
        await house.restart()
    assert len(await story.texts(caller)) == 1


# -- Asterisk ---------------------------------------------------------------------------------


@fault("the websocket is cut", "calls go on, at every step of them")
async def test_a_websocket_that_is_cut_at_each_step_costs_no_call(story: Story) -> None:
    house = story.house
    ari = int(house.ari_url.rpartition(":")[2].partition("/")[0])
    async with TcpWire("127.0.0.1", ari) as wire:
        await house.restart(SEGUE_PBX__URL=wire.url)

        async def cut() -> None:
            house.news()
            wire.cut()
            await story.logged("linked to Asterisk")

        try:
            caller = await story.caller()
            await caller.dials()
            await caller.begins_to_hear("disclosure")
            await cut()
            await caller.hears("what")
            assert await caller.has_heard_all_of("disclosure")
            await cut()
            speaking = asyncio.create_task(caller.says("what are your opening hours"))
            await asyncio.sleep(0.5)
            await cut()
            await speaking
            await caller.begins_to_hear("offer_hours")
            await cut()
            await caller.presses("1")
            await caller.begins_to_hear("promised")
            await cut()
            await caller.is_hung_up()
            assert await caller.has_heard_all_of("promised")
            assert len(await story.texts(caller)) == 1
            log = kinds(await story.log(caller))
            assert log.count("CallEnded") == 1
            assert "CallResumed" not in log
        finally:
            await house.restart()


@fault("Asterisk is frozen", "its callers go on when it thaws")
async def test_calls_of_a_frozen_asterisk_go_on_when_it_thaws(story: Story) -> None:
    house = story.house
    caller = await story.caller_at("what")
    with house.frozen(house.asterisk):
        await story.logged("has sent no event for")
    await story.logged("linked to Asterisk")
    await caller.hears("what", again=1)
    await story.agrees_to_a_text(caller)
    assert len(await story.texts(caller)) == 1


@fault("Asterisk is killed", "its calls are closed in the log, and those after it are served")
async def test_calls_of_a_killed_asterisk_are_closed_and_the_next_are_served(
    story: Story, asterisk_root: Path, tmp_path: Path
) -> None:
    house = story.house
    with PrivateAsterisk(asterisk_root) as pbx:
        secret = tmp_path / "ari.secret"
        secret.touch(mode=0o600)
        secret.write_text(pbx.ari_password)
        there = {"SEGUE_PBX__URL": pbx.ari_url, "SEGUE_PBX__PASSWORD_FILE": str(secret)}
        await house.restart(**there, SEGUE_AMI__PORT="0")

        async def dials(caller: Caller) -> None:
            at = "127.0.0.1", pbx.sip_port
            await caller.phone.call(*at, DID, caller.number, deadline=PATIENCE)
            await caller.hears("disclosure", "what")

        try:
            caller = await story.caller()
            await dials(caller)
            pbx.kill()
            await story.logged("next attempt")
            pbx.start()
            await story.logged("linked to Asterisk")
            log = await story.log(caller)
            assert only(log, CallEnded).cause == "lost"
            only(log, HandoffRecorded)

            following = await story.caller()
            await dials(following)
            await story.agrees_to_a_text(following)
            assert len(await story.texts(following)) == 1
        finally:
            await house.restart()


# -- hearing ----------------------------------------------------------------------------------


@fault("the recogniser dies", "the caller goes on by keys, and is heard again soon")
async def test_a_caller_whose_recogniser_dies_is_told_of_keys_and_is_heard_again(
    story: Story,
) -> None:
    house = story.house
    caller = await story.caller_at("what")
    worker = house.asr_worker()
    os.kill(worker, signal.SIGKILL)
    await caller.hears("by_keys", "what")
    await story.state(caller, lambda s: s.hearing, "there is hearing again")
    await caller.says("what are your opening hours")
    await caller.hears("offer_hours")
    await caller.presses("1")
    await caller.hears("promised")
    await caller.is_hung_up()
    assert len(await story.texts(caller)) == 1
    log = kinds(await story.log(caller))
    assert log.index("HearingBack") > log.index("HearingLost")

    following = await story.caller_at("what")
    assert house.asr_worker() != worker
    await following.says("what are your opening hours")
    await following.hears("offer_hours")


@fault("the recogniser hangs", "the caller goes on by keys")
async def test_a_caller_whose_recogniser_hangs_goes_on_by_keys(story: Story) -> None:
    caller = await story.caller_at("what")
    with story.house.frozen(story.house.asr_worker()):
        await caller.says("what are your opening hours")
        await caller.hears("by_keys", "what")
    await story.agrees_to_a_text(caller)
    assert len(await story.texts(caller)) == 1


# -- the carrier ------------------------------------------------------------------------------


@fault("the carrier is away", "no text is offered, people take the call")
async def test_without_a_carrier_no_text_is_offered_and_people_take_the_call(
    story: Story,
) -> None:
    house = story.house
    await house.carrier_dies()
    try:
        await story.logged("the bind is down")
        caller = await story.caller_at("what")
        await caller.says("what are your opening hours")
        await caller.hears("cannot_text", "connecting")
        await story.people_take_the_call("handoff", Conversation=await story.stream(caller))
        await caller.hangs_up()
        assert TextPromised not in map(type, await story.log(caller))
    finally:
        await house.carrier_is_back()
    await story.logged("bound to")
    caller = await story.caller_at("what")
    await story.agrees_to_a_text(caller)
    assert len(await story.texts(caller)) == 1


@fault("the carrier talks nonsense", "neither call nor text is lost")
async def test_a_carrier_that_talks_nonsense_costs_neither_call_nor_text(story: Story) -> None:
    house = story.house
    secret = (house.stage.folder / "smpp.secret").read_text()
    smsc = Smsc(accounts={"segue": secret}, receipt_delay=0.1)
    await smsc.start()
    try:
        await house.restart(SEGUE_SMS__PORT=str(smsc.port))
        caller = await story.caller_at("what")
        await caller.presses("1")
        await caller.hears("offer_hours")
        for garbage in (bytes(64), b"GET / HTTP/1.1\r\n\r\n" * 4):
            binds = smsc.binds
            smsc.send_raw(garbage)

            async def bound_again(before: int = binds) -> bool:
                return smsc.binds > before and bool(smsc.connections)

            await eventually(bound_again, "the service binds again")
        await story.logged("bound to")
        await caller.presses("1")
        await caller.hears("promised")
        await caller.is_hung_up()
        (text,) = await smsc.wait_accepted(1, 40.0)
        assert text.recipient == caller.number.lstrip("+")
    finally:
        await house.restart()
        await smsc.aclose()


# -- audio ------------------------------------------------------------------------------------


@fault("garbage on the audio port", "it is counted, the call goes on")
async def test_garbage_on_the_audio_port_is_counted_and_the_call_goes_on(story: Story) -> None:
    caller = await story.caller_at("what")
    (port,) = story.house.rtp_ports()
    rtp = b"\x80\x00\x00\x01\x00\x00\x00\x00\x12\x34\x56\x78" + bytes(160)
    garbage = [os.urandom(size) for size in (1, 11, 12, 172, 1400)]
    garbage += [b"", rtp, rtp[:7], rtp[:12], b"\xff" * 172, bytes(9000)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for datagram in garbage:
            stranger.sendto(datagram, ("127.0.0.1", port))
    await caller.says("what are your opening hours")
    await caller.hears("offer_hours")
    await caller.presses("1")
    await caller.hears("promised")
    await caller.is_hung_up()
    assert len(await story.texts(caller)) == 1
    assert only(await story.log(caller), CallEnded).statistics["refused"] == len(garbage)
