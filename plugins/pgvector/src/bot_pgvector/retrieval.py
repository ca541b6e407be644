"""Hybrid search: one query after the other, then age and variety, in the live index version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from pgvector.psycopg import register_vector_async

from bot import Context, Passage, Turn, hookimpl
from bot.database import Connection
from bot.document import IndexVersion
from bot.errors import IndexingError
from bot_pgvector.analysis import ANALYZER, terms
from bot_pgvector.search import Hit, Search
from bot_pgvector.statements import INDEX, SEARCH
from bot_pgvector.widening import widened

if TYPE_CHECKING:
    from bot_pgvector import PgvectorSettings

_LATELY = 60.0  # seconds for which it is remembered how large a version is
_FURTHER = 4  # times as many chunks, when those that were found are too much alike
_CROWDED = 0.7  # of its score is left to each further chunk of a page that has had its share
_MEANT = 0.5  # what another phrase for a part of the question counts
_FADING = 0.5  # how much of its score a very old passage loses

# The walk's reach is a connection's, and all retrievers share the connections.
_REACHES: WeakKeyDictionary[Connection, int] = WeakKeyDictionary()

Weighted: TypeAlias = Sequence[tuple[str, float]]
"""What is searched for at once: texts, each with how much it counts."""


class Retriever:
    """Finds passages in the live index version."""

    def __init__(self, settings: PgvectorSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._known: dict[int, tuple[float, int]] = {}  # versions: looked at when, how large

    @hookimpl
    async def bot_retrieve(self, turn: Turn) -> list[Passage]:
        """Search with every query; a passage that several find keeps its best score."""
        if turn.index is None:
            return []
        queries: list[Weighted] = [[(query, 1.0)] for query in turn.queries]
        if turn.weighted:
            queries = [turn.weighted]
        queries = [_understood(query, turn.glossary) for query in queries]
        vectors = await self._vectors(turn, turn.index, queries)
        best: dict[str, Hit] = {}
        async with self._context.database.connection() as connection:
            chunks = await self._prepare(connection, turn.index)
            for query, vector in zip(queries, vectors, strict=True):
                search = Search(
                    connection,
                    turn,
                    turn.index,
                    chunks=chunks,
                    candidates=self._settings.candidates,
                )
                for hit in await self._search(search, query, vector, turn.k):
                    id_, score = hit.passage.id, hit.passage.score
                    if id_ not in best or best[id_].passage.score < score:
                        best[id_] = hit
            hits = sorted(best.values(), key=lambda hit: -hit.passage.score)[: turn.k]
            if self._settings.show == "chunk" or not hits:
                return [hit.passage for hit in hits]
            limit = self._settings.show_characters
            return await widened(search, hits, self._settings.show, limit)

    async def _vectors(
        self, turn: Turn, version: IndexVersion, queries: Sequence[Weighted]
    ) -> list[NDArray[np.float32] | None]:
        """Embed each query: its text's vector, or the weighted sum of several, of length one."""
        if self._settings.mode == "lexical":
            return [None] * len(queries)
        texts = [text for query in queries for text, _ in query]
        with turn.trace.timed("embed") if turn.trace else nullcontext():
            embedded = iter(await self._context.embed(texts, "query", version))
        vectors: list[NDArray[np.float32] | None] = []
        for query in queries:
            if len(query) == 1:
                vectors.append(next(embedded))
                continue
            total = sum(np.float32(weight) * next(embedded) for _, weight in query)
            vectors.append(total / (np.linalg.norm(total) or 1.0))
        return vectors

    async def _search(
        self, search: Search, query: Weighted, vector: NDArray[np.float32] | None, k: int
    ) -> list[Hit]:
        """Find k passages.

        Chunks of one passage are one, and one page has its share: then more is asked for.
        """
        aging = self._settings.half_life is not None
        count = max(k, self._settings.candidates) if aging else k
        while True:
            if self._settings.mode == "vector":
                found = await search.by_vector(vector, count)
            else:
                found = await search.by_terms(_terms(query), vector, count)
            if aging:
                found = await self._aged(search, found)
            distinct: dict[str, Hit] = {}
            for hit in found:
                distinct.setdefault(hit.passage.id, hit)
            varied, crowded = _varied(distinct.values(), self._settings.per_page)
            enough = len(varied) - crowded >= k or (len(varied) >= k and count >= _FURTHER * k)
            if enough or len(found) < count:
                return varied[:k]
            count *= _FURTHER

    async def _aged(self, search: Search, hits: Sequence[Hit]) -> list[Hit]:
        """Let old passages count less, down to half, and sort again."""
        half_life = self._settings.half_life
        assert half_life is not None
        said = {id(hit): _date(hit.passage.metadata.get(self._settings.date)) for hit in hits}
        silent = {hit.document for hit in hits if said[id(hit)] is None}
        updated = await search.updated(sorted(silent)) if silent else {}
        now = datetime.now(UTC)

        def aged(hit: Hit) -> Hit:
            since = said[id(hit)] or updated.get(hit.document)
            if since is None:
                return hit
            days = max((now - since).total_seconds() / 86_400, 0.0)
            return hit.scored(1 - _FADING + _FADING * 0.5 ** (days / half_life), age=days)

        return sorted(map(aged, hits), key=lambda hit: -hit.passage.score)

    async def _prepare(self, connection: Connection, version: IndexVersion) -> int:
        """Set a connection up for a version, where it is not yet; return the version's size."""
        chunks = await self._chunks(connection, version)
        reach = self._settings.ef_search or ef_search(chunks)
        if _REACHES.get(connection) == reach:
            return chunks
        if connection not in _REACHES:
            await register_vector_async(connection)
        await connection.execute(SEARCH["settings"], {"ef_search": str(reach)})
        _REACHES[connection] = reach
        return chunks

    async def _chunks(self, connection: Connection, version: IndexVersion) -> int:
        """Tell how large a version is, or was lately; make sure that it speaks our terms."""
        looked, chunks = self._known.get(version.id, (-_LATELY, 0))
        if monotonic() < looked + _LATELY:
            return chunks
        cursor = await connection.execute(INDEX["state"], {"version": version.id})
        row = await cursor.fetchone()
        if row is None or row[0] != ANALYZER:
            raise IndexingError(
                f"Index version {version.id} was not made by this version of "
                "domainbot-pgvector; install the one that made it, or index into a new "
                "database."
            )
        self._known[version.id] = monotonic(), row[1]
        return int(row[1])


