"""Keeping an index version: chunks with their vectors, postings in segments, and the graph.

Everything is written through the core's connection, inside its transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from math import log

import numpy as np
from pgvector import HalfVector
from pgvector.psycopg import register_vector_async
from psycopg.errors import DiskFull, InsufficientResources
from psycopg.types.json import Jsonb

from bot.database import Connection
from bot.document import Chunk, IndexVersion
from bot_pgvector.analysis import ANALYZER
from bot_pgvector.postings import POSTING, invert, unpack
from bot_pgvector.statements import INDEX, Form, Statement, of, schema

FANOUT = 32  # segments of one size that become one of the next: bounds what a question reads
SMALL = 8  # how many times smaller than the largest segment the others may be together
GRAPH_FROM = 2000  # chunks; below it, comparing with every vector is as fast as the graph
OUTGROWN = 0.25  # growth after which building the graph anew beats adding to it
DEAD = 0.2  # share of deleted chunks in the postings that is worth writing them anew

_NAMESPACE = 0x7067  # first key of the advisory lock, "pg"
_GRAPH_BYTES = 360  # a graph's node besides its vector, at m = 16, with room to spare
_LEAST = 64 << 10  # kB for building a graph


async def begin(version: IndexVersion, connection: Connection) -> None:
    """Make the tables of a version."""
    await connection.execute(of(version)("create"))
    await connection.execute(INDEX["remember"], {"version": version.id, "analyzer": ANALYZER})


async def add(version: IndexVersion, chunks: Sequence[Chunk], connection: Connection) -> None:
    """Add chunks, as one new segment; merge segments where there are many of a size."""
    statement = of(version)
    ids = await reserve(version, len(chunks), connection)
    # Before the lock, as it takes longest: other workers do the same meanwhile.
    inverted = invert(ids, [f"{chunk.context}\n{chunk.text}" for chunk in chunks])
    async with _writing(version, connection):
        await _make_room(version, len(chunks), connection)
        await copy_chunks(version, ids, chunks, connection)
        await _copy_segment(statement, len(ids), inverted.tokens, inverted.postings, connection)
        await _merge_equals(statement, connection)


async def delete(
    version: IndexVersion, document_ids: Sequence[int], connection: Connection
) -> None:
    """Delete chunks. Their postings stay until there are many, and find nothing."""
    await connection.execute(
        of(version)("delete"), {"version": version.id, "documents": list(document_ids)}
    )


async def change_readers(
    version: IndexVersion, readers: Mapping[int, Sequence[str]], connection: Connection
) -> None:
    """Change who may read documents."""
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for document, who in readers.items():
        alike[tuple(who)].append(document)
    for who, documents in alike.items():
        await connection.execute(
            of(version)("readers"), {"readers": list(who), "documents": documents}
        )


async def finish(version: IndexVersion, connection: Connection) -> None:
    """Join small segments, leave out what is deleted, and build the graph when it is missing."""
    statement = of(version)
    async with _writing(version, connection):
        chunks, dead, graphed = await _state(version, connection)
        if dead > DEAD * (chunks + dead):
            await _compact(version, connection)
        else:
            await _merge_small(statement, connection)
        await connection.execute(statement("index_columns"))
        if not graphed and chunks >= GRAPH_FROM:
            await _build_graph(version, chunks, connection)
        await connection.execute(statement("analyze"))


async def _build_graph(version: IndexVersion, chunks: int, connection: Connection) -> None:
    """Build the graph with the memory and the helpers that the server's settings allow."""
    form = Form.of(version)
    if form.dimensions > form.graph_limit:
        return
    needed = chunks * (form.node_bytes + _GRAPH_BYTES) >> 10
    await connection.execute(INDEX["memory"], {"needed": needed, "least": _LEAST})
    statement = of(version)
    try:
        async with connection.transaction():
            await connection.execute(statement("graph"))
    except (DiskFull, InsufficientResources):
        # A container often has too little shared memory for helpers: one process does without.
        await connection.execute(INDEX["alone"])
        await connection.execute(statement("graph"))
    await connection.execute(INDEX["graphed"], {"chunks": chunks, "version": version.id})


async def drop(version: IndexVersion, connection: Connection) -> None:
    """Give everything back."""
    await connection.execute(of(version)("drop"))
    await connection.execute(INDEX["forget"], {"version": version.id})


async def size(version: IndexVersion, connection: Connection) -> int:
    """Add up what the version's tables and indexes take on disk, in bytes."""
    cursor = await connection.execute(INDEX["size"], {"schema": schema(version.id)})
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


@asynccontextmanager
async def _writing(version: IndexVersion, connection: Connection) -> AsyncIterator[None]:
    """Hold the version's lock until the transaction ends: segments are merged by one at a time."""
    await register_vector_async(connection)
    await connection.execute(INDEX["lock"], {"namespace": _NAMESPACE, "version": version.id})
    yield


