"""Building a version beside the live one: nothing goes down, nothing is lost."""

import asyncio

import pytest
from versioned import CONFIG as CONFIG
from versioned import HELD, TEXTS, at_work, built, doc, held, live, overview, until
from versioned import PLUGINS as PLUGINS

from bot.errors import IndexingError, UsageError
from bot.indexing import promotion, rebuild, status, versions
from bot.jobs import defer


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
