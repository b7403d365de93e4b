"""
The binds of one carrier as one: several hosts, several binds each, fail-over between them.

What the pool promises of a text, whichever binds come and go: its parts are written consecutively
on one bind, or it is refused; texts for one recipient are written in the order they came; nothing
that may have been written is ever written again; every part ends with an answer or a named fate.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence

from smpp.binds import Bind, BindAlarm, BindDown, BindUp, Event, Place, Standing, Watch
from smpp.dispatch import Dispatch
from smpp.errors import BindRefused, LocalProtocolError, NotSent, SmppError
from smpp.futures import Futures
from smpp.hot import Templates
from smpp.pdu import Pdu, SubmitSm
from smpp.protocol import Request
from smpp.submission import Fates, Submission, Told
from smpp.texts import Settled, Sink, Text


class Interrupted(NotSent):
    """The rest of a text whose beginning was written, by a bind that is gone or gave it up.

    The rest was not written. The SMSC has the beginning, or may have: whoever sends the text
    again as a whole sends that part twice.
    """


class Pool:
    """Gives each text to the least loaded bind that may take it; a receiver only listens."""

    def __init__(
        self,
        places: Iterable[Place],
        *,
        ahead: int = 20,
        most_waiting: int = 10_000,
        drain_timeout: float = 5.0,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> None:
        """Nothing is connected before `start`.

        `ahead` is how many segments a bind is given before the first is answered (one text is
        always given); what is behind them waits here, at most `most_waiting` segments, and can
        still go elsewhere. `drain_timeout` is in seconds.
        """
        self._on_event = on_event
        self._most = most_waiting
        self._drain_timeout = drain_timeout
        every = list(places)
        self._places = {place.name: place for place in every}
        self._names = [place.name for place in every if place.submits]
        self._senders = [self._made(place) for place in every if place.submits]
        self._receivers = [(p.name, self._made(p)) for p in every if not p.submits]
        self._links_before = 0  # of binds that were let go
        self._dispatch: Dispatch[Submission] = Dispatch(len(self._senders), ahead)
        self._templates = Templates()
        self._futures = Futures()
        self._sink = Fates(self._told)
        self._closing = False
        self._pump_due = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def up(self) -> bool:
        """Whether a text would be taken."""
        return not self._closing and any(bind.up for bind in self._senders)

    @property
    def room(self) -> int:
        """How many more segments may wait; 0 unless up."""
        return max(0, self._most - self._dispatch.waiting) if self.up else 0

    @property
    def link_number(self) -> int:
        """Grows with every connection: repeats of a deliver_sm come on a later one."""
        return self._links_before + sum(bind.link_number for bind in self._binds())

    @property
    def names(self) -> list[str]:
        """Of every bind, those that submit first."""
        return [*self._names, *(name for name, _ in self._receivers)]

    def standings(self) -> list[Standing]:
        """Every bind, those that submit first."""
        senders = [
            Standing(name, True, bind.up, self._dispatch.load(n))
            for n, (name, bind) in enumerate(zip(self._names, self._senders, strict=True))
        ]
        return senders + [Standing(name, False, bind.up, 0) for name, bind in self._receivers]

    # -- life ---------------------------------------------------------------------------------

    def start(self, *names: str) -> None:
        """Keep these binds connected, in the background; every bind if none is named."""
        for name, bind in zip(self.names, self._binds(), strict=True):
            if not names or name in names:
                bind.start()

    async def rest(self, name: str, drain: float | None = None) -> None:
        """Drain this bind, unbind and close it, until it is started again.

        What it has not written goes to another one, or ends NotSent.
        """
        bind = self._binds()[self.names.index(name)]
        await bind.aclose(drain)
        self._links_before += bind.link_number
        fresh = self._made(self._places[name])
        if name in self._names:
            self._senders[self._names.index(name)] = fresh
        else:
            self._receivers = [(n, fresh if n == name else b) for n, b in self._receivers]

    def retry(self) -> None:
        """Connect now whatever waits: somebody has put right what a BindAlarm told of."""
        for bind in self._binds():
            bind.retry()

    async def wait_up(self, timeout: float) -> None:
        """Return when one bind is up, of those that submit if any does; TimeoutError otherwise."""
        binds = self._senders or [bind for _, bind in self._receivers]
        waits = [asyncio.create_task(bind.wait_up(timeout)) for bind in binds]
        try:
            for ended in asyncio.as_completed(waits):
                with contextlib.suppress(TimeoutError, SmppError):
                    await ended
                    return
            raise TimeoutError
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def aclose(self) -> None:
        """Take nothing new; let go what waits and drain; unbind and close every bind.

        What is still here after `drain_timeout` ends NotSent.
        """
        self._closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_timeout):
                await self._idle.wait()
        told = Told()
        self._refuse_all("the pool is closed", told)
        told.tell()
        # All at once: each may take its own drain time-out.
        await asyncio.gather(*(bind.aclose() for bind in self._binds()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_timeout):
                await self._idle.wait()  # the last fates are told in the next turn of the loop

    # -- texts --------------------------------------------------------------------------------

    def submit_all(self, pdus: Sequence[SubmitSm]) -> list[asyncio.Future[str]]:
        """The parts of one text for one recipient; each future gets the message id or an error.

        NotSent: nothing was written (Interrupted: of this part). SessionClosed (AnswerTimeout):
        written, fate unknown. CommandError: the SMSC refused. LocalProtocolError: no PDU can
        carry one of the parts, and none was written. Raises NotSent if no bind is up or too much
        waits. Cancelling every future withdraws a text that is not written yet.
        """
        if not pdus:
            return []
        loop = asyncio.get_running_loop()
        fates: list[asyncio.Future[str]] = [loop.create_future() for _ in pdus]
        try:
            bodies = [self._templates.body(pdu) for pdu in pdus]
        except LocalProtocolError as error:
            for fate in fates:
                fate.set_exception(error)
            return fates
        self.submit_octets([Text(pdus[0].destination, bodies, fates)], self._futures)
        return fates

    async def request(self, pdu: Request) -> Pdu:
        """Ask over any bind that is up, and wait for the answer; NotSent if none is.

        SessionClosed (AnswerTimeout): asked, and not answered.
        """
        for bind in self._senders:
            if bind.up:
                return await bind.request(pdu)
        raise NotSent("no bind is up")

    def submit_octets(self, texts: Sequence[Text], sink: Sink) -> None:
        """Texts whose bodies smpp.hot has made; the sink is told each part's fate, in batches.

        NotSent if no bind is up or too much waits: none of them was taken; ask `room` first.
        """
        if not self.up:
            raise NotSent("no bind is up" if self._senders else "this carrier only receives")
        if self._dispatch.waiting + sum([len(text.bodies) for text in texts]) > self._most:
            raise NotSent("too many messages wait for a bind")
        self._idle.clear()
        for text in texts:
            parts = len(text.bodies)
            self._dispatch.add(
                Submission(recipient=text.recipient, parts=parts, text=text, sink=sink)
            )
        self._pump()

    def _pump(self) -> None:
        """Give to the binds what they take; refuse everything if none is up."""
        self._pump_due = False
        told = Told()
        rooms = [bind.room if bind.up else 0 for bind in self._senders]
        gifts: list[list[Submission]] = [[] for _ in rooms]
        while (submission := self._dispatch.next(rooms)) is not None:
            gifts[submission.bind].append(submission)
            rooms[submission.bind] -= submission.parts
        for bind, given in enumerate(gifts):
            if given and not self._give(bind, given):
                for submission in given:
                    self._dispatch.back(submission)
                self._give_singly(bind, told)
        if self._dispatch.waiting and not any(bind.up for bind in self._senders):
            self._refuse_all("no bind is up", told)
        if not (self._dispatch.waiting or self._dispatch.under_way):
            self._idle.set()
        told.tell()

    def _give(self, bind: int, given: Sequence[Submission]) -> bool:
        """Hand them to the bind; whether it has taken them."""
        texts = []
        for submission in given:
            text = submission.text
            submission.open = submission.parts
            tokens = [(submission, place) for place in range(submission.parts)]
            texts.append(
                Text(text.recipient, text.bodies, tokens, text.deadline, text.repeat_until)
            )
        try:
            self._senders[bind].submit_octets(texts, self._sink)
        except NotSent:
            return False
        return True

    def _give_singly(self, number: int, told: Told) -> None:
        """To a bind that has less room than it said; what it can never take is refused."""
        bind = self._senders[number]
        rooms = [0] * len(self._senders)
        while bind.up:
            rooms[number] = bind.room
            submission = self._dispatch.next(rooms)
            if submission is None:
                return
            if self._give(number, [submission]):
                continue
            if self._dispatch.load(number) > submission.parts:  # not alone there: later, perhaps
                self._dispatch.back(submission)
                return
            self._dispatch.settle(submission)
            told.of(submission).unsent.extend(
                (token, NotSent("the text is longer than a bind can take"))
                for token in submission.text.tokens
            )

    def _told(self, settled: Settled) -> None:
        """A bind tells of fates. What was written is passed on, its receipt may be here too."""
        told = Told()
        for (submission, place), id in settled.taken:
            batch = told.of(submission)
            batch.taken.append((submission.text.tokens[place], id))
            batch.seconds = settled.seconds
            self._close(submission, told)
        for (submission, place), status in settled.refused:
            told.of(submission).refused.append((submission.text.tokens[place], status))
            self._close(submission, told)
        for (submission, place), error in settled.unknown:
            told.of(submission).unknown.append((submission.text.tokens[place], error))
            self._close(submission, told)
        for (submission, place), unsent in settled.unsent:
            submission.unwritten = (submission.unwritten or {}) | {place: unsent}
            self._close(submission, told)
        for (submission, place), status, id in settled.late:
            told.of(submission).late.append((submission.text.tokens[place], status, id))
        if not self._pump_due:
            # Once for all that binds tell in this turn of the loop.
            self._pump_due = True
            asyncio.get_running_loop().call_soon(self._pump)
        told.tell()

    def _close(self, submission: Submission, told: Told) -> None:
        """One part less is open. With the last: what the bind's death left goes elsewhere."""
        submission.open -= 1
        if submission.open:
            return
        unwritten = submission.unwritten or {}
        if len(unwritten) == submission.parts and not self._senders[submission.bind].up:
            submission.unwritten = None
            self._dispatch.back(submission)
            return
        self._dispatch.settle(submission)
        begun = len(unwritten) < submission.parts
        for place, error in unwritten.items():
            fate = Interrupted(f"the beginning of the text was written: {error}")
            told.of(submission).unsent.append(
                (submission.text.tokens[place], fate if begun else error)
            )

    def _refuse_all(self, reason: str, told: Told) -> None:
        """What no bind was given."""
        for submission in self._dispatch.withdraw():
            told.of(submission).unsent.extend(
                (token, NotSent(reason)) for token in submission.text.tokens
            )

    # -- binds --------------------------------------------------------------------------------

    def _binds(self) -> list[Bind]:
        return [*self._senders, *(bind for _, bind in self._receivers)]

    def _made(self, place: Place) -> Bind:
        return place.make(self._watch(place.name))

    def _watch(self, name: str) -> Watch:
        def up() -> None:
            self._on_event(BindUp(name))
            self._pump()

        def down(reason: str) -> None:
            self._on_event(BindDown(name, reason))
            self._pump()

        def alarm(error: BindRefused) -> None:
            self._on_event(BindAlarm(name, error))

        return Watch(up, down, alarm)
