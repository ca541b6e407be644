"""The structure splitter: pieces that end where the text's own structure ends.

A text is cut into units, each small enough for a piece: blocks where they fit, else sentences,
else lines, else words, else tokens. Units are then packed into pieces, section by section, and a
piece ends at the strongest boundary near its ideal size.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, takewhile
from math import ceil
from typing import Literal, NamedTuple, TypeAlias

from bot.document import Document, Piece, Span
from bot.hookspecs import hookimpl
from bot.indexing.builtin import StructureSettings
from bot.indexing.code import is_code
from bot.indexing.code import marks as code_marks
from bot.indexing.markdown import blocks
from bot.location import pages
from bot.sentences import sentences

# The strength of a boundary: 1 to 6 before a heading of that level, then these.
BLOCK = 7
DEEPEST = 9
PARAGRAPH = 10  # a line of a text whose lines are not wrapped
SENTENCE = 11
LINE = 12
WORD = 13

SECTION = 3  # headings down to this level begin a new piece

# A stretch this long counts as a token even where the embedder sees none: whoever reads a piece
# pays for its characters, and an embedder may take a megabyte without spaces for one unknown word.
STRETCH = 40

WRAPPED = 160  # characters; where lines are longer, each is a paragraph
TITLE = 80  # a shorter line that ends without a stop goes with what follows it

_ENDS = tuple(".!?…:;|。！？；：")
_LINE = re.compile(r"[^\r\n]*+[\r\n]++")
_PARAGRAPH = re.compile(r"(?:\r\n?+|\n)[^\S\r\n]*+(?:\r\n?+|\n)\s*+")


Form: TypeAlias = Literal["markdown", "text", "code"]


class Unit(NamedTuple):
    """What is never cut: a span that fits into a piece.

    Attributes:
        tokens: how many tokens begin in it.
        strength: of the boundary at its start; the smaller, the better to cut there.
        path: the headings above its text.
        columns: the names of its columns, of a table's row.
    """

    start: int
    end: int
    tokens: int
    strength: int
    path: tuple[str, ...]
    columns: str = ""


class Mark(NamedTuple):
    """Where a unit may begin; see `Unit`."""

    start: int
    strength: int
    path: tuple[str, ...] = ()
    columns: str = ""


class StructureSplitter:
    """Cuts documents at headings, blocks, sentences, lines, words or tokens, in this order."""

    def __init__(self, settings: StructureSettings) -> None:
        self._settings = settings

    @hookimpl
    def bot_split(self, document: Document, tokens: Sequence[Span]) -> list[Piece]:
        settings = self._settings
        # Only what is as it was written: the page that a server makes at `index.php` is no code.
        code = document.format == "text" and is_code(document.key)
        form: Form = "code" if code else document.format
        pieces = split(document.text, form, tokens, settings.max_tokens, settings.overlap)
        if form == "code":  # where a form feed is decoration
            return pieces
        return with_pages(pieces, document.text, document.key)


def split(
    text: str,
    form: Form,
    tokens: Sequence[Span],
    max_tokens: int,
    overlap: int = 0,
) -> list[Piece]:
    """Cut a text into pieces of at most `max_tokens` tokens, in time linear in its length.

    Args:
        tokens: character spans of the text's tokens, in order.
        overlap: tokens that a piece repeats of the one before it, within a section.
    """
    ruler = _Ruler(text, tokens)
    limit = max_tokens - overlap
    pieces: list[Piece] = []
    for section in _sections(list(_units(text, form, ruler, limit)), limit):
        for number, packed in enumerate(_packed(section, limit)):
            start = packed[0].start
            if overlap and number:
                start = ruler.back(start, overlap, section[0].start)
            # Of a table that began in an earlier piece, the columns' names are above this one.
            columns = filter(None, [packed[0].columns])
            path = (*_common([unit.path for unit in packed]), *columns)
            pieces += _trimmed(text, start, packed[-1].end, path)
    return pieces


def with_pages(pieces: Iterable[Piece], text: str, key: str) -> list[Piece]:
    """Add to each piece's headings the page where it stands; form feeds separate the pages."""
    breaks = [match.start() for match in re.finditer("\f", text)]
    if not breaks:
        return list(pieces)
    paged: list[Piece] = []
    for piece in pieces:
        first, last = bisect_left(breaks, piece.start) + 1, bisect_left(breaks, piece.end) + 1
        paged.append(replace(piece, headings=(*piece.headings, pages(key, first, last))))
    return paged


