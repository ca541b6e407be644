"""The queue against a real server: once a key, in order a lock, again after a death."""

import asyncio
import gc
import signal
import sys
import textwrap
from datetime import UTC, datetime, timedelta

import pytest

from bot import Bot, hookimpl
from bot import worker as module
from bot.jobs import Task, defer, defer_many, is_waiting, living
from bot.plugins import Plugins
from bot.settings import Settings
from bot.worker import Worker, known_tasks

PATIENCE = 60
ASSISTANTS = {"default": {"retrievers": ["notes"], "generator": "notes"}}


class Notes:
    """A plugin with one task that notes what it does; `behaves` may do more."""

    def __init__(self):
        self.done = []
        self.attempts = []
        self.behaves = None
        self.changed = asyncio.Condition()
        self.task = Task("notes.note", self.note, queue="notes", attempts=3)

    @hookimpl
    def bot_tasks(self):
        return [self.task]

    async def note(self, bot, job):
        self.attempts.append((job.arguments.get("n"), job.attempt, job.last))
        if self.behaves is not None:
            await self.behaves(job)
        async with self.changed:
            self.done.append(job.arguments.get("n"))
            self.changed.notify_all()

    async def until(self, count):
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(lambda: len(self.done) >= count)
        return self.done


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
async def bot(database, notes, tmp_path):
    plugins = Plugins()
    plugins.register(notes, "notes")
    settings = Settings(home=tmp_path, assistants=ASSISTANTS)
    made = Bot(settings, plugins=plugins, database=database)
    async with made:
        yield made


@pytest.fixture
async def start(bot):
    """Start workers; they are stopped at the end."""
    running = []

    def begin(**options):
        running.append(asyncio.create_task(Worker(bot, **options).run()))
        return running[-1]

    yield begin
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@pytest.fixture
def add(database):
    async def add(task, arguments, **options):
        async with database.transaction() as connection:
            return await defer(connection, task, arguments, **options)

    return add


async def eventually(rows, query, expected):
    """Ask until the answer is the expected one."""
    async with asyncio.timeout(PATIENCE):
        while await rows(query) != expected:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.02)


async def test_what_is_deferred_is_done(notes, start, add, rows):
    job = await add(notes.task, {"n": 1})
    assert job is not None
    start()
    await add(notes.task, {"n": 2})
    assert sorted(await notes.until(2)) == [1, 2]
    assert notes.attempts[0] == (1, 1, False)
    await eventually(rows, "select status::text from procrastinate_jobs", [("succeeded",)] * 2)


async def test_a_job_belongs_to_the_callers_transaction(bot, notes, rows):
    async def rolled_back():
        async with bot.database.transaction() as connection:
            await defer(connection, notes.task, {"n": 1}, key="k")
            raise RuntimeError("not so")

    with pytest.raises(RuntimeError, match="not so"):
        await rolled_back()
    assert await rows("select * from procrastinate_jobs") == []
    assert await rows("select * from job_key") == []


async def test_a_key_happens_once(notes, start, add):
    assert await add(notes.task, {"n": 1}, key="k") is not None
    assert await add(notes.task, {"n": 2}, key="k") is None
    start()
    assert await notes.until(1) == [1]
    assert await add(notes.task, {"n": 3}, key="k") is None
    await add(notes.task, {"n": 4}, key="other")
    assert await notes.until(2) == [1, 4]


async def test_a_key_deferred_by_many_at_once_happens_once(notes, add, rows):
    given = await asyncio.gather(*(add(notes.task, {"n": n}, key="k") for n in range(7)))
    assert len([job for job in given if job is not None]) == 1
    assert len(await rows("select * from procrastinate_jobs")) == 1


async def test_a_key_whose_first_transaction_fails_is_free_for_the_second(bot, notes, rows):
    """The second one waits for the first; which of them wins is known only then."""
    async with bot.database.connection() as first, bot.database.connection() as second:
        await first.execute("begin")
        assert await defer(first, notes.task, {"n": 1}, key="k")
        await second.execute("begin")
        other = asyncio.create_task(defer(second, notes.task, {"n": 2}, key="k"))
        await eventually(
            rows, "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
            "datname = current_database()", [(1,)],
        )  # fmt: skip
        await first.execute("rollback")
        assert await other is not None
        await second.execute("commit")
    assert await rows("select args->>'n' from procrastinate_jobs") == [("2",)]


async def test_many_at_once(bot, notes, start):
    async with bot.database.transaction() as connection:
        assert await defer_many(connection, notes.task, ({"n": n} for n in range(50))) == 50
    start(concurrency=5)
    assert sorted(await notes.until(50)) == list(range(50))


