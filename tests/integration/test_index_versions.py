"""Index versions on a real database with the real index: nothing goes down, nothing is lost."""

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import replace

import bot_pgvector
import numpy as np
import pytest
import toys

from bot import Document, hookimpl
from bot import worker as working
from bot.cli import working as waiting
from bot.errors import DatabaseError, IndexingError, MassDeletion, NotFound, UsageError
from bot.evaluation import golden
from bot.indexing import estimate, promotion, rebuild, status, versions
from bot.indexing.drift import drift
from bot.jobs import Job, defer
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


@pytest.fixture
def offered():
    return Toys()


@pytest.fixture
async def bot(make_bot):
    async with make_bot() as made:
        yield made


@pytest.fixture
def fill(bot, offered):
    """Sync these documents: keys with their texts."""

    async def sync(_documents=None, **texts):
        offered.loader.items = _documents or [doc(key, text) for key, text in texts.items()]
        [progress] = await bot.sync()
        return progress

    return sync


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(working, "POLL", 0.05)
    monkeypatch.setattr(working, "LONGEST_WAIT", 0)
    monkeypatch.setattr(rebuild, "LOOK", 0.05)


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


async def test_a_rebuild_is_made_of_stored_texts_beside_the_live_version(bot, fill, offered):
    await fill(**TEXTS)
    offered.loader.items = [OSError("the source is gone")]
    version = await built(bot)
    assert (await overview(bot, version)).state == "ready"
    assert await held(bot, version) == HELD == await held(bot, 1)
    assert await live(bot) == 1
    found = await versions.writable(bot.database)
    assert [one.dimensions for one in found] == [8, 16]


async def test_the_live_version_answers_while_another_is_built(bot, fill, offered):
    await fill(**TEXTS)
    offered.embedders["long"].gate.clear()
    version, _ = await rebuild.begin(bot, embedder="long")
    async with at_work(bot):
        await offered.embedders["long"].waits.wait()
        passages, run = await bot.search("text 3 one")
        assert [passages[0].text, run.notices] == ["text 3 one", ()]
        assert (await overview(bot, version.id)).state == "building"
        offered.embedders["long"].gate.set()
        await until(bot, version.id, lambda one: one.state == "ready")


async def test_what_changes_during_a_rebuild_reaches_both(bot, fill, offered):
    await fill(**TEXTS)
    embedder = offered.embedders["long"]
    embedder.gate.clear()
    version, _ = await rebuild.begin(bot, embedder="long")
    async with at_work(bot):
        await embedder.waits.wait()
        changed = {**TEXTS, "d0": "changed", "new": "new"}
        del changed["d1"]
        done = await fill(**changed)
        assert (done.added, done.changed, done.deleted) == (1, 1, 1)
        embedder.gate.set()
        await until(bot, version.id, lambda one: one.state == "ready")
    expected = sorted((k, line) for k, text in changed.items() for line in text.splitlines())
    assert await held(bot, version.id) == expected == await held(bot, 1)


async def test_readers_that_are_narrowed_during_a_rebuild_are_so_in_it(bot, fill, offered, rows):
    await fill(secret="text")
    embedder = offered.embedders["long"]
    embedder.gate.clear()
    version, _ = await rebuild.begin(bot, embedder="long")
    async with at_work(bot):
        await embedder.waits.wait()
        await fill([doc("secret", "text", readers=frozenset({"group:hr"}))])
        embedder.gate.set()
        await until(bot, version.id, lambda one: one.state == "ready")
    assert await rows(f"select readers from pgvector_{version.id}.chunk") == [(["group:hr"],)]


async def test_what_changes_after_a_rebuild_reaches_both_and_is_embedded_once(bot, fill, offered):
    await fill(**TEXTS)
    version = await built(bot, changes={"splitter.width": 3})
    offered.embedders["hash"].texts.clear()
    done = await fill(**{**TEXTS, "d0": "changed"})
    assert offered.embedders["hash"].texts == ["\nchanged"]
    assert done.embedded == 1
    assert await held(bot, version) == await held(bot, 1)
    await promotion.promote(bot, version, instead_of=1)


