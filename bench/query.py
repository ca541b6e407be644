"""Searching: milliseconds a question, against bare SQL, full-text search and langchain-postgres.

    python bench/query.py DATA [--chunks 20000 100000] [--peer-python PYTHON]

DATA holds `corpus.jsonl`. The questions' vectors are given, so that nothing but the search is
timed. "recall" is how many of the ten nearest vectors a search finds. Bare SQL has a graph built
like ours, and walks as far; with pgvector's own `ef_search` it is faster, and misses more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import corpus
import numpy as np
import psycopg
import server
from bot_pgvector import PgvectorSettings, index, make
from bot_pgvector.retrieval import Retriever, ef_search
from numpy.typing import NDArray
from pgvector.psycopg import register_vector_async
from table import show

from bot import Context, Passage, Turn
from bot.database import Connection, Database
from bot.document import Chunk, IndexVersion

BARE = "select id, text from bare order by embedding <#> %b limit 10"
FULL_TEXT = """
select id, text from bare, to_tsquery('english', %s) query where words @@ query
order by ts_rank_cd(words, query) desc limit 10
"""
PEER = Path(__file__).parent / "peers" / "langchain_query.py"

Ask = Callable[[int], Awaitable[object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--chunks", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--peer-python", type=Path)
    options = parser.parse_args()
    for count in options.chunks:
        times, recall = asyncio.run(measure(options.data, count, options.peer_python))
        bare = float(np.median(times["bare SQL, vectors"]))
        rows = [
            (name, float(np.median(each)), float(np.percentile(each, 95)),
             f"{np.median(each) / bare:.2f}", recall.get(name, "–"))
            for name, each in times.items()
        ]  # fmt: skip
        columns = ("way", "p50 ms", "p95 ms", "÷ bare SQL, vectors", "recall@10")
        show(f"{count:,} chunks", columns, rows)


async def measure(
    data: Path, count: int, peer: Path | None
) -> tuple[dict[str, Sequence[float]], dict[str, str]]:
    chunks, questions = corpus.make(data, count)
    vectors = corpus.questions(np.stack([chunk.vector for chunk in chunks]), len(questions))
    async with server.fresh() as (database, version, _):
        await fill(database, version, chunks)
        ways = {
            f"domainbot, {mode}": ours(
                retriever(mode, database, questions, vectors), version, questions
            )
            for mode in MODES
        }
        ways = {**await bare(database, questions, vectors, ef_search(count)), **ways}
        times = await in_turns(ways)
        by_vector = {name: ask for name, ask in ways.items() if "vector" in name}
        recall = await compare(by_vector, chunks, vectors)
        if peer is not None:
            times["langchain-postgres, vectors"] = await asyncio.to_thread(
                langchain, peer, database.conninfo, chunks, vectors
            )
    return times, recall


MODES = ("vector", "lexical", "hybrid")


async def fill(database: Database, version: IndexVersion, chunks: Sequence[Chunk]) -> None:
    """Index the chunks, and put them into a bare table with the same kinds of index."""
    for start in range(0, len(chunks), 1000):
        async with database.transaction() as connection:
            await index.add(version, chunks[start : start + 1000], connection)
    async with database.transaction() as connection:
        await index.finish(version, connection)
    async with database.connection() as connection:
        await connection.execute("set maintenance_work_mem = '1GB'")
        for statement in (
            f"create table bare as select id, text, embedding from pgvector_{version.id}.chunk",
            "alter table bare add words tsvector"
            " generated always as (to_tsvector('english', text)) stored",
            "create index on bare using hnsw (embedding vector_ip_ops)"
            " with (m = 16, ef_construction = 200)",
            "create index on bare using gin (words)",
            "analyze bare",
        ):
            await connection.execute(statement)
        await connection.execute("reset maintenance_work_mem")


async def bare(
    database: Database, questions: Sequence[str], vectors: NDArray[np.float32], reach: int
) -> dict[str, Ask]:
    """The same searches as one prepared statement each, on connections of their own.

    Args:
        reach: how many chunks a walk keeps in view.
    """

    async def connected() -> Connection:
        connection = await psycopg.AsyncConnection.connect(database.conninfo, autocommit=True)
        await register_vector_async(connection)
        return connection

    short, long = await connected(), await connected()
    await long.execute("select set_config('hnsw.ef_search', %s, false)", (str(reach),))

    def by_vector(connection: Connection) -> Ask:
        async def ask(number: int) -> object:
            cursor = await connection.execute(BARE, (vectors[number],), binary=True)
            return await cursor.fetchall()

        return ask

    async def by_words(number: int) -> object:
        words = " | ".join(w for w in questions[number].split() if w.isalnum()) or "nothing"
        return await (await short.execute(FULL_TEXT, (words,), binary=True)).fetchall()

    return {
        "bare SQL, vectors": by_vector(long),
        "bare SQL, vectors, pgvector's ef_search": by_vector(short),
        "bare SQL, GIN and ts_rank_cd": by_words,
    }


def retriever(
    mode: str, database: Database, questions: Sequence[str], vectors: NDArray[np.float32]
) -> Retriever:
    given = dict(zip(questions, vectors, strict=True))

    async def embed(texts: Sequence[str], purpose: str, version: IndexVersion) -> object:
        return [given[text] for text in texts]

    settings = PgvectorSettings.model_validate({"mode": mode})
    context = Context(home=Path(), database=database, embed=embed)
    return make(mode, settings, context)


def ours(asked: Retriever, version: IndexVersion, questions: Sequence[str]) -> Ask:
    sources = frozenset({"bench"})
    turns = [
        Turn(id="bench", question=one, queries=(one,), k=10, index=version, sources=sources)
        for one in questions
    ]

    async def ask(number: int) -> object:
        return await asked.bot_retrieve(turns[number])

    return ask


async def in_turns(ways: dict[str, Ask], questions: int = 300) -> dict[str, Sequence[float]]:
    """Ask 25 questions in every way, then the next, so that noise hits all alike.

    The order is drawn each time: what stands behind another way finds its pages in the caches.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    chance = random.Random(0)
    for first in range(0, questions, 25):
        for name, ask in chance.sample(list(ways.items()), len(ways)):
            for number in range(first - 10, first + 25):  # the first ten warm up
                started = time.perf_counter()
                await ask(number % questions)
                if number >= first:
                    times[name].append((time.perf_counter() - started) * 1000)
    return dict(times)


