"""How many of the exact ten nearest a walk through the graph finds, and what a longer one costs.

    python bench/recall.py [--chunks 20000 100000] [--vectors single half binary] [--ef 40 80 160]

Vectors of 384 dimensions in nested groups, as near to each other as those of texts. The statement
is the hybrid search's, with its 40 candidates.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

import corpus
import numpy as np
import server
from bot_pgvector import index
from bot_pgvector.search import FURTHER, LEAST
from bot_pgvector.statements import SEARCH, Form, search_statement
from numpy.typing import NDArray
from pgvector.psycopg import register_vector_async
from table import show
from vectors import DIMENSIONS, Matrix

from bot.database import Connection, Database
from bot.document import Chunk, IndexVersion
from bot.indexing import versions
from bot.plugins import Plugins

BATCH = 5000
QUESTIONS = 200
CANDIDATES = 40
BITS = {"further": FURTHER, "least": LEAST}
K = 10
TEXT = "x" * 850  # as long as a chunk's: in a narrow table the planner may do without the graph


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--vectors", nargs="+", default=["single", "half", "binary"])
    parser.add_argument("--ef", type=int, nargs="+", default=[40, 80, 160])
    given = parser.parse_args()
    rows = []
    for count in given.chunks:
        vectors = corpus.vectors(count)
        asked = corpus.questions(vectors, QUESTIONS)
        exact = np.argsort(-(asked @ vectors.T), axis=1)[:, :K]
        for form in given.vectors:
            for row in asyncio.run(measure(vectors, asked, exact, form, given.ef)):
                rows.append((count, form, *row))
                print(*rows[-1], file=sys.stderr, flush=True)  # it takes long, and may be stopped
    show("recall@10", ("chunks", "vectors", "ef_search", "recall", "p50 ms", "p95 ms"), rows)


async def measure(
    vectors: Matrix, asked: Matrix, exact: NDArray[np.int64], form: str, efs: list[int]
) -> list[tuple[object, ...]]:
    async with server.fresh() as (database, _, plugins):
        version = await filled(database, plugins, vectors, form)
        async with database.connection() as connection:
            await register_vector_async(connection)
            return [await searched(connection, version, asked, exact, ef) for ef in efs]


async def filled(database: Database, plugins: Plugins, vectors: Matrix, form: str) -> IndexVersion:
    async with database.transaction() as connection:
        version = await versions.create(
            connection, plugins.manager, {"index": {"vectors": form}}, DIMENSIONS
        )
    for start in range(0, len(vectors), BATCH):
        chunks = [
            Chunk(
                id=str(number), document_id=number, source="bench", ordinal=0, start=0, end=1,
                text=TEXT, vector=vectors[number], readers=("everyone",),
            )
            for number in range(start, min(start + BATCH, len(vectors)))
        ]  # fmt: skip
        async with database.transaction() as connection:
            await index.add(version, chunks, connection)
    async with database.transaction() as connection:
        await index.finish(version, connection)
    return version


async def searched(
    connection: Connection, version: IndexVersion, asked: Matrix, exact: NDArray[np.int64], ef: int
) -> tuple[object, ...]:
    """Ask every question twice, the first time to warm up."""
    form = Form.of(version)
    name = "nearest_by_bits" if form.vectors == "binary" else "nearest"
    statement = search_statement(name, form, False, ())
    await connection.execute(SEARCH["settings"], {"ef_search": str(ef)})
    query = (
        f"select document_id, n.* from ({statement}) n join pgvector_{version.id}.chunk using (id)"
    )
    hits, took = 0, []
    for vector, nearest in zip([*asked, *asked], [*exact, *exact], strict=True):
        given = {"principals": ["everyone"], "vector": vector, "limit": CANDIDATES, **BITS}
        begun = time.perf_counter()
        cursor = await connection.execute(query, given, binary=True)
        found = sorted(await cursor.fetchall(), key=lambda row: -row[-1])[:K]
        took.append((time.perf_counter() - begun) * 1000)
        hits += len({document for document, *_ in found} & set(nearest.tolist()))
    p50, p95 = np.percentile(took[QUESTIONS:], [50, 95])
    return ef, f"{hits / 2 / exact.size:.3f}", f"{p50:.1f}", f"{p95:.1f}"


if __name__ == "__main__":
    main()