async def test_two_operators_begin_a_rebuild_one_wins_and_the_other_is_told(bot, fill):
    await fill(**TEXTS)
    begun = await asyncio.gather(
        rebuild.begin(bot, embedder="long"),
        rebuild.begin(bot, changes={"splitter.width": 3}),
        return_exceptions=True,
    )
    [told] = [one for one in begun if isinstance(one, IndexingError)]
    [(version, new)] = [one for one in begun if not isinstance(one, Exception)]
    assert new
    assert f"version {version.id} is being built, with other settings" in str(told)
    again, new = (
        await rebuild.begin(bot, embedder="long")
        if version.dimensions == 16
        else (await rebuild.begin(bot, changes={"splitter.width": 3}))
    )
    assert (again.id, new) == (version.id, False)


async def test_a_rebuild_that_is_done_is_not_done_again(bot, fill):
    await fill(**TEXTS)
    version = await built(bot)
    again, new = await rebuild.begin(bot, embedder="long")
    assert (again.id, again.state, new) == (version, "ready", False)
    other, new = await rebuild.begin(bot)
    assert (other.id, new) == (version + 1, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"changes": {"splitter.widht": 3}}, "--set splitter.widht"),
        ({"changes": {"splitter.width": "x"}}, "--set splitter.width"),
        ({"changes": {"nothing.width": 3}}, "--set takes embedder.KEY"),
        ({"changes": {"index.vectors": "tiny"}}, "single, half or binary"),
        ({"changes": {"index.lists": 3}}, "only index.vectors"),
    ],
)
async def test_a_setting_that_is_none_begins_nothing(bot, fill, options, message):
    await fill(**TEXTS)
    with pytest.raises(UsageError, match=message):
        await rebuild.begin(bot, **options)
    assert len((await status.read(bot)).versions) == 1


async def test_promotion_and_rollback(bot, fill):
    await fill(**TEXTS)
    version = await built(bot)
    verdict, before = await promotion.evaluate(bot, version)
    assert (verdict.outcome, before) == ("no golden set", 1)
    await promotion.promote(bot, version, instead_of=1)
    one = await overview(bot, version)
    assert (one.state, one.verdict) == ("live", {"outcome": "not evaluated"})
    assert (await overview(bot, 1)).state == "retired"
    passages, _ = await bot.search("text 3 one")
    assert passages[0].text == "text 3 one"
    back, lacking = await promotion.rollback(bot)
    assert (back.id, lacking, await live(bot)) == (1, 0, 1)
    with pytest.raises(NotFound, match="no version to go back to"):
        await promotion.rollback(bot)


async def test_a_rollback_never_shows_what_has_changed_and_catches_up(bot, fill):
    await fill(**TEXTS)
    version = await built(bot)
    await promotion.promote(bot, version, instead_of=1)
    changed = {**TEXTS, "d0": "changed", "new": "new"}
    del changed["d1"]
    await fill(**changed)
    _, lacking = await promotion.rollback(bot)
    assert lacking == 2
    stale = {"d0", "d1", "new"}
    assert await held(bot, 1) == [(k, line) for k, line in HELD if k not in stale]
    async with at_work(bot):
        await until(bot, 1, lambda one: not one.jobs)
    assert await held(bot, 1) == await held(bot, version)


async def test_two_promotions_at_once_one_wins_and_the_other_is_told(bot, fill):
    await fill(**TEXTS)
    second, third = await built(bot), await built(bot, changes={"splitter.width": 3})
    tried = await asyncio.gather(
        *(promotion.promote(bot, number, instead_of=1) for number in (second, third)),
        return_exceptions=True,
    )
    [error] = [one for one in tried if one is not None]
    assert isinstance(error, IndexingError)
    assert "has gone live, by another hand" in str(error)
    states = [one.state for one in (await status.read(bot)).versions]
    assert sorted(states) == ["live", "ready", "retired"]


