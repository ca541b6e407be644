"""Small real plugins: a loader from memory, an embedder by hash, an index in one plain table."""

import hashlib
import re

import numpy as np
from pydantic import BaseModel, ConfigDict

from bot import Component, Delta, Found, Passage, Piece, hookimpl
from bot.document import Source
from bot.indexing import building, versions
from bot.indexing.sync import Sync

DIMENSIONS = 8
TABLE = """
create table toy_chunk (
    version int not null, document_id bigint not null, source text not null, ordinal int not null,
    text text not null, start int not null, stop int not null, context text not null,
    readers text[] not null, vector float4[] not null,
    primary key (version, document_id, ordinal)
)
"""


class Empty(BaseModel):
    """Settings of a component that has none."""

    model_config = ConfigDict(extra="forbid")


def component(kind, type_, make, settings=Empty):
    """Offer what `make(name, settings, context)` makes."""
    return Component(kind=kind, type=type_, settings=settings, make=make)


class Memory:
    """Loads what stands in `items`; an exception among them is raised. Counts what it reads."""

    def __init__(self, *items):
        self.items = list(items)
        self.read = []

    @hookimpl
    async def bot_load(self, source):
        for item in self.items:
            if isinstance(item, BaseException):
                raise item
            yield item

    def found(self, document, *, error=None):
        """Offer a document that is read only when its fingerprint is new."""

        async def read():
            self.read.append(document.key)
            if error is not None:
                raise error
            return document

        return Found(key=document.key, fingerprint=document.fingerprint, read=read)


class HashEmbedder:
    """Vectors that depend on the text alone. Remembers what it embedded."""

    def __init__(self):
        self.texts = []

    @hookimpl
    def bot_token_spans(self, texts):
        return [[match.span() for match in re.finditer(r"\S+", text)] for text in texts]

    @hookimpl
    def bot_embed(self, texts, purpose):
        self.texts += texts
        digests = [hashlib.sha256(text.encode()).digest()[:DIMENSIONS] for text in texts]
        vectors = np.array([list(digest) for digest in digests], dtype=np.float32) + 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    @hookimpl
    def bot_embedder_identity(self):
        return {"name": "hash", "sha256": "0", "dimensions": DIMENSIONS, "max_tokens": 100}


class Paragraphs:
    @hookimpl
    def bot_split(self, document, tokens):
        return [Piece(start=m.start(), end=m.end()) for m in re.finditer(r"\S.*", document.text)]


class TableIndex:
    """Keeps chunks in a table of the same database, and finds those that share a word."""

    def __init__(self, database=None):
        self.database = database
        self.refuses = ""  # a text whose chunk it will not take
        self.finished = 0

    @hookimpl
    async def bot_index_add(self, version, chunks, connection):
        for c in chunks:
            await connection.execute(
                "insert into toy_chunk values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (version.id, c.document_id, c.source, c.ordinal, c.text, c.start, c.end,
                 c.context, list(c.readers), [float(x) for x in c.vector]),
            )  # fmt: skip
            if self.refuses and self.refuses in c.text:
                raise RuntimeError(f"I do not take {self.refuses}")

    @hookimpl
    async def bot_index_delete(self, version, document_ids, connection):
        await connection.execute(
            "delete from toy_chunk where version = %s and document_id = any(%s)",
            (version.id, list(document_ids)),
        )

    @hookimpl
    async def bot_index_readers(self, version, readers, connection):
        for document, who in readers.items():
            await connection.execute(
                "update toy_chunk set readers = %s where version = %s and document_id = %s",
                (list(who), version.id, document),
            )

    @hookimpl
    async def bot_index_finish(self, version, connection):
        self.finished += 1

    @hookimpl
    async def bot_retrieve(self, turn):
        words = set(" ".join(turn.queries).lower().split())
        async with self.database.connection() as connection:
            rows = await (
                await connection.execute(
                    "select document_id, ordinal, text, readers from toy_chunk"
                )
            ).fetchall()
        return [
            Passage(id=f"{d}-{n}", text=text, readers=frozenset(readers), title="Toy", uri="toy:")
            for d, n, text, readers in rows
            if words & set(text.lower().split())
        ][: turn.k]


class Fixed:
    """Brings the same passages whatever is asked, even to whom they do not belong."""

    def __init__(self, *passages):
        self.passages = passages
        self.asked = []

    @hookimpl
    def bot_retrieve(self, turn):
        self.asked.append(turn)
        return list(self.passages)


class Speaker:
    """Says these pieces; remembers the prompts."""

    def __init__(self, *pieces):
        self.pieces = pieces
        self.prompts = []

    @hookimpl
    async def bot_generate(self, turn, prompt):
        self.prompts.append(prompt)
        for piece in self.pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece if isinstance(piece, Delta) else Delta(text=piece)


SETTINGS = {
    "embedder": {"type": "hash", "options": {}, "identity": HashEmbedder().bot_embedder_identity()},
    "splitter": {"type": "paragraphs", "options": {}},
}


async def sync(
    database, manager, *, name="source", readers=("everyone",), told=lambda _: None, wishes=None
):
    """Run one sync of the plugin `loader` as the bot would."""
    await versions.seed(database, manager, SETTINGS, DIMENSIONS)

    async def resolve(kind, settings):
        return kind

    async def builders():
        return await building.builders(manager, await versions.writable(database), resolve)

    source = Source(name=name, type="memory", settings=None, readers=frozenset(readers))
    sync = Sync(database, manager, source, "loader", builders, told, wishes=wishes)
    return await sync.run()
