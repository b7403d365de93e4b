"""The page of the simulated SMSC: through its JSON, and in a real browser if there is one."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ari_app.cli.smsc_page import Page
from ari_app.errors import SettingsError
from smpp.simulator import Smsc
from tests.support.browser import Browser, chromium, showing
from tests.support.raw_esme import RawEsme, bound
from tests.support.wait import until

BOB = "33123456789"


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    smsc = Smsc(retry_delay=0.01)
    await smsc.start()
    yield smsc
    await smsc.aclose()


@pytest.fixture
async def page(smsc: Smsc) -> AsyncIterator[Page]:
    page = Page(smsc)
    await page.start()
    yield page
    await page.aclose()


@pytest.fixture
async def http(page: Page) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{page.port}") as http:
        yield http


@pytest.fixture
async def esme(smsc: Smsc) -> AsyncIterator[RawEsme]:
    async with bound(smsc.port) as esme:
        yield esme


async def state(http: aiohttp.ClientSession, **asked: str) -> dict[str, Any]:
    async with http.get("/api/state", params=asked) as answer:
        found = await answer.json()
        assert isinstance(found, dict)
        return found


async def ask(http: aiohttp.ClientSession, **request: object) -> dict[str, Any]:
    async with http.post("/api/do", json=request) as answer:
        found = await answer.json()
        assert isinstance(found, dict)
        return found


# -- what it shows ----------------------------------------------------------------------------


async def test_a_text_and_its_state_are_shown_on_its_handset(
    http: aiohttp.ClientSession, esme: RawEsme
) -> None:
    await esme.submit("déjà vu".encode("latin-1"), data_coding=3, registered_delivery=1)
    await esme.delivered()
    shown = await state(http, handset=f"+{BOB}")
    assert [(one["number"], one["last"]) for one in shown["handsets"]] == [(BOB, "déjà vu")]
    (bubble,) = shown["bubbles"]
    assert (bubble["text"], bubble["state"], bubble["other"]) == ("déjà vu", "DELIVRD", "36200")
    assert shown["binds"] == [{"number": 1, "system_id": "segue", "mode": "bind_transceiver"}]
    assert shown["counts"]["SubmitSm"] == 1


async def test_an_answer_of_the_handset_reaches_the_esme(
    http: aiohttp.ClientSession, esme: RawEsme
) -> None:
    sending = asyncio.create_task(
        ask(http, **{"do": "mo", "from": "+" + BOB, "to": "36200", "text": "2"})
    )
    assert (await esme.delivered()).short_message == b"2"
    assert await sending == {"ok": True, "status": 0}
    (bubble,) = (await state(http, handset=BOB))["bubbles"]
    assert (bubble["outgoing"], bubble["state"]) == (True, "")


async def test_switches_are_listed_thrown_and_refused(
    smsc: Smsc, http: aiohttp.ClientSession
) -> None:
    async with http.get("/api/switches") as answer:
        rows = await answer.json()
    assert {row["name"] for row in rows} == set((await state(http))["faults"])
    assert (await ask(http, do="faults", hex_ids=True))["ok"]
    assert smsc.faults.hex_ids
    refused = await ask(http, do="faults", hex_ids="perhaps")
    assert not refused["ok"]
    assert "yes or no" in refused["error"]


async def test_who_waits_is_told_as_soon_as_something_happens(
    page: Page, http: aiohttp.ClientSession, esme: RawEsme
) -> None:
    seen = str((await state(http))["revision"])
    waiting = asyncio.create_task(state(http, since=seen))
    await until(lambda: page.waiting == 1)
    await esme.submit()
    async with asyncio.timeout(5.0):
        assert (await waiting)["counts"]["SubmitSm"] == 1


async def test_who_waits_is_sent_home_when_nothing_happens_or_it_ends(
    smsc: Smsc, page: Page, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = str((await state(http))["revision"])
    monkeypatch.setattr("ari_app.cli.smsc_page._PATIENCE", 0.02)
    assert str((await state(http, since=seen))["revision"]) == seen
    monkeypatch.undo()
    waiting = asyncio.create_task(state(http, since=seen))
    await until(lambda: page.waiting == 1)
    async with asyncio.timeout(5.0):
        await page.aclose()
        await waiting


# -- who may ask ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:1"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
    ids=str,
)
async def test_another_page_can_switch_nothing(
    smsc: Smsc, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    body = json.dumps({"do": "faults", "hex_ids": True})
    sent = {"Content-Type": "application/json", **headers}
    async with http.post("/api/do", data=body, headers=sent) as answer:
        assert answer.status == 403
    assert not smsc.faults.hex_ids


async def test_another_page_can_read_nothing(http: aiohttp.ClientSession) -> None:
    for headers in ({"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        async with http.get("/api/state", headers=headers) as answer:
            assert answer.status == 403


async def test_its_own_page_may_ask(page: Page, http: aiohttp.ClientSession) -> None:
    own = {"Origin": f"http://127.0.0.1:{page.port}", "Sec-Fetch-Site": "same-origin"}
    async with http.post("/api/do", json={"do": "counts"}, headers=own) as answer:
        assert (await answer.json())["ok"]


async def test_it_listens_on_this_machine_only(smsc: Smsc) -> None:
    with pytest.raises(SettingsError, match="loopback only"):
        await Page(smsc).start("0.0.0.0")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"2"])
async def test_what_is_no_command_is_refused(http: aiohttp.ClientSession, body: bytes) -> None:
    async with http.post(
        "/api/do", data=body, headers={"Content-Type": "application/json"}
    ) as answer:
        assert answer.status == 400
    assert await ask(http, do="dance") == {"ok": False, "error": "no such command"}


async def test_a_request_without_end_is_refused(http: aiohttp.ClientSession) -> None:
    async with http.post("/api/do", json={"do": "mo", "text": "x" * 100_000}) as answer:
        assert answer.status == 413


async def test_only_its_own_script_may_run_and_it_needs_no_network(
    http: aiohttp.ClientSession,
) -> None:
    async with http.get("/") as answer:
        policy, html = answer.headers["Content-Security-Policy"], await answer.text()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in html
    assert "https://" not in html


# -- in a browser -----------------------------------------------------------------------------


@pytest.fixture
async def browser(page: Page, tmp_path: Path) -> AsyncIterator[Browser]:
    if chromium() is None:
        pytest.skip("no Chromium on this machine: install chromium, or set SEGUE_CHROMIUM")
    async with showing(f"http://127.0.0.1:{page.port}/", tmp_path / "profile") as browser:
        # The last thing that its script does at the start.
        await browser.until("document.readyState === 'complete' && rows.length > 0")
        yield browser
        assert browser.complaints == []


async def test_a_person_watches_and_answers_as_the_handset(
    smsc: Smsc, esme: RawEsme, browser: Browser
) -> None:
    evil = "<img src=x onerror=document.title='owned'> & é €"
    await esme.submit(evil.encode("utf-16-be"), data_coding=8, registered_delivery=1)
    await esme.delivered()
    shown = await browser.until("document.querySelector('#bubbles li.DELIVRD')?.textContent")
    assert shown.startswith(evil)
    assert await browser.evaluate("document.title") == "Simulated SMSC"

    await browser.until("document.getElementById('to').value === '36200'")
    await browser.evaluate(
        "document.getElementById('text').value = 'yes please';"
        "document.querySelector('#write button').click()"
    )
    came = await esme.delivered()
    assert (came.short_message, came.source.digits) == (b"yes please", BOB)
    await browser.until(
        "document.querySelector('#bubbles li.outgoing')?.textContent.includes('taken by the ESME')"
    )
    if file := os.environ.get("SEGUE_SCREENSHOT"):
        await asyncio.to_thread(Path(file).write_bytes, await browser.picture())


async def test_a_person_throws_switches_and_sees_those_that_others_throw(
    smsc: Smsc, browser: Browser
) -> None:
    await browser.evaluate("document.getElementById('fault-hex_ids').click()")
    await until(lambda: smsc.faults.hex_ids)
    await browser.until("!!document.querySelector('label.changed > #fault-hex_ids')")
    await browser.evaluate(
        "(() => { const one = document.getElementById('fault-throttle_above');"
        "one.value = '2.5'; one.dispatchEvent(new Event('change')); })()"
    )
    await until(lambda: smsc.faults.throttle_above == 2.5)
    smsc.change_faults({"receipt_form": "words"})
    await browser.until("document.getElementById('fault-receipt_form').value === 'words'")
    await browser.evaluate(
        "(() => { const one = document.getElementById('fault-receipt_delay');"
        "one.value = 'soon'; one.dispatchEvent(new Event('change')); })()"
    )
    assert "a delay is" in await browser.until("document.getElementById('said').textContent")


async def test_a_person_drops_the_connections(smsc: Smsc, esme: RawEsme, browser: Browser) -> None:
    await browser.until("document.getElementById('binds').textContent.includes('segue')")
    await browser.evaluate("document.querySelector('[data-do=drop]').click()")
    assert await esme.closed()
    await browser.until("document.getElementById('binds').textContent === 'no ESME is bound'")