async def test_a_version_that_lacks_something_does_not_go_live(bot, fill, offered):
    await fill(**TEXTS)
    version, _ = await rebuild.begin(bot, embedder="long")
    with pytest.raises(UsageError, match="not complete"):
        await promotion.promote(bot, version.id, instead_of=1)
    async with at_work(bot):
        await until(bot, version.id, lambda one: one.state == "ready")
    offered.embedders["long"].poison = "\n"  # it takes nothing any more
    done = await fill(**{**TEXTS, "d0": "changed"})
    assert done.finished, "the live version must not suffer from another one"
    with pytest.raises(UsageError, match="lacks 1 documents"):
        await promotion.promote(bot, version.id, instead_of=1)
    offered.embedders["long"].poison = ""
    assert await promotion.retry(bot, version.id) == 1
    async with at_work(bot):
        await until(bot, version.id, lambda one: not one.jobs)
    await promotion.promote(bot, version.id, instead_of=1)


async def test_a_version_whose_embedder_is_gone_does_not_stop_the_live_one(
    bot, make_bot, fill, offered
):
    await fill(**TEXTS)
    await built(bot)
    offered.gone = {"long"}
    async with make_bot() as other:
        offered.loader.items = [doc("d0", "changed")]
        [done] = await other.indexer.sync(may_lose=1)
    assert (done.changed, done.deleted) == (1, 6)
    assert await held(bot, 1) == [("d0", "changed")]
    assert await held(bot, 2) == []


@pytest.fixture
async def asked(bot, fill):
    """A golden question that the live version answers best."""
    await fill(**TEXTS)
    question = golden.Golden(question="text 3 one", sources={"doc:d3": 1})
    await golden.put(bot.database, [question])


async def test_a_worse_version_is_told_by_the_golden_set(bot, asked, rows):
    version = await built(bot)
    verdict, _ = await promotion.evaluate(bot, version)
    assert verdict.outcome == "not worse"
    async with bot.database.connection() as connection:
        await connection.execute(f"delete from pgvector_{version}.chunk where text like '%3%'")
    verdict, _ = await promotion.evaluate(bot, version)
    assert verdict.outcome == "worse"
    assert "worse than version 1" in verdict.reason


async def test_no_question_fails_through_rebuild_promotion_rollback_and_drop(
    bot, fill, monkeypatch, rows
):
    monkeypatch.setattr(rebuild, "SIZE", 800)
    await fill(**TEXTS)
    begun = [0, 0, 0]

    async def ask(who):
        while True:
            begun[who] += 1
            passages, run = await bot.search("text 3 one")
            assert [passages[0].text, run.notices] == ["text 3 one", ()]

    asking = [asyncio.create_task(ask(who)) for who in range(len(begun))]
    for _ in range(3):
        before = await live(bot)
        version = await built(bot)
        await promotion.promote(bot, version, instead_of=before)
        await promotion.rollback(bot)
        await promotion.promote(bot, version, instead_of=before)
        at = list(begun)
        async with asyncio.timeout(PATIENCE):
            while not all(map(int.__gt__, begun, at)):
                assert not [task for task in asking if task.done()]
                await asyncio.sleep(0.01)
        # No question is left that was put to the version before; its time is over.
        await rows("update index_version set retired_at = now() - interval '1 hour' returning 1")
        await promotion.drop(bot, before)
        assert not [task for task in asking if task.done()]
    for task in asking:
        task.cancel()
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended


async def test_a_version_that_was_live_is_not_dropped_while_questions_may_be_put_to_it(bot, fill):
    await fill(**TEXTS)
    await promotion.promote(bot, await built(bot), instead_of=1)
    dropping = asyncio.create_task(promotion.drop(bot, 1))
    await asyncio.wait({dropping}, timeout=0.5)
    assert (await overview(bot, 1)).state == "retired"
    dropping.cancel()
    await asyncio.gather(dropping, return_exceptions=True)


