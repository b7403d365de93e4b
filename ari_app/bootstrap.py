"""Who is who: builds the service from its settings, starts it, and takes it down in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ari_app.agent.turn import Agent
from ari_app.agi.server import AgiServer
from ari_app.ami.supervision import AmiSupervision
from ari_app.ari.client import AriClient
from ari_app.ari.telephone import AriTelephone
from ari_app.backends.anchor_file import AnchorFile
from ari_app.backends.file_drop import FileDrop
from ari_app.calls.registry import Calls
from ari_app.calls.session import Instruments
from ari_app.config import Settings, read_secret
from ari_app.conversation.identity import E164
from ari_app.conversation.state import fold
from ari_app.errors import BundleError, CarrierUnavailable, SettingsError, StoreUnavailable
from ari_app.handoff.delivery import HandoffDelivery
from ari_app.jobs.ticker import Ticker
from ari_app.ledger.note import VerifierKey
from ari_app.media.g711 import ulaw_encode
from ari_app.media.line import RtpLines
from ari_app.outbox.overdue import Overdue
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.policy.bundle import Bundle, read_bundle
from ari_app.ports import Clock, SmsGateway
from ari_app.privacy.erasure import Erasure
from ari_app.privacy.retention import Schedule
from ari_app.privacy.sealing import Sealer
from ari_app.privacy.vault import Vault
from ari_app.sms.absent import NoCarrier
from ari_app.sms.gateway import SmppGateway
from ari_app.speech.model import ModelFacts, load_model_facts, mini_model_path
from ari_app.speech.recognisers import AsrWorkers
from ari_app.speech.turns import Turns
from ari_app.speech.voice import EspeakVoice
from ari_app.store.erasures import LedgerFile
from ari_app.store.keys import KeyDatabase
from ari_app.store.sqlite import SqliteStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter
from ari_app.threads.inbox import Inbox
from ari_app.threads.replies import Replies
from ari_app.understanding.intents import Intents
from smpp.errors import LocalProtocolError
from smpp.esme import Limits

logger = logging.getLogger(__name__)

EXAMPLE_BUNDLE = Path(__file__).parent / "policy" / "bundles" / "harbour-clinic.yaml"
_BIND_PATIENCE = 10.0
_TRANSPORTS = {"auto": None, "websocket": True, "http": False}


class Service:
    """`segue run`: everything wired; `start` either has all of it up or nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._meter = PrometheusMeter()
        self._stack = contextlib.AsyncExitStack()
        self._calls: Calls | None = None
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.agi_port = 0

    async def start(self) -> None:
        """Check, then start from the store outwards; callers enter last.

        SettingsError, BundleError or Unavailable in one sentence; then nothing is left running.
        """
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """Let calls finish, settle what is under way, close in reverse order."""
        if self._calls is not None:
            await self._calls.drain(self._settings.calls.drain)
        await self._stack.aclose()

    async def _start(self) -> None:
        settings = self._settings
        bundle = load_bundle(settings)
        model = load_model(settings)
        password = _need(
            read_secret(settings.pbx.password_file, "ari_password", "pbx.password_file"),
            "the ARI password is not set: write it to a file and name that in [pbx] password_file",
        )
        key = subject_key(settings)
        lines = await self._lines()
        intents = await asyncio.to_thread(Intents, bundle.intents)

        privacy = Privacy(settings, self._clock)
        privacy.open()
        self._stack.callback(privacy.close)
        store = SqliteStore(settings.store.path, self._clock, self._meter, vault=privacy.vault)
        await store.open()
        self._stack.push_async_callback(store.aclose)

        if settings.telemetry.metrics_port:
            self._serve_metrics(settings.telemetry.metrics_host, settings.telemetry.metrics_port)

        voice = EspeakVoice(
            ulaw_encode,
            settings.voice.cache or settings.store.path.parent / "prompts",
            voices={bundle.language: settings.voice.voice},
            rate=settings.voice.rate,
        )
        self._stack.push_async_callback(voice.aclose)
        await voice.prepare((text, bundle.language) for text in bundle.spoken())

        workers = settings.speech.workers or os.cpu_count() or 1
        recognisers = AsrWorkers(model, workers, self._meter, settings.speech.deadline)
        await recognisers.start()
        self._stack.push_async_callback(recognisers.aclose)

        region = settings.calls.region or None
        inbox = Inbox(store, self._clock, self._meter, key, region=region)
        gateway = await self._carrier(inbox, key)
        agent = Agent(
            bundle,
            intents,
            self._clock,
            lambda: gateway.up,
            settings.sms.receipt_patience,
        )
        await self._background(store, gateway, agent)
        await self._supervise()
        await self._serve_agi(store, key)

        rate, pause = recognisers.rate, settings.speech.pause
        calls = Calls(lambda: Turns(rate, pause), settings.calls.most)
        app = settings.pbx.app
        telephone = AriTelephone(
            app,
            calls,
            lambda call: call in calls.live,
            lambda: self._fail(f"another program has taken the Stasis application {app!r}"),
        )
        client = self._client(telephone, password)
        telephone.use(client)
        tools = Instruments(
            telephone=telephone,
            lines=lines,
            recognisers=recognisers,
            voice=voice,
            agent=agent,
            store=store,
            clock=self._clock,
            meter=self._meter,
            subject_key=key,
            region=region,
            no_input=settings.calls.no_input,
        )
        calls.use(tools)
        self._stack.push_async_callback(client.aclose)
        await client.start()
        self._calls = calls

    async def _lines(self) -> RtpLines:
        """Lines for as many calls as may come; that there can be one is tried now."""
        media, most = self._settings.media, self._settings.calls.most
        ports = range(media.first_port, media.last_port + 1)
        try:
            lines = RtpLines(
                media.host, media.advertise or media.host, ports, self._meter, self._clock
            )
        except ValueError as error:
            raise SettingsError(
                f"[media]: {error}: correct host, first_port and last_port"
            ) from None
        room = sum(port % 2 == 0 for port in ports)
        if room < most:
            raise SettingsError(
                f"[media]: {media.first_port} to {media.last_port} is room for {room} calls, "
                f"but [calls] most is {most}: widen the range, or lower most"
            )
        line = await lines.open(_Nobody(), "ulaw")
        await line.aclose()
        return lines

    def _client(self, telephone: AriTelephone, password: str) -> AriClient:
        pbx = self._settings.pbx
        try:
            return AriClient(
                pbx.url,
                pbx.user,
                password,
                pbx.app,
                telephone,
                self._meter,
                self._clock,
                rest_over_websocket=_TRANSPORTS[pbx.transport],
            )
        except ValueError as error:
            raise SettingsError(f"[pbx] url: {error}") from None

    def _serve_metrics(self, host: str, port: int) -> None:
        try:
            self._meter.serve(host, port)
        except OSError as error:
            raise SettingsError(
                f"[telemetry] metrics_port: cannot listen on {host}:{port} ({error.strerror}): "
                "stop the other program, or choose another port"
            ) from None
        self._stack.push_async_callback(self._meter.aclose)

    async def _carrier(self, inbox: Inbox, key: bytes) -> SmsGateway:
        sms = self._settings.sms
        if not sms.host:
            logger.warning("no carrier is set ([sms] host): texts are not offered")
            return NoCarrier()
        password = _need(
            read_secret(sms.password_file, "smpp_password", "sms.password_file"),
            "the bind password is not set: write it to a file and name that in [sms] password_file",
        )
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def alarm(error: CarrierUnavailable) -> None:
            logger.error("%s", error)
            if not refused.done():
                refused.set_exception(error)

        try:
            gateway = SmppGateway(
                carrier=sms.carrier,
                host=sms.host,
                port=sms.port,
                system_id=sms.system_id,
                password=password,
                source=sms.source,
                inbox=inbox,
                clock=self._clock,
                meter=self._meter,
                secret=key,
                system_type=sms.system_type,
                limits=Limits(window=sms.window),
                on_alarm=alarm,
            )
        except LocalProtocolError as error:
            raise SettingsError(f"[sms] source: {sms.source!r} is {error}") from None
        gateway.start()
        self._stack.push_async_callback(gateway.aclose)
        await self._bound(gateway, refused)
        return gateway

    async def _bound(self, gateway: SmppGateway, refused: asyncio.Future[None]) -> None:
        """A carrier that says no is an error now; one that is away is waited for meanwhile."""
        up = asyncio.ensure_future(gateway.wait_up(_BIND_PATIENCE))
        await asyncio.wait((up, refused), return_when=asyncio.FIRST_COMPLETED)
        if refused.done():
            up.cancel()
            raise CarrierUnavailable(
                f"{refused.exception()}: "
                "compare [sms] system_id and password_file with what the carrier gave you"
            )
        refused.cancel()
        if up.exception() is not None:
            logger.warning("the carrier cannot be reached; texts are not offered until it can be")

    async def _background(self, store: SqliteStore, gateway: SmsGateway, agent: Agent) -> None:
        sms = self._settings.sms
        retry = RetryPolicy(sms.retry_first, sms.retry_longest, sms.retry_attempts)
        folder = self._settings.handoff.folder or self._settings.store.path.parent / "handoffs"
        relay = Relay(
            store,
            self._clock,
            self._meter,
            {
                "sms": TextSender(gateway, store, self._clock, self._meter, retry),
                "handoff": HandoffDelivery([FileDrop(folder)], self._meter, RetryPolicy()),
            },
        )
        replies = Replies(store, agent, self._clock, self._meter)
        overdue = Overdue(store, self._clock, self._meter)
        ticker = Ticker(self._meter)
        ticker.every(1.0, "timers", overdue.run_once)
        ticker.every(1.0, "seal", _sealing(self._settings, store, self._clock))
        ticker.start()
        self._stack.push_async_callback(ticker.aclose)
        # Taken down in reverse: what was claimed last is waited for as well.
        self._stack.push_async_callback(relay.drain)
        self._run(relay.run, relay.stop, "outbox")
        self._run(replies.run, replies.stop, "replies")

    def _run(self, run: Callable[[], Awaitable[None]], stop: Callable[[], None], name: str) -> None:
        """A loop for as long as the service lives; one that ends by itself ends the service."""

        async def live() -> None:
            try:
                await run()
            except Exception as error:
                logger.exception("%s failed", name)
                self._fail(f"{name} failed: {error}")

        task = asyncio.create_task(live(), name=name)

        async def end() -> None:
            stop()
            await task

        self._stack.push_async_callback(end)

    async def _supervise(self) -> None:
        ami = self._settings.ami
        if not ami.port:
            return
        secret = _need(
            read_secret(ami.secret_file, "ami_secret", "ami.secret_file"),
            "the AMI secret is not set: write it to a file and name that in [ami] secret_file",
        )
        supervision = AmiSupervision(ami.host, ami.port, ami.user, secret, self._meter)
        supervision.start()
        self._stack.push_async_callback(supervision.aclose)

    async def _serve_agi(self, store: SqliteStore, key: bytes) -> None:
        agi = self._settings.agi
        if not agi.port:
            return
        region = self._settings.calls.region or None

        async def consent(caller: str, _did: str) -> str:
            number = E164.read(caller, region)
            stream = await store.latest(number.subject(key)) if number else None
            if stream is None:
                return "unknown"
            given = fold(await store.read(stream)).consent.get("texts")
            return {True: "granted", False: "denied", None: "unknown"}[given]

        server = AgiServer(agi.host, agi.port, {"consent": consent})
        try:
            await server.start()
        except OSError as error:
            raise SettingsError(
                f"[agi] port: cannot listen on {agi.host}:{agi.port} ({error.strerror}): "
                "stop the other program, or choose another port"
            ) from None
        self.agi_port = server.port
        self._stack.push_async_callback(server.aclose)

    def _fail(self, reason: str) -> None:
        if not self.failed.done():
            self.failed.set_result(reason)


