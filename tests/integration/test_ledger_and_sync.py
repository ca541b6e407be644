"""Syncs against a real server: nothing read or embedded twice, nothing lost, nothing doubled."""

import asyncio
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pluggy
import pytest
import toys

from bot import Document, Skipped, hookimpl, hookspecs
from bot.errors import DocumentError, IndexingError, SourceError
from bot.indexing import sync as module
from bot.indexing.sync import forget

HOLDS = """
select d.key, c.text, d.text, c.start, c.stop, c.readers
from toy_chunk c left join document d on d.id = c.document_id order by d.key, c.ordinal
"""


def doc(key, text, **more):
    return Document(key=key, text=text, fingerprint=f"{text}{more}", **more)


class Bench:
    """The toys in one manager."""

    def __init__(self, database):
        self.database = database
        self.loader = toys.Memory()
        self.embedder = toys.HashEmbedder()
        self.index = toys.TableIndex(database)
        self.manager = pluggy.PluginManager("bot")
        self.manager.add_hookspecs(hookspecs)
        for name, plugin in {
            "loader": self.loader,
            "embedder": self.embedder,
            "splitter": toys.Paragraphs(),
            "index": self.index,
        }.items():
            self.manager.register(plugin, name)

    async def sync(self, *items, **options):
        if items:
            self.loader.items = list(items)
        self.embedder.texts.clear()
        return await toys.sync(self.database, self.manager, **options)


@pytest.fixture
def bench(database):
    return Bench(database)


@pytest.fixture
def holds(rows):
    """What the index holds: (key, chunk) pairs; each chunk is its document's own span."""

    async def ask():
        found = await rows(HOLDS)
        for key, chunk, text, start, stop, _ in found:
            assert key is not None, "a chunk without its document"
            assert text[start:stop] == chunk
        return [(key, chunk) for key, chunk, *_ in found]

    return ask


