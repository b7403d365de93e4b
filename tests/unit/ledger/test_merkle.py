"""The tree is held against the RFC's own recursion, and against the vectors of other logs."""

from __future__ import annotations

from hashlib import sha256

import pytest

from ari_app.ledger import merkle
from ari_app.ledger.merkle import (
    EMPTY_ROOT,
    TILE,
    Tree,
    consistency_path,
    inclusion_path,
    is_consistent,
    is_included,
)
from tests.unit.ledger import rfc9162

LEAVES = [rfc9162.leaf(number) for number in range(1100)]
TILES = [Tree().extended(LEAVES[at : at + TILE]).root for at in range(0, 1024, TILE)]


def leaves(start: int, end: int) -> list[bytes]:
    return LEAVES[start:end]


def tiles(start: int, end: int) -> list[bytes]:
    assert end <= len(TILES)
    return TILES[start:end]


# Of google/certificate-transparency, used by every CT implementation since.
CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
CT_LEAVES += ["606162636465666768696a6b6c6d6e6f"]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CT_INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CT_CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def ct_leaves(start: int, end: int) -> list[bytes]:
    return [sha256(b"\0" + bytes.fromhex(one)).digest() for one in CT_LEAVES[start:end]]


def test_the_roots_are_those_of_certificate_transparency() -> None:
    roots = [Tree().extended(ct_leaves(0, size)).root.hex() for size in range(9)]
    assert roots == CT_ROOTS


@pytest.mark.parametrize(("index", "size"), CT_INCLUSION)
def test_the_inclusion_proofs_are_those_of_certificate_transparency(index: int, size: int) -> None:
    path = inclusion_path(index, size, ct_leaves)
    assert [step.hex() for step in path] == CT_INCLUSION[index, size]
    (leaf,) = ct_leaves(index, index + 1)
    assert is_included(leaf, index, size, path, bytes.fromhex(CT_ROOTS[size]))


@pytest.mark.parametrize(("first", "second"), CT_CONSISTENCY)
def test_the_consistency_proofs_are_those_of_certificate_transparency(
    first: int, second: int
) -> None:
    path = consistency_path(first, second, ct_leaves)
    assert [step.hex() for step in path] == CT_CONSISTENCY[first, second]
    roots = bytes.fromhex(CT_ROOTS[first]), bytes.fromhex(CT_ROOTS[second])
    assert is_consistent(first, second, *roots, path)


def test_a_tree_that_grows_leaf_by_leaf_has_the_rfcs_root_at_every_size() -> None:
    tree = Tree()
    for size in range(301):
        assert tree.root == rfc9162.mth(0, size)
        assert Tree().extended(leaves(0, size)) == tree
        assert Tree.from_bytes(tree.to_bytes()) == tree
        tree = tree.extended([LEAVES[size]])


def test_the_state_of_a_large_tree_is_small() -> None:
    assert len(Tree().extended(leaves(0, 1023)).to_bytes()) == 8 + 10 * 32


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Tree().root == EMPTY_ROOT == sha256().digest()
    assert Tree().extended([]) == Tree()


@pytest.mark.parametrize(
    "stored",
    [b"", bytes(7), bytes(9), bytes(8) + bytes(32), (1).to_bytes(8, "big"), b"\0" * 7 + b"\3" * 33],
)
def test_a_stored_tree_that_cannot_be_one_is_refused(stored: bytes) -> None:
    with pytest.raises(ValueError, match="stored tree|peaks"):
        Tree.from_bytes(stored)


def test_a_tree_of_peaks_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Tree(1, (b"short",))


def test_a_tree_of_fewer_than_no_leaves_is_refused() -> None:
    with pytest.raises(ValueError, match="a tree of -1 leaves"):
        Tree(-1, (LEAVES[0],))


def test_every_inclusion_proof_of_every_small_tree_is_the_rfcs_and_holds() -> None:
    for size in range(1, 66):
        root = rfc9162.mth(0, size)
        for index in range(size):
            path = inclusion_path(index, size, leaves)
            assert list(path) == rfc9162.path(index, 0, size)
            assert is_included(LEAVES[index], index, size, path, root)