class _Nobody:
    """Listens to a line that is opened only to see whether it can be."""

    def heard(self, pcm: bytes, at: float) -> None:
        """See the port AudioSink."""

    def prompt_ended(self, at: float) -> None:
        """See the port AudioSink."""


class Privacy:
    """The keys of one installation, and what is done with them."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Nothing is opened yet; SettingsError if the key-encryption key cannot be used."""
        limits = settings.privacy
        windows = {
            "identity": limits.identity_days,
            "words": limits.words_days,
            "texts": limits.texts_days,
            "records": limits.records_days,
        }
        folder = settings.store.path.parent
        schedule = Schedule(windows)
        self._keys = KeyDatabase(folder / "keys.db", _kek(settings), clock, os.urandom)
        ledger = LedgerFile(folder / "erasures.jsonl")
        self.vault = Vault(self._keys, schedule, clock, os.urandom)
        self.erasure = Erasure(self._keys, ledger, schedule, clock)

    def open(self) -> None:
        """Open the keys; a backup that revived erased ones is put right before anything is read."""
        self._keys.open()
        self.erasure.reapply()

    def close(self) -> None:
        """Close the keys."""
        self._keys.close()


def load_bundle(settings: Settings) -> Bundle:
    """The policy bundle that the settings name; BundleError or SettingsError."""
    path = settings.policy.bundle or EXAMPLE_BUNDLE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"[policy] bundle: cannot read {path}: {error}") from None
    try:
        return read_bundle(text)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def load_model(settings: Settings) -> ModelFacts:
    """The speech model that the settings name; ModelUnavailable."""
    return load_model_facts(settings.speech.model_path or mini_model_path())


