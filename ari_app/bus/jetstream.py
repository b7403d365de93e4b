"""Publishes committed events to a stream of NATS JetStream on the premises."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ari_app.bus.connection import let_go, see_tls, within
from ari_app.bus.credentials import Login, Tls, secret, signer
from ari_app.bus.message import line, subject
from ari_app.errors import Unavailable
from ari_app.ports import Record

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.api import PubAck, StreamInfo

# Within this window JetStream itself forgets an event that comes twice.
_LEAST_WINDOW = 120.0
_OUR_WINDOW = 600.0  # of a stream that we create: it outlasts a take-over
# Acknowledgments that are waited for at once; a server takes thousands.
_MOST_IN_FLIGHT = 1000


class JetStream:
    """Implements `Destination`: done when the stream has acknowledged every event of a batch.

    Each event carries its id as Nats-Msg-Id. An acknowledged event survives the server's death;
    to survive a power cut too, the stream needs replicas or the server `sync_interval: always`.
    After any failure the connection is given up, and the next `put` makes a new one.
    """

    def __init__(
        self,
        servers: Sequence[str],
        stream: str = "segue",
        prefix: str = "segue.events",
        *,
        login: Login | None = None,
        tls: Tls | None = None,
        deadline: float = 10.0,
        replicas: int = 1,
    ) -> None:
        """Nothing is connected yet; Unavailable if nats-py is not installed.

        `servers` are of one cluster, such as nats://bus.example:4222. `deadline` is the seconds
        for one `put`, a new connection included. `replicas` is of the stream if it is created.
        """
        if not servers or any(not _is_server(server) for server in servers):
            raise ValueError(
                "a NATS server is nats://host:port or tls://host:port, without a password"
            )
        _need_nats_py()
        self._servers = list(servers)
        self._stream = stream
        self._prefix = prefix
        self._login = login or Login()
        self._tls = tls
        if tls is None and any(server.startswith("tls:") for server in servers):
            self._tls = Tls()
        self._deadline = deadline
        self._replicas = replicas
        self._turn = asyncio.Lock()
        self._client: Client | None = None
        self._context: JetStreamContext | None = None
        self._last_error: Exception | None = None

    async def put(self, records: Sequence[Record]) -> None:
        """See `Destination`; ends within the deadline and the seconds for closing."""
        from ari_app.bus.refusals import sentence

        messages = [(subject(self._prefix, r.name), _body(r), r.id) for r in records]
        async with self._turn:
            try:
                await within(self._deadline, self._put(messages), self._is_gone)
            except Unavailable:
                await self._leave()
                raise
            except Exception as error:
                await self._leave()
                said = sentence(error, self._last_error, self._servers, self._deadline)
                if said is None:
                    raise
                raise Unavailable(said) from error
            except BaseException:  # cancelled: acknowledgments may be under way
                await self._leave()
                raise

    async def aclose(self) -> None:
        """Leave the server; a later `put` comes back."""
        async with self._turn:
            await self._leave()

    async def _put(self, messages: Sequence[tuple[str, bytes, str]]) -> None:
        if self._context is None or self._is_gone():  # while nothing was sent
            await self._leave()
            context = await self._connect()
        else:
            context = self._context
        for at in range(0, len(messages), _MOST_IN_FLIGHT):
            await self._publish(context, messages[at : at + _MOST_IN_FLIGHT])

    # -- one connection -----------------------------------------------------------------------

    async def _connect(self) -> JetStreamContext:
        from nats.aio.client import Client

        self._client = client = Client()
        self._last_error = None
        options = self._options(client)
        try:
            await client.connect(
                self._servers,
                name="segue",
                error_cb=self._failed,
                # The feed tries again, and says so; here each server has two tries.
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=max(1, round(self._deadline / 5)),
                ping_interval=20,
                # No limit to what waits to be written, which is ours already: at its limit
                # nats-py waits, and a server that does not read would make it wait for ever.
                pending_size=0,
                **options,
            )
            if self._tls is not None:
                see_tls(client)
            context = client.jetstream(
                timeout=self._deadline, publish_async_max_pending=2 * _MOST_IN_FLIGHT
            )
            self._check(await self._stream_info(context))
        finally:
            # `put` may have lost patience just as the server answered: then this goes on alone.
            if self._client is not client:
                await let_go(client)
        if self._client is not client:
            raise ConnectionResetError(errno.ECONNRESET, "given up meanwhile")
        self._context = context
        return context

    def _options(self, client: Client) -> dict[str, Any]:
        """TLS and login for `connect`; secrets as functions, which are asked after TLS is up."""

        def told(value: str) -> str:
            if self._tls is not None:
                see_tls(client)
            return value

        options: dict[str, Any] = {}
        login = self._login
        if self._tls is not None:
            options["tls"] = self._tls.context()
        if login.password_file is not None:
            password = secret(login.password_file)
            options |= {"user": login.user, "password": lambda: told(password)}
        elif login.token_file is not None:
            token = secret(login.token_file)
            options |= {"token": lambda: told(token)}
        elif login.credentials_file is not None:
            jwt, sign = signer(login.credentials_file)
            options |= {"user_jwt_cb": lambda: told(jwt).encode(), "signature_cb": sign}
        return options

    async def _stream_info(self, context: JetStreamContext) -> StreamInfo:
        from nats.js.api import StorageType, StreamConfig
        from nats.js.errors import NotFoundError

        try:
            return await context.stream_info(self._stream)
        except NotFoundError:
            return await context.add_stream(
                StreamConfig(
                    name=self._stream,
                    description="Committed events of Segue",
                    subjects=[f"{self._prefix}.>"],
                    storage=StorageType.FILE,
                    num_replicas=self._replicas,
                    duplicate_window=_OUR_WINDOW,
                )
            )

    def _check(self, info: StreamInfo) -> None:
        config = info.config
        wrong = None
        if config.storage != "file":
            wrong = "it keeps its messages in memory: create it with file storage"
        elif config.no_ack:
            wrong = "it does not acknowledge: set its no_ack to false"
        elif config.duplicate_window < _LEAST_WINDOW:
            wrong = f"its duplicate window is under {_LEAST_WINDOW:g} s: edit it"
        elif not any(_covers(pattern, self._prefix) for pattern in config.subjects or ()):
            wrong = f"it does not take {self._prefix}.>: add that to its subjects"
        if wrong:
            raise Unavailable(f"the JetStream stream {self._stream} cannot be used, {wrong}")

    async def _publish(
        self, context: JetStreamContext, messages: Sequence[tuple[str, bytes, str]]
    ) -> None:
        acks: list[asyncio.Future[PubAck]] = []
        try:
            for to, body, id in messages:
                headers = {"Nats-Msg-Id": id}
                acks.append(
                    await context.publish_async(to, body, stream=self._stream, headers=headers)
                )
            await asyncio.gather(*acks)
        finally:
            for ack in acks:
                if not ack.cancel() and not ack.cancelled():
                    ack.exception()  # asyncio complains of one that nobody looked at

    async def _failed(self, error: Exception) -> None:
        self._last_error = error

    def _is_gone(self) -> bool:
        """Whether nobody will acknowledge what is under way."""
        from nats.js.errors import APIError

        # A refusal of one event: nats-py raises it where only `error_cb` hears of it.
        refused = isinstance(self._last_error, APIError)
        return self._client is not None and (self._client.is_closed or refused)

    async def _leave(self) -> None:
        client, self._client, self._context = self._client, None, None
        if client is not None:
            await let_go(client)


def _need_nats_py() -> None:
    try:
        import nats.js  # noqa: F401  only to see whether it is there
    except ImportError:
        raise Unavailable(
            "the relay to NATS needs nats-py: install it with `pip install segue[nats]`"
        ) from None


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    # A name or password here would show in every sentence of ours.
    return parts.scheme in ("nats", "tls") and bool(parts.hostname) and "@" not in parts.netloc


def _body(record: Record) -> bytes:
    try:
        return line(record)
    except ValueError as error:
        raise Unavailable(f"the relay stops at it: {error}; run `segue audit verify`") from None


def _covers(pattern: str, prefix: str) -> bool:
    """Whether a stream with this subject takes all of `<prefix>.>`."""
    *parts, last = pattern.split(".")
    wanted = prefix.split(".")
    return (
        last == ">"
        and len(parts) <= len(wanted)
        and all(mine in ("*", theirs) for mine, theirs in zip(parts, wanted, strict=False))
    )
