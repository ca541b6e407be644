"""Word and PowerPoint documents."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import zip_longest
from typing import Any

from bot.errors import DocumentError
from bot.indexing.formats.extracted import PAGE, Extracted, plain
from bot.indexing.formats.html import from_html
from bot.indexing.formats.merging import merged_table
from bot.indexing.formats.table import table

_UNPACKED = 200_000_000  # bytes of XML

_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='Code'] => pre:separator('\\n')
p[style-name='Source Code'] => pre:separator('\\n')
"""


def read_docx(data: bytes, charset: str) -> Extracted:
    """Read a Word document. It has no page numbers before a program lays it out.

    Raises:
        DocumentError: it is broken, encrypted, or no DOCX.
    """
    import mammoth

    _refuse_bomb(data)
    try:
        page = mammoth.convert_to_html(
            io.BytesIO(data),
            style_map=_STYLES,
            convert_image=mammoth.images.img_element(lambda image: {"src": ""}),
        ).value
    except MemoryError:
        raise
    except Exception as error:  # zipfile, XML and mammoth each have their own
        raise DocumentError(f"It is no Word document that can be read: {error}.") from error
    title, text = from_html(page)
    return Extracted(text, "markdown", title)


def read_pptx(data: bytes, charset: str) -> Extracted:
    """Read a presentation: a section a slide, its notes at its end.

    Raises:
        DocumentError: it is broken, encrypted, or no PPTX.
    """
    from pptx import Presentation

    _refuse_bomb(data)
    try:
        shown = Presentation(io.BytesIO(data))
        # One that is hidden keeps its number.
        slides = ["" if _is_hidden(slide) else _slide(slide) for slide in shown.slides]
    except MemoryError:
        raise
    except Exception as error:  # zipfile, XML and python-pptx each have their own
        raise DocumentError(f"It is no presentation that can be read: {error}.") from error
    if not any(slides):
        return Extracted("")
    return Extracted(PAGE.join(slides), "markdown")


def _refuse_bomb(data: bytes) -> None:
    """Refuse an archive of far more text than a document has, before all of it is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [each.file_size for each in archive.infolist() if each.filename.endswith("xml")]
    except (zipfile.BadZipFile, ValueError, OSError):
        return  # its parser says why
    if sum(parts) > _UNPACKED:
        raise DocumentError(f"Its text unpacks to more than {_UNPACKED:,} bytes; split it.")


def _slide(slide: Any) -> str:
    title = slide.shapes.title
    named = " ".join(title.text_frame.text.split()) if title is not None else ""
    parts = [f"# {named}"] if named else []
    for shape in _shapes(slide.shapes):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if shape.has_text_frame:
            parts.append(_paragraphs(shape.text_frame))
        elif getattr(shape, "has_table", False):
            parts.append(_table(shape.table))
        elif getattr(shape, "has_chart", False):
            with suppress(AttributeError, KeyError, ValueError, TypeError, NotImplementedError):
                parts.append(_chart(shape.chart))  # of a kind that the library knows
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        parts.append(_paragraphs(slide.notes_slide.notes_text_frame))
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _is_hidden(slide: Any) -> bool:
    return slide.element.get("show") in ("0", "false")


def _table(shown: Any) -> str:
    rows = [list(row.cells) for row in shown.rows]
    merged = [[row * len(cells) + column for column in range(len(cells))]
              for row, cells in enumerate(rows)]  # fmt: skip
    said = {}
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            said[row * len(cells) + column] = cell.text
            if cell.is_merge_origin:
                for covered in merged[row : row + cell.span_height]:
                    last = min(column + cell.span_width, len(covered))
                    covered[column:last] = [merged[row][column]] * (last - column)
    return merged_table(merged, said)


def _chart(shown: Any) -> str:
    """Write a chart's title and the numbers that it shows, a row for each category."""
    titled = shown.has_title and shown.chart_title.has_text_frame
    title = " ".join(shown.chart_title.text_frame.text.split()) if titled else ""
    rows: list[list[Any]] = []
    for plot in shown.plots:
        series = list(plot.series)
        values = [list(each.values) for each in series]
        rows.append(["", *(each.name for each in series)])
        rows += map(list, zip_longest(map(str, plot.categories), *values))
    return "\n\n".join(filter(None, [plain(title), table(rows)]))


def _shapes(shapes: Iterable[Any]) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes"):  # a group
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _paragraphs(frame: Any) -> str:
    said = [(each.level, " ".join(each.text.split())) for each in frame.paragraphs]
    said = [(level, text) for level, text in said if text]
    if len(said) == 1:
        return plain(said[0][1])
    return "\n".join("  " * level + "- " + plain(text) for level, text in said)