async def reached(event, task):
    """Wait for an event that a task brings about; its failure is ours."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        await task
        raise AssertionError("the task ended before")


async def test_a_first_sync_stores_everything(bench, holds, rows):
    done = await bench.sync(doc("a", "one\ntwo", title="A"), doc("b", "three"))
    assert (done.found, done.added, done.unchanged, done.embedded) == (2, 2, 0, 3)
    assert done.finished
    assert await holds() == [("a", "one"), ("a", "two"), ("b", "three")]
    assert bench.embedder.texts == ["A\none", "A\ntwo", "\nthree"]
    [(vector,)] = await rows("select vector from toy_chunk where text = 'three'")
    expected = bench.embedder.bot_embed(["\nthree"], "document")[0]
    assert np.allclose(vector, expected)
    assert await rows("select chunks from indexed order by document_id") == [(2,), (1,)]


async def test_a_known_fingerprint_is_neither_read_nor_embedded(bench):
    items = [bench.loader.found(doc("a", "one")), bench.loader.found(doc("b", "two"))]
    await bench.sync(*items)
    bench.loader.read.clear()
    done = await bench.sync()
    assert (done.unchanged, done.added, done.changed) == (2, 0, 0)
    assert bench.loader.read == []
    assert bench.embedder.texts == []


async def test_known_content_under_a_new_fingerprint_is_not_embedded(bench, holds):
    await bench.sync(doc("a", "one"), doc("b", "two"))
    touched = replace(doc("a", "one"), fingerprint="touched")
    done = await bench.sync(touched, doc("b", "new"))
    assert (done.unchanged, done.changed) == (1, 1)
    assert bench.embedder.texts == ["\nnew"]
    assert await holds() == [("a", "one"), ("b", "new")]
    assert (await bench.sync()).unchanged == 2


async def test_a_document_without_a_fingerprint_is_compared_by_content(bench):
    plain = Document(key="a", text="one")
    await bench.sync(plain)
    assert (await bench.sync(plain)).unchanged == 1
    assert bench.embedder.texts == []


@pytest.mark.parametrize("change", [{"title": "T"}, {"metadata": {"a": 1}}, {"format": "markdown"}])
async def test_all_that_a_chunk_is_made_of_counts_as_content(bench, change):
    await bench.sync(doc("a", "one"))
    assert (await bench.sync(doc("a", "one", **change))).changed == 1
    assert len(bench.embedder.texts) == 1


async def test_what_the_source_does_not_hold_any_more_is_deleted(bench, holds, rows):
    await bench.sync(doc("a", "one"), doc("b", "two"))
    assert (await bench.sync(doc("b", "two"))).deleted == 1
    assert await holds() == [("b", "two")]
    assert await rows("select count(*) from document") == [(1,)]
    bench.loader.items = []
    assert (await bench.sync()).deleted == 1
    assert await holds() == []


async def test_deletions_stay_within_their_source(bench, holds):
    await bench.sync(doc("a", "one"), name="first")
    await bench.sync(doc("a", "two"), name="second")
    assert sorted(await holds()) == [("a", "one"), ("a", "two")]


@pytest.mark.parametrize("error", [SourceError("unplugged"), OSError("disk"), SystemExit(1)])
async def test_a_loader_that_fails_half_way_deletes_nothing(bench, holds, error):
    await bench.sync(doc("a", "one"), doc("b", "two"))
    with pytest.raises(SourceError):
        await bench.sync(doc("a", "one"), error)
    assert await holds() == [("a", "one"), ("b", "two")]
    assert (await bench.sync(doc("a", "one"), doc("b", "two"))).unchanged == 2


async def test_new_readers_of_a_source_reach_the_index_without_embedding(bench, rows):
    own = doc("own", "mine", readers=frozenset({"group:hr"}))
    await bench.sync(doc("a", "one"), own, readers=["everyone"])
    await bench.sync(readers=["email:a@x"])
    assert bench.embedder.texts == []
    expected = [("mine", ["group:hr"]), ("one", ["email:a@x"])]
    assert await rows("select text, readers from toy_chunk order by text") == expected
    assert await rows("select text, readers from document order by text") == expected


async def test_readers_are_narrowed_even_when_the_source_cannot_be_read(bench, rows):
    await bench.sync(doc("a", "one"))
    with pytest.raises(SourceError):
        await bench.sync(SourceError("unplugged"), readers=["group:hr"])
    assert await rows("select readers from toy_chunk") == [(["group:hr"],)]


async def test_new_readers_of_a_document_reach_the_index_without_embedding(bench, rows):
    await bench.sync(doc("a", "one"))
    await bench.sync(doc("a", "one", readers=frozenset({"group:hr"})))
    assert bench.embedder.texts == []
    assert await rows("select readers from toy_chunk") == [(["group:hr"],)]
    await bench.sync(doc("a", "one"))
    assert await rows("select readers from toy_chunk") == [(["everyone"],)]


async def test_an_unreadable_document_is_told_once_and_what_was_known_stays(bench, holds, rows):
    await bench.sync(doc("a", "one"), doc("b", "two"))
    broken = bench.loader.found(doc("a", "changed"), error=DocumentError("a is encrypted"))
    done = await bench.sync(broken, doc("b", "two"))
    assert (done.unreadable, done.problems) == (1, [("a", "a is encrypted")])
    assert await holds() == [("a", "one"), ("b", "two")]
    done = await bench.sync()
    assert (done.unreadable, done.problems) == (1, [])
    done = await bench.sync(bench.loader.found(doc("a", "changed")), doc("b", "two"))
    assert (done.unreadable, done.changed) == (0, 1)
    assert await holds() == [("a", "changed"), ("b", "two")]
    assert await rows("select * from unreadable") == []


async def test_skipped_with_a_key_keeps_the_document(bench, holds):
    await bench.sync(doc("a", "one"), doc("b", "two"))
    skipped = Skipped(where="line 1", reason="not JSON", key="a")
    done = await bench.sync(skipped, Skipped(where="line 2", reason="not JSON"))
    assert done.problems == [("line 1", "not JSON"), ("line 2", "not JSON")]
    assert await holds() == [("a", "one")]


async def test_a_key_that_stands_twice_is_taken_once(bench, holds):
    done = await bench.sync(doc("a", "one"), doc("a", "two"), doc("b", "three"))
    assert [place for place, _ in done.problems] == ["a"]
    assert await holds() == [("a", "one"), ("b", "three")]


async def test_text_that_postgresql_cannot_hold_is_stored_without_it(bench, holds):
    done = await bench.sync(doc("a", "one\0 \ud800two", title="T\0", metadata={"m": "x\0y"}))
    assert done.added == 1
    assert await holds() == [("a", "one ?two")]


async def test_a_document_without_text_is_known_and_has_no_chunks(bench, holds):
    await bench.sync(doc("a", ""))
    assert await holds() == []
    assert (await bench.sync()).unchanged == 1


async def test_a_failing_index_rolls_its_batch_back_and_the_next_sync_goes_on(
    bench, holds, rows, monkeypatch
):
    monkeypatch.setattr(module, "BATCH", 2)
    documents = [doc(f"{n}", f"text {n}") for n in range(6)]
    bench.index.refuses = "text 3"
    with pytest.raises(IndexingError, match="index: bot_index_add raised RuntimeError"):
        await bench.sync(*documents)
    assert await holds() == [("0", "text 0"), ("1", "text 1")]
    assert await rows("select count(*) from document") == [(2,)]
    assert await rows("select count(*) from indexed") == [(2,)]
    bench.index.refuses = ""
    done = await bench.sync()
    assert (done.unchanged, done.added) == (2, 4)
    assert await holds() == [(f"{n}", f"text {n}") for n in range(6)]


async def test_a_change_that_fails_keeps_what_was_there(bench, holds):
    await bench.sync(doc("a", "one"))
    bench.index.refuses = "new"
    with pytest.raises(IndexingError):
        await bench.sync(doc("a", "new"))
    assert await holds() == [("a", "one")]
    bench.index.refuses = ""
    assert (await bench.sync()).changed == 1
    assert await holds() == [("a", "new")]


async def test_a_failing_embedder_stores_nothing_and_is_named(bench, holds):
    class Broken:
        @hookimpl
        def bot_embed(self, texts, purpose):
            raise MemoryError("no room")

    bench.manager.unregister(bench.embedder)
    identity = bench.embedder.bot_embedder_identity
    broken = type("E", (toys.HashEmbedder,), {"bot_embed": Broken.bot_embed})()
    bench.manager.register(broken, "embedder")
    assert identity() == broken.bot_embedder_identity()
    with pytest.raises(IndexingError, match="embedder: bot_embed raised MemoryError: no room"):
        await bench.sync(doc("a", "one"))
    assert await holds() == []


async def test_two_syncs_of_one_source_at_once_the_second_is_refused(bench, holds):
    inside, go_on = asyncio.Event(), asyncio.Event()

    class Waiting:
        @hookimpl
        async def bot_load(self, source):
            inside.set()
            await go_on.wait()
            yield doc("a", "one")

    bench.manager.unregister(bench.loader)
    bench.manager.register(Waiting(), "loader")
    first = asyncio.create_task(bench.sync())
    await reached(inside, first)
    with pytest.raises(IndexingError, match="being synced"):
        await bench.sync()
    go_on.set()
    assert (await first).added == 1
    assert (await bench.sync()).unchanged == 1
    assert await holds() == [("a", "one")]


async def test_a_cancelled_sync_keeps_its_finished_batches_and_frees_the_source(
    bench, holds, monkeypatch
):
    monkeypatch.setattr(module, "BATCH", 5)
    documents = [doc(f"{n:03}", f"text {n}") for n in range(40)]
    started = asyncio.Event()

    def told(progress):
        if progress.stored >= 10:
            started.set()

    task = asyncio.create_task(bench.sync(*documents, told=told))
    await reached(started, task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    kept = len(await holds())
    assert kept >= 10
    done = await bench.sync()
    assert (done.unchanged, done.added) == (kept, 40 - kept)
    assert await holds() == [(f"{n:03}", f"text {n}") for n in range(40)]


KILLED = """
    import asyncio, sys, time
    import pluggy, toys
    from bot import Document, hookspecs
    from bot.database import Database
    from bot.indexing import sync as module

    module.BATCH = 10

    class Slow(toys.TableIndex):
        async def bot_index_add(self, version, chunks, connection):
            await toys.TableIndex.bot_index_add(self, version, chunks, connection)
            print("inside", flush=True)
            await asyncio.sleep(0.01)
        bot_index_add.bot_impl = toys.TableIndex.bot_index_add.bot_impl

    async def main():
        database = Database(sys.argv[1])
        await database.open()
        manager = pluggy.PluginManager("bot")
        manager.add_hookspecs(hookspecs)
        documents = [
            Document(key=f"{n:03}", text=f"a {n}\\nb {n}", fingerprint="1") for n in range(200)
        ]
        manager.register(toys.Memory(*documents), "loader")
        manager.register(toys.HashEmbedder(), "embedder")
        manager.register(toys.Paragraphs(), "splitter")
        manager.register(Slow(), "index")
        await toys.sync(database, manager)
        print("finished", flush=True)

    asyncio.run(main())
