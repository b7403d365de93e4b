"""Whether anybody is at the other end of a bind (enquire_link, SMPP 3.4 §4.11). Pure."""

from __future__ import annotations


class Health:
    """When the SMSC was heard last, and whether it is time to ask, or to give it up.

    Only complete PDUs count: octets alone prove nothing. What is silent while we do not read is
    not held against it.
    """

    def __init__(self, interval: float, timeout: float) -> None:
        """Ask after `interval` seconds of silence, give up `timeout` seconds after that."""
        self._interval = interval
        self._timeout = timeout
        self._heard = 0.0
        self._answer_by: float | None = None  # of the enquire_link that is not answered
        self._held: float | None = None  # since when nothing is read

    @property
    def held(self) -> bool:
        """Whether nothing is read."""
        return self._held is not None

    @property
    def deadline(self) -> float:
        """When one of the next two changes, if nothing is heard."""
        return self._heard + self._interval if self._answer_by is None else self._answer_by

    def quiet(self, now: float) -> bool:
        """Whether it is time to ask."""
        return not self.held and self._answer_by is None and now >= self.deadline

    def dead(self, now: float) -> bool:
        """Whether the question was not answered in time."""
        return not self.held and self._answer_by is not None and now >= self._answer_by

    def heard(self, now: float) -> None:
        """A PDU has come: whatever it says, somebody is there."""
        self._heard = now
        self._answer_by = None

    def asked(self, now: float) -> None:
        """An enquire_link was written."""
        self._answer_by = now + self._timeout

    def hold(self, now: float) -> None:
        """We stop reading."""
        if self._held is None:
            self._held = now

    def release(self, now: float) -> float:
        """We read again; how many seconds were missed."""
        if self._held is None:
            return 0.0
        missed, self._held = now - self._held, None
        self._heard += missed
        if self._answer_by is not None:
            self._answer_by += missed
        return missed
