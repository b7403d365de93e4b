"""Texts out and in over the binds of one carrier."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from ari_app.errors import CarrierUnavailable, SmsRefused, SmsUnknown
from ari_app.ports import (
    Accepted,
    Clock,
    Late,
    Lost,
    Meter,
    Outcome,
    Outcomes,
    OutgoingText,
    Receipt,
    Refused,
    SmsArrivals,
    SmsInbox,
    Throttled,
)
from ari_app.sms.flights import PAUSE, Answer, Fate, Flight, fate, late
from ari_app.sms.inbound import Inbound
from smpp.binds import BindAlarm, BindDown, BindUp, Event, Standing
from smpp.carrier import Account, pool
from smpp.composing import compose
from smpp.constants import MESSAGE_STATES, Status
from smpp.errors import LocalProtocolError, NotSent, SmppError
from smpp.hot import Templates
from smpp.pdu import QuerySm, QuerySmResp
from smpp.profile import Profile
from smpp.segmentation import Concatenation, References
from smpp.texts import Settled, Text, Token

logger = logging.getLogger(__name__)

# Parts that the SMSC throws back go again, in order, before the text is given up: its first part
# may have been taken. A text of one part is the outbox's to send again, unless the profile says.
_REPEAT_PARTS = 10.0
_LONGEST_VALIDITY = 31 * 86_400.0  # seconds; more would be written in months, §7.1.1.2
_OPEN = NotSent("not answered yet")
_WIDE = (Concatenation.UDH16, Concatenation.SAR)


class SmppGateway:
    """One carrier: implements `BatchGateway`, `SmsGateway` and `Inquiries`, feeds a `SmsInbox`."""

    def __init__(
        self,
        profile: Profile,
        account: Account,
        *,
        source: str,
        inbox: SmsInbox,
        clock: Clock,
        meter: Meter,
        secret: bytes,
        arrivals: SmsArrivals | None = None,
        on_alarm: Callable[[CarrierUnavailable], None] = lambda error: None,
        part_patience: float = 300.0,
    ) -> None:
        """Nothing is connected before `start`; `profile.name` is what the carrier is called.

        `source` is E.164, a short code or a name. `secret` keys the hash of dedupe keys and must
        outlive a restart. `arrivals` keeps receipts and parts of texts durably; without it
        receipts go to the inbox, and parts are in memory only. `part_patience` is how many
        seconds the missing parts of an incoming text are waited for. ProfileError,
        LocalProtocolError: the profile, account or source cannot be used.
        """
        self._profile = profile
        self._source = profile.source(source)
        self._clock = clock
        self._meter = meter
        self._on_alarm = on_alarm
        # After a restart the numbering must not begin where it began the last time.
        self._references = References(
            first=clock.now() // 1_000_000 % 256,
            bits=16 if profile.texts.concatenation in _WIDE else 8,
        )
        self._templates = Templates()
        self._started: set[str] = set()
        #: Seconds from the last submit_sm that was answered to its answer, without any queue of
        #: ours; 0 before the first.
        self.latency = 0.0
        self._inbound = Inbound(
            carrier=profile.name,
            inbox=inbox,
            arrivals=arrivals,
            clock=clock,
            meter=meter,
            secret=secret,
            link=lambda: self._pool.link_number,
            id_rule=profile.receipts.id_rule,
            part_patience=part_patience,
            style=profile.text,
        )
        self._pool = pool(
            profile, account, batch_handler=self._inbound.take_all, on_event=self._happened
        )

    @property
    def name(self) -> str:
        """What the carrier is called."""
        return self._profile.name

    @property
    def up(self) -> bool:
        """Whether a bind is up that can send."""
        return self._pool.up

    @property
    def room(self) -> int:
        """See the port `BatchGateway`; a text may have several parts."""
        return self._pool.room // 2

    def standings(self) -> list[Standing]:
        """How each bind stands."""
        return self._pool.standings()

    @property
    def binds(self) -> list[str]:
        """The names of all binds, those that submit first."""
        return self._pool.names

    def start(self, *binds: str) -> None:
        """Bind, and stay bound, in the background; only these binds, if some are named."""
        for bind in binds or self.binds:
            self._meter.gauge("segue_smpp_bind_up", 0, carrier=self.name, bind=bind)
        if not self._started:
            # Also what another worker has left, if the binds were with that one.
            self._inbound.start()
        self._started |= set(binds or self.binds)
        self._pool.start(*binds)

    async def rest(self, bind: str, drain: float | None = None) -> None:
        """Let go of one bind until it is started again; so many seconds are left for answers."""
        self._started.discard(bind)
        await self._pool.rest(bind, drain)

    def retry(self) -> None:
        """Bind now: a person has put right what the carrier refused."""
        self._pool.retry()

    async def wait_up(self, timeout: float) -> None:
        """Return when bound; TimeoutError otherwise."""
        await self._pool.wait_up(timeout)

    async def aclose(self) -> None:
        """Drain, unbind, close."""
        await self._pool.aclose()
        await self._inbound.aclose()

    # -- out ----------------------------------------------------------------------------------

    def send_many(self, texts: Sequence[OutgoingText], told: Outcomes) -> None:
        """See the port `BatchGateway`."""
        now = self._clock.monotonic()
        ready: list[Text] = []
        refused: list[Outcome] = []
        for text in texts:
            try:
                bodies = self._bodies(text)
            except LocalProtocolError as error:
                refused.append(Outcome(text.message, Refused(str(error), transient=False)))
                continue
            flight = Flight(text.message, [_OPEN] * len(bodies), len(bodies), now, told)
            tokens = [(flight, place) for place in range(len(bodies))]
            ready.append(self._text(text, bodies, tokens))
        refused += self._submit(ready)
        if refused:
            self._count(outcome.fate for outcome in refused)
            told(refused)

    def _submit(self, texts: list[Text]) -> list[Outcome]:
        """Give them to the pool; what became of those that it did not take."""
        fitting = texts
        if self._pool.up:
            # Very long texts may be more than the room that was asked for; the first ones go.
            ends = accumulate(len(text.bodies) for text in texts)
            fitting = texts[: bisect_right(list(ends), self._pool.room)]
        later: Fate = Throttled(PAUSE)
        if fitting:
            try:
                self._pool.submit_octets(fitting, self)
            except NotSent as error:
                fitting, later = [], Refused(str(error), transient=True)
        return [Outcome(text.tokens[0][0].message, later) for text in texts[len(fitting) :]]

    def _bodies(self, text: OutgoingText) -> list[bytes]:
        validity = None
        if text.valid_until is not None:
            left = (text.valid_until - self._clock.now()) / 1_000_000
            validity = min(max(1.0, left), _LONGEST_VALIDITY)
        number = text.to.value
        pdus = compose(
            self._profile,
            text.body,
            source=self._source,
            destination=self._profile.destination(number),
            reference=self._references.next(number),
            validity=validity,
        )
        return [self._templates.body(pdu) for pdu in pdus]

    def _text(self, text: OutgoingText, bodies: list[bytes], tokens: list[Token]) -> Text:
        now = asyncio.get_running_loop().time()
        patience = self._profile.session.throttle_patience
        again = now + (max(patience, _REPEAT_PARTS) if len(bodies) > 1 else patience)
        if text.valid_until is None:
            return Text(text.to.value, bodies, tokens, repeat_until=again)
        end = now + (text.valid_until - self._clock.now()) / 1_000_000
        return Text(text.to.value, bodies, tokens, end, min(again, end))

    def settle(self, settled: Settled) -> None:
        """See `smpp.texts.Sink`."""
        if settled.taken:
            self.latency = settled.seconds
        done: list[Flight] = []
        answers: list[tuple[Token, Answer]] = [*settled.taken, *settled.refused]
        answers += settled.unknown
        answers += settled.unsent
        for (flight, place), answer in answers:
            flight.answers[place] = answer
            flight.open -= 1
            if not flight.open:
                done.append(flight)
        self._tell(done)
        for (flight, place), status, id in settled.late:
            self._tell_late(flight, place, status, id)

    def wanted(self, tokens: Sequence[Token]) -> bool:
        """See `smpp.texts.Sink`: what was claimed is sent."""
        return True

    def _tell(self, flights: Sequence[Flight]) -> None:
        now = self._clock.monotonic()
        outcomes: dict[int, tuple[Outcomes, list[Outcome]]] = {}
        for flight in flights:
            end = fate(self.name, self._profile.statuses, flight.answers)
            _, found = outcomes.setdefault(id(flight.told), (flight.told, []))
            found.append(Outcome(flight.message, end))
            self._meter.observe("segue_smpp_submit_seconds", now - flight.since, carrier=self.name)
        for told, found in outcomes.values():
            self._count(outcome.fate for outcome in found)
            told(found)

    def _tell_late(self, flight: Flight, place: int, status: int, id: str) -> None:
        self._meter.count("segue_smpp_late_answers_total", carrier=self.name)
        logger.warning(
            "message %s is answered too late: status %d, id %s", flight.message, status, id
        )
        answer = status if status != Status.ESME_ROK else id
        known = late(self.name, self._profile.statuses, flight, place, answer)
        if known is not None:
            self._count([known])
            flight.told([Outcome(flight.message, known)])

    async def send(self, text: OutgoingText) -> Accepted:
        """One text; SmsRefused if it was not taken as a whole, SmsUnknown if it perhaps was."""
        known: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()

        def told(outcomes: Sequence[Outcome]) -> None:
            fate = outcomes[0].fate
            # Whoever asked may have gone, and does not wait for what comes late.
            if not (known.done() or isinstance(fate, Late)):
                known.set_result(fate)

        self.send_many([text], told)
        match await known:
            case Accepted() as accepted:
                return accepted
            case Refused(reason=reason, transient=transient):
                raise SmsRefused(reason, transient=transient)
            case Throttled():
                raise SmsRefused("the carrier is too busy", transient=True)
            case Lost(reason=reason):
                raise SmsUnknown(reason)

    async def inquire(self, carrier: str, id: str) -> Receipt | None:
        """See the port `Inquiries`."""
        if carrier != self.name or not self._profile.receipts.query:
            return None
        try:
            answer = await self._pool.request(QuerySm(message_id=id, source=self._source))
        except SmppError as error:
            logger.info("the carrier %s does not say what became of %s: %s", carrier, id, error)
            return None
        if not isinstance(answer, QuerySmResp) or answer.status != Status.ESME_ROK:
            return None
        state = MESSAGE_STATES.get(answer.message_state)
        return (
            Receipt(carrier, id, state, f"{answer.error_code:03d}", asked=True) if state else None
        )

    # -- the binds ----------------------------------------------------------------------------

    def _happened(self, event: Event) -> None:
        match event:
            case BindUp(bind=bind):
                self._meter.gauge("segue_smpp_bind_up", 1, carrier=self.name, bind=bind)
                logger.info("bound to %s at %s", self.name, bind)
            case BindDown(bind=bind, reason=reason):
                self._meter.gauge("segue_smpp_bind_up", 0, carrier=self.name, bind=bind)
                logger.info("the bind to %s at %s is down: %s", self.name, bind, reason)
            case BindAlarm(bind=bind, error=error):
                self._meter.count("segue_smpp_bind_refused_total", carrier=self.name)
                why = f"the SMSC of {self.name} at {bind} refuses the bind: {error}"
                self._on_alarm(CarrierUnavailable(why))

    def _count(self, fates: Iterable[Fate | Late]) -> None:
        for outcome, n in Counter(map(_called, fates)).items():
            self._meter.count("segue_smpp_submits_total", n, carrier=self.name, outcome=outcome)


def _called(fate: Fate | Late) -> str:
    match fate:
        case Accepted():
            return "accepted"
        case Refused(transient=transient):
            return "refused_for_now" if transient else "refused"
        case Throttled():
            return "throttled"
        case Lost():
            return "unknown"
        case Late():
            return "late"
