"""One search of one index version: postings and vectors in one statement, texts in another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncCursor
from psycopg.types.json import Jsonb

from bot import Passage, Turn
from bot.database import Connection
from bot.document import IndexVersion
from bot_pgvector.analysis import terms
from bot_pgvector.fusion import semantic_share
from bot_pgvector.postings import POSTING, Ranking, rank
from bot_pgvector.statements import Form, search_statement

FURTHER = 8  # times as many are found by their bits as are kept when they are compared whole
LEAST = 320  # ... and no fewer than these
READ = 250_000  # postings, of 8 bytes, that a question reads: some 8 ms, however large an index
FEW = 5000  # chunks that filters leave, up to which comparing with each is fast and exact


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found, and the document that it is part of."""

    passage: Passage
    document: int

    def scored(self, factor: float, **evidence: Any) -> Hit:
        """Multiply the score, and say why."""
        passage = self.passage
        told = {**passage.evidence, **evidence}
        changed = replace(passage, score=passage.score * factor, evidence=told)
        return replace(self, passage=changed)


class Search:
    """One query on one index version, for one asker.

    Args:
        chunks: how many the version has, or had lately.
        candidates: how many chunks each of the two searches brings before they are fused.
    """

    def __init__(
        self,
        connection: Connection,
        turn: Turn,
        version: IndexVersion,
        *,
        chunks: int,
        candidates: int,
    ) -> None:
        self._connection = connection
        self._version = version
        self._chunks = chunks
        self._form = Form.of(version)
        self._by_bits = "_by_bits" if self._form.vectors == "binary" else ""
        self._candidates = candidates
        self._trace = turn.trace
        filters = [_alternatives(key, value) for key, value in turn.filters.items()]
        self._shape = (bool(turn.sources), tuple(len(values) for values in filters))
        self._arguments: dict[str, Any] = {
            "principals": list(turn.principals),
            "sources": list(turn.sources),
            "further": FURTHER,
            "least": LEAST,
            **{
                f"filter_{place}_{each}": Jsonb(value)
                for place, values in enumerate(filters)
                for each, value in enumerate(values)
            },
        }

    async def by_vector(self, vector: NDArray[np.float32] | None, k: int) -> list[Hit]:
        """Find the chunks that are nearest in meaning."""
        with self._timed("passages"):
            few = await self._leaves_few()
            near = "few_passages" if few else f"nearest_passages{self._by_bits}"
            cursor = await self._ask(near, vector=vector, k=k)
            rows = await cursor.fetchall()
        return [
            _hit(row, row[12], {"cosine": row[12], "vector_rank": place})
            for place, row in enumerate(rows, 1)
        ]

    async def by_terms(
        self, asked: Mapping[str, float], vector: NDArray[np.float32] | None, k: int
    ) -> list[Hit]:
        """Find the best chunks by terms, and by meaning too where there is a vector.

        Args:
            asked: terms, each with how much it counts.
        """
        reach = max(self._candidates, k)
        with self._timed("candidates"):
            nearest, ranking = await self._both(asked, vector, reach)
        ids, scores = ranking.top(reach)
        share = semantic_share([cosine for _, cosine in nearest], scores) if nearest else 0.0
        near = [id_ for id_, _ in nearest]
        near_scores = dict(zip(near, ranking.scores(near), strict=True))
        if blind := vector is None:
            vector = np.zeros(self._version.dimensions, np.float32)
        while True:
            candidates = near_scores | dict(zip(ids, scores, strict=True))
            with self._timed("passages"):
                cursor = await self._ask(
                    "passages",
                    vector=vector,
                    ids=_array(candidates),
                    scores=_array(candidates.values()),
                    semantic=share,
                    k=k,
                )
                found = await cursor.fetchall()
            # The ranking knows nothing of readers and filters: look further while they take most.
            by_terms = found[0][-1] if found else 0
            if by_terms >= k or len(ids) < reach:
                break
            reach *= 8
            ids, scores = ranking.top(reach)
        told = _Evidence(near, ids, None if blind else share, ranking.known, asked)
        terms_too = self._trace is not None
        return [_hit(row, row[14], told.of(row, terms_too=terms_too)) for row in found]

    async def updated(self, documents: Sequence[int]) -> dict[int, Any]:
        """Look up when documents changed last."""
        cursor = await self._ask("updated", documents=list(documents))
        return dict(await cursor.fetchall())

    async def around(
        self, documents: Sequence[int], starts: Sequence[int], stops: Sequence[int]
    ) -> list[tuple[int, int, int, str]]:
        """Look up the chunks in some spans of documents: document, start, stop, context."""
        cursor = await self._ask("around", documents=documents, starts=starts, stops=stops)
        return list(await cursor.fetchall())

    async def texts(
        self, documents: Sequence[int], starts: Sequence[int], stops: Sequence[int]
    ) -> list[str]:
        """Read spans of documents, which must be ones that the asker may read."""
        cursor = await self._ask("texts", documents=documents, starts=starts, stops=stops)
        return [text for (text,) in await cursor.fetchall()]

    async def _both(
        self, asked: Mapping[str, float], vector: NDArray[np.float32] | None, limit: int
    ) -> tuple[list[tuple[int, float]], Ranking]:
        """Ask both searches in one statement."""
        all_fit = len(asked) * self._chunks <= READ
        names = ["postings" if all_fit else "rarest_postings"]
        if vector is not None:
            few = await self._leaves_few()
            names = ["both", *names, "nearest_of_few" if few else f"nearest{self._by_bits}"]
        given: dict[str, Any] = {"vector": vector, "limit": limit, "bytes": READ * POSTING.itemsize}
        rows = await (await self._ask(*names, terms=list(asked), **given)).fetchall()
        postings = [row for row in rows if row[0] is not None]
        # Rows of two queries have no order that SQL would promise.
        near = sorted((row[2:] for row in rows if row[0] is None), key=lambda one: -one[1])
        unread = {term for term, data, *_ in postings if data is None}
        read = {term: weight for term, weight in asked.items() if term not in unread}
        found = [(term, data) for term, data, *_ in postings if term in read]
        chunks, tokens = postings[0][2:] if postings else (0, 0.0)
        return near, rank(read, found, chunks, tokens)

    async def _leaves_few(self) -> bool:
        """Whether metadata filters leave so few chunks that comparing with each is best.

        The planner guesses such conditions badly, so they are counted. Sources and readers it
        knows by its statistics.
        """
        if not self._shape[1]:
            return False
        ((count,),) = await (await self._ask("count_permitted", limit=FEW + 1)).fetchall()
        return bool(count <= FEW)

    async def _ask(self, name: str, *parts: str, **arguments: Any) -> AsyncCursor[Any]:
        query = search_statement(name, self._form, *self._shape, *parts)
        return await self._connection.execute(query, {**self._arguments, **arguments}, binary=True)

    def _timed(self, name: str) -> AbstractContextManager[None]:
        return self._trace.timed(name) if self._trace else nullcontext()


