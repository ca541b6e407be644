"""What is recorded of turns: cancelled ones, histories, and while the database is away."""

import asyncio
from contextlib import aclosing, asynccontextmanager

import psycopg
import pytest
import toys
from rooms import EVERYBODY, PORT, SECRET, Room

from bot import (
    Delta,
    Finished,
    Passage,
    TextDelta,
    conversation,
    hookimpl,
    record,
)
from bot.conversation import Limits
from bot.database import Database
from bot.errors import DatabaseUnavailable
from bot.turn import Outcome


async def cancelled(run):
    """Cancel a turn after its first text."""
    said = asyncio.Event()

    async def read():
        async with aclosing(run.events()) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    said.set()

    task = asyncio.create_task(read())
    waiting = asyncio.create_task(said.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Endless:
    """Speaks until it is stopped, and tells."""

    def __init__(self):
        self.stopped = asyncio.Event()

    @hookimpl
    async def bot_generate(self, turn, prompt):
        try:
            yield "The port is 8080 [1]."
            await asyncio.sleep(600)
        finally:
            self.stopped.set()


async def test_cancelling_stops_generation_and_records_what_was_said(room, database):
    room.limits = Limits(token=600)
    room.add("documents", toys.Fixed(PORT))
    endless = room.add("generator", Endless())
    run = room.run("Which port?")
    await cancelled(run)
    assert endless.stopped.is_set()
    shown = await record.show(database, run.turn.id)
    assert shown["answer"] == "The port is 8080 [1]."
    assert shown["outcome"] == "answered"
    assert "stopped" in shown["notices"][0]
    assert len(shown["citations"]) == 1


async def test_closing_the_events_records_too(talk, database):
    run = talk.run("Which port?")
    async with aclosing(run.events()) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    shown = await record.show(database, run.turn.id)
    assert shown["answer"].startswith("The port")
    assert shown["finished_at"] is not None


async def test_closing_before_anything_was_said_is_recorded_as_failed(talk, database):
    run = talk.run("Which port?")
    async with aclosing(run.events()) as events:
        await anext(events)
    assert (await record.show(database, run.turn.id))["outcome"] == "failed"


async def test_cancelling_while_it_is_being_recorded_still_records(talk, database):
    inside = asyncio.Event()

    class Slow:
        @hookimpl
        def bot_around(self, step):
            @asynccontextmanager
            async def around():
                if step == "record":
                    inside.set()
                    await asyncio.sleep(0.05)
                yield

            return around()

    talk.add("slow", Slow())
    run = talk.run("Which port?")

    async def read():
        return [event async for event in run.events()]

    task = asyncio.create_task(read())
    await asyncio.wait_for(inside.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await record.show(database, run.turn.id))["outcome"] == "answered"


async def test_history_is_what_was_said_oldest_first(talk, database):
    await talk.ask("One?")
    await talk.ask("Two?")
    await talk.ask("Elsewhere?", key="other")
    said = [(m.role, m.text) for m in await record.history(database, "test", "talk")]
    answer = ("assistant", "The port is 8080 [1].")
    assert said == [("user", "One?"), answer, ("user", "Two?"), answer]
    assert await record.history(database, "elsewhere", "talk") == ()


async def test_history_leaves_out_answers_from_what_the_asker_may_not_read(room, database):
    room.add("documents", toys.Fixed(SECRET))
    room.add("generator", toys.Speaker("The salary is 1 [1]."))
    await room.ask("What salary?", principals=["group:hr"])

    async def said(*principals):
        return [m.text for m in await record.history(database, "test", "talk", principals)]

    assert await said("everyone", "group:hr") == ["What salary?", "The salary is 1 [1]."]
    assert await said("everyone") == ["What salary?"]
    assert [m.text for m in await record.history(database, "test", "talk")] == ["What salary?"]


async def test_a_failed_turn_leaves_no_empty_message_in_the_history(room, database):
    room.add("generator", toys.Speaker(ValueError("broken")))
    await room.ask("One?")
    said = await record.history(database, "test", "talk")
    assert [(m.role, m.text) for m in said] == [("user", "One?")]


async def test_history_is_bounded(talk, database):
    for n in range(record.HISTORY):
        await talk.ask(f"Question {n}?")
    said = await record.history(database, "test", "talk")
    assert len(said) == record.HISTORY
    assert said[-2].text == f"Question {record.HISTORY - 1}?"


async def test_text_that_postgresql_cannot_hold_is_recorded_without_it(room, database):
    odd = Passage(id="\0", text="a\0 \ud800", readers=EVERYBODY, title="t\0", uri="\ud800")
    room.add("documents", toys.Fixed(odd))
    room.add("generator", toys.Speaker("a\0\ud800 [1]", Delta(notice="n\0")))
    answer = (await room.ask("Which\0 port?")).answer
    assert answer.notices == ("n\0",)
    shown = await record.show(database, answer.turn)
    assert shown["answer"] == "a? [1]"
    assert shown["notices"] == ["n"]
    assert len(shown["citations"]) == 1


async def test_two_turns_of_one_conversation_at_once_are_both_recorded(talk, database, rows):
    ends = await asyncio.gather(*(talk.ask(f"Question {n}?") for n in range(6)))
    assert all(end.answer.outcome is Outcome.answered for end in ends)
    assert await rows("select count(*) from conversation") == [(1,)]
    assert await rows("select count(*) from turn where outcome = 'answered'") == [(6,)]


async def test_a_database_that_is_started_again_meanwhile_is_waited_for(talk, database, rows):
    class Away(toys.Speaker):
        @hookimpl
        async def bot_generate(self, turn, prompt):
            await database.close()
            asyncio.get_running_loop().call_later(0.3, lambda: opening.append(reopen()))
            yield "The port is 8080 [1]."

    def reopen():
        return asyncio.ensure_future(database.open())

    opening = []
    talk.manager.unregister(talk.manager.get_plugin("generator"))
    talk.add("generator", Away())
    end = await talk.ask()
    assert opening
    assert end.answer.notices == ()
    assert await rows("select outcome from turn") == [("answered",)]


async def test_what_is_recorded_twice_stands_once(talk, database, rows):
    """As when a commit reached the server, and its reply did not reach us."""
    end = await talk.ask()
    turn = (await record.show(database, end.answer.turn))["id"]
    run = talk.run("Which port?").turn
    for _ in range(2):
        await record.start(database, run, "ann")
    for _ in range(2):
        await record.finish(database, run, end.answer)
    assert run.id != turn
    assert await rows("select role, count(*) from message group by 1 order by 1") == [
        ("assistant", 2), ("user", 2),
    ]  # fmt: skip
    assert await rows("select count(*) from citation where turn_id = %s", (run.id,)) == [(1,)]


@pytest.fixture
async def impatient(conninfo):
    """A database that is not waited for long."""
    database = Database(conninfo, timeout=1)
    await database.open()
    yield database
    await database.close()


async def test_a_database_that_dies_on_the_way_still_gives_the_answer(
    impatient, server, monkeypatch
):
    """Every connection is cut and no new one let in, between the search and the answer."""
    monkeypatch.setattr(conversation, "RECORDING", 0.5)
    room = Room(impatient)
    name = psycopg.conninfo.conninfo_to_dict(impatient.conninfo)["dbname"]

    class Cutting(toys.Speaker):
        @hookimpl
        async def bot_generate(self, turn, prompt):
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f"alter database {name} allow_connections false")
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                    (name,),
                )
            yield "The port is 8080 [1]."

    room.add("documents", toys.Fixed(PORT))
    room.add("generator", Cutting())
    end = await room.ask()
    assert isinstance(end, Finished)
    assert end.answer.text == "The port is 8080 [1]."
    assert end.answer.notices == ("This turn could not be recorded.",)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"alter database {name} allow_connections true")
    again = room.manager.get_plugin("generator")
    room.manager.unregister(again)
    room.add("generator", toys.Speaker("Back [1]."))
    async with asyncio.timeout(60):  # the pool tries again every second or two
        while (await room.ask()).answer.notices:
            pass


