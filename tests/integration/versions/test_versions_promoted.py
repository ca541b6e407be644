"""Versions that go live, go back and are dropped, while questions are asked."""

import asyncio

import pytest
from versioned import CONFIG as CONFIG
from versioned import HELD, PATIENCE, TEXTS, at_work, built, doc, held, live, overview, until
from versioned import PLUGINS as PLUGINS

from bot.errors import IndexingError, NotFound, UsageError
from bot.indexing import promotion, rebuild, status


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
