"""One `segue run` among others: its store, its leases, and what it does at times."""

from __future__ import annotations

from dataclasses import dataclass

from ari_app.bootstrap.life import Life
from ari_app.jobs.leases import Leaseholder
from ari_app.jobs.ticker import Ticker
from ari_app.store.store import EventStore


@dataclass(frozen=True, slots=True)
class Worker:
    """What nearly all of the service is built on."""

    store: EventStore
    leases: Leaseholder
    ticker: Ticker


async def join(life: Life, store: EventStore) -> Worker:
    """Become one of the workers; on SQLite the only one."""
    ttl = life.settings.store.lease
    ticker = Ticker(life.meter)
    worker = await store.join(ttl, alone=True)
    leases = Leaseholder(store, ttl, life.meter, life.fail)
    leases.needs(worker, "the others took this worker for dead, and have its work: restart it")
    life.at_end(leases.release)
    ticker.every(ttl / 3, "leases", leases.keep)
    ticker.start()
    life.at_end(ticker.aclose)
    return Worker(store, leases, ticker)
