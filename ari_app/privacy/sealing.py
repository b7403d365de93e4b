"""Seals the log: a signed checkpoint over all that was appended, kept here and given to anchors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ari_app.errors import StoreUnavailable
from ari_app.ledger import checkpoint
from ari_app.ledger.canonical import event_hash
from ari_app.ledger.chain import LinkedRow
from ari_app.ledger.checkpoint import Checkpoint
from ari_app.ledger.merkle import TILE, Tree
from ari_app.ledger.note import VerifierKey
from ari_app.ports import Clock, Fence, failpoint
from ari_app.privacy.ports import Anchor, Seal, SealStore, Tile

logger = logging.getLogger(__name__)

# Hashing 500 events takes the interpreter for about a millisecond: no live call notices.
_PAGE = 500
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class _State:
    """What the last seal left to go on from."""

    number: int
    position: int
    tree: Tree
    tail: bytes  # leaves of the tile that is not full yet


class Sealer:
    """Signs only what continues its last seal: one key never vouches for two histories."""

    def __init__(
        self,
        store: SealStore,
        origin: str,
        key: Ed25519PrivateKey,
        clock: Clock,
        anchors: Sequence[Anchor] = (),
    ) -> None:
        self._store = store
        self._origin = origin
        self._key = key
        self._clock = clock
        self._anchors = anchors
        self._state: _State | None = None
        self._fence: Fence | None = None

    async def run_once(self, fence: Fence | None = None) -> Seal | None:
        """Seal what was appended since the last seal; None if that is nothing.

        With several workers, under a lease; LeaseLost if it is another's by now. StoreUnavailable
        if the last seal is not what this sealer wrote: then nothing is signed.
        """
        # A failure leaves nothing behind: the next run begins with what is on disk.
        state, self._state = self._state, None
        # Under a new lease another worker may have sealed since.
        if state is None or fence != self._fence:
            self._fence = fence
            state = await self._stored()
        position, leaves = await self._leaves(state.position)
        if not leaves:
            self._state = state
            return None
        tree = state.tree.extended(leaves)
        signed = Checkpoint(self._origin, tree.size, tree.root)
        note = checkpoint.sign(signed, self._key)
        failpoint("sealing.after_sign")
        seal = Seal(state.number + 1, tree.size, position, tree.to_bytes(), note, self._clock.now())
        tiles, tail = _tiles(state, leaves)
        await self._store.keep(seal, tiles, fence)
        failpoint("sealing.after_keep")
        self._state = _State(seal.number, position, tree, tail)
        await self._anchor(note)
        return seal

    async def _stored(self) -> _State:
        seal = await self._store.latest()
        if seal is None:
            return _State(0, 0, Tree(), b"")
        try:
            tree = Tree.from_bytes(seal.tree)
            signed = checkpoint.verify(seal.note, VerifierKey.of(self._origin, self._key))
        except ValueError as error:
            raise _broken(seal, str(error)) from None
        if (signed.size, signed.root) != (tree.size, tree.root):
            raise _broken(seal, "its tree is not the one that was signed")
        number, rest = divmod(tree.size, TILE)
        tile = await self._store.tile(number) if rest else None
        tail = tile.leaves if tile else b""
        if len(tail) != 32 * rest:
            raise _broken(seal, f"tile {number} is not the one that was sealed")
        # A crash may have come before the anchors had it; twice does no harm.
        await self._anchor(seal.note)
        return _State(seal.number, seal.position, tree, tail)

    async def _leaves(self, position: int) -> tuple[int, list[bytes]]:
        leaves: list[bytes] = []
        while len(leaves) < _MOST:
            position, rows = await self._store.rows(position, _PAGE)
            leaves += await asyncio.to_thread(_hashes, rows)
            if len(rows) < _PAGE:
                break
        return position, leaves

    async def _anchor(self, note: str) -> None:
        for anchor in self._anchors:
            try:
                await anchor.put(note)
            except Exception as error:  # noqa: BLE001  an anchor that is away must not stop sealing
                logger.warning(
                    "a checkpoint could not be anchored; the next one covers it: %s", error
                )


def _hashes(rows: Sequence[LinkedRow]) -> list[bytes]:
    return [event_hash(row[:9]) for row in rows]


def _tiles(state: _State, leaves: Sequence[bytes]) -> tuple[list[Tile], bytes]:
    """The tiles that the leaves fill or begin, and the leaves of the last if it is not full."""
    first = state.tree.size // TILE
    joined = state.tail + b"".join(leaves)
    tiles = []
    for number, at in enumerate(range(0, len(joined), 32 * TILE), first):
        run = joined[at : at + 32 * TILE]
        full = len(run) == 32 * TILE
        root = Tree().extended(split(run)).root if full else None
        tiles.append(Tile(number, run, root))
    return tiles, b"" if tiles[-1].root else tiles[-1].leaves


def split(leaves: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [leaves[at : at + 32] for at in range(0, len(leaves), 32)]


def _broken(seal: Seal, why: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"seal {seal.number} of the log is not what was written ({why}): "
        "nothing is sealed; run `segue audit verify`"
    )