async def test_a_dropped_version_leaves_nothing(bot, fill, rows):
    await fill(**TEXTS)
    version = await built(bot)
    size = (await overview(bot, version)).bytes
    assert size > 0
    with pytest.raises(UsageError, match="is live and stays"):
        await promotion.drop(bot, 1)
    await promotion.drop(bot, version)
    assert await rows("select to_regnamespace('pgvector_2')::text") == [(None,)]
    assert await rows("select count(*) from indexed where version_id = 2") == [(0,)]
    assert await rows("select count(*) from procrastinate_jobs where status = 'todo'") == [(0,)]
    assert (await overview(bot, version)).bytes == 0
    with pytest.raises(NotFound):
        await promotion.drop(bot, version)


async def test_a_cancelled_rebuild_stops_and_leaves_nothing(bot, fill, offered, rows):
    await fill(**TEXTS)
    embedder = offered.embedders["long"]
    embedder.gate.clear()
    version, _ = await rebuild.begin(bot, embedder="long")
    async with at_work(bot):
        await embedder.waits.wait()
        await promotion.cancel(bot, version.id)
        embedder.gate.set()
        await until(bot, version.id, lambda one: not one.jobs)
    assert (await overview(bot, version.id)).state == "dropped"
    assert await rows("select count(*) from indexed where version_id = 2") == [(0,)]
    again, new = await rebuild.begin(bot, embedder="long")
    assert (again.id, new) == (3, True)
    with pytest.raises(UsageError, match="is live and stays"):
        await promotion.cancel(bot, 1)
    await promotion.drop(bot, 3)
    done = await built(bot)
    with pytest.raises(UsageError, match="is ready; `bot index drop` removes it"):
        await promotion.cancel(bot, done)


async def test_a_paused_rebuild_rests_until_it_is_resumed(bot, fill, offered, monkeypatch):
    monkeypatch.setattr(rebuild, "SIZE", 800)  # a batch a document
    await fill(**TEXTS)
    embedder = offered.embedders["long"]
    embedder.gate.clear()
    version, _ = await rebuild.begin(bot, embedder="long")
    async with at_work(bot):
        await embedder.waits.wait()
        await promotion.pause(bot, version.id, True)
        embedder.gate.set()
        await until(bot, version.id, lambda one: one.indexed > 0)
        await asyncio.sleep(0.3)
        one = await overview(bot, version.id)
        assert (one.indexed, one.paused, one.state) == (1, True, "building")
        assert one.jobs == 7, "six batches, and the end"
        assert one.seconds_left is None
        with pytest.raises(UsageError, match="is paused; run `bot index resume 2` first"):
            await promotion.retry(bot, version.id)
        await promotion.pause(bot, version.id, False)
        await until(bot, version.id, lambda one: one.state == "ready")
    assert await held(bot, version.id) == HELD
    assert not await promotion.pause(bot, version.id, True)
    assert not (await overview(bot, version.id)).paused


async def test_what_a_rolled_back_version_lacks_can_wait_and_a_rollback_ends_the_pause(bot, fill):
    await fill(**TEXTS)
    version = await built(bot)
    await promotion.promote(bot, version, instead_of=1)
    await fill(**{**TEXTS, "d0": "changed"})
    await promotion.rollback(bot)
    await promotion.pause(bot, 1, True)
    one = await overview(bot, 1)
    assert (one.state, one.paused, one.jobs) == ("live", True, 2)
    await promotion.promote(bot, version, instead_of=1)
    await promotion.rollback(bot)
    async with at_work(bot):
        one = await until(bot, 1, lambda one: not one.jobs)
    assert (one.paused, one.indexed) == (False, 7)


