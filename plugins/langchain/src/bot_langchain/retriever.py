"""LangChain's retrievers, vector stores and document compressors as retrievers of the bot."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bot import Context, Passage, Turn, hookimpl
from bot.errors import PluginError, UsageError
from bot.settings import principal
from bot_langchain import making
from bot_langchain.settings import RerankSettings, RetrieverSettings
from bot_langchain.untraced import untraced

if TYPE_CHECKING:
    from langchain_core.documents import Document

_QUERIES = 3  # of a turn's
_PLACES = ("location", "page_label", "page", "section")


class Retriever:
    """Asks a retriever of LangChain, or a vector store as one."""

    def __init__(self, settings: RetrieverSettings) -> None:
        self._readers = frozenset(settings.readers)
        made = making.make(settings)
        self._retriever = made.as_retriever() if hasattr(made, "as_retriever") else made
        if not hasattr(self._retriever, "ainvoke"):
            raise PluginError(
                f"{settings.class_} gives a {type(made).__name__}, which is no retriever; name one "
                "with `then`, or correct `class`."
            )

    @hookimpl
    async def bot_retrieve(self, turn: Turn) -> list[Passage]:
        """Search with the first queries; what several find keeps its best place."""
        best: dict[str, Passage] = {}
        for query in turn.queries[:_QUERIES]:
            found = await untraced(self._retriever.ainvoke(query))
            permitted = [one for one in map(self._passage, found) if _fits(one, turn)]
            for rank, passage in enumerate(permitted, 1):
                scored = replace(passage, score=1 / rank)
                if best.get(scored.id, scored).score <= scored.score:
                    best[scored.id] = scored
        return sorted(best.values(), key=lambda one: -one.score)[: turn.k]

    def _passage(self, document: Document) -> Passage:
        about = document.metadata
        readers = about.get("readers")
        source = str(about.get("source", ""))
        digest = hashlib.sha256(f"{source}\n{document.page_content}".encode()).hexdigest()[:16]
        place = next((f"{key} {about[key]}" for key in _PLACES if key in about), "")
        return Passage(
            id=str(document.id or digest),
            text=document.page_content,
            readers=self._readers if readers is None else principals(readers),
            title=str(about.get("title") or source.rpartition("/")[2]),
            uri=source,
            source=type(self._retriever).__name__,
            location=place.removeprefix("location ").removeprefix("section "),
            metadata={key: one for key, one in about.items() if key != "readers"},
        )


def principals(given: Any) -> frozenset[str]:
    """Readers as metadata has them; nobody, when they cannot be understood."""
    try:
        return frozenset(principal(one) for one in ([given] if isinstance(given, str) else given))
    except (TypeError, ValueError):
        return frozenset()


def _fits(passage: Passage, turn: Turn) -> bool:
    if not passage.readers & turn.principals or not passage.text.strip():
        return False
    return all(_among(passage.metadata.get(key), one) for key, one in turn.filters.items())


def _among(has: Any, wanted: Any) -> bool:
    allowed = wanted if isinstance(wanted, tuple | list | frozenset) else (wanted,)
    values = has if isinstance(has, tuple | list) else (has,)
    return any(one in allowed for one in values)


class Reranked:
    """Searches with other retrievers; a document compressor orders what they bring."""

    def __init__(self, name: str, settings: RerankSettings, context: Context) -> None:
        if name in settings.retrievers:
            raise UsageError(f"[retrievers.{name}] searches with itself; name another retriever.")
        self._settings = settings
        self._context = context
        self._compressor = making.make(settings)
        if not hasattr(self._compressor, "acompress_documents"):
            raise PluginError(
                f"{settings.class_} is no document compressor; correct `class` in bot.toml."
            )

    @hookimpl
    async def bot_retrieve(self, turn: Turn) -> list[Passage]:
        """Find candidates, and return those that the compressor keeps, in its order."""
        assistant = replace(turn.assistant, retrievers=tuple(self._settings.retrievers))
        wider = max(self._settings.candidates, turn.k)
        found = await self._context.search(replace(turn, assistant=assistant, k=wider))
        if not found:
            return []
        query = turn.queries[0] if turn.queries else turn.question
        documents = _documents(found[: self._settings.candidates])
        kept = await untraced(self._compressor.acompress_documents(documents, query))
        return _ordered(found, kept)[: turn.k]


def _documents(passages: Sequence[Passage]) -> list[Document]:
    """As LangChain has them: the metadata says which passage each is."""
    from langchain_core.documents import Document

    return [
        Document(page_content=one.text, metadata={"passage": number, "title": one.title})
        for number, one in enumerate(passages)
    ]


def _ordered(found: Sequence[Passage], kept: Sequence[Document]) -> list[Passage]:
    ordered: list[Passage] = []
    for rank, document in enumerate(kept, 1):
        about: Mapping[str, Any] = document.metadata
        number = about.get("passage")
        if isinstance(number, int) and 0 <= number < len(found):
            score: Any = about.get("relevance_score")
            known = isinstance(score, int | float)
            ordered.append(replace(found[number], score=float(score) if known else 1 / rank))
    return ordered
