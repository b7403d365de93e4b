"""Erases owners for good, holds them against it, and lets keys expire."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ari_app.ports import Clock, failpoint
from ari_app.privacy.errors import Held
from ari_app.privacy.ports import Act, Entry, KeyStore, Ledger, Mode, Reason
from ari_app.privacy.retention import Schedule, Tally, due, tally

# A pseudonym or an id of ours; what a number is written with cannot stand in the ledger.
_OWNER = re.compile(r"[a-z]+_[A-Za-z0-9_.:-]{1,120}")


class Erasure:
    """What it has done stays done: also after a crash, and after a restore (`reapply`)."""

    def __init__(self, keys: KeyStore, ledger: Ledger, schedule: Schedule, clock: Clock) -> None:
        self._keys = keys
        self._ledger = ledger
        self._schedule = schedule
        self._clock = clock

    def erase(self, owner: str, mode: Mode, reason: Reason) -> list[str]:
        """Shred every key of the owner; returns their ids. Held if a legal hold forbids it."""
        with self._ledger.exclusive():
            if owner in held(self._ledger.entries()):
                raise Held(owner)
            # First: whoever dies after this line has promised it, and `reapply` keeps the promise.
            newest = max((key.created for key in self._keys.facts(owner)), default=0)
            self._append(Act.ERASED, owner, reason, mode, newest)
            failpoint("privacy.after_ledger")
            return self._keys.shred(owner)

    def reapply(self) -> list[str]:
        """Shred what a restored backup has revived, or a crash has left; returns the key ids.

        To be called at every start, before anything is read. Keys that an owner got after the
        erasure stay. Tombstones are the store's: see `erased`.
        """
        latest: dict[str, int] = {}
        for entry in self._ledger.entries():
            if entry.act is Act.ERASED:
                latest[entry.owner] = max(entry.at, latest.get(entry.owner, 0))
        # The latest first: the key store then learns once what "later" is.
        order = sorted(latest.items(), key=lambda owner_at: owner_at[1], reverse=True)
        return [id for owner, at in order for id in self._keys.shred(owner, created_until=at)]

    def erased(self) -> list[Entry]:
        """Every erasure so far, in order."""
        return [entry for entry in self._ledger.entries() if entry.act is Act.ERASED]

    def hold(self, owner: str, reason: Reason) -> None:
        """Nothing of the owner is erased or expires until it is released."""
        with self._ledger.exclusive():
            self._append(Act.HELD, owner, reason)

    def release(self, owner: str, reason: Reason) -> None:
        """End the hold; what is due goes with the next run."""
        with self._ledger.exclusive():
            self._append(Act.RELEASED, owner, reason)

    def holds(self) -> frozenset[str]:
        """Who is held now."""
        return held(self._ledger.entries())

    def expire(self) -> dict[str, Tally]:
        """Shred every key whose time has come; says what it did, by data class."""
        # Exclusive, so that no hold can come between the decision and the deed.
        with self._ledger.exclusive():
            now, holds = self._clock.now(), held(self._ledger.entries())
            keys = list(self._keys.facts())
            self._keys.shred_keys([key.id for key in due(keys, self._schedule, now, holds)])
            return tally(keys, self._schedule, now, holds)

    def dry_run(self) -> dict[str, Tally]:
        """What `expire` would do now."""
        return tally(self._keys.facts(), self._schedule, self._clock.now(), self.holds())

    def _append(
        self, act: Act, owner: str, reason: Reason, mode: Mode | None = None, not_before: int = 0
    ) -> None:
        if not _OWNER.fullmatch(owner):
            raise ValueError("an owner is a pseudonym such as subj_…, never a number")
        self._ledger.append(Entry(max(self._clock.now(), not_before), act, owner, reason, mode))


def held(entries: Iterable[Entry]) -> frozenset[str]:
    """Who is held after these entries."""
    now: set[str] = set()
    for entry in entries:
        if entry.act is Act.HELD:
            now.add(entry.owner)
        elif entry.act is Act.RELEASED:
            now.discard(entry.owner)
    return frozenset(now)
