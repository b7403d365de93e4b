"""Hours, a menu of keys, and nobody there: on a real call, by real keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime

import numpy as np
import pytest

from ari_app.phone.call import Phone, Side
from asterisk.private import PrivateAsterisk
from tests.dialplan.application import forgotten, registered
from tests.dialplan.fastagi import fastagi
from tests.support.pbx import Ami, AmiEvent, eventually, setting

NUMBER = "7005"  # of the carrier's, for this file
ALWAYS, NEVER = "*,*,*,*", "*,*,30,feb"
PATIENCE = 20.0

Dial = Callable[[str], Awaitable[Phone]]


@contextmanager
def leads_to(pbx: PrivateAsterisk, target: str) -> Iterator[None]:
    """The number goes to context,extension,priority."""
    pbx.cli(f"dialplan add extension {NUMBER},1,Goto,{target} into from-carrier")
    try:
        yield
    finally:
        pbx.cli(f"dialplan remove extension {NUMBER}@from-carrier")


@pytest.fixture
async def dial(pbx: PrivateAsterisk) -> AsyncIterator[Dial]:
    """A phone on a call that began at a target of the dialplan, and has been answered."""
    async with AsyncExitStack() as stack:

        async def call(target: str) -> Phone:
            stack.enter_context(leads_to(pbx, target))
            phone = await stack.enter_async_context(await Phone.open())
            await phone.call("127.0.0.1", pbx.sip_port, NUMBER)
            return phone

        yield call


async def told(ami: Ami, name: str) -> AmiEvent:
    return await asyncio.to_thread(ami.user_event, name)


# -- hours ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("hours", "closed", "is_open"),
    [
        (ALWAYS, NEVER, True),
        (NEVER, NEVER, False),
        (f"{NEVER}&{NEVER}&{ALWAYS}", NEVER, True),
        (ALWAYS, ALWAYS, False),
        (ALWAYS, f"{NEVER}&{ALWAYS}", False),
    ],
)
def test_outside_the_hours_a_hand_off_meets_nobody(
    pbx: PrivateAsterisk, ami: Ami, hours: str, closed: str, is_open: bool
) -> None:
    with setting(pbx, "SEGUE_HOURS", hours), setting(pbx, "SEGUE_CLOSED", closed):
        pbx.cli("channel originate Local/s@to-people/n application Wait 60")
        ami.user_event("FakePersonAnswered" if is_open else "SegueAfterHours")
    assert ami.saw_user_event("SegueAfterHours") is not is_open


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_hours_are_those_of_their_time_zone(pbx: PrivateAsterisk, ami: Ami, zone: str) -> None:
    now = datetime.now(UTC).hour
    # An hour to either side, so that the test may run at the end of one; not over midnight.
    first, last = max(now - 1, 0), min(now + 1, 23)
    with setting(pbx, "SEGUE_HOURS", f"{first:02}:00-{last:02}:59,*,*,*,{zone}"):
        pbx.cli("channel originate Local/s@to-people/n application Wait 60")
        ami.user_event("FakePersonAnswered" if zone == "UTC" else "SegueAfterHours")


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(("hours", "event"), [(ALWAYS, "SegueAppDown"), (NEVER, "SegueAfterHours")])
async def test_a_site_may_keep_hours_at_its_door(
    pbx: PrivateAsterisk, ami: Ami, dial: Dial, hours: str, event: str
) -> None:
    with setting(pbx, "SEGUE_HOURS", hours):
        await dial("by-hours,1000,1")
        await told(ami, event)
    assert ami.saw_user_event("SegueAppDown") is (hours == ALWAYS)


# -- a static menu ----------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "topic"), [("1", "reschedule"), ("2", "hours")])
async def test_a_key_of_the_menu_brings_its_topic_to_the_application(
    pbx: PrivateAsterisk, ami: Ami, dial: Dial, key: str, topic: str
) -> None:
    async with registered(pbx) as application:
        phone = await dial("static-menu,+33123456789,1")
        await phone.press(key)
        start = await application.event("StasisStart")
        assert start["args"][:2] == ["inbound", "+33123456789"]
        assert await application.get(start["channel"]["id"], "SEGUE_TOPIC") == topic
    forgotten(pbx)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("keys", ["0", "7770", "9#0"])
async def test_who_wants_a_person_or_presses_wrong_keys_meets_people(
    pbx: PrivateAsterisk, ami: Ami, dial: Dial, keys: str
) -> None:
    phone = await dial("static-menu,1000,1")
    for key in keys:
        await phone.press(key)
        await asyncio.sleep(0.7)  # a person waits for the menu to begin again
        if ami.saw_user_event("SegueToPeople"):
            break
    assert (await told(ami, "SegueToPeople"))["Reason"] == "menu"


@pytest.mark.usefixtures("hurried")
async def test_who_presses_nothing_hears_the_menu_three_times_and_meets_people(
    pbx: PrivateAsterisk, ami: Ami, dial: Dial
) -> None:
    before = pbx.log.read_text().count("Executing [s@menu-keys:4] BackGround")
    await dial("static-menu,1000,1")
    assert (await told(ami, "SegueToPeople"))["Reason"] == "menu"
    shown = pbx.log.read_text().count("Executing [s@menu-keys:4] BackGround")
    assert shown == before + 3


@pytest.mark.parametrize("topic", ["", 'x"; Hangup', "UPPER"])
async def test_a_topic_is_filtered_before_anybody_uses_it(
    pbx: PrivateAsterisk, ami: Ami, dial: Dial, topic: str
) -> None:
    async with registered(pbx) as application:
        with setting(pbx, "SEGUE_MENU_1", topic or "-"):
            phone = await dial("static-menu,1000,1")
            await phone.press("1")
            channel = (await application.event("StasisStart"))["channel"]["id"]
        said = await application.get(channel, "SEGUE_TOPIC")
        assert not set(said) - set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    forgotten(pbx)


# -- nobody there -----------------------------------------------------------------------------


async def apologises_and_ends(phone: Phone) -> None:
    await phone.until_prompt(PATIENCE)
    assert (await phone.until_ended(PATIENCE)).by is Side.FAR_END


async def test_by_default_who_meets_nobody_hears_an_apology(ami: Ami, dial: Dial) -> None:
    await apologises_and_ends(await dial("nobody-there,s,1"))
    assert not ami.saw_user_event("SegueCallbackOffered")


async def test_a_caller_presses_1_and_is_promised_a_call_back(
    pbx: PrivateAsterisk, ami: Ami, dial: Dial
) -> None:
    promise = ('SET VARIABLE SEGUE_CALLBACK "promised"',)
    with setting(pbx, "SEGUE_NOBODY", "callback"), fastagi(pbx, *promise) as asked:
        before = pbx.log.read_text().count("Playing 'please-try-call-later")
        phone = await dial("nobody-there,s,1")
        await phone.press("1")
        assert (await told(ami, "SegueCallback"))["Outcome"] == "promised"
        assert (await phone.until_ended(PATIENCE)).by is Side.FAR_END
        assert asked.is_set()
    assert pbx.log.read_text().count("Playing 'please-try-call-later") == before


async def test_a_call_back_that_cannot_be_promised_is_not(
    pbx: PrivateAsterisk, ami: Ami, dial: Dial
) -> None:
    with setting(pbx, "SEGUE_NOBODY", "callback"):  # and no server
        phone = await dial("nobody-there,s,1")
        await phone.press("1")
        assert (await told(ami, "SegueCallback"))["Outcome"] == "unknown"
        await apologises_and_ends(phone)


async def test_a_caller_leaves_a_message_in_the_mailbox_of_the_site(
    pbx: PrivateAsterisk, ami: Ami, dial: Dial
) -> None:
    if "VoiceMail" not in pbx.cli("core show application VoiceMail").replace("Your", ""):
        pytest.skip("this Asterisk has no app_voicemail")
    phone = await dial("to-voicemail,s,1")
    await told(ami, "SegueVoicemail")
    await phone.until_quiet(silence=0.3, deadline=PATIENCE)
    await phone.press("#")  # enough of the instructions
    tone = (8000 * np.sin(np.arange(24000) / 3)).astype(np.int16)
    await phone.say(tone)
    await phone.hang_up()
    inbox = pbx.home / "spool/voicemail/default/600/INBOX"
    await asyncio.to_thread(eventually, lambda: list(inbox.glob("*.wav")), "a message is there")


async def test_without_a_mailbox_a_caller_hears_an_apology(
    pbx: PrivateAsterisk, ami: Ami, dial: Dial
) -> None:
    with setting(pbx, "SEGUE_NOBODY", "voicemail"), setting(pbx, "SEGUE_MAILBOX", "999@nowhere"):
        await apologises_and_ends(await dial("nobody-there,s,1"))


@pytest.mark.parametrize("key", ["", "5"])
async def test_who_does_not_want_to_be_called_back_is_not(
    pbx: PrivateAsterisk, ami: Ami, dial: Dial, key: str
) -> None:
    with setting(pbx, "SEGUE_NOBODY", "callback"):
        phone = await dial("nobody-there,s,1")
        await told(ami, "SegueCallbackOffered")
        if key:
            await phone.press(key)
        await apologises_and_ends(phone)
    assert not ami.saw_user_event("SegueCallback")
