"""Tables, CSV and workbooks, as Markdown tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime, time
from typing import Any

from bot.errors import DocumentError
from bot.indexing.formats.decoding import decode
from bot.indexing.formats.extracted import Extracted

_SNIFFED = 65_536  # characters that tell what stands between the cells


def read_csv(data: bytes, charset: str) -> Extracted:
    """Read comma- or otherwise separated values; the first row names the columns.

    Raises:
        DocumentError: it is no text, or a cell is too large.
    """
    text = decode(data, charset)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:_SNIFFED], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel_tab if "\t" in text[:_SNIFFED] else csv.excel
    try:
        return Extracted(table(csv.reader(io.StringIO(text, newline=""), dialect)), "markdown")
    except csv.Error as error:
        raise DocumentError(f"It is no CSV that can be read: {error}.") from error


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
                if rows := table(workbook.get_sheet_by_name(sheet.name).to_python()):
                    sections.append(f"## {' '.join(sheet.name.split())}\n\n{rows}")
    except Exception as error:  # calamine's own errors have no common class
        raise DocumentError(f"It is no workbook that can be read: {error}.") from error
    return Extracted("\n".join(sections), "markdown")


def table(rows: Iterable[Sequence[Any]]) -> str:
    """Write rows as a Markdown table, without its empty rows; the first one names the columns."""
    written = ([_cell(value) for value in row] for row in rows)
    filled = [row for row in written if any(row)]
    width = max((_width(row) for row in filled), default=0)
    if not width:
        return ""
    lines = [_line(row, width) for row in filled]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]]) + "\n"


def _line(row: Sequence[str], width: int) -> str:
    return "| " + " | ".join([*row[:width], *[""] * (width - len(row))]) + " |"


def _width(row: Sequence[str]) -> int:
    return len(row) - next((n for n, cell in enumerate(reversed(row)) if cell), len(row))


def _cell(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a workbook knows no other numbers
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    return " ".join(str("" if value is None else value).split()).replace("|", "\\|")
