"""Jupyter notebooks, formats 3 and 4: their text and their code, without what the code printed.

The format is JSON with two levels; the library for it brings ten others.
"""

from __future__ import annotations

import json
from typing import Any

from bot.errors import DocumentError
from bot.indexing.formats.decoding import decode
from bot.indexing.formats.extracted import Extracted


def read_notebook(data: bytes, charset: str) -> Extracted:
    """Read a notebook as Markdown.

    Raises:
        DocumentError: it is none.
    """
    try:
        notebook = json.loads(decode(data, charset))
        language = notebook.get("metadata", {}).get("language_info", {}).get("name", "python")
        cells = notebook["cells"] if "cells" in notebook else _old(notebook)
        written = [_cell(cell, str(language)) for cell in cells]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DocumentError("It is no notebook that can be read.") from error
    return Extracted("\n\n".join(filter(None, written)) + "\n", "markdown")


def _old(notebook: dict[str, Any]) -> list[Any]:
    return [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]


def _cell(cell: dict[str, Any], language: str) -> str:
    source = cell.get("source", cell.get("input", ""))
    text = ("".join(source) if isinstance(source, list) else source).strip("\n")
    kind = cell["cell_type"]
    if not text.strip():
        return ""
    if kind == "code":
        return f"```{language}\n{text}\n```"
    return f"{'#' * int(cell.get('level', 1))} {text}" if kind == "heading" else str(text)