async def test_jobs_of_one_lock_run_in_order_and_those_of_others_beside_them(
    notes, start, add, database
):
    running = set()

    async def behaves(job):
        lock, _ = job.arguments["n"]
        assert lock not in running, "two at once"
        running.add(lock)
        await asyncio.sleep(0.01)
        running.discard(lock)

    notes.behaves = behaves
    for n in range(6):
        for lock in "ab":
            await add(notes.task, {"n": [lock, n]}, lock=lock)
    async with database.connection() as connection:
        assert await is_waiting(connection, "a")
        assert not await is_waiting(connection, "c")
    start(concurrency=4)
    start(concurrency=4)
    done = await notes.until(12)
    for lock in "ab":
        assert [n for name, n in done if name == lock] == list(range(6))


async def test_the_next_of_a_lock_does_not_wait_for_a_look(notes, start, add, monkeypatch):
    monkeypatch.setattr(module, "POLL", 3600)
    for n in range(4):
        await add(notes.task, {"n": n}, lock="a")
    start(concurrency=2)
    assert await notes.until(4) == [0, 1, 2, 3]


async def test_a_job_that_raises_is_tried_again_and_then_kept_as_failed(
    notes, start, add, rows, monkeypatch
):
    monkeypatch.setattr(module, "LONGEST_WAIT", 0)

    async def behaves(job):
        raise ValueError("no")

    notes.behaves = behaves
    await add(notes.task, {"n": 1})
    start()
    await eventually(rows, "select status::text from procrastinate_jobs", [("failed",)])
    assert notes.attempts == [(1, 1, False), (1, 2, False), (1, 3, True)]


async def test_between_attempts_the_wait_doubles(notes, start, add, rows):
    async def behaves(job):
        raise ValueError("no")

    notes.behaves = behaves
    await add(notes.task, {"n": 1})
    start()
    query = "select attempts, scheduled_at - now() > '1 s', scheduled_at - now() < '2 s' from "
    await eventually(rows, query + "procrastinate_jobs", [(1, True, True)])


async def test_a_job_for_later_waits(notes, start, add, rows):
    await add(notes.task, {"n": 1}, at=datetime.now(UTC) + timedelta(hours=1))
    start()
    await add(notes.task, {"n": 2})
    assert await notes.until(1) == [2]
    assert await rows("select args->>'n' from procrastinate_jobs where status = 'todo'") == [("1",)]


async def test_a_cancelled_worker_finishes_what_it_has_begun(notes, start, add, rows):
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def behaves(job):
        inside.set()
        await go_on.wait()

    notes.behaves = behaves
    worker = start()
    await add(notes.task, {"n": 1})
    await inside.wait()
    worker.cancel()
    await add(notes.task, {"n": 2})
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert notes.done == [1]
    assert await rows("select status::text from procrastinate_jobs order by id") == [
        ("succeeded",), ("todo",),
    ]  # fmt: skip
    assert await rows("select * from procrastinate_workers") == []


async def test_a_worker_cancelled_twice_gives_its_job_back(notes, start, add, monkeypatch):
    monkeypatch.setattr(module, "DEAD", 1.5)
    inside = asyncio.Event()

    async def behaves(job):
        inside.set()
        if job.attempt == 1:
            await asyncio.sleep(3600)

    notes.behaves = behaves
    worker = start()
    await add(notes.task, {"n": 1})
    await inside.wait()
    worker.cancel()
    await asyncio.sleep(0.1)
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    start()
    assert await notes.until(1) == [1]


DYING = """
    import asyncio, sys, tempfile, time
    from pathlib import Path
    from bot import Bot, hookimpl
    from bot.database import Database
    from bot.jobs import Task
    from bot.plugins import Plugins
    from bot.settings import Settings
    from bot.worker import Worker

    async def note(bot, job):
        print("inside", flush=True)
        await asyncio.sleep(3600)

    class Dying:
        @hookimpl
        def bot_tasks(self):
            return [Task("notes.note", note, queue="notes")]

    async def main():
        plugins = Plugins()
        plugins.register(Dying(), "notes")
        assistants = {"default": {"retrievers": ["notes"], "generator": "notes"}}
        settings = Settings(home=Path(tempfile.mkdtemp()), assistants=assistants)
        async with Bot(settings, plugins=plugins, database=Database(sys.argv[1])) as bot:
            await Worker(bot).run()

    asyncio.run(main())
"""


