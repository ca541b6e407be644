"""One process's health and metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from prometheus_client import generate_latest

from bot.errors import BotError, MonitoringError
from bot.hookspecs import hookimpl
from bot.monitoring import http
from bot.monitoring.metrics import QUERIES, Metrics
from bot.turn import Answer, Outcome, Turn

if TYPE_CHECKING:
    from bot.app import Bot

SILENCE = 30.0  # seconds without the database after which a worker counts as ill
_ANSWERS = 3.0  # seconds within which the database must answer
_REST = 20  # reading takes at most one part in so many of the time


class Monitor:
    """Watches one process: what it does is told to it, and it looks into the database.

    Args:
        bot: an open bot.
    """

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._metrics = Metrics()
        self._problems: dict[str, str] = {}
        self._beat: float | None = None
        self._reading = asyncio.Lock()
        self._read_again = 0.0
        for assistant in bot.settings.assistants:
            for outcome in Outcome:  # an increase from nothing is no increase
                self._metrics.turns.labels(assistant, outcome.value)

    @hookimpl
    async def bot_turn_finished(self, turn: Turn, answer: Answer) -> None:
        """Count a turn, and its steps' times."""
        self._metrics.turns.labels(turn.assistant.name, answer.outcome.value).inc()
        for step, milliseconds in answer.timings.items():
            self._metrics.turn_seconds.labels(step).observe(milliseconds / 1000)

    def job_ended(self, task: str, seconds: float, failed: bool) -> None:
        """Count an attempt at a job."""
        self._metrics.jobs.labels(task, "failed" if failed else "done").inc()
        self._metrics.job_seconds.labels(task).observe(seconds)

    def beat(self) -> None:
        """Note that a worker of this process has just reached the database."""
        self._beat = time.monotonic()

    def failed(self, part: str, problem: str) -> None:
        """Note that a part of this process has failed for good."""
        self._problems[part] = problem

    async def problems(self) -> list[str]:
        """What is wrong with this process, one sentence each; nothing when it is healthy."""
        found = [f"{part}: {problem}" for part, problem in self._problems.items()]
        if self._beat is not None and time.monotonic() - self._beat > SILENCE:
            found.append(f"the worker has not reached the database for {SILENCE:.0f} s")
        try:
            async with asyncio.timeout(_ANSWERS), self._bot.database.connection() as connection:
                await connection.execute(QUERIES["answers"])
        except TimeoutError:
            found.append(f"the database does not answer within {_ANSWERS:.0f} s")
        except BotError as error:
            found.append(f"database: {error}")
        return found

    async def text(self) -> bytes:
        """Write all metrics in Prometheus' text format."""
        async with self._reading:
            begun = time.monotonic()
            if begun >= self._read_again:
                with suppress(BotError):  # domainbot_database_up tells it
                    await self._metrics.stored.read(self._bot.database)
                ended = time.monotonic()
                self._read_again = ended + min(_REST * (ended - begun), 60.0)
        return generate_latest(self._metrics.registry)


@asynccontextmanager
async def monitored(
    bot: Bot, host: str, port: int, told: Callable[[str], None] | None = None
) -> AsyncIterator[Monitor]:
    """Watch this process, and answer for it at an address; with port 0 at none.

    Args:
        told: is told when the address cannot be had, which is no error then.

    Raises:
        MonitoringError: the address is taken, or is none of this machine's.
    """
    monitor = Monitor(bot)
    bot.plugins.register(monitor, "monitoring")
    with ExitStack() as serving:
        serving.callback(bot.plugins.manager.unregister, monitor)
        if port:
            try:
                serving.enter_context(http.serving(monitor, host, port))
            except MonitoringError as error:
                if told is None:
                    raise
                told(str(error))
        yield monitor