async def test_a_database_that_was_away_for_long_is_reached_soon_after(server, conninfo):
    """The pauses between tries do not grow with the time that it was away."""
    name = psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]
    database = Database(conninfo, timeout=5)
    await database.open()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"alter database {name} allow_connections false")
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,)
        )
        with pytest.raises(DatabaseUnavailable):
            async with database.connection():
                pass
        await asyncio.sleep(3)  # doubled pauses of 1, 2, 4, 8 seconds would be in their last
        connection.execute(f"alter database {name} allow_connections true")
    async with database.connection() as lent:
        assert await (await lent.execute("select 1")).fetchone() == (1,)
    await database.close()


async def test_feedback_is_stored_and_the_last_word_counts(talk, database):
    from bot import Feedback
    from bot.errors import NotFound

    turn = (await talk.ask()).answer.turn
    await record.feedback(database, Feedback(turn=turn, good=True, author="ann"))
    await record.feedback(database, Feedback(turn=turn, good=False, author="ann", comment="no\0"))
    [given] = (await record.show(database, turn))["feedback"]
    assert (given["good"], given["comment"]) == (False, "no")
    with pytest.raises(NotFound, match="nowhere"):
        await record.feedback(database, Feedback(turn="nowhere", good=True))
    with pytest.raises(NotFound, match="nowhere"):
        await record.show(database, "nowhere")
