"""Commands that wait for jobs, and do them themselves when no worker lives."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.indexing.status import Overview

LOOK = 0.2  # seconds between looks at the work
SHOW = 1.0  # seconds between lines on a terminal
IDLE = 3.0  # seconds in which no worker takes a job, until we take it
GIVEN_UP = 20  # times in a row that we could not begin, one a second at most


async def work(bot: Bot, version: int) -> None:
    """Wait until no job for a version is left; work here while nobody else does.

    Stopped, it finishes what it has in hand; the rest stays in the queue.

    Raises:
        BotError: the database lets us look, and not work, as when its disk is full.
    """
    from bot.indexing.rebuild import QUEUE
    from bot.worker import Worker

    worker = Worker(bot, queues=[QUEUE])
    own: asyncio.Task[None] | None = None
    shown = _Shown()
    busy = time.monotonic()
    try:
        while (state := await _outstanding(bot, version)).any:
            busy = time.monotonic() if state.running else busy
            # One that lives may serve other queues alone.
            if own is None and (time.monotonic() - busy > IDLE or not await _workers(bot)):
                own = asyncio.create_task(worker.run())
            if own is not None and own.done():
                own.result()
            if worker.failure is not None and worker.failures >= GIVEN_UP:
                raise worker.failure
            await shown.update(bot, version, state.error)
            await asyncio.sleep(LOOK)
    except asyncio.CancelledError:
        if own is not None:
            shown.say("The batch in hand is finished first; once more leaves it undone.")
        raise
    finally:
        shown.close()
        if own is not None:
            own.cancel()
            await asyncio.gather(own, return_exceptions=True)


class _Outstanding(NamedTuple):
    """Whether jobs of a version wait or run, whether one runs, and why it does not get on."""

    any: bool
    running: bool
    error: str


async def _outstanding(bot: Bot, version: int) -> _Outstanding:
    from bot.indexing.rebuild import PAUSED
    from bot.indexing.versions import QUERIES

    arguments = {"version": version, "paused": PAUSED}
    async with bot.database.connection() as connection:
        cursor = await connection.execute(QUERIES["any_outstanding"], arguments)
        row = await cursor.fetchone()
    assert row is not None
    return _Outstanding(*row)


async def _workers(bot: Bot) -> int:
    from bot import jobs

    async with bot.database.connection() as connection:
        return await jobs.living(connection)


class _Shown:
    """A line on a terminal that tells how far the work is; in a pipe only what goes wrong."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = 0.0
        self._told = {""}

    async def update(self, bot: Bot, version: int, error: str) -> None:
        from bot.text import printable

        kind = error.partition("(")[0]  # in brackets stand numbers, of files and the like
        if kind not in self._told:
            self.say(f"It is tried again: {printable(error)}")
            self._told.add(kind)
        if self._terminal and time.monotonic() - self._last > SHOW:
            self._last = time.monotonic()
            from bot.indexing import status

            found = await status.read(bot)
            for one in found.versions:
                if one.version == version:
                    click.echo(f"\r\x1b[K{_line(one)}", err=True, nl=False)

    def say(self, text: str) -> None:
        self.close()
        click.echo(text, err=True)

    def close(self) -> None:
        if self._terminal:
            click.echo("\r\x1b[K", err=True, nl=False)


def _line(one: Overview) -> str:
    left = "" if one.seconds_left is None else f", {one.seconds_left:.0f} s left"
    return (
        f"version {one.version}: {one.progress:.0%}, {one.chunks} chunks, "
        f"{one.chunks_per_second:.0f}/s{left}"
    )
