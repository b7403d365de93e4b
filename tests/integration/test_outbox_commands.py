"""`segue sms`: what a person sees of the queue and changes of it, while the service may run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ari_app.bootstrap.premises import Premises, subject_key
from ari_app.cli.sms import sms_app
from ari_app.config import load
from ari_app.conversation.events import TextPromised, TextSightLost
from ari_app.conversation.identity import E164, new_id
from ari_app.errors import SegueError, SettingsError
from ari_app.outbox.errors import NotPossible
from ari_app.ports import Effect, Settled
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

ADA, BOB = "+12025550147", "+12025550148"
BODY = "Your table is under the willow."
LATER = 2**52  # microseconds: long after today


class Site:
    """An installation in a folder; its texts wait for a time that never comes."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "segue.toml"
        self.config.write_text(f'[store]\npath = "{folder / "segue.db"}"\n')

    def live(self, story: Callable[[EventStore], Awaitable[None]]) -> None:
        async def run() -> None:
            premises = Premises(load(self.config), SystemClock(), PrometheusMeter())
            await premises.open()
            await story(premises.store)
            await premises.aclose()

        asyncio.run(run())

    def promise(self, to: str, due: int = LATER, *, ago: int = 0) -> str:
        id = new_id("msg", SystemClock().now() - ago * 1_000_000, bytes(10))
        id = id[:-4] + to[-4:]

        async def story(store: EventStore) -> None:
            event = TextPromised(message=id, template="t", to=to, body=BODY)
            effect = Effect("sms", id, due, {"to": to, "body": BODY})
            subject = E164(to).subject(subject_key(load(self.config)))
            await store.append(f"conv_{id}", [event], effects=[effect], subject=subject)

        self.live(story)
        return id

    def lose_sight(self, id: str) -> None:
        async def story(store: EventStore) -> None:
            (job,) = (await store.claim_texts(SystemClock().now(), 1)).send
            lost = TextSightLost(message=id, reason="the line was dropped")
            await store.settle_many([Settled(job, [lost], in_doubt=True)])

        self.live(story)

    def run(self, *arguments: str) -> str:
        done = CliRunner().invoke(sms_app, [*arguments, "--config", str(self.config)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        assert ADA not in done.output
        assert BOB not in done.output
        assert BODY not in done.output
        return done.output

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def listed(self, *arguments: str) -> list[str]:
        return [text["id"] for text in self.json("list", *arguments)["texts"]]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.live(_nothing)
    return site


async def _nothing(store: EventStore) -> None:
    pass


def test_the_list_is_filtered_by_state_number_and_time(site: Site) -> None:
    old = site.promise(ADA, ago=7200)
    new = site.promise(BOB)
    assert site.listed() == [new, old]
    assert site.listed("--since", "1h") == [new]
    assert site.listed("--since", "2000-01-01") == [new, old]
    assert site.listed("--state", "promised", "-n", "1") == [new]
    assert site.listed("--state", "claimed") == []
    assert site.listed("--to", ADA) == [old]
    assert site.listed("--to", "+12025550149") == []


def test_the_list_shows_masked_numbers_states_and_what_is_paused(site: Site) -> None:
    id = site.promise(ADA)
    (text,) = site.json("list")["texts"]
    assert (text["to"], text["state"], text["priority"]) == ("+120******47", "promised", "normal")
    assert "+120******47" in site.run("list")
    site.run("pause", "priority:bulk", "--reason", "a loop")
    assert "PAUSED priority:bulk" in site.run("list")
    assert "a loop" in site.run("list")
    (pause,) = site.json("list")["paused"]
    assert pause["scope"] == "priority:bulk"
    assert pause["by"].startswith("operator:")
    assert site.json("resume", "priority:bulk") == {"scope": "priority:bulk", "paused": False}
    assert site.json("list")["paused"] == []
    assert site.json("show", id)["state"] == "promised"


def test_one_text_is_shown_with_its_events_and_without_its_words(site: Site) -> None:
    id = site.promise(ADA, due=0)
    site.lose_sight(id)
    shown = site.json("show", id)
    assert shown["state"] == "unknown"
    assert [event["name"] for event in shown["events"]] == ["text.promised", "text.sight_lost"]
    assert shown["events"][0]["event"]["body"] == f"[{len(BODY)} characters]"
    assert "the line was dropped" in site.run("show", id)


def test_a_text_is_cancelled_once_and_the_sentence_says_why_not_again(site: Site) -> None:
    id = site.promise(ADA)
    assert site.run("cancel", id, "--reason", "a mistake") == f"{id} is cancelled\n"
    assert site.json("show", id)["state"] == "cancelled"
    with pytest.raises(NotPossible, match=f"{id} is cancelled: it cannot be cancelled"):
        site.run("cancel", id)
    with pytest.raises(NotPossible, match=f"{id} is cancelled: it cannot be sent again"):
        site.run("retry", id)


def test_a_waiting_text_is_hurried_and_an_unknown_one_sent_again(site: Site) -> None:
    waiting = site.promise(ADA)
    assert site.run("retry", waiting) == f"{waiting} is due now\n"
    site.run("cancel", waiting)
    unknown = site.promise(BOB, due=0)
    site.lose_sight(unknown)
    assert site.json("retry", unknown) == {"id": unknown, "again": True}
    assert site.json("show", unknown)["doubts"] == 1


def test_a_text_in_hand_is_said_to_be_in_hand(site: Site) -> None:
    id = site.promise(ADA, due=0)

    async def claim(store: EventStore) -> None:
        assert (await store.claim_texts(SystemClock().now(), 1)).send

    site.live(claim)
    assert site.json("show", id)["state"] == "claimed"
    for command in ("cancel", "retry"):
        with pytest.raises(NotPossible, match=f"{id} is being sent at this moment"):
            site.run(command, id)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "msg_0"], "there is no text msg_0"),
        (["cancel", "msg_0"], "there is no text msg_0"),
        (["retry", "msg_0"], "there is no text msg_0"),
        (["resume"], "all is not paused"),
        (["pause", "everything"], "'everything' is no scope: write all, carrier:NAME"),
        (["pause", "class:never"], "is no scope"),
        (["list", "--state", "lost"], "'lost' is no state of a text: write one of claimed, held"),
        (["list", "--to", "nobody"], "that is not a phone number"),
        (["list", "--since", "yesterday"], "--since 'yesterday' is no time: write 30m, 2h"),
    ],
)
def test_what_cannot_be_done_is_one_clear_sentence(
    site: Site, arguments: list[str], sentence: str
) -> None:
    with pytest.raises(SegueError) as refused:
        site.run(*arguments)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    wrong = arguments[0] in ("pause", "list")
    assert isinstance(refused.value, SettingsError) is wrong