async def test_a_poisonous_document_is_set_aside_and_listed_and_tried_again(bot, fill, offered):
    await fill(**TEXTS)
    offered.embedders["long"].poison = "text 3"
    version = await built(bot)
    one = await overview(bot, version)
    assert (one.state, one.indexed, one.quarantined, one.progress) == ("ready", 6, 1, 1.0)
    [refused] = (await status.read(bot)).quarantined
    assert (refused["source"], refused["document"]) == ("handbook", "d3")
    assert "what is this?" in refused["error"]
    assert await held(bot, version) == [(k, line) for k, line in HELD if k != "d3"]
    offered.embedders["long"].poison = ""
    assert await promotion.retry(bot, version) == 1
    async with at_work(bot):
        await until(bot, version, lambda one: not one.jobs)
    assert await held(bot, version) == HELD
    assert (await status.read(bot)).quarantined == []


@pytest.mark.parametrize(
    ("code", "refuses", "quarantined"),
    [
        ("53100", "text 3%", 0),  # a full disk is no document's fault,
        ("22023", "text 3%", 1),  # a value that is none is,
        ("22023", "text%", 0),  # unless no value is one
    ],
)
async def test_a_document_is_set_aside_when_the_index_takes_others(
    bot, fill, rows, code, refuses, quarantined
):
    await fill(**TEXTS)
    version, _ = await rebuild.begin(bot, embedder="long")
    async with bot.database.connection() as connection:
        await connection.execute(
            "create function refuse() returns trigger language plpgsql as"
            f" $$ begin raise exception 'no' using errcode = '{code}'; end $$"
        )
        await connection.execute(
            "create trigger refuse before insert on pgvector_2.chunk for each row"
            f" when (new.text like '{refuses}') execute function refuse()"
        )
    async with at_work(bot):
        one = await until(bot, version.id, lambda one: not one.jobs)
    assert (one.quarantined, one.state) == (quarantined, "ready" if quarantined else "building")
    if not quarantined:
        assert f"bot index retry {version.id}" in one.error
    async with bot.database.connection() as connection:
        await connection.execute("drop trigger refuse on pgvector_2.chunk")
    assert await promotion.retry(bot, version.id) > 0
    async with at_work(bot):
        await until(bot, version.id, lambda one: one.state == "ready" and not one.jobs)
    assert await held(bot, version.id) == HELD


async def test_a_poisonous_document_in_a_sync_is_told_once_and_free_when_it_changes(
    bot, fill, offered
):
    offered.embedders["hash"].poison = "text 3"
    done = await fill(**TEXTS)
    assert [place for place, _ in done.problems] == ["d3"]
    assert await held(bot, 1) == [(k, line) for k, line in HELD if k != "d3"]
    done = await fill(**TEXTS)
    assert (done.unchanged, done.problems) == (7, [])
    done = await fill(**{**TEXTS, "d3": "harmless"})
    assert (done.changed, done.problems) == (1, [])
    assert ("d3", "harmless") in await held(bot, 1)
    assert (await status.read(bot)).quarantined == []


async def test_an_embedder_that_takes_nothing_is_told_and_blames_no_document(bot, fill, offered):
    await fill(**TEXTS)
    offered.embedders["long"].poison = "\n"
    version, _ = await rebuild.begin(bot, embedder="long")
    async with at_work(bot):
        one = await until(bot, version.id, lambda one: not one.jobs)
    assert (one.state, one.quarantined) == ("building", 0)
    assert f"bot index retry {version.id}" in one.error
    offered.embedders["long"].poison = ""
    await promotion.retry(bot, version.id)
    async with at_work(bot):
        one = await until(bot, version.id, lambda one: one.state == "ready")
    assert one.error == ""
    assert await held(bot, version.id) == HELD


NO_ROOM = """
create function no_room() returns trigger language plpgsql as
    $$ begin raise exception 'no space left' using errcode = 'disk_full'; end $$;
create trigger no_room before insert on procrastinate_workers execute function no_room()
"""


