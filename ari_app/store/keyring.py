"""What every home of keys has in common: wrapped rows, and the change of what wraps them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from ari_app.conversation.identity import new_id
from ari_app.errors import StoreUnavailable
from ari_app.ports import Clock, failpoint
from ari_app.privacy.errors import KeyDamaged, WrongKek
from ari_app.privacy.ports import Key, KeyFacts, Slot
from ari_app.privacy.wrapping import KEY_SIZE, NONCE_SIZE, Kek

FACTS = "id, owner, data_class, begins, ends, created"
#: The columns of a row, in order.
ALL = f"{FACTS}, kek, wrapped"
Row = tuple[Any, ...]
#: What to destroy: conditions with their values.
Wanted = Sequence[tuple[str, Sequence[object]]]

_SCHEMA = 1
# So many rows at once: no reader and no rotation stands in anybody's way for long.
_PAGE = 500


class Keyring(ABC):
    """The port `KeyStore` but for how rows are kept and destroyed.

    SQL is written with `?`, for the tables `key` and `meta` (texts by name).
    """

    def __init__(
        self, where: str, kek: bytes, clock: Clock, entropy: Callable[[int], bytes]
    ) -> None:
        self._where = where
        self._kek = Kek(kek)
        self._keks = {self._kek.fingerprint: self._kek}
        self._clock = clock
        self._entropy = entropy
        # One connection writes and one reads, so that a reader does not wait for an fsync.
        self._writing = threading.RLock()
        self._reading = threading.Lock()

    @abstractmethod
    def _execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """By the connection that writes; all that it returns."""

    @abstractmethod
    def _many(self, sql: str, rows: Sequence[Row]) -> None:
        """The same for each row."""

    @abstractmethod
    def _query(self, sql: str, values: Sequence[object]) -> list[Row]:
        """By the connection that reads."""

    @abstractmethod
    def _transaction(self, *, alone: bool = False) -> AbstractContextManager[None]:
        """`alone`: no other process makes, destroys or wraps keys meanwhile."""

    @abstractmethod
    def _alone(self) -> AbstractContextManager[None]:
        """No other thread destroys or rotates, nor does a process that could spoil it."""

    @abstractmethod
    def _in_our_words(self) -> AbstractContextManager[None]:
        """Errors of the database become StoreUnavailable."""

    @abstractmethod
    def _destroy(self, wanted: Wanted, until: int) -> list[str]:
        """Delete the rows and every trace of them; new keys are created after `until`."""

    @abstractmethod
    def _rewrite(self) -> None:
        """Write all files anew, without what was deleted, and forget the mark `scrub`."""

    # -- the port -----------------------------------------------------------------------------

    @abstractmethod
    def generation(self) -> int | None:
        """See the port."""

    def find(self, slot: Slot) -> Key | None:
        """See the port."""
        where = "owner = ? AND data_class = ? AND begins = ?"
        return self._read(where, (slot.owner, slot.data_class, slot.period.begins))

    def by_id(self, id: str) -> Key | None:
        """See the port."""
        return self._read("id = ?", (id,))

    def create_many(self, slots: Sequence[Slot]) -> list[Key]:
        """See the port."""
        with self._writing, self._in_our_words():
            with self._transaction():
                meta = self._all_meta()
                kek = self._current_kek(meta)
                created = max(self._clock.now(), int(meta.get("floor", 0)) + 1)
                self._many(
                    f"INSERT INTO key ({ALL}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (owner, data_class, begins) DO NOTHING",
                    # In one order everywhere: nobody waits for somebody who waits for him.
                    [self._new_row(slot, created, kek) for slot in sorted(set(slots))],
                )
                rows = self._rows_of(slots)
            failpoint("keys.after_create")
        return [self._key(row) for row in rows]

    def facts(self, owner: str | None = None) -> Iterator[KeyFacts]:
        """See the port."""
        whose, values = ("", []) if owner is None else ("AND owner = ?", [owner])
        last = ""
        while True:
            with self._reading, self._in_our_words():
                page = self._query(
                    f"SELECT {FACTS} FROM key WHERE id > ? {whose} ORDER BY id LIMIT {_PAGE}",
                    (last, *values),
                )
            if not page:
                return
            yield from (KeyFacts(*row) for row in page)
            last = page[-1][0]

    def shred(
        self, owner: str, data_class: str | None = None, created_until: int | None = None
    ) -> list[str]:
        """See the port."""
        until = self._clock.now() if created_until is None else created_until
        limits = {"owner = ?": owner, "data_class = ?": data_class, "created <= ?": created_until}
        given = {limit: value for limit, value in limits.items() if value is not None}
        with self._alone():
            return self._destroy([(" AND ".join(given), [*given.values()])], until)

    def shred_keys(self, ids: Sequence[str]) -> list[str]:
        """See the port."""
        pages = [ids[at : at + _PAGE] for at in range(0, len(ids), _PAGE)]
        with self._alone():
            return self._destroy(
                [(f"id IN ({', '.join('?' * len(page))})", page) for page in pages], 0
            )

    # -- the key-encryption key ---------------------------------------------------------------

    @property
    def rotating(self) -> bool:
        """Whether a rotation has begun and not ended: `rotate` to the same key again."""
        with self._writing, self._in_our_words():
            return self._meta("rotation_from") is not None

    def rotate(self, kek: bytes) -> int:
        """Wrap every key by a new key-encryption key; returns how many had not been yet.

        May be killed at any time: until it is finished, the database opens with either key, since
        each is kept wrapped by the other one. Repeat it to go on.
        """
        new = Kek(kek)
        with self._alone(), self._in_our_words():
            if not self._begin_rotation(new):
                return 0
            count, last = 0, ""
            while rows := self._wrap_page(new, last):
                failpoint("keys.rotating")
                count, last = count + len(rows), rows[-1][0]
            failpoint("keys.before_rewrite")
            # What the old key has wrapped must not be found by whoever finds the old key.
            self._rewrite()
            self._keks = {new.fingerprint: new}
            return count

    def _begin_rotation(self, new: Kek) -> bool:
        """False if all keys are wrapped by the new one already."""
        with self._transaction(alone=True):
            meta = self._all_meta()
            current = self._current_kek(meta)
            if "rotation_from" in meta:
                _same_rotation(meta, new)
                return True
            if new.fingerprint == current.fingerprint:
                return False
            purpose = f"{current.fingerprint}|{new.fingerprint}"
            nonces = self._entropy(NONCE_SIZE), self._entropy(NONCE_SIZE)
            self._set("rotation_from", current.fingerprint)
            self._set("rotation_forth", current.wrap(new.secret, purpose, nonces[0]).hex())
            self._set("rotation_back", new.wrap(current.secret, purpose, nonces[1]).hex())
            self._set("kek", new.fingerprint)
        self._keks[new.fingerprint] = new
        return True

    def _wrap_page(self, new: Kek, after: str) -> list[Row]:
        """What was wrapped; if there was nothing left, the rotation is over."""
        with self._transaction(alone=True):
            # Another process may have ended this one, and begun the next.
            _same_rotation(self._all_meta(), new)
            rows = self._execute(
                f"SELECT {ALL} FROM key WHERE id > ? AND kek <> ? ORDER BY id LIMIT {_PAGE}",
                (after, new.fingerprint),
            )
            if rows:
                self._many(
                    "UPDATE key SET kek = ?, wrapped = ? WHERE id = ?",
                    [(new.fingerprint, self._wrapped_by(new, row), row[0]) for row in rows],
                )
            else:
                self._execute("DELETE FROM meta WHERE substr(name, 1, 9) = 'rotation_'")
                self._mark()
        return rows

    def _wrapped_by(self, kek: Kek, row: Row) -> bytes:
        return kek.wrap(self._key(row).secret, _purpose(row), self._entropy(NONCE_SIZE))

    def _current_kek(self, meta: dict[str, str]) -> Kek:
        """The one to wrap new keys by."""
        if meta["kek"] not in self._keks:
            self._learn_keks(meta)
        return self._keks[meta["kek"]]

    def _learn_keks(self, meta: dict[str, str]) -> None:
        """Both keys of a rotation from either; WrongKek if ours is none of them."""
        new, old = meta["kek"], meta.get("rotation_from")
        ours = self._keks.get(new) or self._keks.get(old or "")
        if ours is None:
            raise WrongKek(
                f"the key-encryption key {self._kek.fingerprint} does not open {self._where}: "
                f"put key {new} in its place, and start again"
            )
        if old is None:
            return
        other = meta["rotation_back" if ours.fingerprint == new else "rotation_forth"]
        secret = ours.unwrap(bytes.fromhex(other), f"{old}|{new}")
        if secret is None:
            raise KeyDamaged("the rotation")
        found = Kek(secret)
        self._keks[found.fingerprint] = found

    # -- rows ---------------------------------------------------------------------------------

    def _new_row(self, slot: Slot, created: int, kek: Kek) -> Row:
        id = new_id("key", created, self._entropy(10))
        bare = (id, slot.owner, slot.data_class, *slot.period, created, kek.fingerprint)
        secret, nonce = self._entropy(KEY_SIZE), self._entropy(NONCE_SIZE)
        return (*bare, kek.wrap(secret, _purpose(bare), nonce))

    def _rows_of(self, slots: Sequence[Slot]) -> list[Row]:
        """In the same order; they are all there."""
        of_slot = f"SELECT {ALL} FROM key WHERE owner = ? AND data_class = ? AND begins = ?"
        return [
            self._execute(of_slot, (slot.owner, slot.data_class, slot.period.begins))[0]
            for slot in slots
        ]

    def _read(self, where: str, values: tuple[object, ...]) -> Key | None:
        with self._reading, self._in_our_words():
            rows = self._query(f"SELECT {ALL} FROM key WHERE {where}", values)
        return self._key(rows[0]) if rows else None

    def _key(self, row: Row) -> Key:
        if row[6] not in self._keks:
            with self._writing, self._in_our_words():
                self._learn_keks(self._all_meta())
        kek = self._keks.get(row[6])
        secret = None if kek is None else kek.unwrap(row[7], _purpose(row))
        if secret is None:
            raise KeyDamaged(row[0])
        return Key(KeyFacts(*row[:6]), secret)

    # -- meta ---------------------------------------------------------------------------------

    def _check_tables(self, found: set[str], ours: set[str]) -> None:
        """Nothing but ours; StoreUnavailable says what to do."""
        if found and not ours <= found:
            raise StoreUnavailable(f"{self._where} is another program's database: move it away")
        if found and self._meta("schema") != str(_SCHEMA):
            raise StoreUnavailable(
                f"{self._where} is not of schema {_SCHEMA}, which this program needs: "
                "run the program that wrote it"
            )

    def _first_meta(self) -> None:
        """What stands in every home, and the check of our key; in a transaction."""
        for name, value in (("schema", str(_SCHEMA)), ("kek", self._kek.fingerprint)):
            self._execute(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, value)
            )
        self._learn_keks(self._all_meta())

    def _raise_floor(self, until: int) -> None:
        if until > int(self._meta("floor") or 0):
            self._set("floor", str(until))

    def _mark(self) -> None:
        """Traces of keys must be removed; each mark is another one."""
        self._set("scrub", self._entropy(8).hex())

    def _all_meta(self) -> dict[str, str]:
        """All of one moment."""
        return {name: str(value) for name, value in self._execute("SELECT name, value FROM meta")}

    def _meta(self, name: str) -> str | None:
        return self._all_meta().get(name)

    def _set(self, name: str, value: str) -> None:
        self._execute(
            "INSERT INTO meta VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )


def _same_rotation(meta: dict[str, str], new: Kek) -> None:
    if meta["kek"] != new.fingerprint:
        raise WrongKek(f"a rotation to key {meta['kek']} has begun: end it with that key")


def _purpose(row: Row) -> str:
    """What a wrapped key is bound to: a row that was given to somebody else opens nothing."""
    return "|".join(str(value) for value in row[:6])
