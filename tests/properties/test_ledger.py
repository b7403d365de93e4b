"""What holds for every log: it proves what is in it, and hides no change."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from ari_app.ledger.canonical import StoredEvent, canonical, event_hash, payload_hash
from ari_app.ledger.chain import ChainCheck, Fault, LinkedRow
from ari_app.ledger.checkpoint import Checkpoint, sign, verify
from ari_app.ledger.merkle import (
    Tree,
    consistency_path,
    inclusion_path,
    is_consistent,
    is_included,
)
from ari_app.ledger.note import VerifierKey
from tests.unit.ledger import rfc9162
from tests.unit.ledger.log import KEY, ORIGIN, VERIFIER, heads_of, linked

MOST = 300
LEAVES = [rfc9162.leaf(number) for number in range(MOST)]

lines = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=8)
whole = st.integers(-(2**63), 2**63)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
events = st.builds(
    StoredEvent, lines, lines, whole, whole, lines, st.none() | lines, lines, whole, texts
)
sizes = st.integers(1, MOST)


def leaves(start: int, end: int) -> list[bytes]:
    return LEAVES[start:end]


def flipped(value: bytes, bit: int) -> bytes:
    number = int.from_bytes(value, "big") ^ (1 << bit % (8 * len(value)))
    return number.to_bytes(len(value), "big")


@given(events, events)
def test_two_events_have_the_same_bytes_only_if_they_are_the_same(
    one: StoredEvent, other: StoredEvent
) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@given(st.lists(lines, min_size=5, max_size=5), st.integers(0, 3), st.integers(0, 8))
def test_a_letter_that_moves_to_the_next_field_changes_the_bytes(
    fields: list[str], at: int, length: int
) -> None:
    moved = list(fields)
    moved[at], moved[at + 1] = fields[at][:length], fields[at][length:] + fields[at + 1]
    assume(moved != fields)

    def bytes_of(id: str, stream: str, actor: str, cause: str, name: str) -> bytes:
        return canonical(StoredEvent(id, stream, 1, 1, actor, cause, name, 1, "{}"))

    assert bytes_of(*fields) != bytes_of(*moved)


@given(events)
def test_an_event_can_be_read_back_from_its_bytes(event: StoredEvent) -> None:
    header, id, stream, sequence, at, actor, cause, name, version, *rest = canonical(event).split(
        b"\n"
    )
    assert header == b"segue.event.v1"
    again = StoredEvent(
        id.decode(),
        stream.decode(),
        int(sequence),
        int(at),
        actor.decode(),
        cause[1:].decode() if cause else None,
        name.decode(),
        int(version),
        b"\n".join(rest),
    )
    assert again == event._replace(payload=payload_hash(str(event.payload)))
    assert event_hash(again) == event_hash(event)


@given(st.lists(st.integers(0, 70), max_size=8))
def test_a_tree_is_the_same_however_its_leaves_came(pages: list[int]) -> None:
    tree = Tree()
    for page in pages:
        page = min(page, MOST - tree.size)
        tree = Tree.from_bytes(tree.extended(leaves(tree.size, tree.size + page)).to_bytes())
    assert tree.root == rfc9162.mth(0, tree.size)


@given(sizes, st.data())
def test_an_inclusion_proof_holds_for_its_leaf_its_place_and_its_tree_only(
    size: int, data: Any
) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(index, size, leaves)
    root = rfc9162.mth(0, size)
    assert list(path) == rfc9162.path(index, 0, size)
    assert is_included(LEAVES[index], index, size, path, root)

    bit = data.draw(st.integers(0, 255))
    assert not is_included(flipped(LEAVES[index], bit), index, size, path, root)
    assert not is_included(LEAVES[index], index, size, path, flipped(root, bit))
    assert not is_included(LEAVES[index], index, size, (*path, LEAVES[0]), root)
    assert not is_included(LEAVES[index], index, size, path[:-1], root) or not path
    other = data.draw(st.integers(0, size - 1))
    assert is_included(LEAVES[index], other, size, path, root) == (other == index)
    for step in range(len(path)):
        forged = (*path[:step], flipped(path[step], bit), *path[step + 1 :])
        assert not is_included(LEAVES[index], index, size, forged, root)


@given(sizes, st.data())
def test_a_consistency_proof_holds_for_its_two_trees_only(second: int, data: Any) -> None:
    first = data.draw(st.integers(0, second))
    path = consistency_path(first, second, leaves)
    roots = rfc9162.mth(0, first), rfc9162.mth(0, second)
    assert is_consistent(first, second, *roots, path)
    assert not first or list(path) == rfc9162.proof(first, second)

    bit = data.draw(st.integers(0, 255))
    assert not is_consistent(first, second, flipped(roots[0], bit), roots[1], path)
    # Of the second tree, the empty one knows nothing.
    assert not first or not is_consistent(first, second, roots[0], flipped(roots[1], bit), path)
    assert not is_consistent(first, second, *roots, (*path, LEAVES[0]))
    assert not path or not is_consistent(first, second, *roots, path[:-1])
    for step in range(len(path)):
        forged = (*path[:step], flipped(path[step], bit), *path[step + 1 :])
        assert not is_consistent(first, second, *roots, forged)


@given(sizes, st.lists(st.binary(min_size=32, max_size=32), max_size=12), st.data())
def test_no_path_whatever_it_holds_crashes_a_verifier(
    size: int, path: list[bytes], data: Any
) -> None:
    other = data.draw(st.integers(-1, MOST))
    is_included(LEAVES[0], other, size, path, LEAVES[1])
    is_consistent(other, size, LEAVES[0], LEAVES[1], path)


# Streams of a log, in the order in which their events were written.
logs = st.lists(st.sampled_from(["conv_a", "conv_b", "conv_c"]), min_size=1, max_size=25)


def written(streams: list[str]) -> list[LinkedRow]:
    seen: dict[str, int] = {}
    stored = []
    for number, stream in enumerate(streams):
        seen[stream] = seen.get(stream, 0) + 1
        stored.append(
            StoredEvent(
                f"evt_{number}",
                stream,
                seen[stream],
                number,
                "calls",
                None,
                "x.y",
                1,
                f"[{number}]",
            )
        )
    return linked(stored)


def check(rows: list[LinkedRow], known: list[LinkedRow]) -> list[tuple[str, int, Fault]]:
    chains = ChainCheck(heads_of(known))
    chains.feed(rows)
    return [(found.stream, found.sequence, found.fault) for found in chains.finish()]


@given(logs, st.integers(0, 24))
def test_a_log_that_was_only_appended_to_is_whole(streams: list[str], before: int) -> None:
    rows = written(streams)
    assert check(rows, rows[:before]) == []


@given(logs, st.data())
def test_one_changed_letter_is_found_in_its_place(streams: list[str], data: Any) -> None:
    rows = written(streams)
    at = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from([0, 3, 4, 5, 6, 7, 8, 9]))
    old: Any = rows[at][column]
    new = old + 1 if column in (3, 7) else flipped(old, 5) if column == 9 else f"{old}!"
    forged: Any = (*rows[at][:column], new, *rows[at][column + 1 :])
    changed = [*rows[:at], forged, *rows[at + 1 :]]
    assert check(changed, rows) == [(rows[at][1], rows[at][2], Fault.CHANGED)]


@given(logs, st.data())
def test_events_taken_away_are_found_where_the_first_is_missing(
    streams: list[str], data: Any
) -> None:
    rows = written(streams)
    gone = data.draw(st.sets(st.integers(0, len(rows) - 1), min_size=1))
    left = [row for at, row in enumerate(rows) if at not in gone]
    expected: dict[str, tuple[int, Fault]] = {}
    for at in sorted(gone):
        stream, sequence = rows[at][1], rows[at][2]
        later = any(row[1] == stream and row[2] > sequence for row in left)
        expected.setdefault(stream, (sequence, Fault.REMOVED if later else Fault.TRUNCATED))
    assert {stream: (n, fault) for stream, n, fault in check(left, rows)} == expected


@given(logs, st.data())
def test_two_events_that_change_places_are_found_unless_their_streams_do_not_notice(
    streams: list[str], data: Any
) -> None:
    rows = written(streams)
    places = st.integers(0, len(rows) - 1)
    one, other = sorted((data.draw(places), data.draw(places)))
    moved = list(rows)
    moved[one], moved[other] = moved[other], moved[one]
    order: dict[str, list[int]] = {}
    for row in moved:
        order.setdefault(row[1], []).append(row[2])
    expected = {
        stream: (next(n for n, found in enumerate(found, 1) if found != n), Fault.REORDERED)
        for stream, found in order.items()
        if found != sorted(found)
    }
    assert {stream: (n, fault) for stream, n, fault in check(moved, rows)} == expected


names = st.text(
    st.characters(min_codepoint=33, exclude_characters="+", exclude_categories=["Cs", "Z", "Cc"]),
    min_size=1,
    max_size=20,
)


@given(names, st.integers(0, 10**19 - 1), st.binary(min_size=32, max_size=32))
def test_every_checkpoint_survives_its_note(origin: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin, size, root)
    key = VerifierKey.parse(str(VerifierKey.of(origin, KEY)))
    assert verify(sign(checkpoint, KEY), key) == checkpoint


@given(st.integers(0))
def test_a_flipped_bit_of_a_note_is_refused(bit: int) -> None:
    forged = flipped(sign(Checkpoint(ORIGIN, 12345, LEAVES[0]), KEY).encode(), bit)
    try:
        verify(forged.decode(), VERIFIER)
    except ValueError:
        return
    raise AssertionError("a note that was changed was verified")


@given(st.text(max_size=200))
def test_any_text_is_a_checkpoint_or_refused(text: str) -> None:
    try:
        checkpoint = Checkpoint.parse(text)
    except ValueError:
        return
    assert str(checkpoint) == text
