"""What workers do: tasks, and jobs of theirs. Plugins offer them when they are loaded, so a
database driver is not needed here; `bot.jobs` adds jobs to the queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.app import Bot


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job in the hands of a worker.

    Attributes:
        arguments: what it was deferred with.
        attempt: 1 for the first; deaths of workers count.
        last: when this attempt fails, there is no other.
    """

    id: int
    arguments: Mapping[str, Any]
    attempt: int
    last: bool


Run = Callable[["Bot", Job], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Task:
    """Something that workers do.

    Attributes:
        name: under which its jobs are kept, for ever; begins with the plugin's name and a dot.
        run: does one job. Cancelled only when a worker must stop at once; the job is then run
            again. It may change what it is deferred with only as old jobs can still be read.
        queue: where its jobs wait. A worker takes from the queues of the tasks that it knows, so
            a plugin that is not installed everywhere has a queue of its own.
        attempts: how often a job is tried before it counts as failed.
    """

    name: str
    run: Run
    queue: str
    attempts: int = 5
