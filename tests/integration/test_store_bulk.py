"""One statement for many rows says the same as one for each."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ari_app.store.bulk import Bulk, literal
from ari_app.store.postgres import PostgresEngine

INSERT = Bulk(
    "INSERT INTO wire (carrier, id, message)",
    "?, ?, 'm' || ?",
    "text text int8",
    "ON CONFLICT (carrier, id) DO NOTHING",
)
UPDATE = Bulk("UPDATE outbox SET state = ?, due = ?", "outbox.id = ?", "text int8 text")


def test_for_each_row_it_is_as_it_is_written() -> None:
    assert INSERT.for_each() == (
        "INSERT INTO wire (carrier, id, message) VALUES (?, ?, 'm' || ?) "
        "ON CONFLICT (carrier, id) DO NOTHING"
    )
    assert UPDATE.for_each() == "UPDATE outbox SET state = ?, due = ? WHERE outbox.id = ?"


def test_for_all_rows_each_column_is_an_array() -> None:
    assert INSERT.for_all() == (
        "INSERT INTO wire (carrier, id, message) SELECT given.c0, given.c1, 'm' || given.c2 "
        "FROM unnest(?::text[], ?::text[], ?::int8[]) AS given (c0, c1, c2) "
        "ON CONFLICT (carrier, id) DO NOTHING"
    )
    assert UPDATE.for_all() == (
        "UPDATE outbox SET state = given.c0, due = given.c1 "
        "FROM unnest(?::text[], ?::int8[], ?::text[]) AS given (c0, c1, c2) "
        "WHERE outbox.id = given.c2"
    )


# What PostgreSQL can hold: no NUL, no half of a surrogate pair.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), TEXTS, st.sampled_from(["NULL", "null", "", "{}", '"', "\\", "a,b"])),
        st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        st.one_of(st.none(), st.binary()),
    ),
    min_size=1,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_what_an_array_says_the_server_reads(database: str, rows: list[tuple[object, ...]]) -> None:
    columns = list(zip(*rows, strict=True))
    types = ("text", "int8", "bytea")
    arrays = [literal(type, column) for type, column in zip(types, columns, strict=True)]
    with contextlib.closing(PostgresEngine(database).connect()) as link:
        found = link.rows("SELECT * FROM unnest(?::text[], ?::int8[], ?::bytea[])", arrays)
    assert found == rows


def test_a_value_of_another_type_is_a_bug_of_the_caller() -> None:
    with pytest.raises(AssertionError):
        literal("text", [7])
