"""Committed events reach a real JetStream: none is lost, and none is there twice."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path
from typing import Any

import nats as nats_client
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import StorageType
from nats.js.errors import NotFoundError

import ari_app.projections.feed as feeds
from ari_app.bus.credentials import Login, Tls
from ari_app.bus.jetstream import JetStream
from ari_app.errors import Unavailable
from ari_app.ports import Fence, Record
from ari_app.projections.feed import Feed
from tests.support.foreign.launch import launch
from tests.support.foreign.nats import PrivateNats, find_program
from tests.support.killing import killed_at
from tests.support.meter import RecordingMeter
from tests.support.pbx import eventually
from tests.support.wait import until

_numbers = count(1)


def event(n: int, name: str = "call.answered", payload: str = '{"call":"c"}') -> Record:
    return Record(n, f"evt_{n}", "conv_1", n, 7, "caller", None, name, 1, payload, b"\1\2")


class FileLog:
    """As the store: what is checked off is on disk; so it outlives the process."""

    def __init__(self, records: Sequence[Record], checkpoint: Path) -> None:
        self._records = records
        self._file = checkpoint

    @property
    def checkpoint(self) -> int:
        return int(self._file.read_text()) if self._file.exists() else 0

    async def committed(self, consumer: str, limit: int = 100) -> list[Record]:
        return self._after()[:limit]

    async def advance(self, consumer: str, position: int, fence: Fence | None = None) -> None:
        self._file.with_suffix(".new").write_text(str(position))
        self._file.with_suffix(".new").rename(self._file)

    async def lag(self, consumer: str) -> int:
        return len(self._after())

    async def changed(self, seen: int, timeout: float) -> int:
        await asyncio.sleep(0)
        return seen

    def _after(self) -> list[Record]:
        checkpoint = self.checkpoint
        return [r for r in self._records if r.position > checkpoint]


class Bus:
    """What a test knows of one server: how to reach it, and what is in the stream."""

    def __init__(self, server: PrivateNats, folder: Path, client: Client) -> None:
        self.server = server
        self.folder = folder
        # Others share the server: a name of our own.
        self.stream = f"stream{next(_numbers)}"
        self.prefix = f"segue.{self.stream}"
        self.context: JetStreamContext = client.jetstream()

    def destination(self, **other: Any) -> JetStream:
        settings: dict[str, Any] = {
            "stream": self.stream,
            "prefix": self.prefix,
            "login": token_of(self.server, self.folder),
            **other,
        }
        return JetStream([address(self.server)], **settings)

    async def found(self) -> list[dict[str, object]]:
        """Every message of the stream, as JSON."""
        last = (await self.context.stream_info(self.stream)).state.last_seq
        messages = [await self.context.get_msg(self.stream, n) for n in range(1, last + 1)]
        return [json.loads(m.data or b"") for m in messages]

    async def ids(self) -> list[object]:
        return [message["id"] for message in await self.found()]


def address(server: PrivateNats, scheme: str = "nats") -> str:
    return f"{scheme}://127.0.0.1:{server.port}"


def token_of(server: PrivateNats, folder: Path) -> Login:
    found = re.search("//(.*)@", server.url)
    assert found
    (folder / "token").write_text(f"{found[1]}\n")
    return Login(token_file=folder / "token")


@asynccontextmanager
async def bus_of(server: PrivateNats, folder: Path) -> AsyncIterator[Bus]:
    client = await nats_client.connect(server.url, allow_reconnect=False)
    try:
        yield Bus(server, folder, client)
    finally:
        await client.close()


@pytest.fixture
async def bus(nats: PrivateNats, tmp_path: Path) -> AsyncIterator[Bus]:
    async with bus_of(nats, tmp_path) as bus:
        yield bus
        with contextlib.suppress(NotFoundError):
            await bus.context.delete_stream(bus.stream)


def reconfigured(server: PrivateNats, authorization: str, *more: str) -> PrivateNats:
    """Who is let in, in another way; before it starts."""
    file = server.home / "nats.conf"
    text, n = re.subn(r"(?m)^authorization .*$", lambda _: authorization, file.read_text())
    assert n == 1
    file.write_text("\n".join((text, *more)))
    return server


async def refusal(destination: JetStream, *events: Record) -> str:
    with pytest.raises(Unavailable) as error:
        await destination.put(events or [event(1)])
    await destination.aclose()
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


# -- what arrives -----------------------------------------------------------------------------


async def test_events_arrive_in_order_under_their_names_and_ids(bus: Bus) -> None:
    destination = bus.destination()
    await destination.put([event(n) for n in range(1, 2501)])
    await destination.put([event(2501, "text odd*name")])
    await destination.aclose()

    assert await bus.ids() == [f"evt_{n}" for n in range(1, 2502)]
    first = await bus.context.get_msg(bus.stream, 1)
    assert first.subject == f"{bus.prefix}.call.answered"
    assert first.headers is not None
    assert first.headers["Nats-Msg-Id"] == "evt_1"
    assert json.loads(first.data or b"")["payload"] == {"call": "c"}
    assert (await bus.context.get_msg(bus.stream, 2501)).subject == f"{bus.prefix}.text_odd_name"


async def test_the_stream_is_made_on_disk_with_a_window_for_repeats(bus: Bus) -> None:
    destination = bus.destination()
    await destination.put([event(1)])
    await destination.aclose()
    config = (await bus.context.stream_info(bus.stream)).config
    assert config.storage == StorageType.FILE
    assert config.duplicate_window >= 120
    assert config.subjects == [f"{bus.prefix}.>"]


async def test_what_comes_twice_is_there_once(bus: Bus) -> None:
    for destination in (bus.destination(), bus.destination()):
        for _ in range(2):
            await destination.put([event(1), event(2)])
        await destination.aclose()
    assert await bus.ids() == ["evt_1", "evt_2"]


async def test_a_stream_of_the_operators_is_used_if_it_is_sound(bus: Bus) -> None:
    await bus.context.add_stream(
        name=bus.stream, subjects=[f"segue.{bus.stream}.>", "other"], duplicate_window=300
    )
    destination = bus.destination(prefix=f"segue.{bus.stream}.events.deep")
    await destination.put([event(1)])
    await destination.aclose()
    assert await bus.ids() == ["evt_1"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"storage": StorageType.MEMORY}, "keeps its messages in memory"),
        ({"no_ack": True}, "does not acknowledge"),
        ({"duplicate_window": 30}, "duplicate window is under 120 s"),
        ({"subjects": ["STREAM.call.*", "STREAM"]}, r"does not take segue\.stream\d+\.>"),
    ],
)
async def test_a_stream_that_would_lose_events_is_refused(
    bus: Bus, wrong: dict[str, Any], sentence: str
) -> None:
    config: dict[str, Any] = {"subjects": ["STREAM.>"], "duplicate_window": 120, **wrong}
    config["subjects"] = [s.replace("STREAM", bus.prefix) for s in config["subjects"]]
    await bus.context.add_stream(name=bus.stream, **config)
    assert re.search(sentence, await refusal(bus.destination()))


async def test_a_stream_that_is_deleted_meanwhile_is_made_again(bus: Bus) -> None:
    destination = bus.destination()
    await destination.put([event(1)])
    await bus.context.delete_stream(bus.stream)
    with pytest.raises(Unavailable, match="was it deleted"):
        await destination.put([event(2)])
    await destination.put([event(2)])
    await destination.aclose()
    assert await bus.ids() == ["evt_2"]


async def test_what_another_stream_took_is_not_done(bus: Bus) -> None:
    destination = bus.destination()
    await destination.put([event(1)])
    await bus.context.delete_stream(bus.stream)
    await bus.context.add_stream(name=f"{bus.stream}-thief", subjects=[f"{bus.prefix}.>"])
    assert "refuses (expected stream does not match)" in await refusal(destination, event(2))
    await bus.context.delete_stream(f"{bus.stream}-thief")


# -- death and silence ------------------------------------------------------------------------


async def test_a_server_that_is_killed_in_the_middle_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_FIRST", 0.01)
    monkeypatch.setattr(feeds, "_LONGEST", 0.05)
    log = FileLog([event(n) for n in range(1, 3001)], tmp_path / "checkpoint")
    with PrivateNats() as server:
        async with bus_of(server, tmp_path) as bus:
            destination = bus.destination()
        feed = Feed(log, destination, RecordingMeter(), "relay", batch=20)
        running = asyncio.create_task(feed.run())
        for dead_at in (400, 1000, 1600):
            await until(lambda at=dead_at: log.checkpoint >= at)  # type: ignore[misc]  # a bound default
            await asyncio.to_thread(server.kill)
            assert log.checkpoint < 3000
            await asyncio.to_thread(server.start)
        await until(lambda: log.checkpoint == 3000)
        feed.stop()
        await running
        await destination.aclose()
        async with bus_of(server, tmp_path) as again:
            again.stream = bus.stream
            ids = await again.ids()
    assert len(ids) == 3000
    assert set(ids) == {f"evt_{n}" for n in range(1, 3001)}


async def test_a_service_killed_before_its_checkpoint_repeats_and_jetstream_forgets_it(
    bus: Bus,
) -> None:
    story = ["-m", "tests.integration.test_bus_jetstream", bus.stream, bus.prefix]
    token_of(bus.server, bus.folder)
    story += [address(bus.server), str(bus.folder)]

    await asyncio.to_thread(killed_at, "feed.before_advance", *story)
    assert await bus.ids() == ["evt_1", "evt_2"]
    assert not (bus.folder / "checkpoint").exists()

    alive = await asyncio.to_thread(subprocess.run, [sys.executable, *story], timeout=60)
    assert alive.returncode == 0
    assert await bus.ids() == ["evt_1", "evt_2", "evt_3"]
    assert (bus.folder / "checkpoint").read_text() == "3"


async def test_a_server_that_freezes_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    # More than the kernel takes for a reader that does not read.
    large = [event(n, payload=json.dumps({"x": "y" * 500_000})) for n in range(2, 60)]
    with PrivateNats() as server:
        async with bus_of(server, tmp_path) as bus:
            destination = bus.destination(deadline=1.0)
            await destination.put([event(1)])
            open_before = _sockets()
            server.pause()
            await until(lambda: _is_frozen(server.pid))
            async with asyncio.timeout(10):
                said = await asyncio.gather(destination.put(large), return_exceptions=True)
                assert "did not answer within 1 s" in str(said[0])
                assert "did not answer within 1 s" in await refusal(destination)
            # It has let go of the one that does not even take a farewell.
            await until(lambda: _sockets() == open_before - 1)
            server.resume()
            patient = bus.destination(deadline=30.0)
            await patient.put([event(1), *large])
            await patient.aclose()
            assert set(await bus.ids()) == {"evt_1", *(e.id for e in large)}


async def test_a_server_that_was_away_while_there_was_nothing_to_say_is_no_failure(
    tmp_path: Path,
) -> None:
    with PrivateNats() as server:
        async with bus_of(server, tmp_path) as bus:
            destination = bus.destination()
            await destination.put([event(1)])
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        async with bus_of(server, tmp_path) as again:
            await destination.put([event(2)])
            await destination.aclose()
            again.stream = bus.stream
            assert await again.ids() == ["evt_1", "evt_2"]


async def test_one_that_is_told_to_end_lets_go_of_a_frozen_server(tmp_path: Path) -> None:
    with PrivateNats() as server:
        async with bus_of(server, tmp_path) as bus:
            destination = bus.destination(deadline=600.0)
            await destination.put([event(1)])
            server.pause()
            await until(lambda: _is_frozen(server.pid))
            putting = asyncio.create_task(destination.put([event(2)]))
            for _ in range(100):
                await asyncio.sleep(0)  # it is under way; no answer will ever come
            putting.cancel()
            async with asyncio.timeout(10):
                with pytest.raises(asyncio.CancelledError):
                    await putting
                await destination.aclose()
            server.resume()


# -- refusals ---------------------------------------------------------------------------------


async def test_where_nobody_listens_it_says_so() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # not listening: the port is ours, and refuses
        server = f"nats://127.0.0.1:{unheard.getsockname()[1]}"
        sentence = await refusal(JetStream([server]))
    assert sentence == (
        f"NATS at {server} cannot be reached (Connection refused): start it, or correct [bus]"
    )


async def test_who_accepts_and_says_nothing_is_not_waited_for() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(5)
        server = f"nats://127.0.0.1:{mute.getsockname()[1]}"
        assert "did not answer within" in await refusal(JetStream([server], deadline=1.0))


async def test_another_server_of_the_cluster_will_do(bus: Bus) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        dead = f"nats://127.0.0.1:{unheard.getsockname()[1]}"
        destination = JetStream(
            [dead, address(bus.server)],
            bus.stream,
            bus.prefix,
            login=token_of(bus.server, bus.folder),
        )
        await destination.put([event(1)])
        await destination.aclose()
    assert await bus.ids() == ["evt_1"]


async def test_a_wrong_token_is_told_and_never_shown(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (bus.folder / "wrong").write_text("opensesame")
    sentence = await refusal(bus.destination(login=Login(token_file=bus.folder / "wrong")))
    assert "refuses our login: correct user, password or credentials file" in sentence
    assert "opensesame" not in sentence + caplog.text


async def test_nobody_is_not_let_in_either(bus: Bus) -> None:
    assert "refuses our login" in await refusal(bus.destination(login=Login()))


async def test_a_user_with_a_password_is_let_in_and_a_new_one_needs_no_restart(
    tmp_path: Path,
) -> None:
    password = tmp_path / "password"
    with reconfigured(
        PrivateNats(), 'authorization { user: relay, password: "open, please" }'
    ) as server:
        login = Login(user="relay", password_file=password)
        destination = JetStream([address(server)], login=login)
        password.write_text("wrong")
        assert "refuses our login" in await refusal(destination)
        password.write_text("open, please\n")
        await destination.put([event(1)])
        await destination.aclose()


async def test_a_secret_that_cannot_be_read_is_named(bus: Bus) -> None:
    missing = bus.folder / "none"
    sentence = await refusal(bus.destination(login=Login(token_file=missing)))
    assert sentence == (
        f"cannot read the secret in {missing} (No such file or directory): "
        "correct its name in [bus]"
    )


async def test_an_account_without_jetstream_is_told(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("b")
    accounts = "accounts { A { users: [ { user: a, password: b } ] } }"
    with reconfigured(PrivateNats(), accounts) as server:
        login = Login(user="a", password_file=tmp_path / "password")
        assert "has no JetStream for us" in await refusal(JetStream([address(server)], login=login))


async def test_a_server_without_jetstream_is_told() -> None:
    server = PrivateNats()
    reconfigured(server, "")
    file = server.home / "nats.conf"
    file.write_text(re.sub(r"(?m)^jetstream .*$", "", file.read_text()))
    process = launch([find_program(), "-c", file], home=server.home)
    try:
        eventually(lambda: _listens(server.port), "it listens")
        assert "has no JetStream for us" in await refusal(JetStream([address(server)]))
    finally:
        process.kill()
        process.wait()
        server.close()


async def test_a_user_who_may_not_publish_is_told(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("b")
    user = '{ user: a, password: b, permissions: { publish: "$JS.API.>" } }'
    with reconfigured(PrivateNats(), f"authorization {{ users: [ {user} ] }}") as server:
        login = Login(user="a", password_file=tmp_path / "password")
        destination = JetStream([address(server)], login=login, deadline=1.0)
        sentence = await refusal(destination)
    assert "forbids it" in sentence
    assert "segue.events.call.answered" in sentence


async def test_an_event_that_the_server_finds_too_large_stops_it_with_a_sentence(
    bus: Bus,
) -> None:
    huge = event(1, payload=json.dumps({"secret": "x" * 2_000_000}))
    sentence = await refusal(bus.destination(), huge)
    assert "raise its max_payload" in sentence


async def test_a_damaged_event_stops_it_with_a_sentence(bus: Bus) -> None:
    sentence = await refusal(bus.destination(), event(1, payload="secret words"))
    assert "event evt_1 is no JSON object" in sentence
    assert "secret" not in sentence


async def test_payloads_never_reach_the_log(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    destination = bus.destination()
    await destination.put([event(1, payload='{"words":"quite private"}')])
    await destination.aclose()
    assert "quite private" not in caplog.text


@pytest.mark.parametrize(
    "servers",
    [
        [],
        ["nats://user:secret@host:4222"],
        ["nats://token@host"],
        ["http://host"],
        ["host:4222"],
        ["nats://host:port"],
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_told_at_once(servers: list[str]) -> None:
    with pytest.raises(ValueError, match="without a password") as error:
        JetStream(servers)
    assert "secret" not in str(error.value)


def test_without_nats_py_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "nats"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nats", None)
    with pytest.raises(Unavailable, match=r"pip install segue\[nats\]"):
        JetStream(["nats://127.0.0.1"])


def test_the_room_can_be_imported_without_nats_py() -> None:
    code = (
        "import sys; sys.modules['nats'] = None\n"
        "import ari_app.bus.jetstream, ari_app.bus.lines, ari_app.bus.message"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# -- TLS and credentials ----------------------------------------------------------------------


async def test_over_tls_it_arrives_and_a_stranger_is_not_believed(tmp_path: Path) -> None:
    certificate(tmp_path, "ours")
    certificate(tmp_path, "strangers")
    server = PrivateNats()
    login = token_of(server, tmp_path)
    tls = f'tls {{ cert_file: "{tmp_path}/ours.pem", key_file: "{tmp_path}/ours.key" }}'
    file = server.home / "nats.conf"
    file.write_text(f"{file.read_text()}\n{tls}\n")
    with server:
        at = [address(server, "tls")]
        destination = JetStream(at, login=login, tls=Tls(ca_file=tmp_path / "ours.pem"))
        await destination.put([event(1)])
        await destination.aclose()

        for distrust in (Tls(ca_file=tmp_path / "strangers.pem"), None):
            sentence = await refusal(JetStream(at, login=login, tls=distrust))
            assert re.search("TLS with NATS at .* fails .CERTIFICATE_VERIFY_FAILED", sentence)


@pytest.mark.parametrize("scheme", ["nats", "tls"])
async def test_a_server_that_does_not_offer_tls_is_told_nothing(
    scheme: str, tmp_path: Path
) -> None:
    """Somebody in between could say that it does not."""
    heard: list[bytes] = []

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.9.10","headers":true,')
        writer.write(b'"auth_required":true,"max_payload":1048576}\r\n')
        heard.append(await reader.read())
        writer.close()

    (tmp_path / "password").write_text("opensesame")
    impostor = await asyncio.start_server(pretend, "127.0.0.1", 0)
    at = f"{scheme}://127.0.0.1:{impostor.sockets[0].getsockname()[1]}"
    login = Login(user="a", password_file=tmp_path / "password")
    destination = JetStream([at], login=login, tls=Tls() if scheme == "nats" else None)
    assert "nothing is sent in the clear" in await refusal(destination)
    await until(lambda: bool(heard))
    assert heard == [b""]
    impostor.close()
    await impostor.wait_closed()


async def test_tls_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    tls = Tls(ca_file=tmp_path / "none.pem")
    sentence = await refusal(JetStream(["tls://127.0.0.1"], tls=tls))
    assert "the TLS files for NATS cannot be used (No such file or directory)" in sentence


async def test_a_credentials_file_lets_in(tmp_path: Path) -> None:
    operator, account, system, user = (Nkey(kind) for kind in "OAAU")
    wanted = "subs data payload imports exports conn leaf".split()
    limits: dict[str, object] = {**dict.fromkeys(wanted, -1), "wildcards": True}
    stores = dict.fromkeys("mem_storage disk_storage streams consumer".split(), -1)
    accounts = {
        a.public: operator.says(a, {"type": "account", "limits": limits | more_limits})
        for a, more_limits in ((account, stores), (system, {}))
    }
    preload = "\n".join(f"{public}: {jwt}" for public, jwt in accounts.items())
    more = (
        f"operator: {operator.says(operator, {'type': 'operator'})}",
        "resolver: MEMORY",
        f"resolver_preload: {{\n{preload}\n}}",
        f"system_account: {system.public}",
    )
    jwt = account.says(user, {"type": "user", "subs": -1, "data": -1, "payload": -1})
    written = tmp_path / "relay.creds"
    written.write_text(
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        "************ IMPORTANT ************\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    with reconfigured(PrivateNats(), "", *more) as server:
        destination = JetStream([address(server)], login=Login(credentials_file=written))
        await destination.put([event(1)])
        await destination.aclose()

        stranger = tmp_path / "stranger.creds"
        stranger.write_text(written.read_text().replace(user.seed, Nkey("U").seed))
        refused = JetStream([address(server)], login=Login(credentials_file=stranger))
        assert "refuses our login" in await refusal(refused)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n",
        "-----BEGIN NATS USER JWT-----\na\n------END NATS USER JWT------\n"
        "-----BEGIN USER NKEY SEED-----\nSUTOOSHORT\n------END USER NKEY SEED------\n",
    ],
)
async def test_a_file_that_holds_no_credentials_is_told_and_not_quoted(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "creds").write_text(content)
    login = Login(credentials_file=tmp_path / "creds")
    sentence = await refusal(JetStream(["nats://127.0.0.1"], login=login))
    assert "is no NATS credentials file" in sentence
    assert "TOOSHORT" not in sentence


def test_a_login_is_one_way_in() -> None:
    with pytest.raises(ValueError, match="both user and password_file"):
        Login(user="a")
    with pytest.raises(ValueError, match="choose one"):
        Login(token_file=Path("t"), credentials_file=Path("c"))


# -- inside -----------------------------------------------------------------------------------


class Nkey:
    """A key as NATS writes it: kind, 32 octets and a CRC-16, in base32."""

    _KINDS = {"O": 14 << 3, "A": 0, "U": 20 << 3}

    def __init__(self, kind: str) -> None:
        self._key = Ed25519PrivateKey.generate()
        number = self._KINDS[kind]
        self.public = self._written(bytes([number]), self._key.public_key().public_bytes_raw())
        head = bytes([18 << 3 | number >> 5, (number & 31) << 3])
        self.seed = self._written(head, self._key.private_bytes_raw())

    def says(self, subject: Nkey, claims: dict[str, object]) -> str:
        """A JWT of `subject`, signed by us."""
        body = {
            "jti": f"{next(_numbers)}",
            "iat": 1,
            "iss": self.public,
            "sub": subject.public,
            "name": "test",
            "nats": {**claims, "version": 2},
        }
        parts = [json.dumps(p).encode() for p in ({"typ": "JWT", "alg": "ed25519-nkey"}, body)]
        signed = b".".join(self._url(part) for part in parts)
        return f"{signed.decode()}.{self._url(self._key.sign(signed)).decode()}"

    @staticmethod
    def _url(octets: bytes) -> bytes:
        return base64.urlsafe_b64encode(octets).rstrip(b"=")

    @staticmethod
    def _written(head: bytes, octets: bytes) -> str:
        crc = 0
        for octet in head + octets:
            crc ^= octet << 8
            for _ in range(8):
                crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
        whole = head + octets + crc.to_bytes(2, "little")
        return base64.b32encode(whole).rstrip(b"=").decode()


def certificate(folder: Path, name: str) -> None:
    """`<name>.pem` and `<name>.key` of 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _sockets() -> int:
    """How many of them we have open."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(str(descriptor.readlink()))
    return len([link for link in links if link.startswith("socket:")])


def _is_frozen(pid: int) -> bool:
    """Each of its threads: a signal takes its time on a busy machine."""
    stats = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


async def _doomed(stream: str, prefix: str, server: str, folder: Path) -> None:
    """The process that a test kills: three events, two in the first batch."""
    log = FileLog([event(n) for n in (1, 2, 3)], folder / "checkpoint")
    login = Login(token_file=folder / "token")
    destination = JetStream([server], stream, prefix, login=login)
    feed = Feed(log, destination, RecordingMeter(), "relay", batch=2)
    while await feed.run_once():
        pass
    await destination.aclose()


if __name__ == "__main__":
    asyncio.run(_doomed(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])))
