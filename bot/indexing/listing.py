"""What a loader lists, made fit for the database."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pluggy

from bot import dispatch
from bot.document import Document, Found, Skipped, Source
from bot.errors import HookFailed, SourceError
from bot.text import cleaned, storable


async def listed(
    manager: pluggy.PluginManager, loader: str, source: Source, stamp: str = ""
) -> AsyncGenerator[Document | Found | Skipped]:
    """List what a source holds.

    Args:
        loader: the plugin that loads it.
        stamp: goes into the fingerprints: with another one all documents are read again.

    Raises:
        SourceError: it cannot be read.
    """
    found = dispatch.implementations(manager, "bot_load", {loader})
    if not found:
        raise SourceError(f"{loader} does not implement bot_load.")
    try:
        async with aclosing(dispatch.stream(found[0], None, source=source)) as loaded:
            async for item in loaded:
                yield _stamped(_named(item), stamp)
    except HookFailed as failure:
        if isinstance(failure.__cause__, SourceError):
            raise failure.__cause__ from None
        raise SourceError(f"{failure}. Nothing was deleted from the index.") from failure


def _named(item: Document | Found | Skipped) -> Document | Found | Skipped:
    """Make what names a document fit the database: a file's name may be any bytes.

    Raises:
        SourceError: the loader yielded something else.
    """
    if isinstance(item, Skipped):
        return replace(item, key=cleaned(item.key))
    if isinstance(item, Document | Found):
        return replace(item, key=cleaned(item.key), fingerprint=cleaned(item.fingerprint))
    raise SourceError(
        f"The loader yielded a {type(item).__name__} where a document belongs. Nothing was "
        "deleted from the index."
    )


def _stamped(item: Document | Found | Skipped, stamp: str) -> Document | Found | Skipped:
    if isinstance(item, Skipped) or not item.fingerprint or not stamp:
        return item
    return replace(item, fingerprint=f"{item.fingerprint}+{stamp}")


def clean(document: Document, item: Document | Found) -> Document:
    """Keep the key and the fingerprint that were listed, and text that can be stored."""
    return replace(
        document,
        key=item.key,
        fingerprint=item.fingerprint,
        text=cleaned(document.text),  # not composed: spans and quotations are of this text
        title=storable(document.title),
        uri=storable(document.uri),
        passage_id=storable(document.passage_id),
        metadata=_deeply(document.metadata),
    )


def _deeply(value: Any) -> Any:
    """Clean every text in JSON-like values."""
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, Mapping):
        return {_deeply(key): _deeply(one) for key, one in value.items()}
    return [_deeply(one) for one in value] if isinstance(value, list | tuple) else value
