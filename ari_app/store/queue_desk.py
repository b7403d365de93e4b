"""The queue of texts as people see it, and what they change of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ari_app.conversation.events import TextCancelled
from ari_app.conversation.identity import E164
from ari_app.conversation.message import MessageState, Priority
from ari_app.outbox.errors import NotPossible
from ari_app.ports import Clock
from ari_app.privacy.payloads import Payloads
from ari_app.store import pauses
from ari_app.store.appending import Appender, Write
from ari_app.store.engine import Engine, Link, Row
from ari_app.store.pauses import Pause
from ari_app.store.promising import TEXTS, hashed
from ari_app.store.snapshots import Snapshots

_T = TypeVar("_T")

#: What a text can be shown as: the states of a message, and those of its row in the outbox.
CLAIMED, HELD = "claimed", "held"
SHOWN = (CLAIMED, HELD, *(state.value for state in MessageState))
_IN_HAND = ("claimed", "sending")
_OF_A_ROW: dict[str | None, str] = {
    CLAIMED: "own.state IN ('claimed', 'sending')",
    HELD: "own.state = 'held'",
    MessageState.PROMISED.value: "own.state = 'due'",
}

_COLUMNS = """
    own.id, own.stream, own.state, own.due, own.attempts, own.payload, own.until, own.priority,
    own.message_class, own.doubts, seen.state, seen.promised_at, seen.carrier"""
_ROWS = (
    f"SELECT {_COLUMNS} FROM outbox AS own LEFT JOIN message_view AS seen ON seen.message = own.id"
)
_ONE = f"{_ROWS} WHERE own.id = ? AND own.kind = ?"
_STATE = "SELECT stream, state, attempts FROM outbox WHERE id = ? AND kind = ?"
_CANCEL = "UPDATE outbox SET state = 'done', due = ? WHERE id = ?"
_HURRY = "UPDATE outbox SET due = ?, not_before = ? WHERE id = ?"
_AGAIN = """
    UPDATE outbox SET state = 'due', due = ?, not_before = ?, until = NULL,
    doubts = CASE WHEN doubts = 0 THEN 1 ELSE doubts END WHERE id = ?"""


@dataclass(frozen=True, slots=True)
class Listed:
    """One text of the queue. Times are UTC microseconds."""

    id: str
    stream: str
    state: str  # one of SHOWN
    to: str  # masked; "" once its person was erased
    priority: str
    message_class: str
    due: int
    until: int | None
    attempts: int
    doubts: int  # how often its fate was lost
    promised_at: int | None  # None before the read models know of it
    carrier: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which texts are to be shown; nothing given is all of them."""

    state: str | None = None
    who: Sequence[str] = ()  # what stands for a number: see `names_of`
    since: int | None = None  # UTC microseconds
    limit: int = 50


def names_of(secret: bytes, number: E164) -> tuple[str, str]:
    """What stands for the number in the queue, and in the views."""
    return hashed(secret, number.value), number.subject(secret)


class _Runs(Protocol):
    """Runs it on a connection of the store."""

    def __call__(self, action: Callable[[Link], _T], /) -> Awaitable[_T]: ...


