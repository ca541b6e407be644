"""Syncs into a version: what asks first, schedules, dry runs, settings that have drifted."""

import asyncio
from dataclasses import replace

import pytest
from versioned import CONFIG, HELD, PATIENCE, TEXTS, at_work, built, doc, held, overview
from versioned import PLUGINS as PLUGINS

from bot.errors import MassDeletion
from bot.indexing import estimate, rebuild, status
from bot.indexing.drift import drift
from bot.jobs import Job


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
