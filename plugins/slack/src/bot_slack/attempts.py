"""Which attempts at messages run in this process, and whether each may still write.

Everything that writes to Slack passes a fence first: the attempt must still be the newest one of
its message. So a worker that was believed dead, or whose question was edited or deleted meanwhile,
writes nothing more, and who comes after it completes the same message.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.errors import BotError, DatabaseError
from bot.inbox import Claimed, Inbox

log = logging.getLogger(__name__)

LOOK = 0.5  # seconds between looks for edits, deletions and stops
PATIENCE = 60.0  # seconds that a fence waits for a database that is being started again


class Overtaken(Exception):
    """Another attempt has taken the message over: this one must not write any more."""


class Attempts:
    """The attempts of this process, each looked at twice a second with one query for all."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._running: dict[int, tuple[Claimed, asyncio.Event, asyncio.Event]] = {}
        self._looking: asyncio.Task[None] | None = None

    def add(self, claimed: Claimed) -> tuple[asyncio.Event, asyncio.Event]:
        """Begin to watch; the first event is set when it is overtaken, the second when stopped."""
        overtaken, stopped = asyncio.Event(), asyncio.Event()
        if claimed.stopped:
            stopped.set()
        self._running[claimed.id] = claimed, overtaken, stopped
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return overtaken, stopped

    def remove(self, claimed: Claimed) -> None:
        self._running.pop(claimed.id, None)

    async def aclose(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    def fence(self, claimed: Claimed) -> Callable[[], Awaitable[None]]:
        """Let nobody write but the newest attempt; a lost database is waited for.

        Returns:
            What to call before each write. It raises `Overtaken`, or `DatabaseError` when nobody
            can tell.
        """

        looking: asyncio.Task[None] | None = None

        async def fence() -> None:
            nonlocal looking  # calls that begin at once share one look
            if looking is None or looking.done():
                looking = asyncio.create_task(look())
                looking.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.shield(looking)

        async def look() -> None:
            until = asyncio.get_running_loop().time() + PATIENCE
            while True:
                try:
                    standing = await self._inbox.standing([claimed.id])
                    break
                except DatabaseError:
                    if asyncio.get_running_loop().time() > until:
                        raise
                    await asyncio.sleep(LOOK)
            if standing.get(claimed.id, (0, False))[0] != claimed.attempt:
                raise Overtaken

        return fence

    async def _look(self) -> None:
        while self._running:
            await asyncio.sleep(LOOK)
            watched = dict(self._running)
            try:
                standing = await self._inbox.standing(watched)
            except BotError as error:
                log.warning("attempts are not watched: %s", error)
                continue
            for id_, (claimed, overtaken, stopped) in watched.items():
                attempt, stop = standing.get(id_, (0, False))
                if attempt != claimed.attempt:
                    overtaken.set()
                elif stop:
                    stopped.set()
