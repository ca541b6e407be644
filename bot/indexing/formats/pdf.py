"""PDF: pages, paragraphs, and headings told by the size of their letters.

A PDF places letters on a page and knows neither headings nor tables. Lines that are set larger than
most of the text are headings; the cells of a table come row by row, as text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.errors import DocumentError
from bot.indexing.formats.extracted import PAGE, Extracted, plain

if TYPE_CHECKING:
    import pypdfium2

_LARGER = 1.15  # times the size of most of the text makes a heading
_HEADING = 200  # characters at most
_LEVELS = 4
_GAP = 1.7  # times the letters' size between two baselines begins a paragraph
_RUNNING = 4  # pages with the same first or last line make it a running head
_HYPHEN = re.compile(r"[\x02\ufffe](?:\r?\n)?")  # where PDFium found a word broken in two


@dataclass(slots=True)
class _Line:
    """A line of a page.

    Attributes:
        size: of its first letter, in points.
        y: of its baseline, from the page's lower end; None when PDFium does not know.
    """

    text: str
    size: float
    y: float | None


def read_pdf(data: bytes, charset: str) -> Extracted:
    """Read a PDF's text.

    Raises:
        DocumentError: it is broken, encrypted, or holds images alone.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
        title = str(document.get_metadata_value("Title") or "")
        pages = [_lines(document[number]) for number in range(len(document))]
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise DocumentError("It is encrypted; save it without a password.") from error
        raise DocumentError("It is no PDF that can be read.") from error
    if not any(pages):
        raise DocumentError(
            "It holds no text, only images; recognize its text (OCR) first, or leave it out with "
            "`exclude`."
        )
    _drop_running_heads(pages)
    levels = _levels(pages)
    text = PAGE.join(_written(page, levels) for page in pages)
    return Extracted(text, "markdown", _told(title))


def _told(title: str) -> str:
    """Keep a title that an author may have written; word processors put file names there."""
    title = " ".join(title.split())
    machine = re.search(r"\.\w{2,5}$|^Microsoft |^untitled", title, re.IGNORECASE)
    return "" if machine else title


def _lines(page: pypdfium2.PdfPage) -> list[_Line]:
    from pypdfium2 import raw

    textpage = page.get_textpage()
    text = textpage.get_text_range()
    lines: list[_Line] = []
    at = 0
    for part in re.split(r"(?<=\n)", text):
        if visible := part.strip():
            first = at + part.index(visible[0])
            char = raw.FPDFText_GetCharIndexFromTextIndex(textpage, first)
            lines.append(_Line(visible, *_placed(textpage, max(char, 0))))
        at += len(part)
    textpage.close()
    page.close()
    return lines


def _placed(textpage: Any, char: int) -> tuple[float, float | None]:
    from ctypes import byref, c_double, c_float

    from pypdfium2 import raw

    x, y = c_double(), c_double()
    known = raw.FPDFText_GetCharOrigin(textpage, char, byref(x), byref(y))
    matrix = raw.FS_MATRIX(1, 0, 0, 1, 0, 0)
    raw.FPDFText_GetMatrix(textpage, char, byref(matrix))
    scale = c_float(abs(matrix.d) or abs(matrix.b) or 1).value  # letters may be scaled or turned
    size = raw.FPDFText_GetFontSize(textpage, char) * scale
    return round(size * 2) / 2, y.value if known else None


def _drop_running_heads(pages: Sequence[list[_Line]]) -> None:
    """Take away the first and last lines that most pages share but for their numbers."""
    for edge in (0, -1):
        ends = Counter(_pattern(page[edge].text) for page in pages if len(page) > 1)
        running = {p for p, n in ends.items() if n >= _RUNNING and n * 2 > len(pages)}
        for page in pages:
            if len(page) > 1 and _pattern(page[edge].text) in running:
                del page[edge]


def _pattern(text: str) -> str:
    return re.sub(r"\d+", "0", text)


def _levels(pages: Sequence[Sequence[_Line]]) -> dict[float, int]:
    """Give the sizes of headings their levels, the largest first."""
    letters: Counter[float] = Counter()
    short: Counter[float] = Counter()
    for line in (line for page in pages for line in page):
        letters[line.size] += len(line.text)
        short[line.size] += len(line.text) <= _HEADING
    body = letters.most_common(1)[0][0]
    total = letters.total()
    sizes = [s for s in sorted(letters, reverse=True) if s >= body * _LARGER and short[s]]
    # Much text in a large size is no heading: a poster, or pages of two kinds.
    return {s: min(n, _LEVELS) for n, s in enumerate(
        (s for s in sizes if letters[s] * 5 < total), start=1)}  # fmt: skip


def _written(page: Sequence[_Line], levels: dict[float, int]) -> str:
    text = "\n".join(_blocks(page, levels)).replace("\n\0", " ")
    return _HYPHEN.sub("", text).strip()


def _blocks(page: Sequence[_Line], levels: dict[float, int]) -> Iterator[str]:
    above: _Line | None = None
    heading = 0
    for line in page:
        level = levels.get(line.size, 0) if re.search(r"[^\W_]", line.text) else 0
        if level and level == heading and above is not None and not _apart(above, line):
            yield f"\0{line.text}"  # a heading of two lines
        elif level:
            yield f"\n{'#' * level} {line.text}"
        else:
            begins = heading or (above is not None and _apart(above, line))
            yield ("\n" if begins else "") + plain(line.text)
        above, heading = line, level


def _apart(above: _Line, line: _Line) -> bool:
    if above.y is None or line.y is None:
        return False
    return not 0 <= above.y - line.y <= _GAP * max(above.size, line.size)
