"""The lines of a PDF's pages, with their places: PDFium knows letters, and where each stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ctypes import byref, c_double, c_float, create_string_buffer
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pypdfium2
from pypdfium2 import raw

from bot.indexing.formats.pdf_rules import Grid, Rule, drawn

# Times the letters' size between two words that begins a cell: where the PDF has a space between
# them, where it goes on elsewhere without one, and where it never has one.
_WIDE, _JUMP, _BARE = 1.0, 0.3, 0.5
MIDDLE = 0.3  # times the letters' size above the baseline is the middle of most
_WORD = 0.1  # ... that begins a word
_LOOSE = 1.0  # points by which a letter's box may reach over a line beside it
_LOOKED = 50  # spaces of a page that tell whether it has any of its own


@dataclass(slots=True)
class Cell:
    """Words of a line that stand close together, from `left` to `right` in points.

    Attributes:
        font: of its first letter, on a page with grids.
    """

    left: float
    right: float
    text: str
    font: bytes = b""


@dataclass(slots=True)
class Line:
    """A line of a page.

    Attributes:
        size: of its first letter, in points.
        y: of its baseline, from the page's lower end; None when PDFium does not know.
        font: of its first letter.
        cells: what stands apart in it, from left to right; one for running text.
    """

    text: str
    size: float
    y: float | None
    font: bytes = b""
    cells: list[Cell] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Walls:
    """The grids that a line of text stands in, and how high its middle is."""

    grids: Sequence[Grid]
    y: float

    def stand_between(self, left: float, right: float) -> bool:
        """Tell whether a drawn line stands between the words that end and begin there."""
        return any(grid.divides(left - _LOOSE, right + _LOOSE, self.y) for grid in self.grids)


@dataclass(slots=True)
class Page:
    """The lines of a page, in the order in which it writes them, and what is drawn on it.

    Attributes:
        rules: the drawn lines that go across.
    """

    lines: list[Line]
    grids: list[Grid]
    rules: list[Rule]


def read_page(page: pypdfium2.PdfPage) -> Page:
    """Read a page, and close it."""
    grids, rules = drawn(page)
    written = _lines(page, grids)
    page.close()
    return Page(written, grids, rules)


def _lines(page: pypdfium2.PdfPage, grids: Sequence[Grid]) -> list[Line]:
    textpage = page.get_textpage()
    text = textpage.get_text_range()
    first = islice(re.finditer(" ", text), _LOOKED)
    spaced = not all(_is_generated(textpage, space.start()) for space in first)
    jump = _JUMP if spaced else _BARE
    found: list[Line] = []
    at = 0
    for part in re.split(r"(?<=\n)", text):
        if visible := part.strip():
            char = _char(textpage, at + part.index(visible[0]))
            size, y = _placed(textpage, char)
            walls = _walls(grids, y, size)
            cells = _cells(textpage, part, at, size, jump, walls)
            line = Line(visible, size, y, _font(textpage, char), cells)
            if not (found and _joined(found[-1], line, jump, walls)):
                found.append(line)
        at += len(part)
    textpage.close()
    return found


def _walls(grids: Sequence[Grid], y: float | None, size: float) -> Walls | None:
    if y is None or not grids:
        return None
    middle = y + MIDDLE * size
    crossed = [grid for grid in grids if grid.spans(middle)]
    return Walls(crossed, middle) if crossed else None


def _joined(before: Line, line: Line, jump: float, walls: Walls | None) -> bool:
    """Add a line to the one that it goes on with: PDFium breaks some at gaps, or in a word."""
    if before.y is None or line.y is None or not before.cells or not line.cells:
        return False
    gap = line.cells[0].left - before.cells[-1].right
    if abs(before.y - line.y) > line.size / 10 or gap < -_WORD * line.size:
        return False
    before.text += " " * (gap > _WORD * line.size) + line.text
    for cell in line.cells:
        _add(before.cells, cell, line.size, jump, walls)
    return True


def _char(textpage: Any, at: int) -> int:
    return max(int(raw.FPDFText_GetCharIndexFromTextIndex(textpage, at)), 0)


def _is_generated(textpage: Any, at: int) -> bool:
    """Tell whether a space of the text is none of the PDF's own."""
    return bool(raw.FPDFText_IsGenerated(textpage, _char(textpage, at)) == 1)


def _placed(textpage: Any, char: int) -> tuple[float, float | None]:
    x, y = c_double(), c_double()
    known = raw.FPDFText_GetCharOrigin(textpage, char, byref(x), byref(y))
    matrix = raw.FS_MATRIX(1, 0, 0, 1, 0, 0)
    raw.FPDFText_GetMatrix(textpage, char, byref(matrix))
    scale = c_float(abs(matrix.d) or abs(matrix.b) or 1).value  # letters may be scaled or turned
    size = raw.FPDFText_GetFontSize(textpage, char) * scale
    return round(size * 2) / 2, y.value if known else None


def _font(textpage: Any, char: int) -> bytes:
    name, flags = create_string_buffer(80), raw.c_int()
    raw.FPDFText_GetFontInfo(textpage, char, name, len(name), byref(flags))
    return name.value


def _cells(
    textpage: Any, part: str, at: int, size: float, jump: float, walls: Walls | None
) -> list[Cell]:
    cells: list[Cell] = []
    words = list(re.finditer(r"\S+", part))
    first, last = words[0].start(), words[-1].end() - 1
    begin, end = _char(textpage, at + first), _char(textpage, at + last)
    # Most lines have one letter for each character, which saves half of the calls.
    plain = end - begin == last - first
    for word in words:
        start, stop = (
            begin - first + each if plain else _char(textpage, at + each)
            for each in (word.start(), word.end() - 1)
        )
        left, right = _box(textpage, start).left, _box(textpage, stop).right
        gap = left - cells[-1].right if cells else 0.0
        if gap < -_WORD * size:  # written over another, or turned
            return []
        channel = _WIDE
        if gap > jump * size and raw.FPDFText_IsGenerated(textpage, start - 1) == 1:
            channel = jump
        font = _font(textpage, start) if walls else b""
        _add(cells, Cell(left, right, word[0], font), size, channel, walls)
    return cells


def _add(cells: list[Cell], cell: Cell, size: float, channel: float, walls: Walls | None) -> None:
    """Add a cell to those of its line, or its text to the last one if it stands close to it."""
    gap = cell.left - cells[-1].right if cells else 0.0
    apart = walls is not None and bool(cells) and walls.stand_between(cells[-1].right, cell.left)
    if cells and gap <= channel * size and not apart:
        cells[-1].text += " " * (gap > _WORD * size) + cell.text
        cells[-1].right = cell.right
    else:
        cells.append(cell)


def _box(textpage: Any, char: int) -> raw.FS_RECTF:
    box = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(textpage, char, byref(box))
    return box
