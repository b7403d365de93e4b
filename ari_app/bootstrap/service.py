"""Who is who: builds the service from its settings, starts it, and takes it down in order."""

from __future__ import annotations

import asyncio

from ari_app.agent.turn import Agent
from ari_app.ari.telephone import AriTelephone
from ari_app.bootstrap import hearing, sending, speaking
from ari_app.bootstrap.background import work
from ari_app.bootstrap.joining import join
from ari_app.bootstrap.life import Life
from ari_app.bootstrap.lines import caps, client, lines, may_be_dialled
from ari_app.bootstrap.premises import (
    Premises,
    derived,
    load_bundle,
    need,
    recordings,
    subject_key,
)
from ari_app.bootstrap.serving import serve_agi, serve_metrics, supervise
from ari_app.bootstrap.taking import PbxCalls
from ari_app.bootstrap.texting import texting
from ari_app.bootstrap.watching import probe, watch_ourselves
from ari_app.calls.admission import Admission
from ari_app.calls.callbacks import Callbacks
from ari_app.calls.instruments import Instruments
from ari_app.calls.registry import Calls
from ari_app.config import Settings, read_secret
from ari_app.media.quality import with_trunk
from ari_app.media.ringback import ringback
from ari_app.ports import Fence
from ari_app.projections.persons import Persons
from ari_app.speech.espeak import Espeak
from ari_app.speech.turns import Turns
from ari_app.threads.inbox import Inbox
from ari_app.understanding.intents import Intents


class Service:
    """`segue run`: everything wired; `start` either has all of it up or nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._life = Life(settings)
        self._calls: Calls | None = None
        self._pbx: PbxCalls | None = None
        self.failed = self._life.failed
        self.agi_port = 0

    async def start(self) -> None:
        """Check, then start from the store outwards; callers enter last.

        SettingsError, BundleError or Unavailable in one sentence; then nothing is left running.
        """
        try:
            await self._start()
        except BaseException:
            await self._life.aclose()
            raise

    async def stop(self) -> None:
        """Let calls finish, settle what is under way, close in reverse order."""
        if self._calls is not None and self._pbx is not None:
            await self._pbx.end(self._calls)
        await self._life.aclose()

    async def _start(self) -> None:
        life, settings, clock, meter = (
            self._life,
            self._settings,
            self._life.clock,
            self._life.meter,
        )
        bundle = load_bundle(settings)
        recognisers = hearing.recognisers(settings, meter)
        password = need(
            read_secret(settings.pbx.password_file, "ari_password", "pbx.password_file"),
            "the ARI password is not set: write it to a file and name that in [pbx] password_file",
        )
        key = subject_key(settings)
        ways = await lines(life)
        intents = await asyncio.to_thread(Intents, bundle.intents)

        premises = Premises(settings, clock, meter)
        await premises.open()
        life.at_end(premises.aclose)
        store = premises.store
        worker = await join(life, store)
        serve_metrics(life)

        folder = speaking.prompts_folder(settings)
        voice = speaking.voice(settings, bundle, clock, meter, folder=folder)
        life.at_end(voice.aclose)
        await speaking.prepared(voice, bundle)

        await recognisers.start()
        life.at_end(recognisers.aclose)

        region = settings.calls.region or None
        words = sending.keywords(settings, bundle, store.suppressions(), clock)
        inbox = Inbox(store, clock, meter, key, region=region, keywords=words)
        texts = await texting(life, worker, inbox, key)
        agent = Agent(
            bundle,
            intents,
            clock,
            lambda: texts.up,
            settings.sms.receipt_patience,
            derived(key, "texted codes"),
        )
        tapes = recordings(settings, premises.privacy.vault, clock, meter)
        life.at_end(tapes.aclose)
        work(life, worker, texts, agent, premises.privacy.erasure, tapes)
        caller = Espeak()
        life.at_end(caller.aclose)
        ours = probe(settings, agent, voice, caller, store, key, clock, meter)
        watch_ourselves(life, worker, ours)
        await supervise(life)
        self.agi_port = await serve_agi(life, store, bundle, texts, key)

        rate, pause = recognisers.rate, settings.speech.pause
        calls = Calls(lambda: Turns(rate, pause), Admission(caps(settings.calls)))
        pbx = PbxCalls(life, worker.leases)
        telephone = AriTelephone(
            settings.pbx.app, calls, lambda call: call in calls.live, lambda: pbx.stolen(link)
        )
        link = client(life, telephone, password)
        telephone.use(link)
        tools = Instruments(
            telephone=telephone,
            lines=ways,
            recognisers=recognisers,
            voice=voice,
            agent=agent,
            store=store,
            clock=clock,
            meter=meter,
            persons=Persons(store, clock),
            recordings=tapes,
            subject_key=key,
            region=region,
            no_input=settings.calls.no_input,
            with_trunk=with_trunk,
            comfort=await speaking.comfort(voice, bundle, settings.calls.comfort),
            hold=ringback(),
            may_be_called=may_be_dialled(settings, bundle),
        )
        calls.use(tools)
        backs = Callbacks(tools, settings.calls.dial, lambda: calls.full, calls.call_back)

        async def count_callbacks(fence: Fence) -> None:
            meter.gauge("segue_callbacks_open", await store.queries().open_callbacks())

        async def begin() -> None:
            await link.start()
            for seconds, name, run in (
                (1.0, "callbacks", backs.run_once),
                (10.0, "open callbacks", count_callbacks),
            ):
                worker.ticker.every(seconds, name, worker.leases.only("callbacks", run))

        await pbx.take(link, begin)
        self._calls, self._pbx = calls, pbx
