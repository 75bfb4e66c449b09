"""The verdict bar: what is still possible beside what would be worth having, taken in at a glance.

Plain SVG without script, and beside it a list of the same facts in words: nothing is lost where the
picture is not seen.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from belonging_research.present.story import Story

NAVY, TEAL, GREY, PALE = "#12436D", "#1A6E66", "#3D3D3D", "#D4EDEA"
_WIDTH, _HEIGHT, _MARGIN = 380.0, 78.0, 10.0
_TOP, _FLOOR, _MIDDLE = 20.0, 62.0, 41.0


def verdict_bar(story: Story, facts: Sequence[tuple[str, str]]) -> str:
    """HTML of the bar of an assessed finding: best guess, range still possible, zone worth having.

    ``facts`` are the same in words, each with its name: they stand under the bar and are its alternative.
    Lower is to the left, in the outcome's own direction. Empty where the finding is not assessed.
    """
    estimate, ends = story.assessed, story.still_possible
    if estimate is None or ends is None:
        return ""
    sesoi = story.finding.sesoi
    alt = " ".join(f"{name}: {text}." for name, text in facts)
    reach = 1.15 * max(abs(each) for each in (*ends, estimate.value, 1.8 * sesoi) if math.isfinite(each))
    drawing = _drawing(estimate.value, ends, sesoi * story.favourable, reach, story.stamp)
    rows = "".join(f"<li>{name}: <strong>{html.escape(text)}</strong></li>" for name, text in facts)
    return (
        '<figure class="verdict-bar" style="margin:0.5em 0;max-width:28rem">\n'
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" width="100%" role="img" '
        f'aria-label="{html.escape(alt)}" xmlns="http://www.w3.org/2000/svg">{drawing}</svg>\n'
        f'<ul class="verdict-facts">{rows}</ul>\n</figure>'
    )


def _drawing(value: float, ends: tuple[float, float], worth: float, reach: float, stamp: str) -> str:
    def x(effect: float) -> float:
        inside = max(-reach, min(reach, effect))
        return _MARGIN + (_WIDTH - 2 * _MARGIN) * (inside + reach) / (2 * reach)

    low, high, zero = x(ends[0]), x(ends[1]), x(0.0)
    left, right = (0.0, x(worth)) if worth < 0 else (x(worth), _WIDTH)
    caps = "".join(
        f'<path d="M{end:.1f} {_MIDDLE - 8:.1f}v16" stroke="{NAVY}" stroke-width="3"/>'
        for end, edge in ((low, ends[0]), (high, ends[1]))
        if math.isfinite(edge)
    )
    tall = _FLOOR - _TOP
    return (
        f'<rect width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}" fill="#ffffff"/>'
        f'<rect x="{left:.1f}" width="{right - left:.1f}" y="{_TOP:.0f}" height="{tall:.0f}" fill="{PALE}"/>'
        f'<path d="M{x(worth):.1f} {_TOP:.0f}v{tall:.0f}" stroke="{TEAL}" '
        f'stroke-width="1.5" stroke-dasharray="4 3"/>'
        f'<path d="M{zero:.1f} {_TOP:.0f}v{tall:.0f}" stroke="{GREY}" stroke-width="1.5"/>'
        f'<path d="M{low:.1f} {_MIDDLE:.1f}H{high:.1f}" stroke="{NAVY}" stroke-width="4"/>{caps}'
        f'<circle cx="{x(value):.1f}" cy="{_MIDDLE:.1f}" r="6.5" fill="#ffffff" '
        f'stroke="{NAVY}" stroke-width="3.5"/>'
        f"{_label((left + right) / 2, 14, 'worth having', TEAL)}{_label(zero, 14, 'as expected', GREY)}"
        f"{_label(_MARGIN, 75, 'lower', GREY, 'start')}{_label(_WIDTH - _MARGIN, 75, 'higher', GREY, 'end')}"
        f"{_label(_WIDTH / 2, 75, stamp, GREY) if stamp else ''}"
    )


def _label(x: float, y: float, text: str, colour: str, anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.0f}" font-family="sans-serif" font-size="12" fill="{colour}" '
        f'text-anchor="{anchor}">{html.escape(text)}</text>'
    )
