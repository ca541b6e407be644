"""Searching by words and by meaning, and fusing what both find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot import Chunk, Context, Passage, Turn, hookimpl
from bot.document import IndexVersion
from bot_elasticsearch import ElasticsearchSettings
from bot_elasticsearch.index import Index

_SMOOTH = 60  # of reciprocal ranks
_WORDS = 256  # of a question that are searched for; the server refuses too many


class Retriever:
    """One server's index, searched and kept."""

    def __init__(self, settings: ElasticsearchSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._index = Index(settings)

    async def aclose(self) -> None:
        await self._index.aclose()

    @hookimpl
    async def bot_retrieve(self, turn: Turn) -> list[Passage]:
        """Search with each query by BM25 and by vectors; add up reciprocal ranks.

        Cormack et al., "Reciprocal Rank Fusion outperforms Condorcet …" (2009), done here: the
        server's own fusion needs a licence.
        """
        if turn.index is None or not turn.queries:
            return []
        vectors = await self._context.embed(turn.queries, "query", turn.index)
        searches: list[Mapping[str, Any]] = []
        for query, vector in zip(turn.queries, vectors, strict=True):
            searches += [self._by_words(query, turn), self._by_vector(vector, turn)]
        found = await self._index.search(turn.index, searches)
        return _fused(found)[: turn.k]

    @hookimpl
    async def bot_index_begin(self, version: IndexVersion) -> None:
        await self._index.begin(version)

    @hookimpl
    async def bot_index_add(self, version: IndexVersion, chunks: Sequence[Chunk]) -> None:
        await self._index.add(version, chunks)

    @hookimpl
    async def bot_index_delete(self, version: IndexVersion, document_ids: Sequence[int]) -> None:
        await self._index.delete(version, document_ids)

    @hookimpl
    async def bot_index_readers(
        self, version: IndexVersion, readers: Mapping[int, Sequence[str]]
    ) -> None:
        await self._index.change_readers(version, readers)

    @hookimpl
    async def bot_index_finish(self, version: IndexVersion) -> None:
        await self._index.refresh(version)

    @hookimpl
    async def bot_index_promote(self, version: IndexVersion) -> None:
        await self._index.promote(version)

    @hookimpl
    async def bot_index_drop(self, version: IndexVersion) -> None:
        await self._index.drop(version)

    @hookimpl
    async def bot_index_size(self, version: IndexVersion) -> int:
        return await self._index.size(version)

    def _by_words(self, query: str, turn: Turn) -> dict[str, Any]:
        words = " ".join(query[:20_000].split()[:_WORDS])
        match = {"multi_match": {"query": words, "fields": ["text", "context"],
                                 "type": "most_fields"}}  # fmt: skip
        return {
            "query": {"bool": {"must": [match], "filter": _filters(turn)}},
            "size": max(self._settings.candidates, turn.k),
            "_source": {"excludes": ["vector"]},
        }

    def _by_vector(self, vector: Sequence[float], turn: Turn) -> dict[str, Any]:
        count = max(self._settings.candidates, turn.k)
        return {
            "knn": {
                "field": "vector",
                "query_vector": [float(number) for number in vector],
                "k": count,
                "num_candidates": 2 * count,
                "filter": _filters(turn),
            },
            "size": count,
            "_source": {"excludes": ["vector"]},
        }


def _filters(turn: Turn) -> list[dict[str, Any]]:
    """Who may read, which sources, which metadata: decided by the server, before k is counted."""
    filters: list[dict[str, Any]] = [{"terms": {"readers": sorted(turn.principals)}}]
    if turn.sources:
        filters.append({"terms": {"source": sorted(turn.sources)}})
    for key, value in turn.filters.items():
        values = list(value) if isinstance(value, tuple) else [value]
        filters.append({"terms": {f"metadata.{key}": [str(one) for one in values]}})
    return filters


def _fused(found: Sequence[Sequence[Mapping[str, Any]]]) -> list[Passage]:
    """Make one list; of the chunks of a passage the best stands for it."""
    hits: dict[str, Mapping[str, Any]] = {}
    scores: dict[str, float] = {}
    for ranking in found:
        for rank, hit in enumerate(ranking, 1):
            hits.setdefault(hit["_id"], hit["_source"])
            scores[hit["_id"]] = scores.get(hit["_id"], 0.0) + 1 / (_SMOOTH + rank)
    best: dict[str, Passage] = {}
    for id_ in sorted(hits, key=lambda id_: -scores[id_]):
        source = hits[id_]
        best.setdefault(
            source["passage"],
            Passage(
                id=source["passage"],
                text=source["text"],
                readers=frozenset(source["readers"]),
                title=source["title"],
                uri=source["uri"],
                source=source["source"],
                location=source["context"],
                start=source["start"],
                end=source["end"],
                metadata=source["metadata"],
                score=scores[id_],
            ),
        )
    return list(best.values())
