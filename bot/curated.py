"""Curated answers: what people have approved for a question, said instead of a generated answer."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from bot.database import Database, load_queries, of_all
from bot.errors import EmbeddingError
from bot.similarity import same, shared
from bot.turn import EVERYONE, Principal, Turn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bot.document import IndexVersion
    from bot.plugins import Embed

QUERIES = load_queries(Path(__file__).parent / "queries" / "curated.sql")

FORGOTTEN = 1.0  # seconds after which it is looked again for what another process has approved


@dataclass(frozen=True, slots=True, kw_only=True)
class Curated:
    """A question with its approved answer.

    Attributes:
        readers: who may read it; nobody else is answered with it.
    """

    question: str
    answer: str
    readers: frozenset[Principal] = frozenset({EVERYONE})
    id: int = 0
    created_at: datetime | None = field(default=None, compare=False)


@dataclass(slots=True)
class _Nothing:
    """Who was found to have no curated answer to read, since when."""

    askers: set[frozenset[Principal]] = field(default_factory=set)
    since: float = 0.0

    def known(self, asker: frozenset[Principal]) -> bool:
        if time.monotonic() > self.since + FORGOTTEN:
            self.askers.clear()
            self.since = time.monotonic()
        return asker in self.askers


_nothing: WeakKeyDictionary[Database, _Nothing] = WeakKeyDictionary()


async def put(database: Database, one: Curated) -> tuple[int, bool]:
    """Keep an answer; for a question that the same readers have one for, it is replaced.

    Other processes say it within a second.

    Returns:
        Its id, and whether it is new.
    """
    async with database.connection() as connection:
        cursor = await connection.execute(
            QUERIES["put"],
            {"question": one.question, "answer": one.answer, "readers": sorted(one.readers)},
        )
        row = await cursor.fetchone()
        assert row is not None
    _nothing.pop(database, None)
    return row[0], row[1]


async def load(database: Database) -> list[Curated]:
    """Read all curated answers, in the order in which they were added."""
    async with database.connection() as connection:
        rows = await (await connection.execute(QUERIES["all"])).fetchall()
    return [_curated(row) for row in rows]


async def remove(database: Database, ids: Collection[int]) -> None:
    """Remove answers, all or none.

    Raises:
        NotFound: there is none by one of these ids.
    """
    await of_all(
        database,
        QUERIES["remove"],
        ids,
        "There is no curated answer {id}; `bot answers list` shows their ids. Nothing was removed.",
    )


def none_lately(database: Database, asker: frozenset[Principal]) -> bool:
    """Whether it was found a moment ago that somebody has no curated answer to read."""
    return _nothing.setdefault(database, _Nothing()).known(asker)


async def find(database: Database, turn: Turn, embed: Embed) -> Curated | None:
    """Find the approved answer to a question that means the same as the turn's.

    With an index its embedder compares the questions, besides their words; without one only the
    same words mean the same. All readable questions are compared: a few hundred are expected.
    That there is none is remembered for `FORGOTTEN` seconds: most teams have none, and every turn
    would ask for them.
    """
    if none_lately(database, turn.principals):
        return None
    nothing = _nothing[database]
    async with database.connection() as connection:
        cursor = await connection.execute(
            QUERIES["readable"],
            {"embedder": _digest(turn.index), "principals": list(turn.principals)},
        )
        rows = await cursor.fetchall()
    known = [_curated(row) for row in rows]
    permitted = [one for one in known if one.readers & turn.principals]
    if not permitted:
        nothing.askers.add(turn.principals)
        return None
    cosines: Sequence[float | None] = [None] * len(permitted)
    if turn.index is not None:
        vectors = {row[0]: row[5] for row in rows}
        missing = [one for one in permitted if vectors[one.id] is None]
        missing, (asked, *made) = await _embedded(embed, turn, turn.index, missing)
        for one, vector in zip(missing, made, strict=True):
            vectors[one.id] = vector.astype("<f4").tobytes()
        await _keep(database, turn.index, {one.id: vectors[one.id] for one in missing})
        compared = [one.id for one in permitted if vectors[one.id] is not None]
        near = _cosines(asked, [vectors[one] for one in compared])
        by_id = dict(zip(compared, near, strict=True))
        cosines = [by_id.get(one.id) for one in permitted]
    fitting = [
        (shared(turn.question, one.question), cosine or 0.0, one)
        for one, cosine in zip(permitted, cosines, strict=True)
        if same(turn.question, one.question, cosine)
    ]
    return max(fitting, key=lambda one: one[:2])[2] if fitting else None


async def _embedded(
    embed: Embed, turn: Turn, version: IndexVersion, missing: list[Curated]
) -> tuple[list[Curated], Any]:
    """Embed the turn's question and those that lack a vector; which of them may be, and vectors.

    What an embedder on another host may not receive is compared by its words alone.
    """
    public = [one for one in missing if EVERYONE in one.readers]
    texts = [turn.question, *(one.question for one in missing)]
    try:
        everyones = len(public) == len(missing)
        return missing, await embed(texts, "query", version, public=everyones)
    except EmbeddingError:
        if everyones:
            raise
    texts = [turn.question, *(one.question for one in public)]
    return public, await embed(texts, "query", version, public=True)


async def _keep(database: Database, version: IndexVersion, vectors: dict[int, bytes]) -> None:
    async with database.connection() as connection:
        for answer, vector in vectors.items():
            await connection.execute(
                QUERIES["keep_vector"],
                {"answer": answer, "embedder": _digest(version), "vector": vector},
            )


def _cosines(asked: NDArray[np.float32], vectors: Sequence[bytes]) -> list[float]:
    import numpy as np

    if not vectors:
        return []
    stacked = np.frombuffer(b"".join(vectors), "<f4").reshape(len(vectors), -1)
    cosines: list[float] = (stacked @ asked).tolist()
    return cosines


def _digest(version: IndexVersion | None) -> str:
    """Name the embedder of a version: vectors of another one do not compare."""
    if version is None:
        return ""
    embedder = version.settings.get("embedder", {})
    return hashlib.sha256(json.dumps(embedder, sort_keys=True).encode()).hexdigest()[:16]


def _curated(row: Sequence[Any]) -> Curated:
    return Curated(
        id=row[0], question=row[1], answer=row[2], readers=frozenset(row[3]), created_at=row[4]
    )