class _Evidence:
    """Why each chunk was found: its place and score in each of the two rankings.

    Places are among the candidates of each ranking, before readers and filters.
    """

    def __init__(
        self,
        near: Sequence[int],
        by_terms: Sequence[int],
        share: float | None,
        known: float,
        asked: Mapping[str, float],
    ) -> None:
        self._near = {id_: place for place, id_ in enumerate(near, 1)}
        self._by_terms = {id_: place for place, id_ in enumerate(by_terms, 1)}
        self._share = share
        self._known = known
        self._asked = asked

    def of(self, row: Sequence[Any], *, terms_too: bool) -> dict[str, Any]:
        told: dict[str, Any] = {"lexical": row[13], "known": self._known}
        if row[0] in self._by_terms:
            told["lexical_rank"] = self._by_terms[row[0]]
        if self._share is not None:
            told |= {"cosine": row[12], "semantic_share": self._share}
        if row[0] in self._near:
            told["vector_rank"] = self._near[row[0]]
        if terms_too:
            held = set(terms(f"{row[6]}\n{row[7]}"))
            told["terms"] = [term for term in self._asked if term in held]
        return told


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


def _array(numbers: Iterable[float]) -> str:
    """Write an array as PostgreSQL reads it: the driver takes many times as long for a list."""
    return f"{{{','.join(map(str, numbers))}}}"


def _hit(row: Sequence[Any], score: float, evidence: Mapping[str, Any]) -> Hit:
    _, document, id_, source, title, uri, context, text, start, stop, readers, metadata = row[:12]
    passage = Passage(
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
        metadata=metadata or {},
        evidence=evidence,
    )
    return Hit(passage, document)