class QueueDesk:
    """Every change is one transaction; what cannot be done is NotPossible, in one sentence."""

    def __init__(
        self,
        engine: Engine,
        appender: Appender,
        payloads: Payloads,
        snapshots: Snapshots,
        clock: Clock,
        read: _Runs,
        write: _Runs,
    ) -> None:
        self._appender = appender
        self._payloads = payloads
        self._snapshots = snapshots
        self._clock = clock
        self._read = read
        self._write = write
        self._lock = engine.for_update
        self._listed_in = engine.listed
        self._whose = (
            f"({engine.any_of('own.recipient')} AND own.state <> 'done' OR own.id IN "
            f"(SELECT message FROM message_view WHERE {engine.any_of('subject')}))"
        )

    # -- looking ------------------------------------------------------------------------------

    async def texts(self, wanted: Wanted) -> list[Listed]:
        """Those wanted, newest first, each as the log says it is now.

        By a state that is none of the outbox itself they are found in the read models, which are
        a second or so behind.
        """
        return await self._read(lambda link: self._texts(link, wanted))

    async def text(self, id: str) -> Listed:
        """One of them; NotPossible if there is none."""

        def query(link: Link) -> Listed:
            rows = link.rows(_ONE, (id, TEXTS))
            if not rows:
                raise _unknown(id)
            return self._listed(link, rows[0])

        return await self._read(query)

    async def pauses(self) -> list[Pause]:
        """What the kill switch has stopped."""
        return await self._read(pauses.paused)

    def _texts(self, link: Link, wanted: Wanted) -> list[Listed]:
        conditions, values = ["own.kind = ?"], list[object]([TEXTS])
        if wanted.since is not None:
            # Our ids begin with the time at which they were made.
            conditions.append("own.id >= ?")
            values.append(f"msg_{(wanted.since // 1000) << 80:032x}")
        if wanted.state in _OF_A_ROW:
            conditions.append(_OF_A_ROW[wanted.state])
        elif wanted.state is not None:
            conditions.append("seen.state = ?")
            values.append(wanted.state)
        if wanted.who:
            conditions.append(self._whose)
            values += [self._listed_in(wanted.who)] * 2
        query = f"{_ROWS} WHERE {' AND '.join(conditions)} ORDER BY own.id DESC LIMIT ?"
        found = [self._listed(link, row) for row in link.rows(query, (*values, wanted.limit))]
        return [one for one in found if wanted.state in (None, one.state)]

    def _listed(self, link: Link, row: Row) -> Listed:
        id, stream, state, due, attempts, payload, until, priority, kind, doubts, *seen = row
        _, promised_at, carrier = seen
        to = self._payloads.read_effect(id, payload).get("to")
        return Listed(
            id=id,
            stream=stream,
            state=self._shown(link, id, stream, state),
            to=E164(to).masked if isinstance(to, str) and to else "",
            priority=Priority(priority).name.lower(),
            message_class=kind,
            due=due,
            until=until,
            attempts=attempts,
            doubts=doubts,
            promised_at=promised_at,
            carrier=carrier,
        )

    def _shown(self, link: Link, id: str, stream: str, state: str) -> str:
        if state in _IN_HAND:
            return CLAIMED
        return HELD if state == HELD else self._fact(link, id, stream).value

    def _fact(self, link: Link, id: str, stream: str) -> MessageState:
        """By the log itself."""
        message = self._snapshots.state(link, stream)[0].messages.get(id)
        return message.state if message else MessageState.PROMISED

    # -- changing -----------------------------------------------------------------------------

    async def cancel(self, id: str, reason: str, by: str) -> None:
        """Take it back; NotPossible once it is claimed, or over."""

        def action(link: Link) -> None:
            stream, state, _ = self._row(link, id)
            if state not in ("due", HELD):
                raise NotPossible(self._why(link, id, stream, state, "cancelled"))
            link.run(_CANCEL, (self._clock.now(), id))
            event = TextCancelled(message=id, reason=reason, by=by)
            (outcome,) = self._appender.apply(link, [Write(stream, [event])])
            if isinstance(outcome, Exception):
                raise outcome

        await self._write(action)

    async def retry(self, id: str) -> bool:
        """Send it now if it waits; or again if its fate is unknown: then True is returned.

        NotPossible if it is in hand, or its fate is known.
        """

        def action(link: Link) -> bool:
            stream, state, _ = self._row(link, id)
            now = self._clock.now()
            if state == "due":
                link.run(_HURRY, (now, now, id))
                return False
            if state == "done" and self._fact(link, id, stream) is MessageState.UNKNOWN:
                link.run(_AGAIN, (now, now, id))
                return True
            raise NotPossible(self._why(link, id, stream, state, "sent again"))

        return await self._write(action)

    async def pause(self, scope: str, reason: str, by: str) -> None:
        """Claim no text of this scope until `resume`, on any worker and after any restart."""
        now = self._clock.now()
        await self._write(lambda link: pauses.pause(link, scope, by, reason, now))

    async def resume(self, scope: str) -> None:
        """Claim them again; NotPossible if they are not paused."""
        if not await self._write(lambda link: pauses.resume(link, scope)):
            raise NotPossible(f"{scope} is not paused")

    def _row(self, link: Link, id: str) -> tuple[str, str, int]:
        rows = link.rows(_STATE + self._lock, (id, TEXTS))
        if not rows:
            raise _unknown(id)
        stream, state, attempts = rows[0]
        return stream, state, attempts

    def _why(self, link: Link, id: str, stream: str, state: str, what: str) -> str:
        if state in _IN_HAND:
            return f"{id} is being sent at this moment: it cannot be {what}"
        if state == "open":
            return f"{id} was being sent when a worker died: wait until it says what is known of it"
        if state == HELD:
            return f"{id} is held since a restore: `segue store release` makes it due"
        return f"{id} is {self._fact(link, id, stream).value}: it cannot be {what}"


def _unknown(id: str) -> NotPossible:
    return NotPossible(f"there is no text {id}")
