"""The real dialplan asks the FastAGI server about a real caller."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ari_app.agi.server import AgiServer
from ari_app.phone.call import Phone
from asterisk.private import PrivateAsterisk
from tests.support.pbx import Ami, hang_up_everything

DID = "7001"


@pytest.fixture
def asking(pbx: PrivateAsterisk) -> Iterator[str]:
    """A number of the carrier's whose callers are asked about."""
    pbx.cli(f"dialplan add extension {DID},1,Goto,text-if-allowed,1000,1 into from-carrier")
    yield DID
    pbx.cli(f"dialplan remove extension {DID}@from-carrier")
    hang_up_everything(pbx)


@pytest.mark.parametrize(
    ("caller", "word", "heard"),
    [
        ("+15551230000", "granted", "granted"),
        ("+15551230001", "denied", "denied"),
        ("+15551230002", "maybe", "unknown"),
        ("", "unknown", "unknown"),
    ],
)
async def test_the_dialplan_hears_what_the_application_knows(
    pbx: PrivateAsterisk, asking: str, caller: str, word: str, heard: str
) -> None:
    asked: list[tuple[str, str]] = []

    async def consent(caller: str, did: str) -> str:
        asked.append((caller, did))
        return word

    host, _, port = pbx.agi.partition(":")
    server = AgiServer(host, int(port), {"consent": consent})
    await server.start()
    try:
        with Ami(pbx) as ami:
            async with await Phone.open() as phone:
                await phone.call("127.0.0.1", pbx.sip_port, asking, caller=caller)
                event = await asyncio.to_thread(ami.user_event, "SegueConsent")
    finally:
        await server.aclose()

    assert event["Consent"] == heard
    assert asked == [(caller, asking)]
