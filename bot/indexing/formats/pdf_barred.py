"""Tables of a PDF between lines that only go across: names between the first two, rows below them.

Such a table is made a grid: its columns are where the cells of most rows stand, a cell that reaches
over several columns, or whose own short line does, is merged over them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from bot.indexing.formats.pdf_lines import MIDDLE, Cell, Line
from bot.indexing.formats.pdf_rules import Grid, Rule

_ENDS = 3.0  # points by which the lines of a table may begin or end apart
_WIDE = 60.0  # points; a table's lines are longer
_LEVEL = 2.0  # points between the baselines of a row's cells
_NAMES = 3  # rows of names at most
_ROWS = 2  # with several cells, at least
_NEAR = 1.4  # times the letters' size between two lines of a row
_RAISED = 0.6  # times the letters' size above a line's baseline, others in it are centred
_COLUMNS = 40

Row = list[tuple[Line, Cell]]


def barred(lines: Sequence[Line], rules: Sequence[Rule]) -> Iterator[tuple[Grid, int]]:
    """Find the tables of a page whose lines only go across.

    Each comes with the number of its rows that name the columns; 0 when that must be seen.

    Args:
        rules: the lines that go across.
    """
    for bars in _alike(rules):
        first = 0
        while first + 2 < len(bars):
            last = first + 1
            while last + 1 < len(bars) and _is_table(_rows(lines, bars[last], bars[last + 1])):
                last += 1
            found = _grid(lines, bars[first : last + 1], rules) if last > first + 1 else None
            if found:
                yield found
            first = last if found else first + 1


def _alike(rules: Sequence[Rule]) -> Iterator[list[Rule]]:
    """Group the long lines that begin and end at the same places, from top to bottom."""
    left = [rule for rule in rules if rule.high - rule.low >= _WIDE]
    while left:
        group = [
            rule for rule in left
            if abs(rule.low - left[0].low) <= _ENDS and abs(rule.high - left[0].high) <= _ENDS
        ]  # fmt: skip
        left = [rule for rule in left if rule not in group]
        if 3 <= len(group) <= 100:
            yield sorted(group, reverse=True)


def _rows(lines: Sequence[Line], top: Rule, bottom: Rule) -> list[Row]:
    """Collect the cells between two lines, by row; nothing, when something else stands there."""
    rows: list[tuple[float, Row]] = []
    for line in lines:
        if line.y is None or not bottom.at < line.y + MIDDLE * line.size < top.at:
            continue
        if not line.cells or line.cells[0].left < top.low - _ENDS:
            return []
        if line.cells[-1].right > top.high + _ENDS:
            return []
        cells = [(line, cell) for cell in line.cells]
        level = next((row for y, row in rows if abs(y - line.y) <= _LEVEL), None)
        if level is None:
            rows.append((line.y, cells))
        else:
            level += cells
    ordered = sorted(rows, key=lambda row: -row[0])
    return [sorted(row, key=lambda each: each[1].left) for _, row in ordered]


def _is_table(rows: Sequence[Row]) -> bool:
    """Tell whether most of the rows have several cells, as prose has not."""
    return bool(rows) and sum(len(row) > 1 for row in rows) * 2 >= len(rows)


def _grid(
    lines: Sequence[Line], bars: Sequence[Rule], rules: Sequence[Rule]
) -> tuple[Grid, int] | None:
    names = _rows(lines, bars[0], bars[1])
    rows = [row for pair in pairwise(bars[1:]) for row in _rows(lines, *pair)]
    columns = _columns(rows)
    if not names or len(names) > _NAMES or not 2 <= len(columns) <= _COLUMNS:
        return None
    if sum(len(row) > 1 for row in rows) < _ROWS:
        return None
    if any(right >= left for (_, right), (left, _) in pairwise(columns)):
        return None
    if not _name_all(names, columns, rules):
        return None
    between = [(right + left) / 2 for (_, right), (left, _) in pairwise(columns)]
    ys, merged = [bars[0].at], []
    above = names[0]
    for number, row in enumerate([*names, *rows]):
        reach = _reaches(row, columns, rules)
        body = number > len(names)
        if body and reach[0][0] > 0 and len(row) < len(columns) - 1 and _is_near(above, row):
            ys[-1] = _below(row)  # it goes on with the row above it
        else:
            cells = [number * len(columns) + column for column in range(len(columns))]
            for first, last in reach:
                cells[first : last + 1] = [cells[first]] * (last + 1 - first)
            merged.append(cells)
            ys.append(_below(row))
        above = row
    # Where each row has its own line, the first is set off by its letters or not at all.
    named = len(names) if len(rows) > len(bars) - 2 else 0
    return Grid([bars[0].low, *between, bars[0].high], ys, merged), named


def _name_all(
    names: Sequence[Row], columns: Sequence[tuple[float, float]], rules: Sequence[Rule]
) -> bool:
    """Tell whether each column has a name, but for the first, which needs none."""
    lacking = set(range(1, len(columns)))
    for row in names:
        for first, last in _reaches(row, columns, rules):
            if last - first + 1 < len(columns):
                lacking -= set(range(first, last + 1))
    return not lacking


def _columns(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """Find where the columns stand: where the cells of the fullest row do, and what fits them."""
    columns: list[tuple[float, float]] = []
    for row in sorted(rows, key=len, reverse=True):
        for _, cell in row:
            under = [at for at in columns if at[0] < cell.right and cell.left < at[1]]
            if len(under) < 2:  # one that reaches over several says nothing
                widest = [*under, (cell.left, cell.right)]
                columns = [at for at in columns if at not in under]
                columns.append((min(at[0] for at in widest), max(at[1] for at in widest)))
    return sorted(columns)


def _reaches(
    row: Row, columns: Sequence[tuple[float, float]], rules: Sequence[Rule]
) -> list[tuple[int, int]]:
    """Tell for each cell of a row the first and the last column that it stands in.

    A cell alone above a short line reaches as far as that does.
    """
    found = []
    for line, cell in row:
        left, right = cell.left, cell.right
        for rule in rules:
            below = -line.size <= rule.at - (line.y or 0.0) <= _RAISED * line.size
            under = [other for _, other in row if rule.low < other.right and other.left < rule.high]
            if below and under == [cell]:
                left, right = min(left, rule.low), max(right, rule.high)
        covered = [number for number, at in enumerate(columns) if at[0] < right and left < at[1]]
        if not covered:
            away = [abs(at[0] + at[1] - left - right) for at in columns]
            covered = [away.index(min(away))]
        found.append((covered[0], covered[-1]))
    return found


def _is_near(above: Row, row: Row) -> bool:
    (upper, _), (lower, _) = above[0], row[0]
    return (upper.y or 0.0) - (lower.y or 0.0) <= _NEAR * lower.size


def _below(row: Row) -> float:
    return min((line.y or 0.0) - MIDDLE * line.size for line, _ in row)
