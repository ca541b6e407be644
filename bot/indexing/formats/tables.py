"""Tables, CSV and workbooks, as Markdown tables."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, time
from itertools import islice, takewhile
from typing import Any

from bot.errors import DocumentError
from bot.indexing.formats.decoding import decode
from bot.indexing.formats.extracted import Extracted, plain

_SNIFFED, _ROWS = 65_536, 100  # characters, and rows, that tell what stands between the cells
_TITLE = 3  # rows at most
_SEPARATOR = re.compile(r"sep=(.)[\r\n]+", re.IGNORECASE)  # as Excel says it in the first line


def read_csv(data: bytes, charset: str) -> Extracted:
    """Read comma- or otherwise separated values; the first row names the columns.

    Raises:
        DocumentError: it is no text, or a cell is too large.
    """
    text = decode(data, charset)
    named = _SEPARATOR.match(text)
    text = text[named.end() :] if named else text
    delimiter = named[1] if named else _delimiter(text[:_SNIFFED])
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=delimiter != "\t"
    )
    try:
        return Extracted(table(reader), "markdown")
    except csv.Error as error:
        raise DocumentError(f"It is no CSV that can be read: {error}.") from error


def _delimiter(sample: str) -> str:
    """Find what stands between the cells: with it, most rows have as many of them.

    The standard library's sniffer takes minutes for some samples, and guesses how quotes are
    doubled from the first it sees.
    """

    def share(delimiter: str) -> float:
        rows = islice(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), _ROWS)
        widths = Counter(len(row) for row in rows if any(row))
        several = [count for width, count in widths.items() if width > 1]
        return max(several, default=0) / max(widths.total(), 1)

    return max(",;\t|", key=share)


def read_workbook(data: bytes, charset: str) -> Extracted:
    """Read the visible sheets of a workbook (XLSX, XLS, ODS), one section each.

    Raises:
        DocumentError: it is broken or encrypted.
    """
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    sections: list[str] = []
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as workbook:
            for sheet in workbook.sheets_metadata:
                if (
                    sheet.typ != SheetTypeEnum.WorkSheet
                    or sheet.visible != SheetVisibleEnum.Visible
                ):
                    continue
                if rows := _sheet(workbook.get_sheet_by_name(sheet.name)):
                    sections.append(f"## {' '.join(sheet.name.split())}\n\n{rows}")
    except Exception as error:  # calamine's own errors have no common class
        raise DocumentError(f"It is no workbook that can be read: {error}.") from error
    return Extracted("\n".join(sections), "markdown")


def _sheet(sheet: Any) -> str:
    """Write a sheet; what is merged in it counts for each row and column that it covers."""
    rows = sheet.to_python()
    if not rows or not sheet.merged_cell_ranges:
        return table(rows)
    from bot.indexing.formats.merging import merged_table

    top, left = sheet.start
    width = max(map(len, rows))
    merged = [[row * width + column for column in range(width)] for row in range(len(rows))]
    for (first, begin), (last, end) in sheet.merged_cell_ranges:
        columns = range(max(begin - left, 0), min(end - left + 1, width))
        for row in range(max(first - top, 0), min(last - top + 1, len(rows))):
            for column in columns:
                merged[row][column] = max(first - top, 0) * width + max(begin - left, 0)
    said = {
        number * width + column: _cell(value, "|")
        for number, row in enumerate(rows)
        for column, value in enumerate(row)
    }
    return merged_table([row for row in merged if any(map(said.get, row))], said)


def table(rows: Iterable[Sequence[Any]]) -> str:
    """Write rows as a Markdown table, without its empty rows; the first one names the columns.

    A few rows at its top with their first cell alone are its title.
    """
    written = ([_cell(value) for value in row] for row in rows)
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


def _cell(value: Any, pipe: str = "\\|") -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a workbook knows no other numbers
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    return " ".join(str("" if value is None else value).split()).replace("|", pipe)
