"""Hybrid search: postings and vectors asked in one round trip, fused and fetched in another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray
from pgvector.psycopg import register_vector_async
from psycopg import AsyncCursor
from psycopg.types.json import Jsonb

from bot import Context, Passage, Turn, hookimpl
from bot.database import Connection
from bot.document import IndexVersion
from bot.errors import IndexingError
from bot_pgvector.analysis import ANALYZER, terms
from bot_pgvector.fusion import semantic_share
from bot_pgvector.postings import Ranking, rank
from bot_pgvector.statements import INDEX, SEARCH, search_statement

FEW = 5000  # chunks that filters leave, up to which comparing with each is fast and exact

_EF_SEARCH = 40  # candidates that a walk through the graph keeps


class Retriever:
    """Finds passages in the live index version.

    Args:
        mode: which of the two searches is asked.
        candidates: how many chunks each brings before they are fused.
    """

    def __init__(
        self, mode: Literal["hybrid", "vector", "lexical"], candidates: int, context: Context
    ) -> None:
        self._mode = mode
        self._candidates = candidates
        self._context = context
        self._ready: WeakSet[Connection] = WeakSet()
        self._known: set[int] = set()

    @hookimpl
    async def bot_retrieve(self, turn: Turn) -> list[Passage]:
        """Search with every query; a passage that several find keeps its best score."""
        if turn.index is None:
            return []
        vectors: list[NDArray[np.float32] | None] = [None] * len(turn.queries)
        if self._mode != "lexical":
            vectors = list(await self._context.embed(turn.queries, "query", turn.index))
        best: dict[str, Passage] = {}
        async with self._context.database.connection() as connection:
            await self._prepare(connection, turn.index)
            for query, vector in zip(turn.queries, vectors, strict=True):
                search = Search(connection, turn, turn.index, self._candidates)
                for passage in await self._search(search, query, vector, turn.k):
                    if passage.id not in best or best[passage.id].score < passage.score:
                        best[passage.id] = passage
        return sorted(best.values(), key=lambda passage: -passage.score)[: turn.k]

    async def _search(
        self, search: Search, query: str, vector: NDArray[np.float32] | None, k: int
    ) -> list[Passage]:
        """Find k passages. Chunks of one passage are one; then more of them are asked for."""
        distinct: dict[str, Passage] = {}
        count = k
        while True:
            if self._mode == "vector":
                found = await search.by_vector(vector, count)
            else:
                found = await search.by_terms(terms(query), vector, count)
            for passage in found:
                distinct.setdefault(passage.id, passage)
            if len(distinct) >= k or len(found) < count:
                return list(distinct.values())
            count *= 4

    async def _prepare(self, connection: Connection, version: IndexVersion) -> None:
        """Set a connection up, once; make sure, once, that the index speaks our terms."""
        if connection not in self._ready:
            await register_vector_async(connection)
            await connection.execute(SEARCH["settings"], {"ef_search": str(_EF_SEARCH)})
            self._ready.add(connection)
        if version.id not in self._known:
            cursor = await connection.execute(INDEX["state"], {"version": version.id})
            row = await cursor.fetchone()
            if row is None or row[0] != ANALYZER:
                raise IndexingError(
                    f"Index version {version.id} was not made by this version of "
                    "domainbot-pgvector; install the one that made it, or index into a new database."
                )
            self._known.add(version.id)


class Search:
    """One query on one index version, for one asker."""

    def __init__(
        self, connection: Connection, turn: Turn, version: IndexVersion, candidates: int
    ) -> None:
        self._connection = connection
        self._version = version
        self._candidates = candidates
        filters = [_alternatives(key, value) for key, value in turn.filters.items()]
        self._shape = (bool(turn.sources), tuple(len(values) for values in filters))
        self._arguments: dict[str, Any] = {
            "principals": list(turn.principals),
            "sources": list(turn.sources),
            **{
                f"filter_{place}_{each}": Jsonb(value)
                for place, values in enumerate(filters)
                for each, value in enumerate(values)
            },
        }

    async def by_vector(self, vector: NDArray[np.float32] | None, k: int) -> list[Passage]:
        """Find the chunks that are nearest in meaning."""
        near = "few_passages" if await self._leaves_few() else "nearest_passages"
        cursor = await self._ask(near, vector=vector, k=k)
        return [_passage(row) for row in await cursor.fetchall()]

    async def by_terms(
        self, asked: Sequence[str], vector: NDArray[np.float32] | None, k: int
    ) -> list[Passage]:
        """Find the best chunks by terms, and by meaning too where there is a vector."""
        reach = max(self._candidates, k)
        nearest, ranking = await self._both(asked, vector, reach)
        ids, scores = ranking.top(reach)
        share = semantic_share([cosine for _, cosine in nearest], scores)
        if vector is None:
            share, vector = 0.0, np.zeros(self._version.dimensions, np.float32)
        near = [id_ for id_, _ in nearest]
        near_scores = dict(zip(near, ranking.scores(near), strict=True))
        while True:
            candidates = near_scores | dict(zip(ids, scores, strict=True))
            cursor = await self._ask(
                "passages",
                vector=vector,
                ids=list(candidates),
                scores=list(candidates.values()),
                semantic=share,
                k=k,
            )
            found = await cursor.fetchall()
            # The ranking knows nothing of readers and filters: look further while they take most.
            by_terms = found[0][-1] if found else 0
            if by_terms >= k or len(ids) < reach:
                return [_passage(row) for row in found]
            reach *= 8
            ids, scores = ranking.top(reach)

    async def _both(
        self, asked: Sequence[str], vector: NDArray[np.float32] | None, limit: int
    ) -> tuple[list[tuple[int, float]], Ranking]:
        """Ask both searches in one round trip."""
        few = vector is not None and await self._leaves_few()
        async with self._connection.pipeline():
            size = await self._ask("size")
            postings = await self._ask("postings", terms=list(set(asked)))
            near = None
            if vector is not None:
                name = "nearest_of_few" if few else "nearest"
                near = await self._ask(name, vector=vector, limit=limit)
            ((chunks, tokens),) = await size.fetchall()
            ranking = rank(asked, await postings.fetchall(), chunks, tokens)
            return (await near.fetchall() if near else []), ranking

    async def _leaves_few(self) -> bool:
        """Whether metadata filters leave so few chunks that comparing with each is best.

        The planner guesses such conditions badly, so they are counted. Sources and readers it
        knows by its statistics.
        """
        if not self._shape[1]:
            return False
        ((count,),) = await (await self._ask("count_permitted", limit=FEW + 1)).fetchall()
        return bool(count <= FEW)

    async def _ask(self, name: str, **arguments: Any) -> AsyncCursor[Any]:
        query = search_statement(name, self._version.id, self._version.dimensions, *self._shape)
        return await self._connection.execute(query, {**self._arguments, **arguments}, binary=True)


def _alternatives(key: str, value: Any) -> list[dict[str, Any]]:
    """Write down what metadata a filter allows.

    A tuple allows any of its values, a list in the metadata any of its elements; the text that a
    command line has for a number or a truth value means those as well.
    """
    allowed: list[dict[str, Any]] = []
    for one in value if isinstance(value, tuple) else (value,):
        meant = [one]
        if isinstance(one, str) and (read := _as_json(one)) is not None:
            meant.append(read)
        for each in meant:
            allowed += [{key: each}, {key: [each]}]
    return allowed


def _as_json(text: str) -> int | float | bool | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, int | float) else None


def _passage(row: Sequence[Any]) -> Passage:
    id_, source, title, uri, context, text, start, stop, readers, metadata, score, _ = row
    return Passage(
        id=id_,
        text=text,
        readers=frozenset(readers),
        title=title,
        uri=uri,
        score=score,
        source=source,
        location=context,
        start=start,
        end=stop,
        metadata=metadata,
    )
