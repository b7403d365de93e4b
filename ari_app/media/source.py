"""Pure. Who is believed to be Asterisk: one address and one synchronisation source at a time.

Where there is no SRTP, a datagram is believed for where it comes from; and so that nobody can
put themselves in the caller's place, the one who is believed keeps the place while they speak.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

# Another address is believed only after so many seconds without a packet of the old one (less if
# it never sent any), and then after so many packets of one source, one behind the other, in time.
_SILENT = 2.0
_NEVER_HEARD = 0.5
_PROOF = 5
_TIME_FOR_PROOF = 0.5

# Another SSRC at the same address, as after a transfer, is the same caller once the old one has
# missed so many packets. What comes of it meanwhile is kept.
_MISSED = 3
_SHORTEST_SILENCE = 0.06
_KEPT = 8

Address = tuple[str, int]
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Verdict(Enum):
    """What becomes of one packet."""

    TAKE = "take"
    KEEP = "keep"  # until it is known whose it is
    CHANGE = "change"  # take what was kept of its source, then it: another one is heard now
    REFUSE_SOURCE = "source"
    REFUSE_SSRC = "ssrc"


@dataclass(slots=True)
class _Candidate:
    """Who may be the next one."""

    address: Address
    ssrc: int
    sequence: int
    since: float
    kept: int = 0
    proof: int = 1


@dataclass(slots=True)
class Source:
    """Judges packets that are sane in all other ways; `now` is monotonic seconds.

    `networks` are where another address may lie; the believed one's host always may, with
    another port.
    """

    networks: tuple[_Network, ...] = ()
    address: Address | None = None
    ssrc: int | None = None
    last: float = 0.0  # when the believed one's last packet came, or the lock was made
    changes: int = 0  # of the SSRC
    relearned: int = 0  # changes of the address
    candidate: _Candidate | None = field(default=None)

    def lock(self, address: Address, now: float) -> None:
        """Believe this address from now on."""
        self.address, self.ssrc, self.last = address, None, now
        self.candidate = None

    def is_heard(self, now: float) -> bool:
        """Whether the believed one has spoken of late, and so cannot be replaced."""
        return self.ssrc is not None and now - self.last < _SILENT

    def could_be(self, address: Address, now: float) -> bool:
        """Whether a packet from there is worth reading; the cheap question comes first."""
        if address == self.address:
            return True
        silence = _NEVER_HEARD if self.ssrc is None else _SILENT
        if self.address is None or now - self.last < silence:
            return False
        return address[0] == self.address[0] or self._is_allowed(address[0])

    def judge(
        self, address: Address, ssrc: int, sequence: int, now: float, ptime: float
    ) -> Verdict:
        """`ptime` is the seconds of audio in a packet. Told of each packet that `could_be`."""
        if address != self.address:
            return self._stranger(address, ssrc, sequence, now)
        if ssrc == self.ssrc or self.ssrc is None:
            self.ssrc, self.last = ssrc, now
            self.candidate = None
            return Verdict.TAKE
        return self._other_ssrc(address, ssrc, sequence, now, ptime)

    def _other_ssrc(
        self, address: Address, ssrc: int, sequence: int, now: float, ptime: float
    ) -> Verdict:
        if now - self.last >= max(_MISSED * ptime, _SHORTEST_SILENCE):
            self._believe(address, ssrc, now)
            self.changes += 1
            return Verdict.CHANGE
        candidate = self.candidate
        if candidate is None:
            self.candidate = _Candidate(address, ssrc, sequence, now, kept=1)
            return Verdict.KEEP
        if candidate.ssrc != ssrc or candidate.kept >= _KEPT:
            return Verdict.REFUSE_SSRC
        candidate.kept += 1
        return Verdict.KEEP

    def _stranger(self, address: Address, ssrc: int, sequence: int, now: float) -> Verdict:
        candidate = self.candidate
        if candidate is None or now - candidate.since > _TIME_FOR_PROOF:
            self.candidate = _Candidate(address, ssrc, sequence, now)
            return Verdict.REFUSE_SOURCE
        if (address, ssrc) != (candidate.address, candidate.ssrc):
            return Verdict.REFUSE_SOURCE
        if sequence != (candidate.sequence + 1) & 0xFFFF:
            self.candidate = None
            return Verdict.REFUSE_SOURCE
        candidate.sequence, candidate.proof = sequence, candidate.proof + 1
        if candidate.proof < _PROOF:
            return Verdict.REFUSE_SOURCE
        self._believe(address, ssrc, now)
        self.relearned += 1
        return Verdict.CHANGE

    def _believe(self, address: Address, ssrc: int, now: float) -> None:
        self.address, self.ssrc, self.last = address, ssrc, now
        self.candidate = None

    def _is_allowed(self, host: str) -> bool:
        there = ipaddress.ip_address(host)
        mapped = getattr(there, "ipv4_mapped", None)
        return any((mapped or there) in network for network in self.networks)


def networks(names: Iterable[str]) -> tuple[_Network, ...]:
    """Networks or single addresses; ValueError with a sentence if one is none."""
    return tuple(ipaddress.ip_network(name) for name in names)