"""


async def test_a_killed_sync_loses_and_doubles_nothing(bench, conninfo, holds):
    """Killed inside a batch again and again; each run goes on from the last one's batches."""
    kept = []
    for batches in (3, 5, 2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", textwrap.dedent(KILLED), conninfo,
            stdout=subprocess.PIPE, env={"PYTHONPATH": str(Path(toys.__file__).parent)},
        )  # fmt: skip
        for _ in range(batches):
            assert await process.stdout.readline() == b"inside\n"
        process.send_signal(signal.SIGKILL)
        await process.wait()
        kept.append(len(await holds()))
    assert 0 < kept[0] < kept[1] < kept[2] < 400
    documents = [Document(key=f"{n:03}", text=f"a {n}\nb {n}", fingerprint="1") for n in range(200)]
    for _ in range(100):  # the server may not have noticed the last kill yet
        try:
            done = await bench.sync(*documents)
        except IndexingError:
            await asyncio.sleep(0.05)
        else:
            break
    assert done.unchanged == len(set(await holds())) // 2 - done.added
    assert done.added < 200
    assert await holds() == [(f"{n:03}", f"{p} {n}") for n in range(200) for p in "ab"]


async def test_a_forgotten_source_leaves_nothing(bench, holds, rows):
    await bench.sync(doc("a", "one"), name="first")
    await bench.sync(doc("b", "two"), name="second")
    assert await forget(bench.database, bench.manager, "first") is True
    assert await holds() == [("b", "two")]
    assert await rows("select name from source") == [("second",)]
    assert await forget(bench.database, bench.manager, "first") is False


