"""A bot of toys over the real index, and what its index versions are made of."""

import asyncio
import hashlib
from contextlib import asynccontextmanager

import bot_pgvector
import numpy as np
import toys

from bot import Document, hookimpl
from bot.indexing import rebuild, status, versions
from bot.worker import Worker

PATIENCE = 60


PLUGINS = {"pgvector": bot_pgvector}


CONFIG = """
[assistants.default]
retrievers = ["documents"]
generator = "speaker"
[retrievers.documents]
mode = "lexical"
type = "pgvector"
[generators.speaker]
[limits]
retrieve = 60
[sources.handbook]
type = "memory"
[index]
embedder = "hash"
splitter = "paragraphs"
"""


class Width(toys.Empty):
    width: int = 0  # characters of a piece; 0 takes whole paragraphs


class Embedder(toys.HashEmbedder):
    """Waits at `gate` while that is closed; fails at a text that holds `poison`."""

    def __init__(self, dimensions):
        super().__init__()
        self.dimensions = dimensions
        self.gate = asyncio.Event()
        self.gate.set()
        self.waits = asyncio.Event()
        self.poison = ""

    @hookimpl
    async def bot_embed(self, texts, purpose):
        if purpose == "document":
            self.waits.set()
            await self.gate.wait()
            self.texts += texts
        if self.poison and any(self.poison in text for text in texts):
            raise ValueError("what is this?")
        digests = [hashlib.sha256(t.encode()).digest()[: self.dimensions] for t in texts]
        vectors = np.array([list(digest) for digest in digests], dtype=np.float32) - 127.5
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    @hookimpl
    def bot_embedder_identity(self):
        return {"name": f"hash-{self.dimensions}", "dimensions": self.dimensions}


class Toys:
    def __init__(self):
        self.loader = toys.Memory()
        self.embedders = {"hash": Embedder(8), "long": Embedder(16)}
        self.gone = set()

    @hookimpl
    def bot_components(self):
        return [
            toys.component("generator", "speaker", lambda *_: toys.Speaker("Yes [1].")),
            toys.component("loader", "memory", lambda *_: self.loader),
            toys.component("splitter", "paragraphs", lambda *_: toys.Paragraphs(), Width),
        ] + [
            toys.component("embedder", name, lambda *_, one=one: one)
            for name, one in self.embedders.items()
            if name not in self.gone
        ]


def doc(key, text, **more):
    return Document(key=key, text=text, fingerprint=f"{text}{more}", uri=f"doc:{key}", **more)


async def held(bot, version):
    """What a version holds: (key, text) pairs; nothing of it is without its document."""
    async with bot.database.connection() as connection:
        cursor = await connection.execute(
            f"select d.key, c.text, d.text, c.start, c.stop from pgvector_{version}.chunk c"
            " left join document d on d.id = c.document_id order by 1, 2"
        )
        found = await cursor.fetchall()
        cursor = await connection.execute(
            "select d.key, i.chunks from indexed i join document d on d.id = i.document_id"
            " where version_id = %s and i.content_hash = d.content_hash",
            [version],
        )
        ledger = dict(await cursor.fetchall())
    for key, text, whole, start, stop in found:
        assert key is not None, "a chunk without its document"
        assert whole[start:stop] == text
    keys = [key for key, *_ in found]
    assert ledger == {key: keys.count(key) for key in ledger}
    assert set(keys) <= set(ledger)
    return [(key, text) for key, text, *_ in found]


@asynccontextmanager
async def at_work(bot, **options):
    task = asyncio.create_task(Worker(bot, queues=[rebuild.QUEUE], **options).run())
    try:
        yield
    finally:
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=5)
        if not done:  # a test has failed before it opened the gate
            task.cancel()
            await asyncio.wait({task})


async def overview(bot, version):
    found = await status.read(bot, dropped=True)
    return next(one for one in found.versions if one.version == version)


async def until(bot, version, done):
    async with asyncio.timeout(PATIENCE):
        while not done(one := await overview(bot, version)):  # noqa: ASYNC110 - workers tell nobody
            await asyncio.sleep(0.02)
    return one


async def built(bot, **options):
    """Make a version with other settings, and build it to its end."""
    options = options or {"embedder": "long"}
    version, _ = await rebuild.begin(bot, **options)
    async with at_work(bot):
        await until(bot, version.id, lambda one: one.state != "building" and not one.jobs)
    return version.id


async def live(bot):
    return (await versions.live(bot.database)).id


TEXTS = {f"d{n}": f"text {n} one\ntext {n} two" for n in range(7)}


HELD = [(key, line) for key, text in TEXTS.items() for line in text.splitlines()]
