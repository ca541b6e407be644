"""Tables of a web page: those that hold data become Markdown tables, the others their content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.indexing.formats.merging import merged_table

_LAYOUT = ("presentation", "none")  # values of `role`
_HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
_LONG = 2000  # characters; a cell of data has fewer
_DEEPEST = 100  # tables in tables
_SPAN = 1000  # columns; HTML allows no more
_CELLS = 1_000_000  # of a table; in one with more, no cell covers another's place


def unfold_layout(soup: Any) -> None:
    """Turn tables that only arrange a page into plain elements, the inner ones first.

    Raises:
        RecursionError: they are nested too deeply.
    """
    tables = soup.find_all("table")
    depths: dict[int, int] = {}
    for table in tables:
        depths[id(table)] = depths.get(id(table.find_parent("table")), 0) + 1
        if depths[id(table)] > _DEEPEST:
            raise RecursionError("tables in tables")
    for table in reversed(tables):
        if _is_layout(table):
            for cell in [each for row in _rows(table) for each in _cells(row)]:
                cell.name = "div"
            for part in table.find_all(["tr", "tbody", "thead", "tfoot"]):
                if part.find_parent("table") is table:
                    part.name = "div"
            table.name = "div"


def written(table: Any, said: Mapping[int, str], *, inside: bool) -> str:
    """Write a table.

    Args:
        said: the text of each cell, by `id` of its element.
        inside: it stands in a cell of another: a line of text.
    """
    rows = [row for row in _rows(table) if _cells(row)]
    texts = [[said.get(id(cell), "").strip() for cell in _cells(row)] for row in rows]
    if inside:
        return "; ".join(", ".join(filter(None, row)) for row in texts) + " "
    caption = table.find("caption", recursive=False)
    above = said.get(id(caption), "").strip() if caption is not None else ""
    cells = [cell for row in rows for cell in _cells(row)]
    numbered = {id(cell): number for number, cell in enumerate(cells)}
    merged = _placed(rows, numbered)
    named = 0
    while named < len(rows) - 1 and _is_head(rows[named]):
        named += 1
    named_texts = {numbered[id_]: said.get(id_, "") for id_ in numbered}
    return "\n\n".join(filter(None, [above, merged_table(merged, named_texts, named)]))


def _is_layout(table: Any) -> bool:
    if table.get("role") in _LAYOUT:
        return True
    rows = [cells for row in _rows(table) if (cells := _cells(row))]
    if rows and len(rows[0]) > 1 and all(cell.name == "th" for cell in rows[0]):
        return False
    cells = [cell for row in rows for cell in row]
    plain = [cell for cell in cells if cell.name == "td"]
    if len(plain) == len(cells) and (len(rows) < 2 or max(map(len, rows)) < 2):
        return True
    nested = sum(cell.find("table") is not None for cell in plain)
    return nested * 2 > len(plain) or any(
        cell.find(_HEADINGS) is not None or len(cell.get_text()) > _LONG for cell in plain
    )


def _rows(table: Any) -> Iterator[Any]:
    """Yield the rows of a table, but for those of tables in it."""
    for part in table.find_all(True, recursive=False):
        if part.name == "tr":
            yield part
        elif part.name in ("tbody", "thead", "tfoot"):
            yield from part.find_all("tr", recursive=False)


def _cells(row: Any) -> list[Any]:
    found: list[Any] = row.find_all(["td", "th"], recursive=False)
    return found


def _is_head(row: Any) -> bool:
    return row.parent.name == "thead" or all(cell.name == "th" for cell in _cells(row))


def _placed(rows: list[Any], numbered: Mapping[int, int]) -> list[list[int]]:
    """Find the cell at each place, as browsers do; columns in which no cell begins are left out."""
    places: list[dict[int, int]] = [{} for _ in rows]
    begins: set[int] = set()
    taken = 0
    for number, row in enumerate(rows):
        column = 0
        for cell in _cells(row):
            while column in places[number]:
                column += 1
            begins.add(column)
            wide, high = _span(cell, "colspan", _SPAN), _span(cell, "rowspan", len(rows) - number)
            taken += wide * high
            if taken > _CELLS:
                wide = high = 1
            for below in range(number, min(number + high, len(rows))):
                for beside in range(column, column + wide):
                    places[below].setdefault(beside, numbered[id(cell)])
            column += wide
    return [[row.get(column, -1) for column in sorted(begins)] for row in places]


def _span(cell: Any, name: str, most: int) -> int:
    written = str(cell.get(name) or "")
    if not (written.isascii() and written.isdigit()):
        return 1
    return min(int(written[:6]), most) or (most if name == "rowspan" else 1)
