"""How much there is in the log and around it, without going through all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ari_app.store.browsing import LogReader
from ari_app.store.sqlite import SqliteEngine

_SECOND = 1_000_000
# A log up to this size is counted; of a larger one this many events are looked at.
_SAMPLED = 100_000
_SAMPLES = 200
_CHUNK = 20_000
_LATELY = 10 * _SECOND
_MOST_LATELY = 5000
# A rebuild under way keeps its step where checkpoints are kept.
_REBUILD = ".rebuild"


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who reads the log, up to where."""

    name: str
    place: int
    lag: int  # events


@dataclass(frozen=True, slots=True)
class Held:
    """A lease and its owner."""

    name: str
    owner: str
    epoch: int
    seconds: float  # that it still lasts; below 0: run out


@dataclass(frozen=True, slots=True)
class Promised:
    """Effects of one kind in one state; `oldest` is the age of the one that is due for longest."""

    kind: str
    state: str
    count: int
    oldest: float | None  # seconds; None if none is due


@dataclass(frozen=True, slots=True)
class Sealed:
    """The last seal."""

    number: int
    size: int
    place: int
    at: int
    unsealed: int  # events that came after it


@dataclass(frozen=True, slots=True)
class Figures:
    """Times are UTC microseconds."""

    now: int
    events: int
    streams: int
    first: int | None
    last: int | None
    per_second: float  # over the last ten seconds
    exact: bool  # False: the next three are reckoned from a sample
    names: dict[str, int]
    payload_bytes: int
    erased_payloads: int
    consumers: list[Consumer]
    rebuilding: list[str]
    leases: list[Held]
    outbox: list[Promised]
    seal: Sealed | None


def figures(
    reader: LogReader, *, exact: bool = False, progress: Callable[[int], None] = lambda _: None
) -> Figures:
    """All of them. What scans: the events are counted from an index, a consumer's lag costs as
    much as it lags, and names and bytes go through the log, so that of a large one only a sample
    is read unless `exact`; `progress` is told how many events more were looked at.
    """
    engine = reader.engine
    now = int(reader.rows("SELECT segue_now()")[0][0])
    events = reader.count()
    settled, values = engine.after(0)
    back = ", ".join(f"{column} DESC" for column in engine.order.split(", "))
    ends = [
        reader.rows(f"SELECT at FROM event WHERE {settled} ORDER BY {order} LIMIT 1", values)
        for order in (engine.order, back)
    ]
    names, payload_bytes, erased, counted = _content(reader, events, exact, progress)
    checkpoints = reader.rows("SELECT consumer, position FROM checkpoint ORDER BY consumer")
    return Figures(
        now=now,
        events=events,
        streams=int(reader.rows("SELECT count(*) FROM stream")[0][0]),
        first=ends[0][0][0] if ends[0] else None,
        last=ends[1][0][0] if ends[1] else None,
        per_second=_rate(reader, now, back),
        exact=counted,
        names=names,
        payload_bytes=payload_bytes,
        erased_payloads=erased,
        consumers=[
            Consumer(name, int(place), _lag(reader, int(place)))
            for name, place in checkpoints
            if not name.endswith(_REBUILD)
        ],
        rebuilding=[n.removesuffix(_REBUILD) for n, _ in checkpoints if n.endswith(_REBUILD)],
        leases=[
            Held(name, owner, int(epoch), (until - now) / _SECOND)
            for name, owner, epoch, until in reader.rows(
                "SELECT name, owner, epoch, until FROM lease WHERE owner <> '' ORDER BY name"
            )
        ],
        outbox=_outbox(reader, now),
        seal=_seal(reader, events),
    )


def _content(
    reader: LogReader, events: int, exact: bool, progress: Callable[[int], None]
) -> tuple[dict[str, int], int, int, bool]:
    """(events by name, bytes of payload, erased payloads, whether all events were counted)."""
    # One scan in short ranges: no sorter outgrows its memory, and no statement takes long.
    size = "length(CAST(payload AS BLOB))"
    if not isinstance(reader.engine, SqliteEngine):
        size = "octet_length(payload)"
    query = f"""
        SELECT name, count(*), count(payload), coalesce(sum({size}), 0) FROM event
        WHERE position >= ? AND position < ? GROUP BY name"""
    # Each alone comes from the index at once; both in one SELECT would go through all.
    ((low, high),) = reader.rows(
        "SELECT (SELECT min(position) FROM event), (SELECT max(position) FROM event)"
    )
    if low is None:
        return {}, 0, 0, True
    exact = exact or events <= _SAMPLED
    step = _CHUNK if exact else (high + 1 - low) // _SAMPLES
    width = _CHUNK if exact else _SAMPLED // _SAMPLES
    names: Counter[str] = Counter()
    kept = total = 0
    for start in range(low, high + 1, step):
        seen = 0
        for name, count, payloads, length in reader.rows(query, (start, start + width)):
            names[name] += count
            seen += count
            kept += payloads
            total += int(length)
        progress(seen)
    looked_at = names.total()
    share = 1.0 if exact or not looked_at else events / looked_at
    scaled = {name: round(count * share) for name, count in names.most_common()}
    return scaled, round(total * share), round((looked_at - kept) * share), exact


def _rate(reader: LogReader, now: int, back: str) -> float:
    settled, values = reader.engine.after(0)
    query = f"""
        SELECT count(*), min(at) FROM
        (SELECT at FROM event WHERE {settled} ORDER BY {back} LIMIT ?) AS latest WHERE at > ?"""
    ((count, oldest),) = reader.rows(query, (*values, _MOST_LATELY, now - _LATELY))
    span = max(now - oldest, 1) if count == _MOST_LATELY else _LATELY
    return float(count * _SECOND / span)


def _lag(reader: LogReader, place: int) -> int:
    condition, values = reader.engine.after(place)
    return int(reader.rows(f"SELECT count(*) FROM event WHERE {condition}", values)[0][0])


def _outbox(reader: LogReader, now: int) -> list[Promised]:
    # In the order of the index `outbox_due`, which has all that is asked for.
    counts = reader.rows(
        "SELECT state, kind, count(*), min(due) FROM outbox GROUP BY state, kind "
        "ORDER BY state, kind"
    )
    return [
        Promised(
            kind,
            state,
            int(count),
            (now - oldest) / _SECOND if state in ("due", "open") and oldest <= now else None,
        )
        for state, kind, count, oldest in counts
    ]


def _seal(reader: LogReader, events: int) -> Sealed | None:
    rows = reader.rows("SELECT number, size, position, at FROM seal ORDER BY number DESC LIMIT 1")
    if not rows:
        return None
    number, size, place, at = rows[0]
    return Sealed(number, size, int(place), at, events - size)
