"""What becomes of a text that an ESME submits: answered, joined, reported, or not, on demand."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import TypeVar

from smpp.address import Address
from smpp.constants import Status
from smpp.pdu import (
    DataSm,
    DataSmResp,
    GenericNack,
    Pdu,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
)
from smpp.simulator import about, taking
from smpp.simulator.chance import Fate, delay, fates
from smpp.simulator.connection import About, Asking, Connection
from smpp.simulator.delivering import Delivering
from smpp.simulator.faults import Faults
from smpp.simulator.gate import Gate
from smpp.simulator.held import Held, Messages
from smpp.simulator.notices import (
    AcceptedMessage,
    AnswerWithheld,
    ReceiptAnswered,
    ReceiptSent,
    TextRefused,
    Told,
)
from smpp.simulator.receipts import ids, receipt
from smpp.style import TextStyle

logger = logging.getLogger(__name__)

_KEPT = 10_000  # texts, submit_sm and messages that can be asked for
_RECEIPT_ATTEMPTS = 100

_T = TypeVar("_T")


class Accepting:
    """Takes texts and reports on them, by the switches of the moment."""

    def __init__(
        self,
        gate: Gate,
        delivering: Delivering,
        style: TextStyle,
        chance: Random,
        tell: Callable[[Told], None],
    ) -> None:
        self.accepted: list[AcceptedMessage] = []
        self.submits: list[SubmitSm] = []
        self.counts: Counter[str] = Counter()
        self.receipt_delay = 0.0
        self._gate = gate
        self._delivering = delivering
        self._style = style
        self._chance = chance
        self._tell = tell
        self._texts = taking.Texts(style)
        self._messages = Messages(_KEPT)
        self._next_id = 1_000_000
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    async def aclose(self) -> None:
        """No receipt goes out any more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def wait(self, count: int) -> None:
        """Return when so many texts are in `accepted`."""
        if len(self.accepted) < count:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((count, future))
            await future

    def submitted(self, connection: Connection, pdu: Asking, faults: Faults) -> None:
        """A text has come: answer it, or misbehave."""
        self.counts[pdu.__class__.__name__] += 1
        if isinstance(pdu, SubmitSm):
            _append(self.submits, pdu)
        left = _left_before_drop(faults)
        if left == 0 and not faults.lose_last:
            connection.close()
            return
        now = asyncio.get_running_loop().time()
        status = self._gate.submit(faults, len(self._tasks), now)
        if status:
            self._refuse(connection, pdu, status, faults)
        else:
            lost = left is not None and left < faults.lose_last
            self._take(connection, pdu, faults, unanswered=lost or faults.never_answer)
        if left == 0:
            connection.close()

    def asked(self, connection: Connection, pdu: About, faults: Faults) -> None:
        """Something about a message that was taken: answer it."""
        self.counts[pdu.__class__.__name__] += 1
        now = asyncio.get_running_loop().time()
        reply = about.reply(pdu, self._messages, now, self._style)
        connection.send(reply.answer)
        for told in reply.told:
            self._tell(told)
        for held in reply.report:
            self._report(held, connection, faults)

    # -- inside -------------------------------------------------------------------------------

    def _refuse(self, connection: Connection, pdu: Asking, status: int, faults: Faults) -> None:
        self.counts["refused"] += 1
        answer = _response(pdu, "", status)
        if faults.refuse_by != "response":
            sequence = 0 if faults.refuse_by == "nack0" else pdu.sequence
            answer = GenericNack(sequence=sequence, status=status)
        self._answer(connection, answer, faults)
        self._tell(TextRefused(connection.number, status))

    def _take(
        self, connection: Connection, pdu: Asking, faults: Faults, *, unanswered: bool
    ) -> None:
        self._next_id += 1
        answered, reported = ids(self._next_id, faults)
        answer = _response(pdu, answered, Status.ESME_ROK)
        if unanswered:
            self.counts["unanswered"] += 1
            self._tell(AnswerWithheld(connection.number, answered))
        elif not faults.receipt_first:
            self._answer(connection, answer, faults)
        for copy in taking.copies(pdu):
            held = self._hold(connection, copy, answered, reported, faults)
            for message in self._texts.add(copy, held):
                self._keep(message, copy.destination)
            self._report(held, connection, faults)
        if faults.receipt_first and not unanswered:
            # A callback of the same turn runs after the first step of the tasks made before it,
            # in which the receipts are written.
            asyncio.get_running_loop().call_soon(self._answer, connection, answer, faults)

    def _answer(self, connection: Connection, answer: Pdu, faults: Faults) -> None:
        if faults.answer_delay:
            later = delay(faults.answer_delay)(self._chance)
            asyncio.get_running_loop().call_later(later, connection.send, answer)
        else:
            connection.send(answer)

    def _hold(
        self, connection: Connection, pdu: SubmitSm, answered: str, reported: str, faults: Faults
    ) -> Held:
        fate = fates(faults.failures).draw(self._chance) if faults.failures else None
        wait = self.receipt_delay
        if faults.receipt_first:
            wait = 0.0
        elif faults.receipt_delay:
            wait = delay(faults.receipt_delay)(self._chance)
        held = Held(
            answered=answered,
            reported=reported,
            source=pdu.source,
            destination=pdu.destination,
            service_type=pdu.service_type,
            registered_delivery=pdu.registered_delivery,
            data_coding=pdu.data_coding,
            system_id=connection.system_id,
            at=time.time(),
            wait=wait,
            due=asyncio.get_running_loop().time() + wait,
            fate=fate or Fate(faults.receipt_state),
        )
        self._messages.add(held)
        return held

    def _keep(self, message: AcceptedMessage, destination: Address) -> None:
        self.counts["texts"] += 1
        _append(self.accepted, message)
        if logger.isEnabledFor(logging.INFO):
            parts = len(message.ids)
            logger.info("took a text of %d parts for %s", parts, destination.masked)
        self._tell(message)
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        for waiter in tuple(self._waiting):
            count, future = waiter
            if future.done() or len(self.accepted) >= count:
                self._waiting.remove(waiter)
                if not future.done():
                    future.set_result(None)

    # -- receipts -----------------------------------------------------------------------------

    def _report(self, held: Held, origin: Connection, faults: Faults) -> None:
        if not held.is_reported or faults.no_receipts:
            return
        wait = max(0.0, held.due - asyncio.get_running_loop().time())
        for _ in range(2 if faults.duplicate_receipts else 1):
            task = asyncio.create_task(self._send_receipts(held, origin, faults, wait))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            held.reports.append(task)

    async def _send_receipts(
        self, held: Held, origin: Connection, faults: Faults, wait: float
    ) -> None:
        if faults.intermediate_first:
            await self._send_receipt(held, Fate("ENROUTE"), origin, faults)
        if wait:
            await asyncio.sleep(wait)
        if held.is_reported:  # still, after a replace_sm
            await self._send_receipt(held, held.fate, origin, faults)

    async def _send_receipt(
        self, held: Held, fate: Fate, origin: Connection, faults: Faults
    ) -> None:
        self.counts["receipts"] += 1
        self._tell(ReceiptSent(held.reported, fate.state, held.answered))
        status = await self._delivering.deliver(
            receipt(held, fate, faults, time.time()),
            _RECEIPT_ATTEMPTS,
            system_id=held.system_id,
            origin=origin,
            elsewhere=faults.receipts_elsewhere,
        )
        self._tell(ReceiptAnswered(held.reported, status))


def _append(kept: list[_T], one: _T) -> None:
    kept.append(one)
    if len(kept) > 2 * _KEPT:  # seldom, because it moves all that stay
        del kept[:-_KEPT]


def _left_before_drop(faults: Faults) -> int | None:
    """How many may still come after this one; at none, the switch goes off."""
    if faults.drop_after is None:
        return None
    left = max(faults.drop_after - 1, 0)
    faults.drop_after = left or None
    return left


def _response(pdu: Asking, id: str, status: int) -> Pdu:
    match pdu:
        case SubmitSm():
            return SubmitSmResp(sequence=pdu.sequence, status=status, message_id=id)
        case DataSm():
            return DataSmResp(sequence=pdu.sequence, status=status, message_id=id)
        case SubmitMulti():
            return SubmitMultiResp(
                sequence=pdu.sequence,
                status=status,
                message_id=id,
                unsuccess=() if status else taking.unsuccess(pdu),
            )