async def _state(version: IndexVersion, connection: Connection) -> tuple[int, int, int]:
    cursor = await connection.execute(INDEX["state"], {"version": version.id})
    row = await cursor.fetchone()
    assert row is not None
    return row[1], row[2], row[3]


async def reserve(version: IndexVersion, count: int, connection: Connection) -> list[int]:
    """Take ids for chunks that are to be added."""
    cursor = await connection.execute(
        INDEX["reserve"], {"table": f"{schema(version.id)}.chunk", "count": count}
    )
    return [row[0] for row in await cursor.fetchall()]


async def _make_room(version: IndexVersion, count: int, connection: Connection) -> None:
    """Count the new chunks; let go of a graph that is outgrown, `finish` builds another."""
    cursor = await connection.execute(INDEX["added"], {"version": version.id, "chunks": count})
    row = await cursor.fetchone()
    assert row is not None
    chunks, graphed = row
    if graphed and chunks - graphed > max(GRAPH_FROM, OUTGROWN * graphed):
        await connection.execute(of(version)("ungraph"))
        await connection.execute(INDEX["graphed"], {"chunks": 0, "version": version.id})


async def copy_chunks(
    version: IndexVersion, ids: Sequence[int], chunks: Sequence[Chunk], connection: Connection
) -> None:
    """Store texts and vectors."""
    type_ = Form.of(version).type
    async with connection.cursor().copy(of(version)("copy_chunks")) as copy:
        copy.set_types(
            f"int8 int8 int4 int4 int4 text text text text text text text[] jsonb {type_}".split()
        )
        for id_, chunk in zip(ids, chunks, strict=True):
            await copy.write_row(
                (
                    id_,
                    chunk.document_id,
                    chunk.ordinal,
                    chunk.start,
                    chunk.end,
                    chunk.id,
                    chunk.source,
                    chunk.title,
                    chunk.uri,
                    chunk.context,
                    chunk.text,
                    list(chunk.readers),
                    Jsonb(dict(chunk.metadata)),
                    HalfVector(chunk.vector) if type_ == "halfvec" else chunk.vector,
                )
            )


async def _copy_segment(
    statement: Statement,
    chunks: int,
    tokens: int,
    postings: Sequence[tuple[str, bytes]],
    connection: Connection,
) -> None:
    cursor = await connection.execute(
        statement("add_segment"), {"chunks": chunks, "tokens": tokens}
    )
    row = await cursor.fetchone()
    assert row is not None
    segment = row[0]
    async with cursor.copy(statement("copy_postings")) as copy:
        copy.set_types(("text", "int4", "bytea"))
        for term, data in sorted(postings):
            await copy.write_row((term, segment, data))


async def _merge_equals(statement: Statement, connection: Connection) -> None:
    """Merge the segments of a size when there are `FANOUT` of them, as often as that happens."""
    while True:
        sizes: dict[int, list[int]] = defaultdict(list)
        for id_, chunks in await _segments(statement, connection):
            sizes[int(log(max(chunks, 1), FANOUT))].append(id_)
        crowded = next((ids for ids in sizes.values() if len(ids) >= FANOUT), None)
        if crowded is None:
            return
        await connection.execute(statement("merge"), {"segments": crowded})


async def _merge_small(statement: Statement, connection: Connection) -> None:
    """Leave at most two segments, and one when the smaller is not much smaller."""
    *small, (largest, size) = await _segments(statement, connection) or [(0, 0)]
    ids = [id_ for id_, _ in small]
    if sum(chunks for _, chunks in small) * SMALL > size:
        ids.append(largest)
    if len(ids) > 1:
        await connection.execute(statement("merge"), {"segments": ids})


async def _segments(statement: Statement, connection: Connection) -> list[tuple[int, int]]:
    return await (await connection.execute(statement("segments"))).fetchall()


async def _compact(version: IndexVersion, connection: Connection) -> None:
    """Write the postings anew, without the deleted chunks."""
    statement = of(version)
    cursor = await connection.execute(statement("alive"), binary=True)
    alive = np.fromiter((row[0] for row in await cursor.fetchall()), np.uint32)
    kept: list[tuple[str, bytes]] = []
    lengths: dict[int, int] = {}
    async with connection.cursor(binary=True) as reading:
        await reading.execute(statement("all_postings"))
        async for term, data in reading:
            postings = np.frombuffer(data, POSTING)
            ids, length, _ = unpack(postings)
            still = np.isin(ids, alive)
            if still.any():
                kept.append((term, postings[still].tobytes()))
                lengths.update(zip(ids[still].tolist(), length[still].tolist(), strict=True))
    await connection.execute(statement("empty_postings"))
    if kept:
        await _copy_segment(statement, len(alive), sum(lengths.values()), kept, connection)
    await connection.execute(INDEX["compacted"], {"version": version.id})
