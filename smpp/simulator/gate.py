"""Who and what is let in: the statuses of binds and submits. Pure but for its counts."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from smpp.constants import Status
from smpp.pdu import Bind
from smpp.simulator.faults import Faults


class Gate:
    """Judges what ESMEs ask for, by the accounts and the switches of the moment."""

    def __init__(self, accounts: Mapping[str, str] | None, chance: Random) -> None:
        """`accounts` are the passwords by system_id; None lets everybody bind."""
        self._accounts = accounts
        self._chance = chance
        self._asked = 0  # submits that throttling has looked at
        self._room = 0.0  # of the bucket that `throttle_above` empties
        self._filled: float | None = None

    def bind(self, pdu: Bind, faults: Faults, standing: int) -> int:
        """The status of a bind, if so many binds of this system_id stand already."""
        if faults.bind_status:
            return faults.bind_status
        if self._accounts is not None and not faults.any_password:
            if pdu.system_id not in self._accounts:
                return Status.ESME_RINVSYSID
            if pdu.password != self._accounts[pdu.system_id]:
                return Status.ESME_RINVPASWD
        if faults.most_binds and standing >= faults.most_binds:
            return Status.ESME_RALYBND
        return Status.ESME_ROK

    def submit(self, faults: Faults, waiting: int, now: float) -> int:
        """The status of a submit_sm at `now`, if so many texts wait for their receipts."""
        if self._is_too_fast(faults, now):
            return faults.throttle_status
        if waiting >= faults.queue_limit:
            return Status.ESME_RMSGQFUL
        if faults.refuse_status and (
            faults.refuse_share >= 1 or self._chance.random() < faults.refuse_share
        ):
            return faults.refuse_status
        return Status.ESME_ROK

    def _is_too_fast(self, faults: Faults, now: float) -> bool:
        self._asked += 1
        if faults.throttle_first > 0:
            faults.throttle_first -= 1
            return True
        if faults.throttle_every and self._asked % faults.throttle_every == 0:
            return True
        if not faults.throttle_above:
            self._filled = None
            return False
        # A bucket of one second, as carriers count.
        most = max(faults.throttle_above, 1.0)
        if self._filled is None:
            self._room = most
        else:
            self._room = min(most, self._room + (now - self._filled) * faults.throttle_above)
        self._filled = now
        if self._room < 1:
            return True
        self._room -= 1
        return False
