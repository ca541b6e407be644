"""Markdown tables, which Slack's Markdown does not show: aligned in a code block, or as a list."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import zip_longest

from bot_slack.code import fenced
from bot_slack.links import Links

MAX_WIDTH = 80  # columns of a code block that Slack shows without breaking its lines
_CELL = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"\s*:?-{1,}:?\s*")
_FORMAT = re.compile(r"\*\*|__|~~|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)|`")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def table(lines: Sequence[str], links: Links) -> list[str]:
    """Write a table, whose lines all begin with `|`, for Slack: line by line."""
    rows = [_cells(line) for line in lines]
    rows = [row for row in rows if not (row and all(map(_RULE.fullmatch, row)))]
    if not rows:
        return []
    columns = list(zip_longest(*rows, fillvalue=""))
    widths = [max(map(_width, column)) for column in columns]
    if sum(widths) + 3 * len(widths) <= MAX_WIDTH or len(rows) == 1:
        return _aligned(rows, widths, links)
    return _listed(rows)


def _aligned(rows: Sequence[Sequence[str]], widths: Sequence[int], links: Links) -> list[str]:
    lines = []
    for number, row in enumerate(rows):
        cells = (
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=False)
        )
        lines.append(" │ ".join(cells).rstrip())
        if number == 0 and len(rows) > 1:
            lines.append("─┼─".join("─" * width for width in widths))
    return ["```\n", *(fenced(line, links) + "\n" for line in lines), "```\n"]


def _listed(rows: Sequence[Sequence[str]]) -> list[str]:
    """A wide table: one item a row, each cell after the name of its column."""
    from bot_slack.render import plain

    head, *body = rows
    items = []
    for row in body:
        named = zip_longest(head, row, fillvalue="")
        parts = (f"{plain(name)}: {plain(cell)}" if name else plain(cell) for name, cell in named)
        items.append("- " + "; ".join(parts) + "\n")
    return items


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    cells = _CELL.split(inner.removesuffix("|") if not inner.endswith("\\|") else inner)
    return [_bare(cell) for cell in cells]


def _bare(cell: str) -> str:
    """A cell's words, without formatting that a code block would show."""
    cell = re.sub(r"<br ?/?>", " ", cell, flags=re.I).replace("\\|", "|")
    return " ".join(_FORMAT.sub("", _LINK.sub(r"\1", cell)).split())


def _width(text: str) -> int:
    """Columns that a text takes in a fixed-width font."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