async def compare(
    ways: dict[str, Ask], chunks: Sequence[Chunk], vectors: NDArray[np.float32]
) -> dict[str, str]:
    """Recall@10 of searches by vector against comparing with every chunk."""
    nearest = np.argsort(-(vectors @ np.stack([c.vector for c in chunks]).T), axis=1)[:, :10]
    recall: dict[str, str] = {}
    for name, ask in ways.items():
        hits = 0
        for number, exact in enumerate(nearest):
            hits += len({_number(one) for one in await ask(number)} & set(exact.tolist()))
        recall[name] = f"{hits / nearest.size:.3f}"
    return recall


def _number(found: object) -> int:
    """The number of a chunk, of a passage or of a bare row."""
    return int(found.id) if isinstance(found, Passage) else found[0] - 1


def langchain(
    python: Path, conninfo: str, chunks: Sequence[Chunk], vectors: NDArray[np.float32]
) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/vectors.npy", np.stack([chunk.vector for chunk in chunks]))
        np.save(f"{folder}/questions.npy", vectors)
        Path(folder, "texts.json").write_text(json.dumps([chunk.text for chunk in chunks]))
        done = subprocess.run(
            [str(python), str(PEER), folder, conninfo], check=True, capture_output=True, text=True
        )
    found: list[float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
