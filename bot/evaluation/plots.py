"""Plots as SVG: a mean with its interval for each variant."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bot.evaluation.statistics import Interval
from bot.text import printable

_WIDTH, _ROW, _LEFT, _RIGHT, _FOOT = 420, 26, 130, 24, 26


def intervals(
    title: str, figures: Sequence[tuple[str, Interval | None]], chosen: str, *, share: bool
) -> str:
    """Draw a dot with its interval for each variant, one below the other.

    Args:
        figures: by variant; None for one that has no such figure.
        chosen: the variant that is set off.
        share: the figures are between 0 and 1.
    """
    known = [figure for _, figure in figures if figure is not None]
    low = min([0.0, *(one.low for one in known)])
    high = 1.0 if share else max([one.high for one in known if one.high > 0], default=1.0)
    height = _ROW * len(figures) + _FOOT
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{_escaped(title)}">',
        *(_line(low + (high - low) * at / 4, low, high, height) for at in range(5)),
    ]
    for number, (name, figure) in enumerate(figures):
        y = _ROW * number + _ROW / 2
        mark = " chosen" if name == chosen else ""
        told = _escaped(_short(name))
        parts.append(f'<text class="name{mark}" x="{_LEFT - 8}" y="{y + 4:.0f}">{told}</text>')
        if figure is not None:
            ends = [_place(value, low, high) for value in (figure.low, figure.high, figure.mean)]
            told = _escaped(f"{name}: {figure}")
            parts.append(
                f'<g class="figure{mark}"><title>{told}</title>'
                f'<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{y}" y2="{y}"/>'
                f'<circle cx="{ends[2]:.1f}" cy="{y}" r="5"/></g>'
            )
    return "".join([*parts, "</svg>"])


def _escaped(text: str) -> str:
    return escape(printable(text))


def _line(value: float, low: float, high: float, height: int) -> str:
    x = _place(value, low, high)
    told = f"{value:.2f}" if high <= 10 else f"{value:.0f}"
    return (
        f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - _FOOT}"/>'
        f'<text class="tick" x="{x:.1f}" y="{height - 8}">{told}</text>'
    )


def _place(value: float, low: float, high: float) -> float:
    room = _WIDTH - _LEFT - _RIGHT
    return _LEFT + room * (min(max(value, low), high) - low) / ((high - low) or 1)


def _short(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:17]}…"