def ef_search(chunks: int) -> int:
    """How many chunks a walk through a graph of so many keeps in view, for a recall of .98.

    Measured by bench/recall.py and bench/scale.py; see docs/decisions/index-storage.md.
    """
    return min(max(60, chunks // 5000), 1000)


def _understood(query: Weighted, glossary: Sequence[Sequence[str]]) -> Weighted:
    """Search for what phrases of the team mean, beside the phrases themselves."""
    meant = [(phrase, _MEANT) for _, *others in glossary for phrase in others]
    return [*query, *meant]


def _terms(query: Weighted) -> dict[str, float]:
    """Add up how much each term is asked for."""
    asked: Counter[str] = Counter()
    for text, weight in query:
        for term in terms(text):
            asked[term] += weight  # type: ignore[assignment]  # a Counter of floats
    return dict(asked)


def _varied(hits: Iterable[Hit], per_page: int) -> tuple[list[Hit], int]:
    """Let what one page has beyond its share count less and less; return how many those are."""
    had: Counter[int] = Counter()
    varied: list[Hit] = []
    crowded = 0
    for hit in hits:
        had[hit.document] += 1
        beyond = had[hit.document] - per_page
        if beyond > 0:
            crowded += 1
            hit = hit.scored(_CROWDED**beyond, crowded=beyond)
        varied.append(hit)
    varied.sort(key=lambda hit: -hit.passage.score)
    return varied, crowded


def _date(value: Any) -> datetime | None:
    """Read a date of a document's metadata: ISO 8601, or a year."""
    text = str(value).strip()
    if len(text) == 4 and text.isdecimal():
        text += "-01-01"
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
