"""What a person sees before there is an answer: that somebody is working on it, and a stop button.

https://docs.slack.dev/reference/methods/agents.sessions.setStatus
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from bot_slack.attempts import Overtaken
from bot_slack.calls import Calls
from bot_slack.places import Thread

log = logging.getLogger(__name__)

PATIENCE = 3.0  # seconds; a status that comes later is of no use


class Status:
    """The status of one thread; whatever goes wrong with it does not matter to the answer."""

    def __init__(self, calls: Calls, thread: Thread) -> None:
        self._calls = calls
        self._thread = thread
        self._tasks: list[asyncio.Task[None]] = []

    def show(self, text: str) -> None:
        """Say what is being done, without waiting for Slack."""
        thread = {"channel_id": self._thread.channel, "thread_ts": self._thread.ts}
        self._behind("agents.sessions.setStatus", status="processing",
                     initiator_user_id=self._thread.user, **thread)  # fmt: skip
        self._behind("assistant.threads.setStatus", status=text, **thread)

    async def clear(self, *, streamed: bool = False) -> None:
        """Say that nothing is being done; a stream that was closed has said so itself."""
        await asyncio.gather(*self._tasks)
        thread = {"channel_id": self._thread.channel, "thread_ts": self._thread.ts}
        if self._tasks and not streamed:
            self._behind("agents.sessions.setStatus", status="active", **thread)
            self._behind("assistant.threads.setStatus", status="", **thread)
            await asyncio.gather(*self._tasks)

    def cancel(self) -> None:
        """Let go of what has not been said yet."""
        for task in self._tasks:
            task.cancel()

    def _behind(self, method: str, **arguments: Any) -> None:
        async def call() -> None:
            try:
                await self._calls(method, arguments, patience=PATIENCE)
            except Overtaken:
                return
            except Exception as error:
                log.info("no status is shown: %s", error)

        self._tasks.append(asyncio.create_task(call()))
