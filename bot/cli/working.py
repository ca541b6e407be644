"""Commands that wait for jobs, and do them themselves when no worker lives."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.indexing.status import Overview

LOOK = 0.2  # seconds between looks at the work


async def work(bot: Bot, version: int) -> None:
    """Wait until no job for a version is left; work here while nobody else does.

    Stopped, it finishes what it has in hand; the rest stays in the queue.
    """
    from bot.worker import Worker

    own: asyncio.Task[None] | None = None
    shown = _Shown()
    try:
        while await _outstanding(bot, version):
            if own is None and not await _workers(bot):
                own = asyncio.create_task(Worker(bot, queues=["index"]).run())
            if own is not None and own.done():
                own.result()
            await shown.update(bot, version)
            await asyncio.sleep(LOOK)
    finally:
        shown.close()
        if own is not None:
            own.cancel()
            await asyncio.gather(own, return_exceptions=True)


async def _outstanding(bot: Bot, version: int) -> bool:
    from bot.indexing.versions import QUERIES

    async with bot.database.connection() as connection:
        cursor = await connection.execute(QUERIES["any_outstanding"], {"version": version})
        row = await cursor.fetchone()
    return bool(row and row[0])


async def _workers(bot: Bot) -> int:
    from bot import jobs

    async with bot.database.connection() as connection:
        return await jobs.living(connection)


class _Shown:
    """A line on a terminal that tells how far the work is; nothing in a pipe."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    async def update(self, bot: Bot, version: int) -> None:
        if self._terminal:
            from bot.indexing import status

            found = await status.read(bot)
            for one in found.versions:
                if one.version == version:
                    click.echo(f"\r\x1b[K{_line(one)}", err=True, nl=False)

    def close(self) -> None:
        if self._terminal:
            click.echo("\r\x1b[K", err=True, nl=False)


def _line(one: Overview) -> str:
    left = "" if one.seconds_left is None else f", {one.seconds_left:.0f} s left"
    return (
        f"version {one.version}: {one.progress:.0%}, {one.chunks} chunks, "
        f"{one.chunks_per_second:.0f}/s{left}"
    )