class _Ruler:
    """Measures spans of a text in tokens: a token counts where it begins."""

    def __init__(self, text: str, tokens: Sequence[Span]) -> None:
        self._text = text
        # Five bytes each: of a long text there are millions.
        self._starts, self._lengths = array("I"), array("B")
        at = 0
        ordered = all(a <= b for a, b in pairwise(tokens))
        for start, end in tokens if ordered else sorted(tokens):
            self._stretch(at, start)
            self._starts.append(start)
            self._lengths.append(max(0, min(end - start, STRETCH)))
            at = start + STRETCH
        self._stretch(at, len(text))

    def _stretch(self, at: int, until: int) -> None:
        if at < until:
            stretched = range(at, until, STRETCH)
            self._starts.extend(stretched)
            self._lengths.extend(bytes(len(stretched)))  # it may be cut anywhere

    def count(self, start: int, end: int) -> int:
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def inside(self, position: int) -> bool:
        """Tell whether a position lies inside a token."""
        token = bisect_right(self._starts, position) - 1
        if token < 0:
            return False
        return self._starts[token] < position < self._starts[token] + self._lengths[token]

    def words(self, start: int, end: int, limit: int) -> Iterator[int]:
        """Yield where to cut a span into even parts, before words where there are any."""
        first, last = bisect_left(self._starts, start), bisect_left(self._starts, end)
        while last - first > limit:
            left = last - first
            size = ceil(left / ceil(left / limit))
            first = self._word(first + size, first + size // 2)
            yield self._starts[first]

    def back(self, position: int, tokens: int, earliest: int) -> int:
        """Go back by at most so many tokens, to the start of a word."""
        last = bisect_left(self._starts, position)
        first = max(last - tokens, bisect_left(self._starts, earliest))
        words = (i for i in range(first, last) if self._begins_word(i))
        return self._starts[next(words, first)] if first < last else position

    def _word(self, token: int, lowest: int) -> int:
        return next((i for i in range(token, lowest, -1) if self._begins_word(i)), token)

    def _begins_word(self, token: int) -> bool:
        start = self._starts[token]
        return start > 0 and self._text[start - 1].isspace()


def _units(text: str, form: Form, ruler: _Ruler, limit: int) -> Iterator[Unit]:
    marks = list(_MARKS[form](text))
    ends = [mark.start for mark in marks[1:]] + [len(text)]
    for (start, strength, path, columns), end in zip(marks, ends, strict=True):
        for at, until, each in _fitting(text, start, end, strength, ruler, limit):
            yield Unit(at, until, ruler.count(at, until), each, path, columns)


def _markdown_marks(text: str) -> Iterator[Mark]:
    """Yield where units may begin.

    A heading is one unit with the block that follows it: alone it says nothing.
    """
    headings: list[tuple[int, str]] = []
    mark = Mark(0, BLOCK)
    open_heading = False
    for block in blocks(text):
        if block.heading:
            headings = [each for each in headings if each[0] < block.heading]
            headings.append((block.heading, block.title))
        if block.heading and open_heading:
            mark = mark._replace(path=_path(headings))
        elif block.heading or not open_heading:
            if text[mark.start : block.start].strip():
                yield mark
            strength = block.heading or min(BLOCK + block.depth, DEEPEST)
            mark = Mark(block.start, strength, _path(headings), block.columns)
        open_heading = bool(block.heading)
    yield mark


def _path(headings: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(title for _, title in headings if title)


def _text_marks(text: str) -> Iterator[Mark]:
    yield Mark(0, BLOCK)
    for blank in _PARAGRAPH.finditer(text):
        if blank.start() > 0 and blank.end() < len(text):
            yield Mark(blank.end(), BLOCK)


def _code_marks(text: str) -> Iterator[Mark]:
    return (Mark(*mark) for mark in code_marks(text))


_MARKS: dict[Form, Callable[[str], Iterator[Mark]]] = {
    "markdown": _markdown_marks,
    "text": _text_marks,
    "code": _code_marks,
}


def _fitting(
    text: str, start: int, end: int, strength: int, ruler: _Ruler, limit: int
) -> Iterator[tuple[int, int, int]]:
    """Cut a span into spans that fit: into long lines, sentences, lines, then words."""
    if ruler.count(start, end) <= limit:
        yield start, end, strength
        return
    if strength < PARAGRAPH:
        finer, cuts = PARAGRAPH, list(_long_lines(text, start, end))
    elif strength < SENTENCE:
        finer, cuts = SENTENCE, [start + at for at, _ in sentences(text[start:end])]
    elif strength < LINE:
        finer, cuts = LINE, [start + m.end() for m in re.finditer(r"[\r\n]++", text[start:end])]
    else:
        finer, cuts = WORD, list(ruler.words(start, end, limit))
    inner = [at for at in cuts if start < at < end and not ruler.inside(at)]
    bounds = [start, *inner, end]
    for number, (at, until) in enumerate(pairwise(bounds)):
        if finer == WORD:
            yield at, until, strength if number == 0 else WORD
        else:
            for a, b, each in _fitting(text, at, until, finer, ruler, limit):
                yield a, b, strength if a == start else each


def _long_lines(text: str, start: int, end: int) -> Iterator[int]:
    """Yield where lines begin in a text whose lines are paragraphs, but for those below a title."""
    # What follows the last one ends no line: the pattern would look through it from each character.
    last = max(text.rfind("\n", start, end), text.rfind("\r", start, end))
    lines = list(_LINE.finditer(text, start, last + 1))
    if not any(line.end() - line.start() > WRAPPED for line in lines):
        return
    for line in lines:
        visible = line[0].strip()
        if len(visible) > TITLE or visible.endswith(_ENDS):
            yield line.end()


def _sections(units: Sequence[Unit], limit: int) -> Iterator[list[Unit]]:
    """Group units by the headings that begin a new piece; join tiny neighbours."""
    tiny = limit // 4
    group: list[Unit] = []
    path: tuple[str, ...] = ()
    size = 0
    for section in _by_heading(units):
        own, added = section[0].path, sum(unit.tokens for unit in section)
        related = own[:-1] in (path, path[:-1])
        if group and related and size + added <= limit and min(size, added) < tiny:
            group += section
            path, size = _common([path, own]), size + added
            continue
        if group:
            yield group
        group, path, size = section, own, added
    if group:
        yield group


def _by_heading(units: Sequence[Unit]) -> Iterator[list[Unit]]:
    first = 0
    for number, unit in enumerate(units):
        if number > first and unit.strength <= SECTION:
            yield list(units[first:number])
            first = number
    if first < len(units):
        yield list(units[first:])


def _packed(units: Sequence[Unit], limit: int) -> Iterator[Sequence[Unit]]:
    """Pack units into pieces of about the same size, ending at strong boundaries."""
    first = 0
    left = sum(unit.tokens for unit in units)
    while left > limit:
        ideal = left / ceil(left / limit)
        last, size, best, taken = first, 0, (DEEPEST * 10, 0.0), 0
        for after in range(first + 1, len(units)):
            size += units[after - 1].tokens
            if size > limit:
                break
            # Below half of the ideal any boundary is as good as none: only the size counts.
            strength = units[after].strength if size * 2 >= ideal else WORD + 1
            score = (strength, abs(size - ideal))
            if score <= best:
                best, last, taken = score, after, size
        yield units[first:last]
        first, left = last, left - taken
    yield units[first:]


def _common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the headings that all paths begin with."""
    pairs = zip(min(paths), max(paths), strict=False)
    return tuple(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _trimmed(text: str, start: int, end: int, path: tuple[str, ...]) -> Iterator[Piece]:
    part = text[start:end]
    if visible := part.strip():
        start += len(part) - len(part.lstrip())
        yield Piece(start=start, end=start + len(visible), headings=path)
