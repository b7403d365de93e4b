"""The port SmsGateway over one SMPP bind, and its SmsInbox for what comes back."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence

from ari_app.errors import CarrierUnavailable, SmsRefused, SmsUnknown
from ari_app.ports import (
    Accepted,
    Clock,
    IncomingText,
    Meter,
    OutgoingText,
    Receipt,
    SmsInbox,
)
from ari_app.sms.dedupe import DedupeKeys
from smpp import receipt as receipts
from smpp.address import Address
from smpp.constants import EsmClass, RegisteredDelivery, Status, Tag
from smpp.errors import (
    BindRefused,
    CommandError,
    LocalProtocolError,
    NotSent,
    SessionClosed,
    SmppError,
    Throttled,
    UnreadableReceipt,
)
from smpp.esme import Backoff, Esme, Limits
from smpp.ids import IdRule, MessageIds
from smpp.pdu import DeliverSm, SubmitSm
from smpp.segmentation import Joiner, References, Segment, Whole, read_part, split

logger = logging.getLogger(__name__)

_TRANSIENT = frozenset({Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL, Status.ESME_RSYSERR})
_ACKNOWLEDGEMENTS = (EsmClass.DELIVERY_ACKNOWLEDGEMENT, EsmClass.MANUAL_ACKNOWLEDGEMENT)
_STORE_AGAIN = 5.0  # seconds, for a text whose missing parts never came


class SmppGateway:
    """Sends a text as consecutive segments; hands in receipts and texts, each before its answer."""

    def __init__(
        self,
        *,
        carrier: str,
        host: str,
        port: int,
        system_id: str,
        password: str,
        source: str,
        inbox: SmsInbox,
        clock: Clock,
        meter: Meter,
        secret: bytes,
        system_type: str = "",
        source_ton: int | None = None,
        source_npi: int | None = None,
        id_rule: IdRule | None = None,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        tls: ssl.SSLContext | None = None,
        on_alarm: Callable[[CarrierUnavailable], None] = lambda error: None,
        part_attempts: int = 4,
        part_pause: float = 1.0,
        part_patience: float = 300.0,
    ) -> None:
        """Nothing is connected before `start`.

        `source` is E.164, a short code or a name; TON and NPI follow from it unless given.
        `secret` keys the hash of dedupe keys and must outlive a restart. `part_attempts` and
        `part_pause` are for throttled parts of a long text; `part_patience` is how long the
        missing parts of an incoming one are waited for.
        """
        written = Address.of(source)
        self._source = Address(
            written.ton if source_ton is None else source_ton,
            written.npi if source_npi is None else source_npi,
            written.digits,
        )
        self._carrier = carrier
        self._inbox = inbox
        self._clock = clock
        self._meter = meter
        self._on_alarm = on_alarm
        self._attempts = part_attempts
        self._pause = part_pause
        # After a restart the numbering must not begin where it began the last time.
        self._references = References(first=clock.now() // 1_000_000 % 256)
        self._ids = MessageIds(id_rule)
        self._joiner = Joiner(patience=part_patience)
        self._dedupe = DedupeKeys(secret)
        self._sweeping: asyncio.TimerHandle | None = None
        self._sweeps: set[asyncio.Task[None]] = set()
        self._esme = Esme(
            host,
            port,
            system_id=system_id,
            password=password,
            system_type=system_type,
            handler=self._delivered,
            limits=limits,
            backoff=backoff,
            tls=tls,
            on_up=self._bound,
            on_down=self._unbound,
            on_alarm=self._refused_bind,
        )

    @property
    def up(self) -> bool:
        """Whether the bind is up."""
        return self._esme.up

    def start(self) -> None:
        """Bind, and stay bound, in the background."""
        self._meter.gauge("segue_smpp_bind_up", 0, carrier=self._carrier)
        self._esme.start()

    async def wait_up(self, timeout: float) -> None:
        """Return when bound; TimeoutError otherwise."""
        await self._esme.wait_up(timeout)

    async def aclose(self) -> None:
        """Drain, unbind, close."""
        await self._esme.aclose()
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        if self._sweeps:
            await asyncio.wait(self._sweeps)

    # -- out ----------------------------------------------------------------------------------

    async def send(self, text: OutgoingText) -> Accepted:
        """Write all segments consecutively and wait for every answer.

        SmsRefused: not taken as a whole; sending it again is safe. SmsUnknown: perhaps taken.
        """
        started = self._clock.monotonic()
        try:
            ids = await self._submit(text)
        except SmsRefused as error:
            self._count("refused_for_now" if error.transient else "refused")
            raise
        except SmsUnknown:
            self._count("unknown")
            raise
        self._count("accepted")
        self._meter.observe(
            "segue_smpp_submit_seconds", self._clock.monotonic() - started, carrier=self._carrier
        )
        logger.info("message %s to %s taken in %d segments", text.message, text.to.masked, len(ids))
        return Accepted(self._carrier, ids)

    async def _submit(self, text: OutgoingText) -> tuple[str, ...]:
        try:
            destination = Address.of(text.to.value)
            segments = split(text.body, self._references.next(text.to.value))
            pdus = [self._pdu(destination, segment) for segment in segments]
        except LocalProtocolError as error:
            raise SmsRefused(str(error), transient=False) from error
        outcomes = await self._attempt(pdus)
        for _ in range(self._attempts - 1):
            # A single message is the outbox's to repeat. Of a long one, what was taken must not
            # go again, so only the throttled parts do, in order.
            again = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Throttled)]
            if len(pdus) == 1 or not again:
                break
            await asyncio.sleep(self._pause)
            for n, outcome in zip(
                again, await self._attempt([pdus[n] for n in again]), strict=True
            ):
                outcomes[n] = outcome
        return self._verdict(outcomes)

    def _pdu(self, destination: Address, segment: Segment) -> SubmitSm:
        return SubmitSm(
            source=self._source,
            destination=destination,
            esm_class=segment.esm_class,
            data_coding=segment.data_coding,
            short_message=segment.octets,
            registered_delivery=RegisteredDelivery.FINAL,
        )

    async def _attempt(self, pdus: Sequence[SubmitSm]) -> list[str | SmppError]:
        try:
            futures = self._esme.submit_all(pdus)
        except NotSent as error:
            return [error] * len(pdus)
        for future in futures:
            # Not after the gather: the receipt may be in the same read as the answer.
            future.add_done_callback(self._remember)
        outcomes: list[str | SmppError] = []
        for outcome in await asyncio.gather(*futures, return_exceptions=True):
            if not isinstance(outcome, str | SmppError):
                raise outcome
            outcomes.append(outcome)
        return outcomes

    def _remember(self, future: asyncio.Future[str]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._ids.remember(future.result())

    def _verdict(self, outcomes: Sequence[str | SmppError]) -> tuple[str, ...]:
        errors = [outcome for outcome in outcomes if isinstance(outcome, SmppError)]
        for error in errors:
            if isinstance(error, SessionClosed):
                raise SmsUnknown(str(error)) from error
        for error in errors:
            if not _is_transient(error):
                raise SmsRefused(str(error), transient=False) from error
        for error in errors:
            raise SmsRefused(str(error), transient=True) from error
        return tuple(outcome for outcome in outcomes if isinstance(outcome, str))

    # -- in -----------------------------------------------------------------------------------

    async def _delivered(self, pdu: DeliverSm) -> None:
        """Store it; what this raises makes the SMSC repeat it."""
        if receipts.is_receipt(pdu):
            await self._take_receipt(pdu)
        elif pdu.esm_class & EsmClass.TYPE_MASK in _ACKNOWLEDGEMENTS:
            # §5.2.12: a handset's automatic answer is not something a person wrote.
            self._received("acknowledgement")
        else:
            await self._take_part(pdu)

    async def _take_receipt(self, pdu: DeliverSm) -> None:
        try:
            found = receipts.parse(pdu)
        except UnreadableReceipt as error:
            # Answered as stored: the SMSC would only repeat what nobody can read.
            self._received("unreadable_receipt")
            logger.error("a receipt of %s is unreadable: %s", self._carrier, error)
            return
        id = self._ids.find(found.id)
        await self._inbox.receipt(Receipt(self._carrier, id, found.state, found.error))
        self._received("receipt")
        logger.info("receipt for %s: %s", id, found.state)

    async def _take_part(self, pdu: DeliverSm) -> None:
        now = self._clock.monotonic()
        whole = self._joiner.add(pdu.source, pdu.destination, read_part(pdu), now)
        if whole is None:
            self._received("part")
            self._plan_sweep()
            return
        id = pdu.tlv(Tag.RECEIPTED_MESSAGE_ID)
        await self._store(whole, id.rstrip(b"\0").hex() if id else "")

    async def _store(self, whole: Whole, id: str = "") -> None:
        text = whole.text
        content = (
            self._carrier,
            whole.source.written,
            whole.destination.written,
            f"{whole.reference}/{whole.total}",
            text,
        )
        if id:
            dedupe = self._dedupe.of_id(self._carrier, id)
        else:
            dedupe = self._dedupe.begin(
                content,
                link=self._esme.link_number,
                now=self._clock.monotonic(),
                wall=self._clock.now() / 1_000_000,
            )
        await self._inbox.text(
            IncomingText(
                carrier=self._carrier,
                sender=whole.source.written,
                recipient=whole.destination.written,
                body=text,
                dedupe=dedupe,
            )
        )
        self._dedupe.stored(content)
        self._joiner.settled(whole)
        self._received("text" if whole.complete else "text_with_gaps")
        logger.info("text from %s in %d parts", whole.source.masked, len(whole.parts))

    def _plan_sweep(self, after: float = 0.0) -> None:
        deadline = self._joiner.next_deadline()
        if self._sweeping is None and deadline is not None:
            wait = max(after, deadline - self._clock.monotonic())
            self._sweeping = asyncio.get_running_loop().call_later(wait, self._start_sweep)

    def _start_sweep(self) -> None:
        self._sweeping = None
        sweep = asyncio.create_task(self._sweep())
        self._sweeps.add(sweep)
        sweep.add_done_callback(self._sweeps.discard)

    async def _sweep(self) -> None:
        """Store what has come of texts whose other parts are waited for no longer."""
        after = 0.0
        for whole in self._joiner.overdue(self._clock.monotonic()):
            try:
                await self._store(whole)
            except Exception as error:  # noqa: BLE001  # nobody above; it is kept and tried again
                logger.warning("an incomplete text is not stored yet: %s", type(error).__name__)
                after = _STORE_AGAIN
        self._plan_sweep(after)

    # -- the bind -----------------------------------------------------------------------------

    def _bound(self) -> None:
        self._meter.gauge("segue_smpp_bind_up", 1, carrier=self._carrier)

    def _unbound(self, reason: str) -> None:
        self._meter.gauge("segue_smpp_bind_up", 0, carrier=self._carrier)

    def _refused_bind(self, error: BindRefused) -> None:
        self._meter.count("segue_smpp_bind_refused_total", carrier=self._carrier)
        self._on_alarm(CarrierUnavailable(f"the SMSC of {self._carrier} refuses the bind: {error}"))

    def _count(self, outcome: str) -> None:
        self._meter.count("segue_smpp_submits_total", carrier=self._carrier, outcome=outcome)

    def _received(self, kind: str) -> None:
        self._meter.count("segue_smpp_received_total", carrier=self._carrier, kind=kind)


def _is_transient(error: SmppError) -> bool:
    if isinstance(error, CommandError):
        return error.status in _TRANSIENT
    return isinstance(error, NotSent)
