"""Tables of a PDF with lines drawn around their cells, merged ones too.

What is merged counts for each row and column that it covers, so that a row says all that it means;
names in several rows are joined column by column. As a form is drawn like a table, the first rows
must read like names: they are set in other letters than the rows, or a column of numbers stands
below them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.indexing.formats.merging import joined_names, name_rows, texts, title_rows
from bot.indexing.formats.pdf_lines import MIDDLE, Cell, Line
from bot.indexing.formats.pdf_rules import Grid
from bot.text import CJK

NUMBER = re.compile(r"[-+−–(]?\s?[$€£¥]?\s?\d")
_NAME = re.compile(r"[^\W\d_]{2}")
_ROWS = 2  # with several cells below the names, at least
_PROSE = 200  # characters; text in boxes has longer cells on average
_ALIKE = 0.2  # share of the rows' cells that may be set like the names
_MOVED = 3.0  # points that a column may move from one page to the next


@dataclass(frozen=True, slots=True)
class Ruled:
    """What stands in a grid.

    Attributes:
        above: the lines of a title that is merged over all columns.
        rows: without the names.
        columns: where each column stands, from left to right in points.
        lines: all lines in the grid, but for the title's.
    """

    above: list[Line]
    names: list[str]
    rows: list[list[str]]
    columns: list[tuple[float, float]]
    lines: list[Line]


def is_name(text: str) -> bool:
    """Tell whether a text may name a column: it is a word, no number, and asks for nothing."""
    return not any(map(str.isdigit, text)) and _is_label(text)


def _is_label(text: str) -> bool:
    return not text.endswith(":") and bool(_NAME.search(text) or CJK.search(text))


def standing_in(grid: Grid, lines: Iterable[Line]) -> list[Line]:
    """List the lines that stand in a grid, in part at least."""
    return [line for line in lines if any(place is not None for place in _places(grid, line))]


def ruled(
    grid: Grid,
    lines: Sequence[Line],
    before: tuple[Sequence[str], Sequence[tuple[float, float]]],
    named: int = 0,
) -> Ruled | None:
    """Read a grid as a table, unless it may be something else.

    Args:
        lines: those that stand in it.
        named: how many of its rows are known to name the columns; 0 when that must be seen.
        before: names and places of the columns of the table that may go on here; else empty.
    """
    if not (written := _written(grid, lines)):
        return None
    title = title_rows(grid.merged)
    merged = grid.merged[title:]
    above = [line for line in lines if _row(grid, line) < title]
    rest = [line for line in lines if _row(grid, line) >= title]
    columns = list(zip(grid.xs, grid.xs[1:], strict=False))
    depth = named - title if named > title else name_rows(merged)
    names = _names([[_said(written, cell) for cell in row] for row in merged[:depth]])
    known, places = before
    goes_on = bool(known) and _alike(columns, places)
    headed = bool(names) and (named > title or _is_headed(merged, depth, written, names))
    if not goes_on and not headed:
        return None
    if goes_on and names != list(known):
        depth, names = 0, list(known)
    said = {merged: _said(written, merged) for merged in written}
    rows = [texts(row, said) for row in merged[depth:]]
    rows = [row for row in rows if any(row)]
    several = sum(len(set(filter(None, row))) > 1 for row in rows)
    cells = [cell for row in rows for cell in row if cell]
    if (several < _ROWS and not goes_on) or sum(map(len, cells)) > _PROSE * len(cells):
        return None
    return Ruled(above, names, rows, columns, rest)


def _places(grid: Grid, line: Line) -> Iterator[tuple[int, int] | None]:
    for cell in line.cells:
        middle = (line.y or 0.0) + MIDDLE * line.size
        yield None if line.y is None else grid.place((cell.left + cell.right) / 2, middle)


def _row(grid: Grid, line: Line) -> int:
    return next((place[0] for place in _places(grid, line) if place), -1)


def _written(grid: Grid, lines: Iterable[Line]) -> dict[int, list[Cell]]:
    """List what stands in each cell, in reading order; nothing, when a line leaves the grid."""
    found: dict[int, list[tuple[float, float, Cell]]] = {}
    for line in lines:
        for cell, place in zip(line.cells, _places(grid, line), strict=True):
            if place is None or line.y is None:
                return {}
            merged = grid.merged[place[0]][place[1]]
            found.setdefault(merged, []).append((-round(line.y), cell.left, cell))
    return {
        merged: [cell for *_, cell in sorted(cells, key=lambda each: each[:2])]
        for merged, cells in found.items()
    }


def _said(written: dict[int, list[Cell]], merged: int) -> str:
    return " ".join(cell.text for cell in written.get(merged, ()))


def _names(rows: Sequence[Sequence[str]]) -> list[str]:
    """Join the names of each column; nothing, when one has none that may be a name."""
    names = joined_names(rows)
    named = [name for name in names if name]
    if not all(names[1:]) or any(name.endswith(":") for name in named):
        return []
    return names if any(map(_is_label, named)) else []


def _alike(columns: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]) -> bool:
    return len(columns) == len(others) and all(
        abs(one[0] - other[0]) <= _MOVED and abs(one[1] - other[1]) <= _MOVED
        for one, other in zip(columns, others, strict=True)
    )


def _is_headed(
    merged: Sequence[Sequence[int]],
    depth: int,
    written: dict[int, list[Cell]],
    names: Sequence[str],
) -> bool:
    """Tell whether names are set otherwise than the rows, or stand above a column of numbers."""
    own = _fonts(merged[:depth], written)
    below = _fonts(merged[depth:], written)
    if own and sum(font in own for font in below) <= _ALIKE * len(below):
        return True
    columns = zip(*merged[depth:], strict=True)
    said = [[_said(written, each) for each in dict.fromkeys(column)] for column in columns]
    filled = [list(filter(None, column)) for column in said[1:]]
    numbers = any(len(column) >= _ROWS and all(map(NUMBER.match, column)) for column in filled)
    return numbers and all(is_name(name) for name in names if name)


def _fonts(merged: Iterable[Sequence[int]], written: dict[int, list[Cell]]) -> list[bytes]:
    """List the fonts of the cells, but for those in the first column."""
    cells = dict.fromkeys(cell for row in merged for cell in row[1:] if cell != row[0])
    return [written[cell][0].font for cell in cells if cell in written]
