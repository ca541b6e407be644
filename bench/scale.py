"""How the index grows: loading, building, room, questions and recall, for each form of vectors.

    python bench/scale.py [--chunks 1000000] [--vectors single half binary]

Synthetic texts (120 words of a Zipf vocabulary) and vectors of 384 dimensions in nested groups,
made batch by batch, so that the bench itself needs little memory. Recall is against the exact ten
nearest.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import bot_pgvector
import numpy as np
import server
from bot_pgvector import index
from pgvector.psycopg import register_vector_async
from table import show
from vectors import BATCH, DIMENSIONS, Matrix, clustered, near

from bot import Context, Turn
from bot.database import Database
from bot.document import Chunk, IndexVersion
from bot.indexing import versions
from bot.plugins import Plugins

QUESTIONS = 200
K = 10
BARE = 20_000  # chunks of the bare table that questions are compared with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--vectors", nargs="+", default=["single", "half", "binary"])
    given = parser.parse_args()
    rows = []
    for form in given.vectors:
        rows.append(asyncio.run(measure(given.chunks, form)))
        print(*rows[-1], file=sys.stderr, flush=True)  # it takes long, and may be stopped
    columns = (
        "vectors", "rows/s", "build s", "GB", "of it graph", "hybrid p50 ms", "p95 ms",
        "p95 ÷ bare p95", "recall@10",
    )  # fmt: skip
    show(f"{given.chunks:,} chunks of {DIMENSIONS} dimensions", columns, rows)


async def measure(count: int, form: str) -> tuple[object, ...]:
    async with server.fresh() as (database, _, plugins):
        bare = await bare_sql(database)
        version = await begin(database, plugins, form)
        asked, words = questions()
        nearest = Nearest(asked)
        rate = await load(database, version, count, nearest)
        build = await finish(database, version)
        size, graph = await sizes(database, version)
        recall = await recalled(database, version, asked, words, nearest)
        took = await hybrid(database, version, asked, words)
    p50, p95 = np.percentile(took, [50, 95])
    return (
        form, round(rate), round(build), f"{size / 1e9:.2f}", f"{graph / 1e9:.2f}", f"{p50:.1f}",
        f"{p95:.1f}", f"{p95 / np.percentile(bare, 95):.1f}", f"{recall:.3f}",
    )  # fmt: skip


def texts(count: int, length: int, seed: int) -> list[str]:
    """Draw words as often as a language has them."""
    drawn = np.random.default_rng(seed).zipf(1.3, (count, length)) % 50_000
    return [" ".join(f"w{word}" for word in row) for row in drawn.tolist()]


def questions() -> tuple[Matrix, list[str]]:
    """Vectors near those of chunks, and texts of eight words."""
    chunks = [clustered(BATCH, 1 + batch)[:10] for batch in range(QUESTIONS // 10)]
    return near(np.concatenate(chunks)), texts(QUESTIONS, 8, 7)


def batches(count: int) -> Iterator[list[Chunk]]:
    for start in range(0, count, BATCH):
        seed = 1 + start // BATCH
        size = min(BATCH, count - start)
        vectors, written = clustered(BATCH, seed), texts(size, 120, seed)
        yield [
            Chunk(
                id=str(start + n), document_id=start + n, source="bench", ordinal=0, start=0, end=1,
                text=written[n], vector=vectors[n], readers=("everyone",),
            )
            for n in range(size)
        ]  # fmt: skip


class Nearest:
    """The exact nearest of each question, kept while chunks pass by."""

    def __init__(self, asked: Matrix) -> None:
        self._asked = asked
        self._ids = np.zeros((len(asked), 0), np.int64)
        self._cosines = np.zeros((len(asked), 0), np.float32)

    def add(self, chunks: Sequence[Chunk]) -> None:
        ids = np.array([chunk.document_id for chunk in chunks])
        cosines = self._asked @ np.stack([chunk.vector for chunk in chunks]).T
        everything = np.concatenate([self._cosines, cosines], axis=1)
        names = np.concatenate([self._ids, np.tile(ids, (len(self._asked), 1))], axis=1)
        best = np.argsort(-everything, axis=1)[:, :K]
        self._cosines = np.take_along_axis(everything, best, axis=1)
        self._ids = np.take_along_axis(names, best, axis=1)

    def share(self, place: int, found: Sequence[str]) -> float:
        return len({str(id_) for id_ in self._ids[place]} & set(found)) / K


async def bare_sql(database: Database) -> list[float]:
    """Milliseconds of the vector search alone, in a table of its own."""
    async with database.connection() as connection:
        await register_vector_async(connection)
        await connection.execute(f"create table bare (id int, embedding vector({DIMENSIONS}))")
        async with connection.cursor().copy("copy bare from stdin (format binary)") as copy:
            copy.set_types(["int4", "vector"])
            for seed in range(BARE // BATCH):
                for n, vector in enumerate(clustered(BATCH, seed)):
                    await copy.write_row((seed * BATCH + n, vector))
        await connection.execute("create index on bare using hnsw (embedding vector_ip_ops)")
        took = []
        for vector in questions()[0]:
            begun = time.perf_counter()
            query = "select id from bare order by embedding <#> %s limit 10"
            await (await connection.execute(query, [vector], binary=True)).fetchall()
            took.append((time.perf_counter() - begun) * 1000)
        await connection.execute("drop table bare")
    return took


async def begin(database: Database, plugins: Plugins, form: str) -> IndexVersion:
    async with database.transaction() as connection:
        settings = {"index": {"vectors": form}}
        return await versions.create(connection, plugins.manager, settings, DIMENSIONS)


async def load(database: Database, version: IndexVersion, count: int, nearest: Nearest) -> float:
    """Store the chunks; return rows a second, without the time to make them."""
    took = 0.0
    for chunks in batches(count):
        nearest.add(chunks)
        begun = time.perf_counter()
        async with database.transaction() as connection:
            await index.add(version, chunks, connection)
        took += time.perf_counter() - begun
    return count / took


async def finish(database: Database, version: IndexVersion) -> float:
    begun = time.perf_counter()
    async with database.transaction() as connection:
        await index.finish(version, connection)
    return time.perf_counter() - begun


async def sizes(database: Database, version: IndexVersion) -> tuple[int, int]:
    async with database.connection() as connection:
        whole = await index.size(version, connection)
        cursor = await connection.execute(
            "select coalesce(pg_relation_size(to_regclass(%s)), 0)",
            [f"pgvector_{version.id}.chunk_graph"],
        )
        row = await cursor.fetchone()
    return whole, row[0] if row else 0


async def ask(
    database: Database, version: IndexVersion, mode: str, asked: Matrix, words: Sequence[str]
) -> tuple[list[list[str]], list[float]]:
    """Ask each question alone; ids found, and milliseconds."""
    place = 0

    async def embed(texts: Sequence[str], purpose: str, version: IndexVersion) -> Matrix:
        return asked[place : place + 1]

    context = Context(home=Path("/nowhere"), database=database, embed=embed)
    retriever = bot_pgvector.make("documents", bot_pgvector.PgvectorSettings(mode=mode), context)
    found, took = [], []
    for place, question in enumerate(words):  # noqa: B007 - embed reads it
        turn = Turn(id="t", question=question, queries=(question,), k=K, index=version)
        begun = time.perf_counter()
        passages = await retriever.bot_retrieve(turn)
        took.append((time.perf_counter() - begun) * 1000)
        found.append([passage.id for passage in passages])
    return found, took


async def recalled(
    database: Database, version: IndexVersion, asked: Matrix, words: Sequence[str], nearest: Nearest
) -> float:
    found, _ = await ask(database, version, "vector", asked, words)
    return float(np.mean([nearest.share(place, ids) for place, ids in enumerate(found)]))


async def hybrid(
    database: Database, version: IndexVersion, asked: Matrix, words: Sequence[str]
) -> list[float]:
    await ask(database, version, "hybrid", asked[:20], words[:20])
    _, took = await ask(database, version, "hybrid", asked, words)
    return took


if __name__ == "__main__":
    main()
