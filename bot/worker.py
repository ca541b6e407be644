"""A worker: takes jobs from the queue and does them, until it is cancelled.

procrastinate's worker fetches, runs and finishes; what it leaves to the application stands here.
It stops when its database goes away, so it is started again. Jobs of a worker that died stay
`doing` for ever, so every worker looks for those of others and puts them back. The end of a job
may not have reached the database, so each also looks for what it is said to have and has not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import procrastinate
import psycopg
from procrastinate.exceptions import ProcrastinateException

from bot import dispatch
from bot.attention import AttentiveWorker
from bot.database import translation
from bot.errors import BotError, IndexingError
from bot.jobs import DEAD, QUERIES, Job, Task

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.monitoring import Monitor

log = logging.getLogger(__name__)

HEARTBEAT = 1.0  # seconds between signs of life, and between looks for the jobs of the dead
POLL = 1.0  # seconds between looks for jobs whose time has come; new ones are announced
LONGEST_WAIT = 300  # seconds between two attempts
AGAIN = 5.0  # seconds at most until a lost database is tried again
TIDIED = "17 * * * *"  # hourly, as a worker may run for some hours of a day only
KEPT = 7  # days that finished jobs are kept, and that a key is remembered


class Worker:
    """Runs the jobs of an open bot.

    Args:
        concurrency: how many jobs at once.
        queues: where to take them from; empty takes from all queues of the tasks known here.
        monitor: is told of each job, and that the database is reached.

    Attributes:
        failures: how often in a row it could not begin to work; `failure` says why.
    """

    def __init__(
        self,
        bot: Bot,
        *,
        concurrency: int = 1,
        queues: Collection[str] = (),
        monitor: Monitor | None = None,
    ) -> None:
        self._bot = bot
        self._monitor = monitor
        self._concurrency = concurrency
        self._tasks = known_tasks(bot)
        self.queues = sorted(queues or {task.queue for task in self._tasks})
        self._id: int | None = None
        self._running: set[int] = set()
        self._missing: set[tuple[int, int]] = set()
        self.failures = 0
        self.failure: Exception | None = None

    async def run(self) -> None:
        """Work until cancelled; then finish the jobs in hand, and end.

        Cancelled once more, it lets go of them: another worker runs them again. A database that
        cannot be reached is waited for.
        """
        if self._monitor is not None:
            self._monitor.beat()
        reaping = asyncio.create_task(self._reap())
        try:
            async with self._app() as app:
                while True:
                    try:
                        await self._work(app)
                    except (ProcrastinateException, BotError) as error:
                        self.failures += 1
                        self.failure = _translated(error)
                        log.warning("the worker begins again: %s", self.failure)
                    await asyncio.sleep(AGAIN / 5)
        finally:
            reaping.cancel()
            await asyncio.gather(reaping, return_exceptions=True)

    async def _work(self, app: procrastinate.App) -> None:
        """Run procrastinate's worker until it is cancelled or loses its database."""
        worker = AttentiveWorker(
            app,
            queues=self.queues,
            name="domainbot",
            concurrency=self._concurrency,
            fetch_job_polling_interval=POLL,
            update_heartbeat_interval=HEARTBEAT,
            stalled_worker_timeout=DEAD,
            install_signal_handlers=False,
            worker_middleware=[self._noted],
        )
        await worker.run()  # type: ignore[no-untyped-call]

    @asynccontextmanager
    async def _app(self) -> AsyncGenerator[procrastinate.App]:
        # A pool of its own: jobs that wait for a connection must not keep heartbeats from one.
        connector = procrastinate.PsycopgConnector(
            conninfo=self._bot.database.address,
            min_size=1,
            max_size=4,
            timeout=AGAIN,
            kwargs={"application_name": "domainbot worker"},
            configure=_autocommit,
        )
        app = procrastinate.App(connector=connector)
        for task in self._tasks:
            _register(app, task, self._bot)
        for task, schedule, name, arguments in _schedules(self._bot):
            if task.queue not in self.queues:
                continue  # a command's own worker would leave behind what it does not do
            app.periodic(
                cron=schedule, periodic_id=name, task_kwargs=arguments, lock=f"{task.name}:{name}",
                queueing_lock=f"{task.name}:{name}",
            )(app.tasks[task.name])  # fmt: skip
        async with app.open_async():
            yield app

    async def _noted(
        self, call_next: Callable[[], Awaitable[Any]], context: Any, worker: Any
    ) -> Any:
        """Stand around each job: remember that it is in hand."""
        self._id = worker.worker_id
        self._running.add(context.job.id)
        self.failures = 0
        begun = time.perf_counter()
        failed = True
        try:
            done = await call_next()
            failed = False
            return done
        finally:
            self._running.discard(context.job.id)
            if self._monitor is not None:
                took = time.perf_counter() - begun
                self._monitor.job_ended(context.job.task_name, took, failed)

    async def _reap(self) -> None:
        """Put jobs back into the queue that nobody has in hand."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            try:
                async with self._bot.database.connection() as connection:
                    cursor = await connection.execute(QUERIES["reap"], {"dead": DEAD})
                    for id_, name, attempts in await cursor.fetchall():
                        log.warning("job %d (%s) is back, attempt %d", id_, name, attempts + 1)
                    if self._id is not None:
                        await self._let_go(connection, self._id)
                if self._monitor is not None:
                    self._monitor.beat()
            except BotError as error:
                log.warning("dead workers are not looked for: %s", error)

    async def _let_go(self, connection: Any, worker: int) -> None:
        """Give back what the database says we have, and we have not, at two looks in a row."""
        cursor = await connection.execute(QUERIES["doing"], {"worker": worker})
        found = await cursor.fetchall()
        # With the attempt: a job that was given back meanwhile may be here again, just fetched.
        missing = {(id_, attempt) for id_, attempt in found if id_ not in self._running}
        lost = missing & self._missing
        self._missing = missing
        if lost:
            jobs, attempts = zip(*lost, strict=True)
            arguments = {"jobs": list(jobs), "attempts": list(attempts), "worker": worker}
            await connection.execute(QUERIES["let_go"], arguments)


def _translated(error: Exception) -> Exception:
    """procrastinate's own words tell nothing; the driver's, which stand behind them, do."""
    cause = error.__cause__
    return translation(cause) if isinstance(cause, psycopg.Error) else error


async def _autocommit(connection: Any) -> None:
    """Each of the queue's statements is a transaction of its own: two round trips fewer."""
    await connection.set_autocommit(True)