async def test_a_source_that_is_being_synced_is_not_forgotten(bench, holds):
    inside, go_on = asyncio.Event(), asyncio.Event()

    class Waiting:
        @hookimpl
        async def bot_load(self, source):
            yield doc("a", "one")
            inside.set()
            await go_on.wait()

    bench.manager.unregister(bench.loader)
    bench.manager.register(Waiting(), "loader")
    syncing = asyncio.create_task(bench.sync())
    await reached(inside, syncing)
    with pytest.raises(IndexingError, match="being synced"):
        await forget(bench.database, bench.manager, "source")
    go_on.set()
    await syncing
    assert await holds() == [("a", "one")]


async def test_the_index_is_finished_after_each_sync(bench):
    await bench.sync(doc("a", "one"))
    await bench.sync()
    assert bench.index.finished == 2


async def test_one_unexpected_error_in_one_document_stops_no_other(bench, holds):
    broken = bench.loader.found(doc("b", "two"), error=PermissionError("b: denied"))
    done = await bench.sync(doc("a", "one"), broken, doc("c", "three"))
    assert await holds() == [("a", "one"), ("c", "three")]
    assert [place for place, _ in done.problems] == ["b"]


async def test_a_key_that_postgresql_cannot_hold_is_reported_and_stops_no_other(bench, holds):
    done = await bench.sync(doc("bad\udcff", "one"), doc("bad\0", "two"), doc("c", "three"))
    assert [key for key, _ in await holds() if key == "c"] == ["c"]
    assert done.found == 3


async def test_a_version_may_leave_titles_out_of_what_is_embedded(bench, monkeypatch, rows):
    monkeypatch.setitem(toys.SETTINGS, "index", {"headings": False})
    await bench.sync(doc("a", "one", title="A"))
    assert bench.embedder.texts == ["\none"]
    assert await rows("select text from toy_chunk") == [("one",)]