async def test_the_job_of_a_killed_worker_is_done_by_another(
    notes, start, add, rows, conninfo, monkeypatch
):
    monkeypatch.setattr(module, "DEAD", 1.5)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(DYING), conninfo, stdout=asyncio.subprocess.PIPE
    )
    await add(notes.task, {"n": 1}, lock="a")
    await add(notes.task, {"n": 2}, lock="a")
    assert await process.stdout.readline() == b"inside\n"
    start()
    await eventually(rows, "select count(*) from procrastinate_workers", [(2,)])
    assert notes.done == []  # it lives, so it keeps its job
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert await notes.until(2) == [1, 2]
    assert [attempt for n, attempt, _ in notes.attempts] == [2, 1]


async def test_a_job_that_came_back_is_not_given_away_for_its_attempt_before(
    bot, notes, add, database, rows
):
    """Between fetching it again and running it, a worker looks for what it has not in hand."""
    worker = Worker(bot)
    async with database.connection() as connection:
        cursor = await connection.execute(
            "insert into procrastinate_workers default values returning id"
        )
        (mine,) = await cursor.fetchone()
        await add(notes.task, {"n": 1})
        change = "update procrastinate_jobs set status = 'doing', worker_id = %s, attempts = %s"
        await connection.execute(change, (mine, 0))
        await worker._let_go(connection, mine)
        await connection.execute(change, (mine, 1))  # given back by a reaper, and fetched again
        await worker._let_go(connection, mine)
        assert await rows("select status::text, attempts from procrastinate_jobs") == [("doing", 1)]
        await worker._let_go(connection, mine)
    assert await rows("select status::text, attempts from procrastinate_jobs") == [("todo", 2)]


async def test_a_worker_outlives_its_connections(notes, start, add, rows, database):
    """As when the server is restarted: what it had in hand is done again, and it goes on."""
    inside = asyncio.Event()

    async def behaves(job):
        if not inside.is_set():
            inside.set()
            async with database.connection() as connection:
                await connection.execute("select pg_sleep(3600)")

    notes.behaves = behaves
    start()
    await add(notes.task, {"n": 1})
    await inside.wait()
    await rows(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    await add(notes.task, {"n": 2})
    assert sorted(await notes.until(2)) == [1, 2]


NO_END = """
create function no_end() returns trigger language plpgsql as
    $$ begin raise exception 'the disk is full'; end $$;
create trigger no_end before update on procrastinate_jobs for each row
    when (new.status = 'succeeded') execute function no_end()
"""


async def test_a_job_whose_end_cannot_be_recorded_is_done_again(notes, start, add, database, rows):
    """Nobody awaits procrastinate's task for a job: what it raises must not be lost in it."""
    gc.collect()  # what other tests have left
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def behaves(job):
        first = not notes.done
        async with database.connection() as connection:
            await connection.execute(NO_END if first else "drop function no_end() cascade")

    notes.behaves = behaves
    start()
    await add(notes.task, {"n": 1})
    assert await notes.until(2) == [1, 1]
    await eventually(rows, "select status::text from procrastinate_jobs", [("succeeded",)])
    gc.collect()
    assert [one for one in told if "never retrieved" in one["message"]] == []


async def test_who_lives_is_known(bot, start, rows):
    async with bot.database.connection() as connection:
        assert await living(connection) == 0
        start()
        await eventually(rows, "select count(*) from procrastinate_workers", [(1,)])
        assert await living(connection) == 1


def test_a_plugin_whose_tasks_fail_keeps_no_others_from_working(bot, notes):
    class Broken:
        @hookimpl
        def bot_tasks(self):
            raise RuntimeError("broken")

    bot.plugins.register(Broken(), "broken")
    assert notes.task in known_tasks(bot)


async def test_a_worker_schedules_only_what_it_does(bot):
    async with Worker(bot)._app() as every, Worker(bot, queues=["notes"])._app() as notes:
        assert {name for name, _ in every.periodic_registry.periodic_tasks} == {"bot.tidy"}
        assert not notes.periodic_registry.periodic_tasks


async def test_old_jobs_and_their_keys_go(bot, notes, start, add, rows):
    await add(notes.task, {"n": 1}, key="k")
    start()
    await notes.until(1)
    await eventually(rows, "select status::text from procrastinate_jobs", [("succeeded",)])
    tidy = module.TIDY
    await tidy.run(bot, None)
    assert len(await rows("select * from procrastinate_jobs")) == 1
    async with bot.database.connection() as connection:
        await connection.execute("update procrastinate_events set at = at - interval '8 days'")
    await tidy.run(bot, None)
    assert await rows("select * from procrastinate_jobs") == []
    assert await rows("select * from job_key") == []