def test_every_consistency_proof_of_every_small_tree_is_the_rfcs_and_holds() -> None:
    for second in range(1, 66):
        for first in range(1, second + 1):
            path = consistency_path(first, second, leaves)
            assert list(path) == rfc9162.proof(first, second)
            roots = rfc9162.mth(0, first), rfc9162.mth(0, second)
            assert is_consistent(first, second, *roots, path)


@pytest.mark.parametrize("size", [255, 256, 257, 511, 512, 513, 800, 1023, 1024, 1025, 1100])
def test_stored_tiles_change_no_proof(size: int) -> None:
    for number in {0, 1, 255, 256, 257, 511, 512, size // 2, size - 2, size - 1}:
        if number < size:
            assert inclusion_path(number, size, leaves, tiles) == inclusion_path(
                number, size, leaves
            )
            assert consistency_path(number, size, leaves, tiles) == consistency_path(
                number, size, leaves
            )


def test_hashes_are_asked_of_the_store_a_page_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merkle, "_AT_ONCE", 7)
    assert list(inclusion_path(3, 300, leaves)) == rfc9162.path(3, 0, 300)


def test_with_tiles_few_leaves_are_read() -> None:
    read = 0

    def counted(start: int, end: int) -> list[bytes]:
        nonlocal read
        read += end - start
        return LEAVES[start:end]

    inclusion_path(300, 1100, counted, tiles)
    assert read < 2 * TILE


def test_a_store_that_lacks_leaves_is_told_so() -> None:
    with pytest.raises(ValueError, match="of hashes 64 to 101 only 36 are stored"):
        inclusion_path(0, 101, lambda start, end: leaves(start, end)[:-1])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (-1, 1), (3, 3), (1, 1), (0, 0)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="has no leaf"):
        inclusion_path(index, size, leaves)
    assert not is_included(LEAVES[0], index, size, (), LEAVES[0])


@pytest.mark.parametrize(("first", "second"), [(-1, 3), (4, 3)])
def test_a_tree_that_shrank_has_no_proof(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="was never one of"):
        consistency_path(first, second, leaves)
    assert not is_consistent(first, second, LEAVES[0], LEAVES[0], ())


def test_a_shrunk_tree_is_refused_whatever_the_path_says() -> None:
    assert not is_consistent(3, 2, LEAVES[0], rfc9162.mth(0, 2), (LEAVES[0], LEAVES[1]))


def test_a_proof_does_not_hold_for_another_size() -> None:
    two, three = rfc9162.mth(0, 2), rfc9162.mth(0, 3)
    assert is_included(LEAVES[0], 0, 2, (LEAVES[1],), two)
    assert not is_included(LEAVES[0], 0, 3, (LEAVES[1],), two)
    assert is_consistent(2, 3, two, three, (LEAVES[2],))
    assert not is_consistent(2, 7, two, three, (LEAVES[2],))


@pytest.mark.parametrize(("first", "second"), [(1, 2), (3, 5), (4, 5)])
def test_without_a_path_a_larger_tree_is_not_consistent(first: int, second: int) -> None:
    roots = rfc9162.mth(0, first), rfc9162.mth(0, second)
    assert not is_consistent(first, second, *roots, ())


def test_every_tree_begins_with_the_empty_one() -> None:
    root = rfc9162.mth(0, 5)
    assert consistency_path(0, 5, leaves) == ()
    assert is_consistent(0, 5, EMPTY_ROOT, root, ())
    assert not is_consistent(0, 5, root, root, ())
    assert not is_consistent(0, 5, EMPTY_ROOT, root, (root,))


def test_trees_of_one_size_are_consistent_only_if_they_are_the_same() -> None:
    one, other = rfc9162.mth(0, 5), rfc9162.mth(1, 6)
    assert is_consistent(5, 5, one, one, ())
    assert not is_consistent(5, 5, one, other, ())
    assert not is_consistent(5, 5, one, one, (one,))


def test_a_hash_of_another_length_proves_nothing() -> None:
    # H(a || b) = H(a' || b') where a byte moved from b to a'.
    left, right = LEAVES[0], LEAVES[1]
    root = rfc9162.mth(0, 2)
    assert is_included(left, 0, 2, (right,), root)
    assert not is_included(left + right[:1], 0, 2, (right[1:],), root)
    assert not is_included(left[:31], 0, 2, (left[31:] + right,), root)
    assert is_consistent(1, 2, left, root, (right,))
    assert not is_consistent(1, 2, left + right[:1], root, (right[1:],))
