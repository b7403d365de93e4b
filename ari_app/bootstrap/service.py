"""Who is who: builds the service from its settings, starts it, and takes it down in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from ari_app.agent.turn import Agent
from ari_app.agi.callers import Callers, Reach
from ari_app.agi.server import AgiServer
from ari_app.agi.uses import uses
from ari_app.ami.supervision import AmiSupervision
from ari_app.ari.client import AriClient
from ari_app.ari.telephone import AriTelephone
from ari_app.backends.file_drop import FileDrop
from ari_app.bootstrap import hearing, sending, speaking
from ari_app.bootstrap.outside import destination
from ari_app.bootstrap.premises import (
    Premises,
    derived,
    load_bundle,
    recordings,
    sealer,
    subject_key,
)
from ari_app.bootstrap.texting import Texting, bound, carriers, contracts
from ari_app.bootstrap.watching import probe
from ari_app.bus.jetstream import JetStream
from ari_app.calls.admission import Admission, Caps, cap_of
from ari_app.calls.callbacks import Callbacks
from ari_app.calls.instruments import Instruments
from ari_app.calls.orphans import Orphans
from ari_app.calls.registry import Calls
from ari_app.config import Calls as CallSettings
from ari_app.config import Settings, read_secret
from ari_app.conversation.identity import E164
from ari_app.errors import CarrierUnavailable, SegueError, SettingsError, StoreUnavailable
from ari_app.handoff.delivery import HandoffDelivery
from ari_app.jobs.leases import Leaseholder
from ari_app.jobs.ticker import Ticker
from ari_app.media.line import RtpLines
from ari_app.media.quality import with_trunk
from ari_app.media.ringback import ringback
from ari_app.media.websocket import WebSocketLines
from ari_app.outbox.overdue import Overdue
from ari_app.outbox.recordings import RecordingEraser
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.phone.probe import Probe
from ari_app.policy.bundle import Bundle
from ari_app.policy.callbacks import may_be_called
from ari_app.ports import Fence, Lines
from ari_app.privacy.erasure import Erasure
from ari_app.projections.feed import Feed
from ari_app.projections.persons import Persons
from ari_app.recordings.folder import RecordingFolder
from ari_app.sms.absent import NoCarrier
from ari_app.sms.bind_leases import BindLeases
from ari_app.speech.espeak import Espeak
from ari_app.speech.turns import Turns
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore
from ari_app.store.wal_watch import watch
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.loop_watch import LoopWatch
from ari_app.telemetry.meter import PrometheusMeter
from ari_app.threads.inbox import Inbox
from ari_app.threads.replies import Replies
from ari_app.understanding.intents import Intents

logger = logging.getLogger(__name__)

_BIND_PATIENCE = 10.0
# Once a day, found by looking every quarter of an hour: whoever is up then does it.
_RETENTION = 900.0
_WAL = 10.0
_TRANSPORTS = {"auto": None, "websocket": True, "http": False}


class Service:
    """`segue run`: everything wired; `start` either has all of it up or nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._meter = PrometheusMeter()
        self._stack = contextlib.AsyncExitStack()
        self._calls: Calls | None = None
        self._robbed: Callable[[], Awaitable[None]] | None = None
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
            if self._robbed is not None:
                await self._robbed()
            # Without events no call can go on.
            await self._calls.drain(0.0 if self._robbed else self._settings.calls.drain)
        await self._stack.aclose()

    async def _start(self) -> None:
        settings = self._settings
        bundle = load_bundle(settings)
        recognisers = hearing.recognisers(settings, self._meter)
        password = _need(
            read_secret(settings.pbx.password_file, "ari_password", "pbx.password_file"),
            "the ARI password is not set: write it to a file and name that in [pbx] password_file",
        )
        key = subject_key(settings)
        lines = await self._lines()
        intents = await asyncio.to_thread(Intents, bundle.intents)

        premises = Premises(settings, self._clock, self._meter)
        await premises.open()
        self._stack.push_async_callback(premises.aclose)
        store = premises.store
        ticker = Ticker(self._meter)
        leases = await self._join(store, ticker)

        if settings.telemetry.metrics_port:
            self._serve_metrics(settings.telemetry.metrics_host, settings.telemetry.metrics_port)

        folder = speaking.prompts_folder(settings)
        voice = speaking.voice(settings, bundle, self._clock, self._meter, folder=folder)
        self._stack.push_async_callback(voice.aclose)
        await speaking.prepared(voice, bundle)

        await recognisers.start()
        self._stack.push_async_callback(recognisers.aclose)

        region = settings.calls.region or None
        words = sending.keywords(settings, bundle, store.suppressions(), self._clock)
        inbox = Inbox(store, self._clock, self._meter, key, region=region, keywords=words)
        texting = await self._carriers(store, inbox, key, leases, ticker)
        agent = Agent(
            bundle,
            intents,
            self._clock,
            lambda: texting.up,
            settings.sms.receipt_patience,
            derived(key, "texted codes"),
        )
        tapes = recordings(settings, premises.privacy.vault, self._clock, self._meter)
        self._stack.push_async_callback(tapes.aclose)
        await self._background(
            store, leases, ticker, texting, agent, premises.privacy.erasure, tapes
        )
        caller = Espeak()
        self._stack.push_async_callback(caller.aclose)
        ours = probe(settings, agent, voice, caller, store, key, self._clock, self._meter)
        self._watch_ourselves(ticker, leases, ours)
        await self._supervise()
        await self._serve_agi(store, bundle, texting, key)

        rate, pause = recognisers.rate, settings.speech.pause
        calls = Calls(lambda: Turns(rate, pause), Admission(_caps(settings.calls)))
        app = settings.pbx.app
        telephone = AriTelephone(
            app, calls, lambda call: call in calls.live, lambda: self._lose(leases, client)
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
            persons=Persons(store, self._clock),
            recordings=tapes,
            subject_key=key,
            region=region,
            no_input=settings.calls.no_input,
            with_trunk=with_trunk,
            comfort=await speaking.comfort(voice, bundle, settings.calls.comfort),
            hold=ringback(),
            may_be_called=self._may_be_called(bundle),
        )
        calls.use(tools)
        backs = Callbacks(tools, settings.calls.dial, lambda: calls.full, calls.call_back)

        async def take_calls() -> None:
            await client.start()
            ticker.every(1.0, "callbacks", leases.only("callbacks", backs.run_once))

        await self._take_calls(leases, client, take_calls)
        self._calls = calls

    async def _join(self, store: EventStore, ticker: Ticker) -> Leaseholder:
        """Become one of the workers; on SQLite the only one."""
        ttl = self._settings.store.lease
        worker = await store.join(ttl, alone=True)
        leases = Leaseholder(store, ttl, self._meter, self._fail)
        leases.needs(worker, "the others took this worker for dead, and have its work: restart it")
        self._stack.push_async_callback(leases.release)
        ticker.every(ttl / 3, "leases", leases.keep)
        ticker.start()
        self._stack.push_async_callback(ticker.aclose)
        return leases

    def _lose(self, leases: Leaseholder, client: AriClient) -> None:
        """Another program has our application: our callers are given to people by HTTP.

        Unless the calls are a worker's that has taken our lease: then they go on there.
        """

        async def give_back() -> None:
            with contextlib.suppress(StoreUnavailable):
                await leases.keep()
                if await leases.fence(self._lease_of_calls) is None:
                    return
            client.give_back()

        self._robbed = give_back
        app = self._settings.pbx.app
        self._fail(f"another program has taken the Stasis application {app!r}")

    @property
    def _lease_of_calls(self) -> str:
        pbx = self._settings.pbx
        return f"ari:{pbx.url.partition('://')[2]}:{pbx.app}"

    def _may_be_called(self, bundle: Bundle) -> Callable[[E164], bool]:
        """Whether a number may be called back, if anybody is."""
        able = bool(self._settings.calls.dial) and bundle.callbacks.confirm is not None
        countries = sending.rules(self._settings).countries
        return lambda number: able and may_be_called(number, countries)

    async def _take_calls(
        self, leases: Leaseholder, client: AriClient, begin: Callable[[], Awaitable[None]]
    ) -> None:
        """Take the calls of the PBX; or stand by until the worker that has them is gone."""
        pbx, name = self._settings.pbx, self._lease_of_calls
        self._stack.push_async_callback(client.aclose)

        async def start(fence: Fence) -> None:
            leases.needs(
                fence, f"another worker has taken the calls of {pbx.url}: restart this one"
            )
            await begin()

        fence = await leases.fence(name)
        if fence is not None:
            await start(fence)
            return
        logger.warning("another worker has the calls of %s: this one stands by", pbx.url)

        async def stand_by() -> None:
            while True:
                await asyncio.sleep(self._settings.store.lease / 4)
                try:
                    fence = await leases.fence(name)
                except StoreUnavailable as error:
                    logger.error("standing by waits: %s", error)
                    continue
                if fence is not None:
                    await start(fence)
                    logger.warning("this worker has the calls of %s now", pbx.url)
                    return

        self._spawn(stand_by, "standby")

    def _watch_ourselves(self, ticker: Ticker, leases: Leaseholder, ours: Probe | None) -> None:
        self._spawn(LoopWatch(self._meter).run, "loop watch")
        if ours is None:
            return

        async def call(_: Fence) -> None:
            await ours.run_once()

        ticker.every(self._settings.probe.every, "probe", leases.only("probe", call))

    async def _lines(self) -> Lines:
        """Lines for as many calls as may come; that there can be one is tried now."""
        media, most = self._settings.media, self._settings.calls.most
        if media.transport == "websocket":
            websockets = WebSocketLines(self._settings.pbx.url, self._meter, self._clock)
            self._stack.push_async_callback(websockets.aclose)
            return websockets
        ports = range(media.first_port, media.last_port + 1)
        try:
            lines = RtpLines(
                media.host,
                media.advertise or media.host,
                ports,
                self._meter,
                self._clock,
                media.sources,
            )
        except ValueError as error:
            raise SettingsError(
                f"[media]: {error}: correct host, advertise, sources, first_port and last_port"
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
                patience=pbx.patience,
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

    async def _carriers(
        self, store: EventStore, inbox: Inbox, key: bytes, leases: Leaseholder, ticker: Ticker
    ) -> Texting:
        found = contracts(self._settings)
        if not found:
            logger.warning("no carrier is set ([sms] host): texts are not offered")
            return Texting(NoCarrier())
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def alarm(error: CarrierUnavailable) -> None:
            logger.error("%s: put it right, and restart the service", error)
            if not refused.done():
                refused.set_exception(error)

        gateway = carriers(
            found,
            inbox=inbox,
            arrivals=store,
            clock=self._clock,
            meter=self._meter,
            secret=key,
            on_alarm=alarm,
        )
        self._stack.push_async_callback(gateway.aclose)
        binds = None
        if isinstance(store.engine, SqliteEngine):
            gateway.start()  # there is no other worker
        else:
            binds = BindLeases(gateway.gateways, leases, store.held)
            await binds.run_once()
            ticker.every(self._settings.store.lease / 8, "binds", binds.run_once)
        if binds is not None and not binds.ours:
            logger.warning("another worker has the binds: this one stands by")
            refused.cancel()
        elif not await bound(gateway, refused, _BIND_PATIENCE):
            logger.warning("the carrier cannot be reached; texts are not offered until it can be")
        return Texting(gateway, binds)

    async def _background(
        self,
        store: EventStore,
        leases: Leaseholder,
        ticker: Ticker,
        texting: Texting,
        agent: Agent,
        erasure: Erasure,
        tapes: RecordingFolder,
    ) -> None:
        sms = self._settings.sms
        retry = RetryPolicy(sms.retry_first, sms.retry_longest, sms.retry_attempts)
        folder = self._settings.handoff.folder or self._settings.store.path.parent / "handoffs"
        relay = Relay(
            store,
            self._clock,
            self._meter,
            {
                "sms": TextSender(
                    texting.gateway,
                    store,
                    self._clock,
                    self._meter,
                    retry,
                    patience=sms.reconcile_patience,
                ),
                "handoff": HandoffDelivery([FileDrop(folder)], self._meter, RetryPolicy()),
                "recording": RecordingEraser(tapes, erasure.holds),
            },
        )
        replies = Replies(store, agent, self._clock, self._meter, lambda: leases.fence("replies"))
        overdue = Overdue(store, self._clock, self._meter, texting.inquiries)
        seals = sealer(self._settings, store, self._clock)
        adoption = self._settings.calls.adoption
        orphans = Orphans(store.bury, store, agent, self._meter, self._clock, adoption)

        async def seal(fence: Fence) -> None:
            await seals.run_once(fence)

        ticker.every(self._settings.store.lease / 3, "orphans", orphans.run_once)
        ticker.every(1.0, "timers", leases.only("timers", overdue.run_once))
        ticker.every(1.0, "reconcile", texting.only(overdue.reconcile, leases))

        async def count_failures(fence: Fence) -> None:
            await store.count_failures(self._clock.now())

        ticker.every(10.0, "failures", leases.only("failures", count_failures))
        pruning = store.pruning(sms.ids_days * 86_400)
        ticker.every(1.0, "pruning", leases.only("pruning", pruning.run_once))
        ticker.every(1.0, "seal", leases.only("sealer", seal))
        # Taken down in reverse: what was claimed last is waited for as well.
        self._stack.push_async_callback(relay.drain)
        self._run(relay.run, relay.stop, "outbox")
        self._run(replies.run, replies.stop, "replies")
        if isinstance(store.engine, SqliteEngine):
            path = store.engine.path

            async def look() -> None:
                await asyncio.to_thread(watch, path, self._meter)

            ticker.every(_WAL, "wal", look)
        models = store.read_models()

        async def project(fence: Fence) -> None:
            while await models.run_once(fence):
                pass

        ticker.every(1.0, "projections", leases.only("projections", project))
        self._relay_events(store, leases)

        async def expire(fence: Fence) -> None:
            today = datetime.fromtimestamp(self._clock.now() / 1e6, UTC).date().isoformat()
            if await store.once("retention", today, fence):
                await asyncio.to_thread(erasure.expire)
            await asyncio.to_thread(tapes.sweep)

        ticker.every(_RETENTION, "retention", leases.only("retention", expire))

    def _relay_events(self, store: EventStore, leases: Leaseholder) -> None:
        to = destination(self._settings)
        if to is None:
            return
        feed = Feed(store, to, self._meter, "relay")
        if isinstance(to, JetStream):
            self._stack.push_async_callback(to.aclose)

        async def turns() -> None:
            while not feed.stopped:
                try:
                    fence = await leases.fence("relay")
                except StoreUnavailable as error:
                    logger.error("the relay of events waits: %s", error)
                    fence = None
                if fence is None:
                    await asyncio.sleep(1.0)
                else:
                    await feed.run(fence)
                    if not feed.stopped:
                        leases.lost(fence)

        self._run(turns, feed.stop, "relay")

    def _run(self, run: Callable[[], Awaitable[None]], stop: Callable[[], None], name: str) -> None:
        """A loop for as long as the service lives; one that ends by itself ends the service."""
        task = asyncio.create_task(self._live(run, name), name=name)

        async def end() -> None:
            stop()
            await task

        self._stack.push_async_callback(end)

    def _spawn(self, run: Callable[[], Awaitable[None]], name: str) -> None:
        """Something that ends by itself, or with the service."""
        task = asyncio.create_task(self._live(run, name), name=name)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(end)

    async def _live(self, run: Callable[[], Awaitable[None]], name: str) -> None:
        try:
            await run()
        except SegueError as error:
            self._fail(f"{name} failed: {error}")
        except Exception as error:
            logger.exception("%s failed", name)
            self._fail(f"{name} failed: {error}")

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

    async def _serve_agi(
        self, store: EventStore, bundle: Bundle, texting: Texting, key: bytes
    ) -> None:
        settings, agi = self._settings, self._settings.agi
        if not agi.port:
            return
        rules = sending.rules(settings)
        callers = Callers(
            store,
            self._clock,
            key,
            region=settings.calls.region or None,
            language=bundle.language,
            outs=store.suppressions(),
            sender=settings.sms.source,
        )
        table = uses(
            callers,
            bundle,
            Reach(rules.countries, rules.refused_kinds),
            lambda: texting.up,
            settings.sms.receipt_patience,
        )
        server = AgiServer(agi.host, agi.port, table, deadline=agi.deadline, most=agi.most)
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


def _caps(calls: CallSettings) -> Caps:
    """How many calls may be up; a machine that was measured takes no more than it can."""
    most = calls.most
    if calls.capacity is not None:
        try:
            most = min(most, cap_of(calls.capacity.read_text(encoding="utf-8"), calls.headroom))
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"[calls] capacity: {calls.capacity} cannot be used ({error}): "
                "let `segue bench capacity` write it, or unset it"
            ) from None
    return Caps(most, calls.per_caller, calls.per_trunk)


def _need(secret: str | None, sentence: str) -> str:
    if secret is None:
        raise SettingsError(sentence)
    return secret
