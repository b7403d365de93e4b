"""The Merkle tree of the log, as RFC 9162, section 2.1, defines it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

#: Stored hashes by number: from the first (included) to the second (not included).
Hashes: TypeAlias = Callable[[int, int], Sequence[bytes]]

#: The root of a tree without leaves.
EMPTY_ROOT = sha256().digest()

#: So many leaves make a tile: a store that keeps the roots of full tiles proves without reading
#: every leaf.
TILE = 256

# So many hashes are asked of the store at once.
_AT_ONCE = 1 << 16


def _node(left: bytes, right: bytes) -> bytes:
    """Section 2.1.1: SHA-256(0x01 || left || right)."""
    return sha256(b"\1" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree that grows, of which only the roots of its full subtrees are kept (O(log n)).

    `peaks` has one hash for each bit that is set in `size`, that of the largest subtree first.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or self.size.bit_count() != len(self.peaks):
            raise ValueError(f"a tree of {self.size} leaves has not {len(self.peaks)} peaks")
        if any(len(peak) != 32 for peak in self.peaks):
            raise ValueError("a peak is not 32 bytes long")

    def extended(self, leaves: Iterable[bytes]) -> Tree:
        """The tree after more leaves (hashes of events), in their order."""
        row = list(leaves)
        size = self.size + len(row)
        peaks = list(self.peaks)
        level = self.size
        odd: list[bytes] = []
        # Level by level, not leaf by leaf: three times as fast.
        while row:
            if level & 1:
                row.insert(0, peaks.pop())
            if len(row) & 1:
                odd.append(row.pop())
            pairs = iter(row)
            row = [
                sha256(b"\1" + left + right).digest()
                for left, right in zip(pairs, pairs, strict=True)
            ]
            level >>= 1
        return Tree(size, (*peaks, *reversed(odd)))

    @property
    def root(self) -> bytes:
        """The Merkle tree hash, section 2.1.1."""
        if not self.peaks:
            return EMPTY_ROOT
        *left, root = self.peaks
        for peak in reversed(left):
            root = _node(peak, root)
        return root

    def to_bytes(self) -> bytes:
        """Eight bytes of size, most significant first, then the peaks."""
        return self.size.to_bytes(8, "big") + b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, stored: bytes) -> Tree:
        """What `to_bytes` wrote; ValueError if it cannot be that."""
        if len(stored) % 32 != 8:
            raise ValueError(f"{len(stored)} bytes are not a stored tree")
        peaks = (stored[at : at + 32] for at in range(8, len(stored), 32))
        return cls(int.from_bytes(stored[:8], "big"), tuple(peaks))


def inclusion_path(
    index: int, size: int, leaves: Hashes, tiles: Hashes | None = None
) -> tuple[bytes, ...]:
    """Why leaf `index` is in the tree of `size` leaves: section 2.1.3.1, PATH(m, D_n).

    `tiles` are the roots of each full run of TILE leaves, if they are stored.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path = []
    start, end = 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            path.append(_root(split, end, leaves, tiles))
            end = split
        else:
            path.append(_root(start, split, leaves, tiles))
            start = split
    return tuple(reversed(path))


def consistency_path(
    first: int, second: int, leaves: Hashes, tiles: Hashes | None = None
) -> tuple[bytes, ...]:
    """Why the tree of `second` leaves begins with that of `first`: section 2.1.4.1, PROOF(m, D_n).

    Empty for trees of one size, and from the empty tree, which is the beginning of every tree.
    """
    if not 0 <= first <= second:
        raise ValueError(f"a tree of {second} leaves was never one of {first}")
    if first == 0:
        return ()
    path = []
    start, end = 0, second
    while first != end:
        split = start + _split(end - start)
        if first <= split:
            path.append(_root(split, end, leaves, tiles))
            end = split
        else:
            path.append(_root(start, split, leaves, tiles))
            start = split
    if start > 0:  # else the verifier knows this one: it is the root of the first tree
        path.append(_root(start, end, leaves, tiles))
    return tuple(reversed(path))


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path proves that the leaf has this index in the tree: section 2.1.3.2."""
    if not 0 <= index < size or not _are_hashes(leaf, root, *path):
        return False
    number, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if number & 1 or number == last:
            found = _node(sibling, found)
            while number and not number & 1:  # on the right edge a lone subtree moves up as it is
                number, last = number >> 1, last >> 1
        else:
            found = _node(found, sibling)
        number, last = number >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether the path proves that the second tree begins with the first: section 2.1.4.2."""
    if not 0 <= first <= second or not _are_hashes(first_root, second_root, *path):
        return False
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path and first_root == EMPTY_ROOT
    if not path:
        return False
    if first.bit_count() == 1:
        path = (first_root, *path)
    number, last = first - 1, second - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    found_first = found_second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            found_first = _node(sibling, found_first)
            found_second = _node(sibling, found_second)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            found_second = _node(found_second, sibling)
        number, last = number >> 1, last >> 1
    return last == 0 and found_first == first_root and found_second == second_root


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == 32 for value in values)


def _split(size: int) -> int:
    """The largest power of two smaller than size: k of section 2.1.1."""
    return 1 << (size - 1).bit_length() - 1


def _root(start: int, end: int, leaves: Hashes, tiles: Hashes | None) -> bytes:
    """The root of the subtree over leaves start to end."""
    peaks: tuple[bytes, ...] = ()
    rest = start
    # A subtree of TILE leaves or more starts where a tile starts: _split only yields such.
    if tiles is not None and end - start >= TILE:
        peaks = _tree(start // TILE, end // TILE, tiles).peaks
        rest = end // TILE * TILE
    return Tree(end - start, peaks + _tree(rest, end, leaves).peaks).root


def _tree(start: int, end: int, hashes: Hashes) -> Tree:
    tree = Tree()
    for at in range(start, end, _AT_ONCE):
        until = min(at + _AT_ONCE, end)
        found = hashes(at, until)
        if len(found) != until - at:
            raise ValueError(f"of hashes {at} to {until} only {len(found)} are stored")
        tree = tree.extended(found)
    return tree
