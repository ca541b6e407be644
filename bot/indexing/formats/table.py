"""Rows written as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, time
from itertools import takewhile
from typing import Any

from bot.indexing.formats.extracted import plain

_TITLE = 3  # rows at most


def table(rows: Iterable[Sequence[Any]]) -> str:
    """Write rows as a Markdown table, without its empty rows; the first one names the columns.

    A few rows at its top with their first cell alone are its title.
    """
    written = ([cell(value) for value in row] for row in rows)
    filled = [row for row in written if any(row)]
    width = max((_width(row) for row in filled), default=0)
    if not width:
        return ""
    alone = list(takewhile(lambda row: _width(row) == 1, filled)) if width > 1 else []
    if len(alone) > _TITLE or len(filled) - len(alone) < 2:
        alone = []
    title = [f"{plain(row[0])}\n\n" for row in alone]
    lines = [_line(row, width) for row in filled[len(alone) :]]
    return "".join([*title, "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]]), "\n"])


def _line(row: Sequence[str], width: int) -> str:
    return "| " + " | ".join([*row[:width], *[""] * (width - len(row))]) + " |"


def _width(row: Sequence[str]) -> int:
    return len(row) - next((n for n, cell in enumerate(reversed(row)) if cell), len(row))


def cell(value: Any, pipe: str = "\\|") -> str:
    """Write a value in one line.

    Args:
        pipe: what stands for `|`.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a workbook knows no other numbers
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    return " ".join(str("" if value is None else value).split()).replace("|", pipe)
