"""Tables of a PDF, told by the lines around their cells, or by the white between their columns.

A PDF knows no tables. Where nothing is drawn, lines below each other whose cells keep to the same
columns are one, when the first line reads like names of columns: it has no digits, and it is set in
other letters than the rows, or a column of numbers stands below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.indexing.formats.pdf_barred import barred
from bot.indexing.formats.pdf_lines import Cell, Line, Page
from bot.indexing.formats.pdf_ruled import NUMBER, is_name, ruled, standing_in

_ROWS = 2  # with several cells below the names of the columns, at least
_PROSE = 40  # characters; text in columns has longer cells on average
_APART = 3  # times the letters' size between two lines ends a table
_TOUCH = 1.0  # points by which a cell may reach into a column beside its own
_NEXT = 1.7  # ... and up to this much below, a line may go on with the row above it


@dataclass(slots=True)
class Table:
    """A table; each row has a text for each column, and the first row names them.

    Attributes:
        columns: where each column stands, from left to right in points.
    """

    rows: list[list[str]]
    columns: list[tuple[float, float]]
    last: Line
    lines: int = field(default=1)

    def take(self, line: Line) -> bool:
        """Add a line as a row, or to the last row, unless it is no part of the table."""
        down = self.last.y - line.y if self.last.y is not None and line.y is not None else 0.0
        if not 0 < down <= _APART * line.size or line.size > self.last.size * 1.1:
            return False
        near = down <= _NEXT * line.size
        if not (places := self.places(line.cells)) or (len(places) == 1 and not near):
            return False
        others = len(self.columns) - 1
        few = others == 1 or len(places) < others
        self.add(line, places, goes_on=near and places[0] > 0 and few)
        return True

    def add(self, line: Line, places: Sequence[int], *, goes_on: bool = False) -> None:
        """Add a line's cells, each to its column: as a row, or to the last one if it goes on."""
        row = [""] * len(self.columns)
        for place, cell in zip(places, line.cells, strict=True):
            left, right = self.columns[place]
            self.columns[place] = min(left, cell.left), max(right, cell.right)
            row[place] = cell.text
        if goes_on and len(self.rows) > 1:
            above = self.rows.pop()
            row = [" ".join(filter(None, pair)) for pair in zip(above, row, strict=True)]
        self.rows.append(row)
        self.last, self.lines = line, self.lines + 1

    def places(self, cells: Sequence[Cell]) -> list[int]:
        """Find the column of each cell; nothing, when two fall into one or one into two."""
        found: list[int] = []
        for cell in cells:
            away = [max(left - cell.right, cell.left - right) for left, right in self.columns]
            if sum(each < -_TOUCH for each in away) > 1:
                return []
            found.append(away.index(min(away)))
        return found if found == sorted(set(found)) else []


def with_tables(page: Page, before: Table | None = None) -> Iterator[Line | Table]:
    """Put lines together to tables.

    Args:
        before: the table that the page before ended with; when it goes on here, what does has the
            names of its columns.
    """
    tables, inside = _ruled(page, before)
    run: list[Line] = []
    for line in page.lines:
        if id(line) in tables:
            yield from _aligned(run, before)
            yield tables[id(line)]
            run, before = [], None
        elif id(line) not in inside:
            run.append(line)
    yield from _aligned(run, before)


def _ruled(page: Page, before: Table | None) -> tuple[dict[int, Table], set[int]]:
    """Read the tables with lines drawn: by their first line of text, and all in them."""
    tables: dict[int, Table] = {}
    inside: set[int] = set()
    for grid, named in [*((grid, 0) for grid in page.grids), *barred(page.lines, page.rules)]:
        lines = [line for line in standing_in(grid, page.lines) if id(line) not in inside]
        goes_on = before is not None and bool(lines) and lines[0] is page.lines[0]
        known = (before.rows[0], before.columns) if before is not None and goes_on else ([], [])
        if lines and (found := ruled(grid, lines, known, named)):
            table = Table([found.names, *found.rows], found.columns, found.lines[-1])
            tables[id(found.lines[0])] = table
            inside |= set(map(id, found.lines))
    return tables, inside


def _aligned(lines: Sequence[Line], before: Table | None) -> Iterator[Line | Table]:
    """Put lines together to tables that have no lines around their cells."""
    at = 0
    while at < len(lines):
        table = _continued(lines, before) if before is not None and at == 0 else None
        table = table or _begun(lines, at)
        yield table or lines[at]
        at += table.lines if table else 1


def _continued(page: Sequence[Line], before: Table) -> Table | None:
    first, names = page[0], before.rows[0]
    table = Table([names], list(before.columns), first)
    places = table.places(first.cells)
    if len(places) < 2 or places[0]:
        return None
    if [cell.text for cell in first.cells] != names:
        table.lines = 0
        table.add(first, places)
    return _grown(table, page, 1)


def _begun(page: Sequence[Line], at: int) -> Table | None:
    head = page[at]
    names = [cell.text for cell in head.cells]
    if len(names) < 2 or not all(map(is_name, names)):
        return None
    table = Table([names], [(cell.left, cell.right) for cell in head.cells], head)
    table = _grown(table, page, at + 1)
    below = [[cell for cell in row if cell] for row in table.rows[1:]]
    cells = [cell for row in below for cell in row]
    if sum(len(row) > 1 for row in below) < _ROWS or sum(map(len, cells)) > _PROSE * len(cells):
        return None
    return table if _is_headed(table, head) else None


def _is_headed(table: Table, head: Line) -> bool:
    """Tell whether a table's first line is set otherwise, or stands above a column of numbers."""
    if table.last.font != head.font:
        return True
    columns = [list(filter(None, column)) for column in zip(*table.rows[1:], strict=True)]
    return any(column and all(map(NUMBER.match, column)) for column in columns[1:])


def _grown(table: Table, page: Sequence[Line], at: int) -> Table:
    for line in page[at:]:
        if not table.take(line):
            break
    return table
