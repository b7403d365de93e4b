"""Seals the texts that belong to a person, each by the key of its owner, class and period."""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ari_app.ports import Clock
from ari_app.privacy.errors import SealBroken
from ari_app.privacy.ports import Key, KeyStore, Slot
from ari_app.privacy.retention import Schedule
from ari_app.privacy.wrapping import NONCE_SIZE

_VERSION = "1"
_KEY_ID = re.compile(r"key_[0-9a-f]{32}")
_K = TypeVar("_K")
_V = TypeVar("_V")
# RFC 4648 §3.5: the unused bits of the last letter are zero. Python lets them pass, and a sealed
# text could be written in several ways.
_LAST = {0: frozenset(), 2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}


_URL = bytes.maketrans(b"+/", b"-_")


class _Sealer(NamedTuple):
    id: str
    cipher: AESGCM
    begins: int
    ends: int


class _Recent(Generic[_K, _V]):
    """What was used of late, at most so many; needs no lock, since every step of it is atomic.

    Two halves instead of a list in order of use: when the young half is full, it becomes the old
    one, and what is not asked for from there in time goes with it.
    """

    def __init__(self, most: int) -> None:
        self._half = max(most // 2, 1)
        self._young: dict[_K, _V] = {}
        self._old: dict[_K, _V] = {}

    def __getitem__(self, which: _K) -> _V:
        try:
            return self._young[which]
        except KeyError:
            found = self[which] = self._old[which]
            return found

    def __setitem__(self, which: _K, value: _V) -> None:
        if len(self._young) >= self._half and which not in self._young:
            self._old, self._young = self._young, {}
        self._young[which] = value


class _Memory:
    """The keys of one generation."""

    def __init__(self, generation: int, most: int) -> None:
        self.generation = generation
        self.sealers: _Recent[tuple[str, str], _Sealer] = _Recent(most)
        # None: shredded. That is for ever, so it may be remembered like a key.
        self.openers: _Recent[str, AESGCM | None] = _Recent(most)


# No generation of a key store: what is remembered there is never found.
_NONE = -1


class Vault:
    """Seals and opens; safe to use from several threads.

    A sealed text is `1.<key id>.<base64url of nonce, ciphertext, tag>`, bound to its place and
    key by the AAD `<place>|<key id>`: it opens nowhere else. Keys that were used of late are kept
    in memory, and forgotten as soon as any process shreds a key.
    """

    def __init__(
        self,
        keys: KeyStore,
        schedule: Schedule,
        clock: Clock,
        entropy: Callable[[int], bytes],
        *,
        most: int = 10_000,
    ) -> None:
        """`entropy` is os.urandom; `most` is how many keys are kept in memory for each way."""
        self._keys = keys
        self._schedule = schedule
        self._clock = clock
        self._entropy = entropy
        self._most = most
        self._memory = _Memory(_NONE, most)

    def prepare(self, wanted: Iterable[tuple[str, str]], at: int | None = None) -> None:
        """Have the keys of these (owner, data class) ready: one durable write for all new ones.

        To be called before a transaction that seals, so that `seal` never waits for a disk in it.
        """
        now = self._clock.now() if at is None else at
        memory = self._present()
        missing = [
            Slot(owner, data_class, self._schedule.period(data_class, now))
            for owner, data_class in dict.fromkeys(wanted)
            if self._sealer_in(memory, owner, data_class, now) is None
        ]
        if missing:
            for slot, key in zip(missing, self._keys.create_many(missing), strict=True):
                _remember(memory, slot, key)

    def seal(
        self, owner: str, data_class: str, place: str, plain: str, *, at: int | None = None
    ) -> str:
        """The text, to be opened at the same place only; `place` is `stream|sequence|field`.

        `at` is when the text came to be, if not now: it decides when its key expires.
        """
        return self.sealing(owner, data_class, at=at)(place, plain)

    def sealing(
        self, owner: str, data_class: str, *, at: int | None = None
    ) -> Callable[[str, str], str]:
        """Seals (place, plain) as `seal` does; for several texts of one moment, not for keeping."""
        now = self._clock.now() if at is None else at
        memory = self._present()
        sealer = self._sealer_in(memory, owner, data_class, now)
        if sealer is None:
            slot = Slot(owner, data_class, self._schedule.period(data_class, now))
            key = self._keys.find(slot) or self._keys.create_many([slot])[0]
            sealer = _remember(memory, slot, key)
        id, encrypt, entropy = sealer.id, sealer.cipher.encrypt, self._entropy
        head = f"{_VERSION}.{id}."

        def seal(place: str, plain: str) -> str:
            nonce = entropy(NONCE_SIZE)
            # Texts of recognisers and carriers may hold half a surrogate pair; it comes back.
            text = plain.encode("utf-8", "surrogatepass")
            return head + _to_base64(nonce + encrypt(nonce, text, f"{place}|{id}".encode()))

        return seal

    def open(self, place: str, sealed: str) -> str | None:
        """The text; None: its key has been shredded. SealBroken if it is not what was sealed here.

        A key id that was exchanged for one that never was looks like a shredded one; the chain of
        hashes over the sealed texts tells of that.
        """
        version, _, rest = sealed.partition(".")
        id, _, body = rest.partition(".")
        if version != _VERSION:
            raise SealBroken(place)
        memory = self._present()
        try:
            cipher = memory.openers[id]
        except KeyError:
            if not _KEY_ID.fullmatch(id):
                raise SealBroken(place) from None
            key = self._keys.by_id(id)
            cipher = memory.openers[id] = None if key is None else AESGCM(key.secret)
        if cipher is None:
            return None
        try:
            both = _from_base64(body)
            text = cipher.decrypt(both[:NONCE_SIZE], both[NONCE_SIZE:], f"{place}|{id}".encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken(place) from error
        return text.decode("utf-8", "surrogatepass")

    # -- keys in memory -----------------------------------------------------------------------

    def _present(self) -> _Memory:
        """The memory of this moment: to be asked for before a key is read from the store.

        Should the key be shredded while it is read, it is put into a memory that nobody asks for
        any more.
        """
        generation = self._keys.generation()
        memory = self._memory
        if memory.generation != generation:
            memory = _Memory(_NONE if generation is None else generation, self._most)
            self._memory = memory
        return memory

    def _sealer_in(self, memory: _Memory, owner: str, data_class: str, at: int) -> _Sealer | None:
        try:
            sealer = memory.sealers[owner, data_class]
        except KeyError:
            return None
        return sealer if sealer.begins <= at < sealer.ends else None


def _remember(memory: _Memory, slot: Slot, key: Key) -> _Sealer:
    sealer = _Sealer(key.facts.id, AESGCM(key.secret), *slot.period)
    memory.sealers[slot.owner, slot.data_class] = sealer
    memory.openers[sealer.id] = sealer.cipher
    return sealer


def _to_base64(sealed: bytes) -> str:
    """RFC 4648 §5, without padding."""
    return b2a_base64(sealed, newline=False).translate(_URL, b"=").decode("ascii")


def _from_base64(text: str) -> bytes:
    spare = len(text) % 4
    if spare and text[-1] not in _LAST.get(spare, ()):
        raise ValueError("not base64url as we write it")
    body = text.encode("ascii")
    if b"+" in body or b"/" in body:
        raise ValueError("not base64url")
    try:
        sealed = a2b_base64(body.replace(b"-", b"+").replace(b"_", b"/") + b"==="[: -spare % 4])
    except Base64Error as error:
        raise ValueError("not base64url") from error
    # Letters that are none were left out; its strict mode takes twice the time to say so.
    if len(sealed) != len(text) * 3 // 4:
        raise ValueError("not base64url")
    return sealed