async def test_a_command_that_may_look_and_not_work_ends_and_says_why(bot, fill, monkeypatch):
    """As with a full disk: what waits can be read, and no worker can say that it lives."""
    monkeypatch.setattr(waiting, "GIVEN_UP", 2)
    await fill(**TEXTS)
    version, _ = await rebuild.begin(bot, embedder="long")
    async with bot.database.connection() as connection:
        await connection.execute(NO_ROOM)
    with pytest.raises(DatabaseError, match=r"disk is full \(no space left\); free some space"):
        await waiting.work(bot, version.id)
    async with bot.database.connection() as connection:
        await connection.execute("drop function no_room() cascade")
    await waiting.work(bot, version.id)
    assert (await overview(bot, version.id)).state == "ready"


async def test_a_command_that_waits_tells_why_and_may_be_stopped(
    bot, fill, offered, monkeypatch, capsys
):
    monkeypatch.setattr(working, "LONGEST_WAIT", PATIENCE)
    await fill(**TEXTS)
    offered.embedders["long"].poison = "e"  # stands in every sentence
    version, _ = await rebuild.begin(bot, embedder="long")
    waits = asyncio.create_task(waiting.work(bot, version.id))
    told = ""
    async with asyncio.timeout(PATIENCE):
        while "It is tried again: " not in told:
            await asyncio.sleep(0.02)
            told += capsys.readouterr().err
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    told += capsys.readouterr().err
    assert told.count("It is tried again: ") == 1
    assert "what is this?" in told
    assert "The batch in hand is finished first" in told


async def test_several_workers_share_a_rebuild_and_nothing_is_embedded_twice(
    bot, make_bot, fill, offered, monkeypatch
):
    monkeypatch.setattr(rebuild, "SIZE", 800)
    texts = {f"d{n:02}": f"text {n}" for n in range(40)}
    await fill(**texts)
    version, _ = await rebuild.begin(bot, embedder="long")
    async with make_bot() as other, at_work(bot, concurrency=2), at_work(other, concurrency=2):
        await until(bot, version.id, lambda one: one.state == "ready")
    embedded = offered.embedders["long"].texts
    assert sorted(embedded) == sorted(f"\n{text}" for text in texts.values())


async def test_a_source_that_loses_most_of_its_documents_asks(bot, fill):
    texts = {f"d{n:02}": f"text {n}" for n in range(30)}
    await fill(**texts)
    few = dict(list(texts.items())[:5])
    with pytest.raises(MassDeletion, match="lost 25 of its 30 documents"):
        await fill(**few)
    assert len(await held(bot, 1)) == 30
    [seen] = (await estimate.sync(bot)).sources
    assert (seen.deleted, seen.lost) == (0, 25)
    [told] = (await status.read(bot)).sources
    assert told["source"] == "handbook"
    assert "--yes" in told["error"]
    [done] = await bot.indexer.sync(may_lose=1.0)
    assert done.deleted == 25
    assert (await status.read(bot)).sources == []


async def test_a_scheduled_sync_that_must_not_delete_or_is_late_fails_no_job(bot, fill):
    texts = {f"d{n:02}": f"text {n}" for n in range(30)}
    await fill(**texts)
    job = Job(id=1, arguments={"source": "handbook"}, attempt=1, last=False)
    async with bot.database.connection() as connection:
        await connection.execute(
            "select pg_advisory_lock(hashtext('domainbot source'), hashtext('handbook'))"
        )
        await rebuild.run_sync(bot, job)  # another one is at it
        await connection.execute("select pg_advisory_unlock_all()")
    assert (await status.read(bot)).sources == []
    with pytest.raises(MassDeletion):
        await fill(d00="text 0")
    await rebuild.run_sync(bot, job)
    assert len(await held(bot, 1)) == 30
    await rebuild.run_sync(bot, replace(job, arguments={"source": "removed"}))


