import zlib
from dataclasses import dataclass, field
from itertools import count

import bot_pgvector
import numpy as np
import pytest
from bot_pgvector import index

from bot import Context, Turn, schema
from bot.document import Chunk, IndexVersion
from bot.indexing import versions
from bot.plugins import Plugins

DIMENSIONS = 16


def embed(text: str, dimensions: int = DIMENSIONS) -> np.ndarray:
    """Add up a direction for each word, so that texts with the same words are near.

    What is not ASCII is one unknown word, as it is to an English model.
    """
    vector = np.full(dimensions, 1e-3, np.float32)
    for word in text.encode("ascii", "replace").decode().lower().split():
        word = "[UNK]" if "?" in word else word
        vector += np.random.default_rng(zlib.crc32(word.encode())).standard_normal(dimensions)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass
class Corpus:
    """An index version to fill and to ask."""

    database: object
    version: IndexVersion
    context: Context
    numbers: object = field(default_factory=lambda: count(1))

    def chunk(self, text, **changes):
        document = changes.pop("document_id", None) or next(self.numbers)
        given = {
            "id": f"p{document}",
            "document_id": document,
            "source": "manual",
            "ordinal": 0,
            "start": 0,
            "end": len(text),
            "text": text,
            "vector": embed(text, self.version.dimensions),
            "readers": ("everyone",),
        }
        return Chunk(**{**given, **changes})

    async def add(self, *texts, **changes):
        """Add chunks, one document each, as one batch."""
        chunks = [t if isinstance(t, Chunk) else self.chunk(t, **changes) for t in texts]
        async with self.database.transaction() as connection:
            await index.add(self.version, chunks, connection)
        return chunks

    async def change(self, function, *arguments):
        async with self.database.transaction() as connection:
            await function(self.version, *arguments, connection)

    async def finish(self):
        await self.change(index.finish)

    async def ask(self, question, *, k=10, mode="hybrid", settings=None, **turn):
        settings = bot_pgvector.PgvectorSettings(mode=mode, **(settings or {}))
        retriever = bot_pgvector.make("documents", settings, self.context)
        turn = {"queries": (question,), "k": k, "index": self.version, **turn}
        return await retriever.bot_retrieve(Turn(id="t", question=question, **turn))

    async def texts(self, question, **options):
        return [passage.text for passage in await self.ask(question, **options)]

    async def segments(self):
        async with self.database.connection() as connection:
            cursor = await connection.execute(
                f"select id, chunks, tokens from pgvector_{self.version.id}.segment"
            )
            return await cursor.fetchall()


@pytest.fixture
def make_corpus(database, tmp_path):
    """Make index versions in a database of this test alone."""

    async def make(dimensions=DIMENSIONS, vectors="single"):
        plugins = Plugins()
        plugins.register(bot_pgvector, "pgvector")
        await schema.ensure(database, [schema.core_migrations(), *plugins.migrations()])
        version = await versions.seed(
            database, plugins.manager, {"index": {"vectors": vectors}}, dimensions
        )

        async def embed_all(texts, purpose, version):
            return np.stack([embed(text, version.dimensions) for text in texts])

        context = Context(home=tmp_path, database=database, embed=embed_all)
        return Corpus(database, version, context)

    return make


@pytest.fixture
async def corpus(make_corpus):
    return await make_corpus()
