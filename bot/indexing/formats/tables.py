"""Tables, CSV and workbooks, as Markdown tables."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from itertools import islice
from typing import Any

from bot.errors import DocumentError
from bot.indexing.formats.decoding import decode
from bot.indexing.formats.extracted import Extracted
from bot.indexing.formats.merging import merged_table
from bot.indexing.formats.table import cell, table

_SNIFFED, _ROWS = 65_536, 100  # characters, and rows, that tell what stands between the cells
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
    top, left = sheet.start
    width = max(map(len, rows))
    merged = [[row * width + column for column in range(width)] for row in range(len(rows))]
    for (first, begin), (last, end) in sheet.merged_cell_ranges:
        columns = range(max(begin - left, 0), min(end - left + 1, width))
        for row in range(max(first - top, 0), min(last - top + 1, len(rows))):
            for column in columns:
                merged[row][column] = max(first - top, 0) * width + max(begin - left, 0)
    said = {
        number * width + column: cell(value, "|")
        for number, row in enumerate(rows)
        for column, value in enumerate(row)
    }
    return merged_table([row for row in merged if any(map(said.get, row))], said)
