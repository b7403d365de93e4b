"""An audit while others write, on a real PostgreSQL."""

from __future__ import annotations

import psycopg

from tests.support.workers import audited, spoken, store_of


async def test_events_behind_a_transaction_that_still_runs_are_not_called_missing(
    database: str,
) -> None:
    store = store_of(database)
    await store.open()
    try:
        await store.append("conv_1", [spoken("before")])
        with psycopg.connect(database) as other:
            other.execute("SELECT pg_current_xact_id()")  # a number that is older than the next
            await store.append("conv_1", [spoken("during"), spoken("and after")])
            report = audited(database)
            assert report.sound, report.findings
            assert report.events == 3
    finally:
        await store.aclose()
