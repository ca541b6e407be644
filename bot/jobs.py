"""The queue: work that is written down in the database, with the data it belongs to.

A job is added inside the caller's transaction, so that both are committed or neither is:

    ANSWER = Task("slack.answer", answer, queue="turns")

    async with database.transaction() as connection:
        await connection.execute(...)                       # the message
        await defer(connection, ANSWER, {"message": 7}, key="slack:Ev07", lock="slack:T1/C1/1.2")

and `bot worker` (`bot.worker.Worker`), on this machine or another, runs `answer(bot, job)` with
`job.arguments == {"message": 7}`. Plugins offer their tasks through the hook `bot_tasks`.

What holds:

- A job runs at least once. One whose worker has died is run again by another, so a task looks at
  what is done already, or does its last step in one transaction.
- A job that raises is tried again, after 2, 4, 8, … seconds, `Task.attempts` times in all; then it
  is kept as failed. `Job.last` tells a task that nobody will try again.
- Jobs with the same `lock` run one after the other, in the order in which they were deferred, also
  across workers. One that waits for its next attempt holds up those behind it.
- A `key` makes a job happen once: while a job with this key is kept (a week after its end), no
  second one is added.

The queue is procrastinate's; its tables may be read with its own tools.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from bot.database import Connection, load_queries
from bot.task import Job as Job
from bot.task import Task as Task

QUERIES = load_queries(Path(__file__).parent / "queries" / "jobs.sql")

DEAD = 6.0  # seconds without a sign of life after which a worker's jobs are given to others


async def defer(
    connection: Connection,
    task: Task,
    arguments: Mapping[str, Any],
    *,
    key: str = "",
    lock: str = "",
    queue: str = "",
    at: datetime | None = None,
    priority: int = 0,
) -> int | None:
    """Add a job inside the caller's transaction; it waits until that is committed.

    Args:
        connection: in a transaction.
        arguments: JSON values; ids rather than texts, the data itself stands in tables.
        key: at most one job with this key is kept; the first one wins.
        lock: jobs with this lock run one at a time, in order.
        queue: where it waits; the task's own queue, unless given.
        at: not before this time (with a time zone).
        priority: higher ones are taken first.

    Returns:
        The job's id; None when there is a job with this key.
    """
    if key:
        cursor = await connection.execute(QUERIES["job_of_key"], {"key": key})
        if await cursor.fetchone():
            return None
    cursor = await connection.execute(
        QUERIES["defer"],
        {
            "queue": queue or task.queue,
            "task": task.name,
            "priority": priority,
            "lock": lock or None,
            "arguments": Jsonb(dict(arguments)),
            "at": at,
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    job: int = row[0]
    if key:
        cursor = await connection.execute(QUERIES["claim_key"], {"key": key, "job": job})
        if await cursor.fetchone() is None:
            await connection.execute(QUERIES["take_back"], {"job": job})
            return None
    return job


async def defer_many(
    connection: Connection,
    task: Task,
    arguments: Iterable[Mapping[str, Any]],
    *,
    queue: str = "",
    priority: int = 0,
) -> int:
    """Add a job for each of the arguments, in one round trip; return how many there are."""
    cursor = await connection.execute(
        QUERIES["defer_many"],
        {
            "queue": queue or task.queue,
            "task": task.name,
            "priority": priority,
            "arguments": Jsonb([dict(each) for each in arguments]),
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def is_waiting(connection: Connection, lock: str) -> bool:
    """Tell whether a job with this lock waits or runs."""
    row = await (await connection.execute(QUERIES["is_waiting"], {"lock": lock})).fetchone()
    return bool(row and row[0])


async def living(connection: Connection) -> int:
    """Count the workers that have shown a sign of life lately."""
    row = await (await connection.execute(QUERIES["living"], {"dead": DEAD})).fetchone()
    return int(row[0]) if row else 0
