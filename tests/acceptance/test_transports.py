"""Whole calls by other ways: requests by HTTP only, Debian's Asterisk 16, audio by a websocket."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.cli.stage import DID
from asterisk.private import PrivateAsterisk
from tests.support.callers import Story
from tests.support.house import PATIENCE
from tests.support.old_pbx import old_root_or_skip

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.vosk]


async def test_a_call_becomes_a_text_with_rest_over_websocket_switched_off(story: Story) -> None:
    house = story.house
    await house.restart(SEGUE_PBX__TRANSPORT="http")
    try:
        assert "requests over HTTP" in house.all_news()
        caller = await story.caller_at("what")
        await caller.says("what are your opening hours")
        await caller.hears("offer_hours")
        await caller.presses("1")
        await caller.hears("promised")
        await caller.is_hung_up()
        assert len(await story.texts(caller)) == 1
    finally:
        await house.restart()


async def test_a_call_becomes_a_text_on_asterisk_16(story: Story, tmp_path: Path) -> None:
    house = story.house
    with PrivateAsterisk(old_root_or_skip()) as pbx:
        secret = tmp_path / "ari.secret"
        secret.touch(mode=0o600)
        secret.write_text(pbx.ari_password)
        there = {"SEGUE_PBX__URL": pbx.ari_url, "SEGUE_PBX__PASSWORD_FILE": str(secret)}
        await house.restart(**there, SEGUE_AMI__PORT="0")
        try:
            assert "requests over HTTP" in house.all_news()
            caller = await story.caller()
            at = "127.0.0.1", pbx.sip_port
            await caller.phone.call(*at, DID, caller.number, deadline=PATIENCE)
            await caller.hears("disclosure", "what")
            await caller.says("what are your opening hours")
            await caller.hears("offer_hours")
            await caller.presses("1")
            await caller.hears("promised")
            await caller.is_hung_up()
            assert len(await story.texts(caller)) == 1

            # ... and there too a call is taken over from a service that died.
            caller = await story.caller()
            await caller.phone.call(*at, DID, caller.number, deadline=PATIENCE)
            await caller.hears("disclosure", "what")
            await house.kill()
            await house.restart(**there, SEGUE_AMI__PORT="0")
            await caller.hears("what")
            await story.agrees_to_a_text(caller)
        finally:
            await house.restart()


async def test_a_call_becomes_a_text_with_its_audio_over_a_websocket(story: Story) -> None:
    house = story.house
    await house.ari("POST", "asterisk/modules/chan_websocket.so")
    await house.restart(SEGUE_MEDIA__TRANSPORT="websocket")
    try:
        caller = await story.caller_at("what")
        await caller.says("what are your opening hours")
        await caller.hears("offer_hours")
        await caller.presses("1")
        await caller.hears("promised")
        await caller.is_hung_up()
        assert len(await story.texts(caller)) == 1
    finally:
        await house.restart()
