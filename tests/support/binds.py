"""A bind without a carrier: a window, a queue behind it, and fates that the test decides."""

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from smpp.binds import Watch
from smpp.codec import decode
from smpp.constants import Command, Status
from smpp.errors import AnswerTimeout, BindRefused, NotSent, SessionClosed
from smpp.pdu import Pdu, SubmitSm
from smpp.protocol import Request
from smpp.texts import Settled, Sink, Text, Token


class ScriptedBind:
    """What it wrote is in `written`, over all its connections; nothing answers by itself."""

    def __init__(
        self,
        watch: Watch,
        *,
        window: int = 4,
        queue: int = 100,
        log: list[SubmitSm] | None = None,
    ) -> None:
        """What several binds write comes into the same `log`, in order."""
        self.watch = watch
        self.window = window
        self.queue = queue
        self.boast = 0  #: how much more room it says than it has
        self.up = False
        self.link_number = 0
        self.started = False
        self.retries = 0
        self.refusals = 0  # of texts, for want of room
        self.closed = False
        self.requests: list[Request] = []
        self.replies: list[Pdu] = []  # to requests, in turn
        self.texts: list[Text] = []  # as the pool gave them
        self.written: list[SubmitSm] = []
        self.log: list[SubmitSm] = [] if log is None else log
        self._open: list[_Part] = []
        self._late: list[_Part] = []
        self._waiting: list[_Part] = []
        self._answered = 0
        self._changed = asyncio.Event()

    @property
    def room(self) -> int:
        return self.window + self.queue - len(self._open) - len(self._waiting) + self.boast

    @property
    def under_way(self) -> list[SubmitSm]:
        """What was given to it and has no fate."""
        return [part.pdu for part in (*self._open, *self._waiting)]

    def start(self) -> None:
        self.started = True

    def retry(self) -> None:
        self.retries += 1

    async def wait_up(self, timeout: float) -> None:
        async with asyncio.timeout(timeout):
            while not self.up:
                self._changed.clear()
                await self._changed.wait()

    def submit_octets(self, texts: Sequence[Text], sink: Sink) -> None:
        if not self.up:
            raise NotSent("not bound")
        if sum(len(text.bodies) for text in texts) > self.room - self.boast:
            self.refusals += 1
            raise NotSent("too many messages wait for the window")
        self.texts.extend(texts)
        for text in texts:
            parts = [_Part(_pdu(body), text.tokens, n, sink) for n, body in enumerate(text.bodies)]
            self._waiting.extend(parts)
        self._write()

    async def request(self, pdu: Request) -> Pdu:
        self.requests.append(pdu)
        return self.replies.pop(0)

    async def aclose(self, drain: float | None = None) -> None:
        self.closed = True
        if self.up:
            self.go_down("closed by us")

    # -- what the test decides ----------------------------------------------------------------

    def come_up(self) -> None:
        self.up = True
        self.link_number += 1
        self._changed.set()
        self.watch.up()

    def go_down(self, reason: str = "connection lost") -> None:
        self.up = False
        unsent = NotSent(f"the session ended before it was sent: {reason}")
        told, self._open, self._waiting = (self._open, self._waiting), [], []
        for part in told[0]:
            part.sink.settle(Settled(unknown=[(part.token, SessionClosed(reason))]))
        for part in told[1]:
            part.sink.settle(Settled(unsent=[(part.token, unsent)]))
        self.watch.down(reason)

    def refuse_bind(self) -> None:
        self.watch.alarm(BindRefused(Status.ESME_RINVPASWD))

    def answer(self, count: int = 1) -> None:
        for _ in range(min(count, len(self._open))):
            self._answered += 1
            part = self._open.pop(0)
            part.sink.settle(Settled(taken=[(part.token, f"id{self._answered}")]))
        self._write()

    def refuse(self, status: int = Status.ESME_RINVDSTADR) -> None:
        if self._open:
            part = self._open.pop(0)
            part.sink.settle(Settled(refused=[(part.token, status)]))
            self._write()

    def time_out(self) -> None:
        """The oldest part is not answered in time."""
        part = self._open.pop(0)
        self._late.append(part)
        part.sink.settle(Settled(unknown=[(part.token, AnswerTimeout("not answered in time"))]))
        self._write()

    def answer_late(self) -> None:
        """...and then it is."""
        part = self._late.pop(0)
        part.sink.settle(Settled(late=[(part.token, Status.ESME_ROK, "late")]))

    def give_back(self, error: NotSent) -> None:
        """What waits before the window is not written, although the bind is up."""
        waiting, self._waiting = self._waiting, []
        for part in waiting:
            part.sink.settle(Settled(unsent=[(part.token, error)]))

    def _write(self) -> None:
        while self._waiting and len(self._open) < self.window:
            part = self._waiting.pop(0)
            if part.place == 0 and not part.sink.wanted(part.tokens):
                rest = [part, *(other for other in self._waiting if other.tokens is part.tokens)]
                self._waiting = self._waiting[len(rest) - 1 :]
                part.sink.settle(Settled(unsent=[(p.token, NotSent("withdrawn")) for p in rest]))
                continue
            self.written.append(part.pdu)
            self.log.append(part.pdu)
            self._open.append(part)


@dataclass(frozen=True, slots=True)
class _Part:
    pdu: SubmitSm
    tokens: Sequence[Token]
    place: int
    sink: Sink

    @property
    def token(self) -> Token:
        return self.tokens[self.place]


def _pdu(body: bytes) -> SubmitSm:
    header = struct.pack(">4L", 16 + len(body), Command.SUBMIT_SM, 0, 0)
    pdu = decode(header + body)
    assert isinstance(pdu, SubmitSm)
    return pdu