async def test_sources_with_a_schedule_are_synced_by_workers(make_bot, offered, rows):
    """A worker that begins does what was due last; of two, one does it."""
    query = (
        "select args->>'source', status::text, (args->>'timestamp')::int from procrastinate_jobs"
        " where task_name = 'index.sync'"
    )
    offered.loader.items = [doc(key, text) for key, text in TEXTS.items()]
    config = CONFIG.replace('type = "memory"', 'type = "memory"\nschedule = "* * * * *"')
    async with make_bot(config) as one, make_bot(config) as other:
        async with at_work(one), at_work(other), asyncio.timeout(PATIENCE):
            while ("handbook", "succeeded") not in [row[:2] for row in await rows(query)]:  # noqa: ASYNC110 - workers tell nobody
                await asyncio.sleep(0.02)
        assert await held(one, 1) == HELD
    due = [at for *_, at in await rows(query)]
    assert len(set(due)) == len(due)  # one, or two when the minute has turned
    assert {at % 60 for at in due} == {0}


async def test_what_people_wait_for_does_not_wait_for_a_rebuild(
    bot, fill, offered, rows, monkeypatch
):
    """A worker's next job is the sync, or the question, that came last."""
    monkeypatch.setattr(rebuild, "SIZE", 800)  # a batch a document
    await fill(**TEXTS)
    offered.embedders["long"].gate.clear()
    version, _ = await rebuild.begin(bot, embedder="long")
    async with at_work(bot):
        await offered.embedders["long"].waits.wait()
        async with bot.database.transaction() as connection:
            await defer(connection, rebuild.SYNC_TASK, {"source": "handbook"})
        offered.embedders["long"].gate.set()
        await until(bot, version.id, lambda one: one.state == "ready")
    begun = await rows(
        "select j.task_name from procrastinate_events e join procrastinate_jobs j on j.id = job_id"
        " where e.type = 'started' order by e.id limit 3"
    )
    assert [task for (task,) in begun] == ["index.batch", "index.sync", "index.batch"]


async def test_versions_are_numbered_one_after_the_other_whatever_a_crash_leaves_out(bot, fill):
    await fill(**TEXTS)
    async with bot.database.connection() as connection:
        await connection.execute("select setval('index_version_id_seq', 34)")  # as after a kill -9
    assert [await built(bot), await built(bot, changes={"splitter.width": 3})] == [2, 3]


async def test_a_dry_run_tells_what_is_done_then_and_changes_nothing(bot, fill, offered):
    await fill(**TEXTS)
    changed = {**TEXTS, "d0": "changed", "new": "new one\nnew two"}
    del changed["d1"]
    offered.loader.items = [doc(key, text) for key, text in changed.items()]
    told = await estimate.sync(bot)
    [source] = told.sources
    assert await held(bot, 1) == HELD
    [done] = await bot.sync()
    for name in ("found", "added", "changed", "unchanged", "deleted"):
        assert getattr(source, name) == getattr(done, name) > 0
    assert (told.documents, told.chunks) == (2, done.embedded)
    told = await estimate.rebuild(bot, "long", {})
    assert len((await status.read(bot)).versions) == 1
    version = await built(bot)
    one = await overview(bot, version)
    assert (told.documents, told.chunks) == (one.documents, one.chunks)
    assert told.seconds >= 0


async def test_drift_of_settings_is_told(bot, make_bot, fill):
    await fill(**TEXTS)
    assert await drift(bot) == []
    other = CONFIG + 'vectors = "half"\n[splitters.paragraphs]\nwidth = 3\n'
    async with make_bot(other) as drifted:
        first, second = await drift(drifted)
    assert first.startswith("splitter.width is 3 in bot.toml, and 0 in index version 1;")
    assert second.startswith("index.vectors is 'half' in bot.toml, and 'single'")
    async with make_bot(CONFIG.replace('"hash"', '"long"')) as drifted:
        [told] = await drift(drifted)
    assert told.startswith("The embedder of [index] is 'long', and 'hash' in index version 1;")
