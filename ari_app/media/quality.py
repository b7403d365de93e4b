"""Pure. How good a call sounds, from what was lost: the E-model of ITU-T G.107, simplified.

R = 93.2 - Id - Ie,eff, where 93.2 stands for G.107's defaults of all that is not known here (noise,
loudness, echo), Id is for the delay, and Ie,eff for the loss of G.711 packets (G.113, appendix I).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import SupportsFloat

_BEST = 93.2
_ROBUSTNESS = 25.1  # Bpl of G.711 with concealment; without it is 4.3


def r_factor(loss: float, *, burst: float = 1.0, delay: float = 0.0) -> float:
    """G.107's R, 0 to 93.2; `loss` is a share, `delay` seconds one way.

    `burst` is BurstR: how much longer the runs of lost packets are than chance would make them.
    """
    percent = 100 * min(max(loss, 0.0), 1.0)
    impairment = 95 * percent / (percent / max(burst, 1.0) + _ROBUSTNESS) if percent else 0.0
    ms = 1000 * max(delay, 0.0)
    # The usual two straight lines in place of G.107's Idd and Idte.
    delayed = 0.024 * ms + 0.11 * max(ms - 177.3, 0.0)
    return max(_BEST - impairment - delayed, 0.0)


def mos(r: float) -> float:
    """The mean opinion score that R stands for, 1 to 4.5 (G.107, annex B)."""
    if r <= 0:
        return 1.0
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def mos_x100(received: int, lost: int, *, gaps: int = 0, delay: float = 0.0) -> int:
    """The estimate in hundredths, 100 to 450; 0 if nothing was received.

    `lost` packets in `gaps` runs, or by chance if `gaps` is 0; `delay` seconds of buffering.
    """
    if received <= 0:
        return 0
    loss = max(lost, 0) / (received + max(lost, 0))
    burst = lost / gaps * (1 - loss) if gaps else 1.0
    return round(100 * mos(r_factor(loss, burst=burst, delay=delay)))


def with_trunk(statistics: Mapping[str, int], rtp: Mapping[str, object]) -> dict[str, int]:
    """A line's statistics, and beside them what Asterisk says of the trunk's side.

    `rtp` is the answer to GET /channels/{id}/rtp_statistics for the caller's channel. trunk_…
    is the caller as Asterisk receives them, caller_… is Asterisk as the caller's side reports it
    by RTCP; what is not a number, or was never reported, is left out.
    """
    both = dict(statistics)
    received, lost = _count(rtp, "rxcount"), _count(rtp, "rxploss")
    sent, missed = _count(rtp, "txcount"), _count(rtp, "txploss")
    round_trip = _number(rtp, "rtt")
    if received:
        both |= {"trunk_received": received, "trunk_lost": lost}
        both["trunk_mos_x100"] = mos_x100(received, lost)
    if sent and (round_trip or missed):
        both |= {"caller_lost": missed, "caller_mos_x100": mos_x100(max(sent - missed, 1), missed)}
    return both


def _number(rtp: Mapping[str, object], name: str) -> float:
    value = rtp.get(name)
    number = float(value) if isinstance(value, SupportsFloat) else 0.0
    return number if 0.0 <= number < 1e12 else 0.0


def _count(rtp: Mapping[str, object], name: str) -> int:
    return int(_number(rtp, name))