class _Backoff(procrastinate.BaseRetryStrategy):
    """Try again after 2, 4, 8, … seconds; at once when it is only the worker that stops."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts

    def get_retry_decision(
        self, *, exception: BaseException, job: Any
    ) -> procrastinate.RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):
            return procrastinate.RetryDecision(retry_in={"seconds": 0})
        if job.attempts + 1 >= self._attempts:
            return None
        wait = min(2 ** (job.attempts + 1), LONGEST_WAIT)
        return procrastinate.RetryDecision(retry_in={"seconds": wait})


def _register(app: procrastinate.App, task: Task, bot: Bot) -> None:
    async def run(context: procrastinate.JobContext, /, **arguments: Any) -> None:
        attempt = context.job.attempts + 1
        assert context.job.id is not None
        if attempt > task.attempts:
            raise IndexingError(f"{task.name} is given up: its workers died {task.attempts} times.")
        last = attempt == task.attempts
        await task.run(bot, Job(id=context.job.id, arguments=arguments, attempt=attempt, last=last))

    app.task(name=task.name, queue=task.queue, retry=_Backoff(task.attempts), pass_context=True)(
        run
    )


async def _tidy(bot: Bot, job: Job) -> None:
    """Delete jobs that ended long ago, and conversations that are to be forgotten."""
    from bot import retention

    async with bot.database.connection() as connection:
        await connection.execute(QUERIES["tidy"], {"days": KEPT})
    days = bot.settings.conversations.keep_days
    if days is not None:
        gone = await retention.purge(bot.database, before=datetime.now(UTC) - timedelta(days=days))
        log.info("%d messages are older than %d days and deleted", gone, days)


# There is always one scheduled task: without any, procrastinate's worker ends the watch over its
# own heartbeats as soon as it has begun.
TIDY = Task("bot.tidy", _tidy, queue="bot")


def known_tasks(bot: Bot) -> list[Task]:
    """List the core's tasks and those that the plugins offer, each name once."""
    tasks = {task.name: task for task in (TIDY, *_core())}
    for one in dispatch.implementations(bot.plugins.manager, "bot_tasks"):
        try:
            for task in one.function():
                if tasks.setdefault(task.name, task) is not task:
                    log.error("%s: there is a task %r already", one.plugin, task.name)
        except Exception as error:  # one plugin's mistake must not keep the others' jobs waiting
            log.error("%s: bot_tasks %s", one.plugin, dispatch.describe(error))
    return list(tasks.values())


def _core() -> Iterator[Task]:
    from bot.indexing import rebuild

    yield from (rebuild.BATCH_TASK, rebuild.FINISH_TASK, rebuild.SYNC_TASK)


def _schedules(bot: Bot) -> Iterator[tuple[Task, str, str, dict[str, Any]]]:
    """What is done when: a task, a cron expression, a name for it, and the arguments."""
    from bot.indexing.rebuild import SYNC_TASK

    yield TIDY, TIDIED, "hourly", {}
    for name, source in bot.settings.sources.items():
        if source.schedule:
            yield SYNC_TASK, source.schedule, name, {"source": name}
