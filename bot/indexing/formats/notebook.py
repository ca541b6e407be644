"""Jupyter notebooks, formats 3 and 4: their text and their code, without what the code printed.

The format is JSON with two levels; the library for it brings ten others.
"""

from __future__ import annotations

import json
import re
from typing import Any

from bot.errors import DocumentError
from bot.indexing.formats.decoding import decode
from bot.indexing.formats.extracted import Extracted

_LEVELS = range(1, 7)
_FENCE = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


def read_notebook(data: bytes, charset: str) -> Extracted:
    """Read a notebook as Markdown.

    Raises:
        DocumentError: it is none.
    """
    try:
        notebook = json.loads(decode(data, charset))
        cells = notebook["cells"] if "cells" in notebook else _old(notebook)
        written = [_cell(cell, _language(notebook)) for cell in cells if isinstance(cell, dict)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DocumentError("It is no notebook that can be read.") from error
    return Extracted("\n\n".join(filter(None, written)) + "\n", "markdown")


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    told = metadata.get("language_info") if isinstance(metadata, dict) else None
    return str(told.get("name") or "python") if isinstance(told, dict) else "python"


def _old(notebook: dict[str, Any]) -> list[Any]:
    return [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]


def _cell(cell: dict[str, Any], language: str) -> str:
    """Write a cell; one that is damaged has no text."""
    source = cell.get("source", cell.get("input", ""))
    parts = source if isinstance(source, list) else [source]
    text = "".join(part for part in parts if isinstance(part, str)).strip("\n")
    if not text.strip():
        return ""
    fences = [len(run) for run in _FENCE.findall(text)]
    if cell.get("cell_type") == "code":
        fence = "`" * max(3, *(length + 1 for length in fences), 3)
        return f"{fence}{language}\n{text}\n{fence}"
    if cell.get("cell_type") == "heading":
        level: Any = cell.get("level")
        return f"{'#' * level if level in _LEVELS else '#'} {text}"
    return text if len(fences) % 2 == 0 else f"{text}\n{'`' * max(fences)}"  # one is left open
