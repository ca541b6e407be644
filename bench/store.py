"""Storing chunks: rows a second, against bare COPY and langchain-postgres.

    python bench/store.py DATA [--chunks 20000 100000] [--peer-python PYTHON]

DATA holds `corpus.jsonl`. PYTHON is an environment with langchain-postgres and psycopg[binary];
without it the table has no peer. "live" adds a tenth of the chunks to an index that is complete.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import corpus
import numpy as np
import server
from bot_pgvector import index
from pgvector.psycopg import register_vector_async
from table import show

from bot.database import Database
from bot.document import Chunk, Document, IndexVersion
from bot.indexing.ledger import Cut, Entry, Ledger, content_hash
from bot.plugins import Plugins

BATCH = 1000
PEER = Path(__file__).parent / "peers" / "langchain_store.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--chunks", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--peer-python", type=Path)
    options = parser.parse_args()
    for count in options.chunks:
        rates = asyncio.run(measure(options.data, count, options.peer_python))
        peers = {"live": rates.get("langchain-postgres, live")}
        rows = []
        for name, rate in rates.items():
            peer = peers["live"] if "live" in name else rates.get("langchain-postgres")
            against = f"{rate / peer:.1f}" if peer else "–"
            rows.append((name, round(rate), f"{rate / rates['bare COPY']:.2f}", against))
        show(f"{count:,} chunks", ("way", "rows/s", "÷ bare COPY", "÷ langchain-postgres"), rows)


async def measure(data: Path, count: int, peer: Path | None) -> dict[str, float]:
    chunks, _ = corpus.make(data, count + count // 10)
    first, more = chunks[:count], chunks[count:]
    rates: dict[str, float] = {}
    async with server.fresh() as (database, version, plugins):
        rates["bare COPY"] = await bare_copy(database, first)
        rates["text and vectors alone"] = await text_and_vectors(database, version, first)
    async with server.fresh() as (database, version, plugins):
        rates["complete with postings"] = await complete(database, version, first)
        rates["postings merged, graph built"] = await finished(database, version, first, rates)
        rates["live, all indexes"] = await complete(database, version, more)
    async with server.fresh() as (database, version, plugins):
        rates["complete, through the ledger"] = await ledger(database, version, plugins, first)
    if peer is not None:
        async with server.fresh() as (database, version, plugins):
            rates |= await asyncio.to_thread(langchain, peer, database.conninfo, first, more)
    return rates


async def bare_copy(database: Database, chunks: Sequence[Chunk]) -> float:
    """COPY id, text and vector into a table without an index."""
    async with database.connection() as connection:
        await register_vector_async(connection)
        await connection.execute(
            "create table bare (id bigint primary key, text text, embedding vector(384))"
        )
        started = time.perf_counter()
        async with connection.cursor().copy(
            "copy bare (id, text, embedding) from stdin (format binary)"
        ) as copy:
            copy.set_types(["int8", "text", "vector"])
            for chunk in chunks:
                await copy.write_row((chunk.document_id, chunk.text, chunk.vector))
        return len(chunks) / (time.perf_counter() - started)


async def text_and_vectors(
    database: Database, version: IndexVersion, chunks: Sequence[Chunk]
) -> float:
    started = time.perf_counter()
    for batch in batches(chunks):
        async with database.transaction() as connection:
            await register_vector_async(connection)
            ids = await index.reserve(version, len(batch), connection)
            await index.copy_chunks(version, ids, batch, connection)
    return len(chunks) / (time.perf_counter() - started)


async def complete(database: Database, version: IndexVersion, chunks: Sequence[Chunk]) -> float:
    started = time.perf_counter()
    for batch in batches(chunks):
        async with database.transaction() as connection:
            await index.add(version, batch, connection)
    return len(chunks) / (time.perf_counter() - started)


async def finished(
    database: Database, version: IndexVersion, chunks: Sequence[Chunk], rates: dict[str, float]
) -> float:
    """Everything until the index is as fast as it gets, the time to store included."""
    started = time.perf_counter()
    async with database.transaction() as connection:
        await index.finish(version, connection)
    took = time.perf_counter() - started + len(chunks) / rates["complete with postings"]
    return len(chunks) / took


async def ledger(
    database: Database, version: IndexVersion, plugins: Plugins, chunks: Sequence[Chunk]
) -> float:
    """As a sync stores them: documents, ledger and chunks in one transaction a batch."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            "insert into source (name, type, readers) values ('bench', 'jsonl', '{everyone}')"
            " returning id"
        )
        ((source,),) = await cursor.fetchall()
    books = Ledger(database, plugins.manager, source, "bench")
    started = time.perf_counter()
    for batch in batches(chunks):
        await books.write([entry(chunk, version) for chunk in batch])
    return len(chunks) / (time.perf_counter() - started)


def entry(chunk: Chunk, version: IndexVersion) -> Entry:
    document = Document(key=chunk.id, text=chunk.text, title=chunk.title, passage_id=chunk.id)
    cut = Cut(chunk.text, 0, len(chunk.text), chunk.title, chunk.vector)
    readers = frozenset(chunk.readers)
    return Entry(document, readers, content_hash(document), None, {version.id: [cut]})


def langchain(
    python: Path, conninfo: str, first: Sequence[Chunk], more: Sequence[Chunk]
) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        chunks = [*first, *more]
        np.save(f"{folder}/vectors.npy", np.stack([chunk.vector for chunk in chunks]))
        Path(folder, "texts.json").write_text(json.dumps([chunk.text for chunk in chunks]))
        done = subprocess.run(
            [str(python), str(PEER), folder, conninfo, str(len(first)), str(BATCH)],
            check=True,
            capture_output=True,
            text=True,
        )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def batches(chunks: Sequence[Chunk]) -> list[Sequence[Chunk]]:
    return [chunks[start : start + BATCH] for start in range(0, len(chunks), BATCH)]


if __name__ == "__main__":
    main()
