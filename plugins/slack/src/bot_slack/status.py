"""What a person sees before there is an answer: that somebody is working on it, and a stop button.

https://docs.slack.dev/reference/methods/agents.sessions.setStatus
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from bot.inbox import Inbox, Incoming
from bot_slack.attempts import Overtaken
from bot_slack.calls import Calls
from bot_slack.limits import Limiter
from bot_slack.places import Thread

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

log = logging.getLogger(__name__)

PATIENCE = 3.0  # seconds; a status that comes later is of no use
UNTAKEN = 0.5  # seconds after which a question that no worker has taken shows a status all the same
WAITING = "is answering other questions first …"


class Status:
    """The status of one thread; whatever goes wrong with it does not matter to the answer."""

    def __init__(self, calls: Calls, thread: Thread) -> None:
        self._calls = calls
        self._thread = thread
        self._tasks: list[asyncio.Task[bool]] = []

    def show(self, text: str) -> None:
        """Say what is being done, without waiting for Slack."""
        thread = {"channel_id": self._thread.channel, "thread_ts": self._thread.ts}
        self._behind("agents.sessions.setStatus", status="processing",
                     initiator_user_id=self._thread.user, **thread)  # fmt: skip
        self._behind("assistant.threads.setStatus", status=text, **thread)

    async def clear(self, *, streamed: bool = False) -> None:
        """Say that nothing is being done; a stream that was closed has said so itself."""
        await asyncio.gather(*self._tasks)
        if self._tasks and not streamed:
            await self.say_nothing()

    async def say_nothing(self) -> None:
        """Take a status away."""
        thread = {"channel_id": self._thread.channel, "thread_ts": self._thread.ts}
        self._behind("agents.sessions.setStatus", status="active", **thread)
        self._behind("assistant.threads.setStatus", status="", **thread)
        await asyncio.gather(*self._tasks)

    async def shown(self) -> bool:
        """Wait until Slack has been told; False when there was nothing to tell any more."""
        return any(await asyncio.gather(*self._tasks))

    def cancel(self) -> None:
        """Let go of what has not been said yet."""
        for task in self._tasks:
            task.cancel()

    def _behind(self, method: str, **arguments: Any) -> None:
        async def call() -> bool:
            try:
                await self._calls(method, arguments, patience=PATIENCE)
            except Overtaken:
                return False
            except Exception as error:
                log.info("no status is shown: %s", error)
            return True  # perhaps

        self._tasks.append(asyncio.create_task(call()))


async def reassure(
    inbox: Inbox, client: AsyncWebClient, limiter: Limiter, incoming: Incoming
) -> None:
    """Show a status for a question that waits for a worker; who takes it replaces that."""
    place = incoming.place
    await asyncio.sleep(UNTAKEN)

    async def untaken() -> None:
        if await inbox.state(place) != "waiting":
            raise Overtaken

    async def anyway() -> None:
        pass

    thread = Thread(
        team=place.team, channel=place.room, ts=place.thread, user=incoming.author,
        after=place.ts or "",
    )  # fmt: skip
    status = Status(Calls(client, limiter, untaken), thread)
    status.show(WAITING)
    if not await status.shown() or await inbox.state(place) == "waiting":
        return
    # It was taken between our look and our call: nobody else may clear what we have shown.
    while await inbox.state(place) == "answering":  # noqa: ASYNC110 -- another process does it
        await asyncio.sleep(1.0)
    await Status(Calls(client, limiter, anyway), thread).say_nothing()
