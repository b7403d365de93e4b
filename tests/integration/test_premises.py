"""Installations on PostgreSQL: hosts that share one, and tenants that are kept apart."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import ValidationError

from ari_app.bootstrap.premises import Premises, subject_key
from ari_app.config import Settings
from ari_app.conversation.events import CallerSpoke, ConversationOpened
from ari_app.conversation.identity import E164
from ari_app.errors import SettingsError, StoreUnavailable
from ari_app.privacy.ports import Mode, Reason
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter
from tests.support.foreign.postgres import PrivatePostgres

NUMBER = E164("+12025550147")
WORDS = "the quick brown heron"
_names = itertools.count()


@dataclass(frozen=True)
class Servers:
    """Three databases: the log, the keys and the ledger must not be restored together."""

    log: str
    keys: str
    ledger: str


@pytest.fixture
def servers(postgres: PrivatePostgres) -> Iterator[Servers]:
    names = [f"premises_{next(_names)}" for _ in range(3)]
    yield Servers(*(postgres.create_database(name) for name in names))
    for name in names:
        postgres.drop_database(name)


def host(folder: Path, servers: Servers, *, tenant: str = "one", schema: str = "") -> Settings:
    """The settings of one host of a tenant; its secrets are those of the tenant."""
    folder.mkdir(exist_ok=True)
    secrets = folder.parent / f"secrets_{tenant}"
    secrets.mkdir(exist_ok=True)
    for name, digit in (("kek", "1"), ("subject.key", "2")):
        path = secrets / name
        if not path.exists():
            path.write_text((digit if tenant == "one" else "3") * 64)
            path.chmod(0o400)
    return Settings.model_validate(
        {
            "store": {
                "path": folder / "segue.db",
                "url": servers.log,
                "schema_name": schema or f"tenant_{tenant}",
                "subject_key_file": secrets / "subject.key",
            },
            "privacy": {
                "kek_file": secrets / "kek",
                "keys_url": servers.keys,
                "ledger_url": servers.ledger,
            },
        }
    )


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Premises]:
    premises = Premises(settings, SystemClock(), PrometheusMeter())
    await premises.open()
    try:
        yield premises
    finally:
        await premises.aclose()


async def talk(premises: Premises, settings: Settings, stream: str = "conv_1") -> str:
    subject = NUMBER.subject(subject_key(settings))
    words = ((WORDS, 0.0, 1.0, 1.0),)
    await premises.store.append(
        stream,
        [
            ConversationOpened(channel="voice", did="1", language="en", number=NUMBER.value),
            CallerSpoke(call="c", text=WORDS, words=words, confidence=1.0, endpoint_ms=1),
        ],
        subject=subject,
    )
    return subject


async def heard(premises: Premises, stream: str = "conv_1") -> list[str]:
    events = [e.event for e in await premises.store.read(stream)]
    return [e.text for e in events if isinstance(e, CallerSpoke)]


async def test_hosts_share_a_conversation_and_its_erasure(tmp_path: Path, servers: Servers) -> None:
    here, there = host(tmp_path / "a", servers), host(tmp_path / "b", servers)
    async with opened(here) as one, opened(there) as two:
        subject = await talk(one, here)
        assert await two.store.latest(NUMBER.subject(subject_key(there))) == "conv_1"
        assert await heard(two) == [WORDS]

        one.privacy.erasure.erase(subject, Mode.SHRED, Reason.REQUEST)
        assert await heard(two) == ["[erased]"]
        assert await heard(one) == ["[erased]"]
    # Each host keeps a copy of the ledger, should an old backup of the table come back.
    for folder in ("a", "b"):
        assert subject in (tmp_path / folder / "erasures.jsonl").read_text()


async def test_a_ledger_that_forgot_learns_from_the_copy_of_a_host(
    tmp_path: Path, servers: Servers, postgres: PrivatePostgres
) -> None:
    here = host(tmp_path / "a", servers)
    async with opened(here) as one:
        subject = await talk(one, here)
        one.privacy.erasure.erase(subject, Mode.SHRED, Reason.REQUEST)
    fresh = Servers(servers.log, servers.keys, postgres.create_database(f"fresh_{next(_names)}"))
    async with opened(host(tmp_path / "a", fresh)) as one:
        assert [entry.owner for entry in one.privacy.erasure.erased()] == [subject]


async def test_tenants_on_one_server_never_see_each_other(tmp_path: Path, servers: Servers) -> None:
    ours = host(tmp_path / "a", servers, tenant="one")
    theirs = host(tmp_path / "t", servers, tenant="two")
    async with opened(ours) as one, opened(theirs) as two:
        subject = await talk(one, ours)
        other = await talk(two, theirs, "conv_2")
        assert other != subject  # the same number, another key
        # It knows every id of ours, and asks for all of them.
        assert await two.store.read("conv_1") == []
        assert await two.store.streams_of(subject) == []
        assert await two.store.latest(subject) is None
        assert [p.envelope.stream for p in await two.store.tail("c")] == ["conv_2"] * 2
        assert [s for s, _ in await two.store.recent(10)] == ["conv_2"]
        assert await two.store.lease("sealer", 60) is not None
        assert await one.store.lease("sealer", 60) is not None  # another sealer


async def test_a_tenant_that_names_the_schema_of_another_is_turned_away(
    tmp_path: Path, servers: Servers
) -> None:
    ours = host(tmp_path / "a", servers, tenant="one")
    async with opened(ours) as one:
        await talk(one, ours)
    separate = Servers(servers.log, servers.ledger, servers.keys)  # keys of its own
    thief = host(tmp_path / "t", separate, tenant="two", schema="tenant_one")
    with pytest.raises(StoreUnavailable, match="belongs to another installation or tenant"):
        async with opened(thief):
            pass
    async with opened(ours) as one:
        assert len(await one.store.read("conv_1")) == 2  # and nothing was written


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"keys_url": "LOG"}, "keys must not lie in the database of the log"),
        ({"ledger_url": "KEYS"}, "must not be restored together with the keys"),
        ({"ledger_url": ""}, "must share the erasure ledger: set it"),
        ({"kek_file": None}, "must have the same key-encryption key: set it"),
    ],
)
def test_what_would_undo_an_erasure_is_refused_before_anything_is_opened(
    tmp_path: Path, servers: Servers, change: dict[str, str | None], sentence: str
) -> None:
    settings = host(tmp_path / "a", servers)
    urls = {"LOG": servers.log, "KEYS": servers.keys}
    wanted = {key: urls.get(value or "", value) for key, value in change.items()}
    privacy = settings.privacy.model_copy(update=wanted)
    with pytest.raises(SettingsError, match=sentence):
        Premises(settings.model_copy(update={"privacy": privacy}), SystemClock(), PrometheusMeter())


@pytest.mark.parametrize("setting", ["keys_url", "ledger_url"])
def test_a_password_in_an_address_is_refused_and_not_repeated(
    tmp_path: Path, servers: Servers, setting: str
) -> None:
    settings = host(tmp_path / "a", servers)
    address = {setting: "postgresql://segue:hunter2@db.example/other"}
    privacy = settings.privacy.model_copy(update=address)
    with pytest.raises(SettingsError, match="holds a password") as refused:
        Premises(settings.model_copy(update={"privacy": privacy}), SystemClock(), PrometheusMeter())
    assert "hunter2" not in str(refused.value)


def test_a_schema_is_a_plain_name(tmp_path: Path, servers: Servers) -> None:
    with pytest.raises(ValidationError, match="schema_name"):
        host(tmp_path / "a", servers, schema='x"; DROP SCHEMA public; --')
