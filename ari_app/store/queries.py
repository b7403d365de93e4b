"""Pages of the read models, newest first, each by an index that has them in their order."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from ari_app.projections.ports import (
    CallRow,
    ConversationRow,
    HandoffRow,
    MessageRow,
    MetricRow,
    Page,
    SubjectRow,
)
from ari_app.store.engine import Link, Row
from ari_app.store.view_rows import (
    CALLS,
    CONVERSATIONS,
    HANDOFFS,
    MESSAGES,
    METRICS,
    SUBJECTS,
    View,
)

_CALLBACKS = "SELECT callbacks FROM conversation_view WHERE callbacks <> ''"

_T = TypeVar("_T")
_MOST_ROWS = 200
_LONGEST_CURSOR = 2000


class Order(NamedTuple):
    """The columns by which a view is paged, all of them downwards; the last tell rows apart."""

    view: View
    columns: tuple[str, ...]
    texts: tuple[bool, ...]  # which of them are texts; the others are whole numbers


NEWEST_CONVERSATIONS = Order(CONVERSATIONS, ("opened_at", "stream"), (False, True))
NEWEST_CALLS = Order(CALLS, ("received_at", "call"), (False, True))
NEWEST_MESSAGES = Order(MESSAGES, ("promised_at", "message"), (False, True))
NEWEST_HANDOFFS = Order(HANDOFFS, ("recorded_at", "handoff"), (False, True))
NEWEST_SUBJECTS = Order(SUBJECTS, ("last_seen", "subject"), (False, True))
NEWEST_METRICS = Order(METRICS, ("hour", "name", "label"), (False, True, True))
# Of one name; the same index has the range.
METRICS_OF_NAME = Order(METRICS, ("hour", "label"), (False, True))


class _Reads(Protocol):
    def __call__(self, query: Callable[[Link], _T], /) -> Awaitable[_T]: ...


class Queries:
    """What the console and the commands read.

    A page has at most 200 rows; `cursor` is the `next` of the page before. Rows that come while
    somebody turns pages are newer than the first: nothing is left out or shown twice. Subjects
    alone move up when they are seen again. ValueError for a limit or a cursor that cannot be.
    """

    def __init__(self, read: _Reads) -> None:
        self._read = read

    async def conversations(
        self,
        *,
        state: str | None = None,
        subject: str | None = None,
        channel: str | None = None,
        since: int | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[ConversationRow]:
        """Opened last first; `channel` is the one it was opened on, `since` UTC microseconds."""
        same = {"state": state, "subject": subject, "channel": channel}
        return await self._page(NEWEST_CONVERSATIONS, same, since, None, cursor, limit)

    async def calls(
        self,
        *,
        subject: str | None = None,
        cause: str | None = None,
        since: int | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[CallRow]:
        """Received last first; `cause` is of calls that are over."""
        same = {"subject": subject, "cause": cause}
        return await self._page(NEWEST_CALLS, same, since, None, cursor, limit)

    async def messages(
        self,
        *,
        state: str | None = None,
        subject: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[MessageRow]:
        """Promised last first."""
        same = {"state": state, "subject": subject}
        return await self._page(NEWEST_MESSAGES, same, None, None, cursor, limit)

    async def handoffs(
        self, *, state: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[HandoffRow]:
        """Recorded last first."""
        return await self._page(NEWEST_HANDOFFS, {"state": state}, None, None, cursor, limit)

    async def open_callbacks(self) -> int:
        """How many call-backs are open."""
        found = await self._read(lambda link: link.rows(_CALLBACKS, ()))
        return sum(len(json.loads(ids)) for (ids,) in found)

    async def subjects(self, *, cursor: str | None = None, limit: int = 50) -> Page[SubjectRow]:
        """Seen last first."""
        return await self._page(NEWEST_SUBJECTS, {}, None, None, cursor, limit)

    async def metrics(
        self,
        *,
        name: str | None = None,
        since: int | None = None,
        before: int | None = None,
        cursor: str | None = None,
        limit: int = 200,
    ) -> Page[MetricRow]:
        """Hours that began at or after `since` and before `before`, the last one first."""
        order = NEWEST_METRICS if name is None else METRICS_OF_NAME
        return await self._page(order, {"name": name}, since, before, cursor, limit)

    async def _page(
        self,
        order: Order,
        same: Mapping[str, str | None],
        since: int | None,
        before: int | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Any]:
        if not 1 <= limit <= _MOST_ROWS:
            raise ValueError(f"a page has 1 to {_MOST_ROWS} rows, not {limit}")
        if not all(value is None or value.isprintable() for value in same.values()):
            raise ValueError("a filter has a character that cannot be in any row")
        place = _place(order, cursor) if cursor is not None else None
        # One more than asked for says whether there is another page.
        sql, values = select(order, same, since, before, place, limit + 1)
        found = await self._read(lambda link: link.rows(sql, values))
        rows = [order.view.row._make(row) for row in found[:limit]]
        more = len(found) > limit
        return Page(rows, _cursor(order, rows[-1]) if more else None)


def select(
    order: Order,
    same: Mapping[str, str | None],
    since: int | None,
    before: int | None,
    place: Row | None,
    limit: int,
) -> tuple[str, Row]:
    """SQL and values of a page: `same` are columns to equal, the page begins after `place`."""
    conditions: list[str] = []
    values: list[object] = []
    for column, value in same.items():
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    time = order.columns[0]
    for condition, at in ((f"{time} >= ?", since), (f"{time} < ?", before)):
        if at is not None:
            conditions.append(condition)
            values.append(at)
    if place is not None:
        conditions.append(f"({', '.join(order.columns)}) < ({', '.join('?' for _ in place)})")
        values += place
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    down = ", ".join(f"{column} DESC" for column in order.columns)
    columns = ", ".join(order.view.columns)
    sql = f"SELECT {columns} FROM {order.view.table} {where} ORDER BY {down} LIMIT ?"
    return sql, (*values, limit)


def _cursor(order: Order, row: Any) -> str:
    place = json.dumps([getattr(row, column) for column in order.columns])
    return base64.urlsafe_b64encode(place.encode()).decode()


def _place(order: Order, cursor: str) -> Row:
    """What `_cursor` has written; it comes back from outside, so it may be anything."""
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise ValueError
        place = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
    except (ValueError, RecursionError, binascii.Error):
        place = None
    if type(place) is list and len(place) == len(order.texts):
        for value, text in zip(place, order.texts, strict=True):
            if not (_is_text(value) if text else type(value) is int and abs(value) < 1 << 63):
                break
        else:
            return tuple(place)
    raise ValueError("the cursor is not one of ours: begin with the first page") from None


def _is_text(value: object) -> bool:
    # Keys are printable: a NUL or half a surrogate pair would be refused by the database.
    return isinstance(value, str) and value.isprintable()
