"""A plot of few curves as SVG: both axes logarithmic, readable on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 150, 40, 50
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#aa3377", "#66ccee")


@dataclass(frozen=True, slots=True)
class Curve:
    """A name and its points (x, y), all greater than 0."""

    name: str
    points: Sequence[tuple[float, float]]


def drawn(title: str, x_name: str, y_name: str, curves: Sequence[Curve]) -> str:
    """The SVG document."""
    xs = [math.log10(x) for c in curves for x, _ in c.points]
    ys = [math.log10(y) for c in curves for _, y in c.points]
    x_low, x_high = math.floor(min(xs)), max(math.ceil(max(xs)), math.floor(min(xs)) + 1)
    y_low, y_high = math.floor(min(ys)), max(math.ceil(max(ys)), math.floor(min(ys)) + 1)

    def across(x: float) -> float:
        share = (math.log10(x) - x_low) / (x_high - x_low)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def down(y: float) -> float:
        share = (math.log10(y) - y_low) / (y_high - y_low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#888" stroke-width="1">',
        f'<text x="{_LEFT}" y="22" font-size="14">{escape(title)}</text>',
    ]
    for power in range(x_low, x_high + 1):
        x = across(10**power)
        lines.append(f'<path d="M{x} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#8884"/>')
        below = f'x="{x}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle"'
        lines.append(f"<text {below}>{_short(power)}</text>")
    for power in range(y_low, y_high + 1):
        y = down(10**power)
        lines.append(f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="#8884"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{_short(power)}</text>')
    lines.append(f'<text x="{_LEFT}" y="{_HEIGHT - 12}">{escape(x_name)}</text>')
    lines.append(f'<text x="8" y="{_TOP - 6}">{escape(y_name)}</text>')
    taken: list[float] = []
    for curve, colour in zip(curves, _COLOURS, strict=False):
        points = " ".join(f"{across(x)},{down(y)}" for x, y in curve.points)
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        lines += [
            f'<circle cx="{across(x)}" cy="{down(y)}" r="3" fill="{colour}"/>'
            for x, y in curve.points
        ]
        # Names of curves that end close to each other are put one below the other.
        end = down(curve.points[-1][1]) + 4
        while any(abs(end - other) < 14 for other in taken):
            end += 2
        taken.append(end)
        lines.append(
            f'<text x="{across(curve.points[-1][0]) + 10}" y="{end}" fill="{colour}">'
            f"{escape(curve.name)}</text>"
        )
    return "\n".join([*lines, "</svg>", ""])


def _short(power: int) -> str:
    return f"{10**power:,}" if 0 <= power < 7 else f"1e{power}" if power >= 7 else f"{10**power:g}"
