"""LangChain's document loaders and text splitters as loaders and splitters of the bot."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from bot import Document, Piece, Source, hookimpl
from bot.errors import IndexingError, PluginError, SourceError
from bot_langchain import making
from bot_langchain.retriever import principals
from bot_langchain.settings import LoaderSettings, SplitterSettings

_OWN = ("readers", "title")


class Loader:
    """Reads with a document loader of LangChain; each of its documents is one of ours."""

    def __init__(self, settings: LoaderSettings) -> None:
        self._settings = settings

    @hookimpl
    async def bot_load(self, source: Source) -> AsyncIterator[Document]:
        """Iterate over what the loader yields.

        A document is named after its `source` and its place among those of that source.

        Raises:
            SourceError: the loader failed.
        """
        loader = making.make(self._settings)
        if not hasattr(loader, "alazy_load"):
            raise PluginError(
                f"{self._settings.class_} is no document loader; correct `class` in bot.toml."
            )
        seen: Counter[str] = Counter()
        try:
            async for loaded in loader.alazy_load():
                about = loaded.metadata
                origin = str(about.get("source", "document"))
                number, seen[origin] = seen[origin], seen[origin] + 1
                yield _document(loaded, f"{origin}#{number}" if number else origin, origin)
        except Exception as error:
            raise SourceError(
                f"{self._settings.class_} cannot read {source.name} ({type(error).__name__}); "
                "check its `options` in bot.toml."
            ) from error


def _document(loaded: Any, key: str, origin: str) -> Document:
    about = loaded.metadata
    text = loaded.page_content.replace("\0", "")
    readers = about.get("readers")
    plain = {k: v for k, v in about.items() if k not in _OWN and _is_json(v)}
    digest = hashlib.sha256(json.dumps([text, plain, str(readers)], sort_keys=True).encode())
    return Document(
        key=key,
        text=text,
        title=str(about.get("title") or origin.rpartition("/")[2]),
        uri=origin,
        readers=None if readers is None else principals(readers),
        metadata=plain,
        fingerprint=digest.hexdigest(),
    )


def _is_json(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


class Splitter:
    """Cuts with a text splitter of LangChain that tells where its pieces begin."""

    def __init__(self, settings: SplitterSettings) -> None:
        self._class = settings.class_
        self._splitter = making.make(settings)
        if not hasattr(self._splitter, "create_documents"):
            raise PluginError(f"{settings.class_} is no TextSplitter; correct `class` in bot.toml.")
        self._splitter._add_start_index = True  # what its own argument `add_start_index` sets

    @hookimpl
    def bot_split(self, document: Document, tokens: Sequence[Any]) -> list[Piece]:
        """Cut a document; what the splitter leaves between two pieces goes to the first one.

        Raises:
            IndexingError: it changes the text, so that a piece is no part of the document.
        """
        spans: list[tuple[int, int]] = []
        for cut in self._splitter.create_documents([document.text]):
            start = cut.metadata["start_index"]
            if start < 0:
                raise IndexingError(
                    f"{self._class} changes the text, so its pieces have no place in the document; "
                    "choose another splitter, or `strip_whitespace = true`."
                )
            spans.append((start, start + len(cut.page_content)))
        spans.sort()
        ends = [start for start, _ in spans[1:]] + [len(document.text)]
        starts = [0, *(start for start, _ in spans[1:])]
        pieces = [
            Piece(start=start, end=max(end, _filled(document.text, end, following)))
            for start, (_, end), following in zip(starts, spans, ends, strict=True)
        ]
        return [one for one in pieces if document.text[one.start : one.end].strip()]


def _filled(text: str, end: int, following: int) -> int:
    """Where a piece ends so that nothing but white space is left out before the next one."""
    return end + len(text[end:following].rstrip()) if following > end else end
