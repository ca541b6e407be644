"""Taking personal data out of documents before they are stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pluggy

from bot import dispatch
from bot.document import Document, PersonalData
from bot.errors import DocumentError

SECONDS = 60.0  # for one text; a detector may be a model


class NotRedacted(DocumentError):
    """Personal data cannot be looked for in a document; nothing of it may be stored."""


async def redact(
    manager: pluggy.PluginManager, document: Document, kinds: Collection[str]
) -> tuple[Document, int]:
    """Replace personal data in a document's text, title and metadata by its kind: `[email]`.

    Its key and its address stay as they are: they must lead to it.

    Returns:
        The document, and how many places were replaced.

    Raises:
        NotRedacted: a detector failed; what it would have found must not be stored.
    """
    text, count = await _redacted(manager, document.text, kinds)
    title, in_title = await _redacted(manager, document.title, kinds)
    metadata, in_metadata = await _deeply(manager, dict(document.metadata), kinds)
    done = replace(document, text=text, title=title, metadata=metadata)
    return done, count + in_title + in_metadata


async def _redacted(
    manager: pluggy.PluginManager, text: str, kinds: Collection[str]
) -> tuple[str, int]:
    if not text:
        return text, 0
    results = await dispatch.gather(manager, "bot_personal_data", timeout=SECONDS, text=text)
    found: list[PersonalData] = []
    for result in results:
        if result.error is not None:
            raise NotRedacted(
                f"It is not stored, because personal data cannot be looked for: {result.error}."
            ) from result.error
        found += [each for each in result.value or () if each.kind in kinds]
    return replaced(text, found)


def replaced(text: str, found: Iterable[PersonalData]) -> tuple[str, int]:
    """Replace spans of a text by their kinds; of spans that overlap, all is replaced once."""
    parts: list[str] = []
    at = count = 0
    for each in sorted(found, key=lambda one: (one.start, -one.end)):
        start, end = max(0, each.start), min(len(text), each.end)
        if start >= end:
            continue
        if start >= at:
            parts += [text[at:start], f"[{each.kind}]"]
            count += 1
        at = max(at, end)
    return "".join([*parts, text[at:]]), count


async def _deeply(
    manager: pluggy.PluginManager, value: Any, kinds: Collection[str]
) -> tuple[Any, int]:
    if isinstance(value, str):
        return await _redacted(manager, value, kinds)
    count = 0
    if isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for key, one in value.items():
            made[key], more = await _deeply(manager, one, kinds)
            count += more
        return made, count
    if isinstance(value, Sequence):
        listed = [await _deeply(manager, one, kinds) for one in value]
        return [one for one, _ in listed], sum(more for _, more in listed)
    return value, 0
