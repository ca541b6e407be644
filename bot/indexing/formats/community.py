"""Rare formats, through the loaders of langchain-community.

Only the worker process imports this: see `bot.indexing.sandbox`. The package is frozen by its
authors, so nothing that is read by default depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from bot.document import Document
from bot.errors import DocumentError
from bot.indexing.formats.storing import storable_json

_PLAIN = (str, int, float, bool)


def extract(
    key: str, data: bytes, uri: str, name: str, options: Mapping[str, Any] | None = None
) -> Document:
    """Read a file's bytes with a loader; what it gives by pages keeps its pages.

    Args:
        name: a class of `langchain_community.document_loaders`, made with a file's path.
        options: its other arguments.

    Raises:
        DocumentError: there is no such loader, it lacks a package, or it finds no text.
    """
    maker = getattr(import_module("langchain_community.document_loaders"), name, None)
    if maker is None:
        raise DocumentError(f"langchain-community has no {name}; correct `loader` in bot.toml.")
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("document" + PurePosixPath(key).suffix)
        path.write_bytes(data)
        try:
            loaded = maker(str(path), **(options or {})).load()
        except ImportError as error:
            raise DocumentError(f"{name} needs another package: {error}.") from error
    texts = [each.page_content for each in loaded]
    if not any(map(str.strip, texts)):
        raise DocumentError("It holds no text; leave it out with `exclude`.")
    metadata = _metadata([each.metadata for each in loaded], path)
    paged = all("page" in each.metadata for each in loaded)
    return Document(
        key=key,
        uri=uri,
        text=("\n\f" if paged else "\n\n").join(texts),
        title=str(metadata.pop("title", "")) or PurePosixPath(key).name,
        metadata=metadata,
    )


def _metadata(each: Sequence[Mapping[str, Any]], path: Path) -> dict[str, Any]:
    """Keep what all parts of the file say alike, but for where we put it."""
    first = {
        name: value
        for name, value in each[0].items()
        if isinstance(value, _PLAIN) and str(path.parent) not in str(value)
    }
    alike = {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in each) and name not in ("source", "page")
    }
    kept: dict[str, Any] = storable_json(alike)
    return kept