def subject_key(settings: Settings) -> bytes:
    """The key of the pseudonyms: from the settings, else made once beside the database."""
    store = settings.store
    given = read_secret(store.subject_key_file, "subject_key", "store.subject_key_file")
    if given is None:
        return _made_once(store.path.parent / "subject.key").encode()
    if len(given) < 32:
        raise SettingsError("store.subject_key_file: the key is shorter than 32 bytes")
    return given.encode()


def _kek(settings: Settings) -> bytes:
    """The key-encryption key: from the settings, else made once beside the database."""
    given = read_secret(settings.privacy.kek_file, "kek", "privacy.kek_file")
    if given is None:
        given = _made_once(settings.store.path.parent / "kek")
    try:
        kek = bytes.fromhex(given)
    except ValueError:
        kek = b""
    if len(kek) != 32:
        raise SettingsError("privacy.kek_file: the key must be 64 hex digits")
    return kek


def sealer(settings: Settings, store: SqliteStore, clock: Clock) -> Sealer:
    """The sealer of this installation; its key is made once, its verifier key lies beside it."""
    folder = settings.store.path.parent
    try:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(_made_once(folder / "seal.key")))
    except ValueError:
        raise SettingsError(f"{folder / 'seal.key'} is not 64 hex digits: restore it") from None
    # Of the key, so that no two installations sign under one name by accident.
    public = key.public_key().public_bytes_raw()
    origin = settings.audit.origin or f"segue-{public[:4].hex()}"
    written = f"{VerifierKey.of(origin, key)}\n"
    path = folder / "seal.pub"
    try:
        if not path.exists() or path.read_text(encoding="utf-8") != written:
            path.write_text(written, encoding="utf-8")
    except OSError as error:
        raise StoreUnavailable(f"cannot write {path}: {error.strerror}") from None
    anchors = [AnchorFile(settings.audit.anchor)] if settings.audit.anchor else []
    return Sealer(store.seals(), origin, key, clock, anchors)


def _sealing(settings: Settings, store: SqliteStore, clock: Clock) -> Callable[[], Awaitable[None]]:
    made = sealer(settings, store, clock)

    async def tick() -> None:
        await made.run_once()

    return tick


def _made_once(path: Path) -> str:
    """A random key of 64 hex digits, for the service's eyes only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(32))
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise StoreUnavailable(
            f"cannot make {path} ({error.strerror}): make the folder writable for the service"
        ) from None


def _need(secret: str | None, sentence: str) -> str:
    if secret is None:
        raise SettingsError(sentence)
    return secret
