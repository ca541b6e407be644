"""PDF: pages, paragraphs, and headings told by the size of their letters.

A PDF places letters on a page and knows neither headings nor tables. Lines that are set larger than
most of the text are headings; tables are told by the lines around their cells, or by the white
between their columns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pypdfium2

from bot.errors import DocumentError
from bot.indexing.formats.extracted import PAGE, Extracted, plain
from bot.indexing.formats.pdf_lines import Line, Page, read_page
from bot.indexing.formats.pdf_tables import Table, with_tables
from bot.indexing.formats.table import table

_LARGER = 1.15  # times the size of most of the text makes a heading
_HEADING = 200  # characters at most
_LEVELS = 4
_GAP = 1.7  # times the letters' size between two baselines begins a paragraph
_RUNNING = 4  # pages with the same first or last line make it a running head
_HYPHEN = re.compile(r"[\x02\ufffe](?:\r?\n)?")  # where PDFium found a word broken in two


def read_pdf(data: bytes, charset: str) -> Extracted:
    """Read a PDF's text.

    Raises:
        DocumentError: it is broken, encrypted, or holds images alone.
    """
    try:
        document = pypdfium2.PdfDocument(data)
        title = str(document.get_metadata_value("Title") or "")
        pages = [read_page(document[number]) for number in range(len(document))]
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise DocumentError("It is encrypted; save it without a password.") from error
        raise DocumentError("It is no PDF that can be read.") from error
    lines = [page.lines for page in pages]
    if not any(lines):
        raise DocumentError(
            "It holds no text, only images; recognize its text (OCR) first, or leave it out with "
            "`exclude`."
        )
    _drop_running_heads(lines)
    levels = _levels(lines)
    text = PAGE.join(_written(page, levels) for page in _tabled(pages))
    return Extracted(text, "markdown", _told(title))


def _told(title: str) -> str:
    """Keep a title that an author may have written; word processors put file names there."""
    title = " ".join(title.split())
    machine = re.search(r"\.\w{2,5}$|^Microsoft |^untitled", title, re.IGNORECASE)
    return "" if machine else title


def _drop_running_heads(pages: Sequence[list[Line]]) -> None:
    """Take away the first and last lines that most pages share but for their numbers."""
    for edge in (0, -1):
        ends = Counter(_pattern(page[edge].text) for page in pages if len(page) > 1)
        running = {p for p, n in ends.items() if n >= _RUNNING and n * 2 > len(pages)}
        for page in pages:
            if len(page) > 1 and _pattern(page[edge].text) in running:
                del page[edge]


def _pattern(text: str) -> str:
    return re.sub(r"\d+", "0", text)


def _levels(pages: Sequence[Sequence[Line]]) -> dict[float, int]:
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


def _tabled(pages: Iterable[Page]) -> Iterator[list[Line | Table]]:
    before: Line | Table | None = None
    for page in pages:
        parts = list(with_tables(page, before if isinstance(before, Table) else None))
        yield parts
        before = parts[-1] if parts else None


def _written(page: Sequence[Line | Table], levels: dict[float, int]) -> str:
    text = "\n".join(_blocks(page, levels)).replace("\n\0", " ")
    return _HYPHEN.sub("", text).strip()


def _blocks(page: Sequence[Line | Table], levels: dict[float, int]) -> Iterator[str]:
    above: Line | None = None
    heading = 0
    for part in page:
        if isinstance(part, Table):
            yield f"\n{table(part.rows)}"
            above, heading = None, 0
            continue
        level = levels.get(part.size, 0) if re.search(r"[^\W_]", part.text) else 0
        if level and level == heading and above is not None and not _apart(above, part):
            yield f"\0{part.text}"  # a heading of two lines
        elif level:
            yield f"\n{'#' * level} {part.text}"
        else:
            begins = heading or (above is not None and _apart(above, part))
            yield ("\n" if begins else "") + plain(part.text)
        above, heading = part, level


def _apart(above: Line, line: Line) -> bool:
    if above.y is None or line.y is None:
        return False
    return not 0 <= above.y - line.y <= _GAP * max(above.size, line.size)
