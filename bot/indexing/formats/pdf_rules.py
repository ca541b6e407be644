"""The lines that a PDF's page draws, and the grids that they make: what is merged shows in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from ctypes import byref, c_float, c_int
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, NamedTuple

import pypdfium2
from pypdfium2 import raw

_THIN = 3.0  # points; what is drawn no wider is a line
_SAME = 2.0  # points between lines that are one, or between the ends of lines that meet
_SHORT = 6.0  # points; a shorter line is part of a letter or a mark
_DRAWN = 10_000  # objects and points of a page at most: a map or a chart has more
_LINES = 400  # of either direction at most
_CELLS = 10_000

Point = tuple[float, float]


class Rule(NamedTuple):
    """A line along an axis, in points: where it stands, and from where to where it goes."""

    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Grid:
    """Lines that cross each other.

    Attributes:
        xs: where the columns' edges stand, from left to right.
        ys: where the rows' edges stand, from top to bottom.
        merged: by row and column, the number of the cell; what is merged has the same one.
    """

    xs: list[float]
    ys: list[float]
    merged: list[list[int]]

    def place(self, x: float, y: float) -> tuple[int, int] | None:
        """Tell the row and the column where a point lies, if it lies in the grid."""
        column = bisect_right(self.xs, x) - 1
        row = bisect_right([-edge for edge in self.ys], -y) - 1
        inside = 0 <= column < len(self.xs) - 1 and 0 <= row < len(self.ys) - 1
        return (row, column) if inside else None

    def spans(self, y: float) -> bool:
        """Tell whether a line of text may stand in the grid."""
        return self.ys[-1] <= y <= self.ys[0]

    def divides(self, left: float, right: float, y: float) -> bool:
        """Tell whether two places at one height lie in two cells."""
        one, other = self.place(left, y), self.place(right, y)
        if one is None or other is None:
            return one != other
        return self.merged[one[0]][one[1]] != self.merged[other[0]][other[1]]


def drawn(page: pypdfium2.PdfPage) -> tuple[list[Grid], list[Rule]]:
    """Find the grids of a page that may be tables: of two columns and three rows at least.

    Returns:
        The grids, and the lines that go across and meet none that goes down.
    """
    across, down = _rules(page)
    if len(across) < 2 or max(len(across), len(down)) > _LINES:
        return [], []
    groups = list(_connected(across, down))
    alone = [rule for rules, others in groups if not others for rule in rules]
    found = [_grid(*group) for group in groups]
    return [grid for grid in found if grid is not None], alone


def _rules(page: pypdfium2.PdfPage) -> tuple[list[Rule], list[Rule]]:
    """Read the lines of a page: those that go across, and those that go down."""
    across: list[Rule] = []
    down: list[Rule] = []
    for number, ((x, y), (to_x, to_y)) in enumerate(_strokes(page)):
        if number > _DRAWN:
            return [], []
        wide, high = abs(to_x - x), abs(to_y - y)
        if high <= _THIN < _SHORT <= wide:
            across.append(Rule((y + to_y) / 2, min(x, to_x), max(x, to_x)))
        elif wide <= _THIN < _SHORT <= high:
            down.append(Rule((x + to_x) / 2, min(y, to_y), max(y, to_y)))
    return _joined(across), _joined(down)


def _strokes(page: pypdfium2.PdfPage) -> Iterator[tuple[Point, Point]]:
    """Yield what is drawn on a page: lines from end to end, thin areas from corner to corner."""
    for number in range(min(raw.FPDFPage_CountObjects(page), _DRAWN)):
        drawn = raw.FPDFPage_GetObject(page, number)
        if raw.FPDFPageObj_GetType(drawn) != raw.FPDF_PAGEOBJ_PATH:
            continue
        left, bottom, right, top = (c_float() for _ in range(4))
        raw.FPDFPageObj_GetBounds(drawn, byref(left), byref(bottom), byref(right), byref(top))
        if min(right.value - left.value, top.value - bottom.value) <= _THIN:
            yield (left.value, bottom.value), (right.value, top.value)
        else:
            fill, stroke = c_int(), c_int()
            raw.FPDFPath_GetDrawMode(drawn, byref(fill), byref(stroke))
            yield from _edges(drawn) if stroke.value else _areas(drawn)


def _edges(path: Any) -> Iterator[tuple[Point, Point]]:
    for points in _outlines(path):
        yield from pairwise(points)


def _areas(path: Any) -> Iterator[tuple[Point, Point]]:
    for points in _outlines(path):
        xs, ys = zip(*points, strict=True)
        yield (min(xs), min(ys)), (max(xs), max(ys))


def _outlines(path: Any) -> Iterator[list[Point]]:
    """Yield the parts of a path that are drawn without lifting the pen."""
    matrix = raw.FS_MATRIX(1, 0, 0, 1, 0, 0)
    raw.FPDFPageObj_GetMatrix(path, byref(matrix))
    points: list[Point] = []
    for number in range(min(raw.FPDFPath_CountSegments(path), _DRAWN)):
        segment = raw.FPDFPath_GetPathSegment(path, number)
        x, y = c_float(), c_float()
        raw.FPDFPathSegment_GetPoint(segment, byref(x), byref(y))
        if raw.FPDFPathSegment_GetType(segment) == raw.FPDF_SEGMENT_MOVETO and points:
            yield points
            points = []
        points.append(
            (
                matrix.a * x.value + matrix.c * y.value + matrix.e,
                matrix.b * x.value + matrix.d * y.value + matrix.f,
            )
        )
        if raw.FPDFPathSegment_GetClose(segment):
            points.append(points[0])
    if points:
        yield points


def _joined(rules: Iterable[Rule]) -> list[Rule]:
    """Put lines together that go on with each other: many are drawn cell by cell."""
    placed: list[Rule] = []
    for rule in sorted(rules):
        near = placed and rule.at - placed[-1].at <= _SAME
        placed.append(rule._replace(at=placed[-1].at) if near else rule)
    whole: list[Rule] = []
    for rule in sorted(placed):
        if whole and whole[-1].at == rule.at and rule.low <= whole[-1].high + _SAME:
            whole[-1] = whole[-1]._replace(high=max(whole[-1].high, rule.high))
        else:
            whole.append(rule)
    return whole


def _connected(
    across: Sequence[Rule], down: Sequence[Rule]
) -> Iterator[tuple[list[Rule], list[Rule]]]:
    """Group lines that cross or touch each other."""
    group = list(range(len(across) + len(down)))
    for (a, one), (b, other) in product(enumerate(across), enumerate(down, len(across))):
        if _meets(one, other) and _meets(other, one):
            _unite(group, a, b)
    for first in sorted({_first(group, number) for number in range(len(group))}):
        members = [number for number in range(len(group)) if _first(group, number) == first]
        yield (
            [across[each] for each in members if each < len(across)],
            [down[each - len(across)] for each in members if each >= len(across)],
        )


def _meets(one: Rule, other: Rule) -> bool:
    return one.low - _SAME <= other.at <= one.high + _SAME


def _grid(across: Sequence[Rule], down: Sequence[Rule]) -> Grid | None:
    if not across or not down:
        return None
    xs = _edged([each.at for each in down], [x for each in across for x in each[1:]])
    ys = _edged([each.at for each in across], [y for each in down for y in each[1:]])[::-1]
    wide, high = len(xs) - 1, len(ys) - 1
    if wide < 2 or high < 3 or wide * high > _CELLS:
        return None
    group = list(range(wide * high))
    for row, column in product(range(high), range(wide)):
        x, y = (xs[column] + xs[column + 1]) / 2, (ys[row] + ys[row + 1]) / 2
        if column and not _drawn(down, xs[column], y):
            _unite(group, row * wide + column - 1, row * wide + column)
        if row and not _drawn(across, ys[row], x):
            _unite(group, (row - 1) * wide + column, row * wide + column)
    merged = [[_first(group, row * wide + column) for column in range(wide)] for row in range(high)]
    return Grid(xs, ys, merged) if _is_rectangular(merged) else None


def _edged(found: Iterable[float], ends: Sequence[float]) -> list[float]:
    """Add the edges of a table that has no lines around it: where its other lines end."""
    edges = sorted(set(found))
    low = [min(ends)] if min(ends) < edges[0] - 2 * _SAME else []
    high = [max(ends)] if max(ends) > edges[-1] + 2 * _SAME else []
    return [*low, *edges, *high]


def _drawn(rules: Sequence[Rule], at: float, along: float) -> bool:
    return any(abs(rule.at - at) <= _SAME and rule.low <= along <= rule.high for rule in rules)


def _is_rectangular(merged: Sequence[Sequence[int]]) -> bool:
    places: dict[int, list[tuple[int, int]]] = {}
    for row, column in product(range(len(merged)), range(len(merged[0]))):
        places.setdefault(merged[row][column], []).append((row, column))
    for each in places.values():
        rows, columns = ({place[axis] for place in each} for axis in (0, 1))
        if len(rows) * len(columns) != len(each):  # what is connected leaves out no row or column
            return False
    return True


def _first(group: list[int], member: int) -> int:
    while group[member] != member:
        group[member] = group[group[member]]
        member = group[member]
    return member


def _unite(group: list[int], one: int, other: int) -> None:
    first, second = sorted((_first(group, one), _first(group, other)))
    group[second] = first
