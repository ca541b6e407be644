"""What an embedder, a table or a full disk does not take, and who is told."""

import asyncio

import pytest
from versioned import CONFIG as CONFIG
from versioned import HELD, PATIENCE, TEXTS, at_work, built, held, overview, until
from versioned import PLUGINS as PLUGINS

from bot import worker as working
from bot.cli import working as waiting
from bot.errors import DatabaseError
from bot.indexing import promotion, rebuild, status


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
