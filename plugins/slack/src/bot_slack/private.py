"""Answers that only one person sees: ephemeral messages, which can be neither streamed nor found.

Slack shows them to nobody else and lists them nowhere, so after an unclear call nobody can look
whether one arrived; it is sent again then, as twice is better than never.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import aiohttp

from bot import record
from bot.turn import EVERYONE, Event, Failed, Finished, Passage, Status, TextDelta
from bot_slack import blocks
from bot_slack.blocks import Block
from bot_slack.calls import Unsure
from bot_slack.draft import Draft
from bot_slack.links import Links
from bot_slack.render import Cleaner, clean
from bot_slack.stream import Written

if TYPE_CHECKING:
    from bot_slack.answering import Attempt

log = logging.getLogger(__name__)

USABLE = 1500.0  # seconds that the address which answers a command works: half an hour, less some
TWICE = 2  # calls that are made when it is not clear whether the first was taken


async def write(attempt: Attempt, events: AsyncGenerator[Event]) -> Written:
    """Write the answer that these events make, once it is complete."""
    written, draft, cleaner = Written(), Draft(), Cleaner()
    async with aclosing(events) as items:
        async for event in items:
            match event:
                case Status(passages=passages) if passages:
                    written.passages = passages
                    cleaner.links = Links(passages)
                case TextDelta(text):
                    draft.add(cleaner.feed(text))
                case Finished(answer):
                    written.answer = answer
                case Failed(text, _, answer):
                    written.answer = answer
                    draft.add([*cleaner.end(), "\n\n" if draft.parts else "", clean(text)])
    draft.add(cleaner.end())
    assert written.answer is not None  # a turn always ends in one
    handover = attempt.of.settings.handover is not None
    private = await _publishable(attempt, written.passages)
    below = blocks.ending(written.answer, handover=handover, private=private)
    *before, final = draft.parts
    for text in before:
        await post(attempt, text, [])
    await post(attempt, final, below)
    return written


async def post(attempt: Attempt, text: str, below: list[Block]) -> None:
    """Send one message that only who asked sees.

    Raises:
        SlackApiError: Slack refuses.
    """
    whole = [*([blocks.markdown(text)] if text else []), *below]
    body: dict[str, object] = {"text": blocks.summary(text), "blocks": whole}
    if await respond(attempt, body):
        return
    place = {"channel": attempt.thread.channel, "user": attempt.thread.user}
    if attempt.claimed.details.get("reply"):  # elsewhere there is no thread to show it in
        place["thread_ts"] = attempt.thread.ts
    for left in reversed(range(TWICE)):
        try:
            await attempt.calls("chat.postEphemeral", {**place, **body})
            return
        except Unsure:
            if not left:
                raise


async def respond(attempt: Attempt, body: dict[str, object]) -> bool:
    """Answer a command or a button where it was used, also where the bot is no member."""
    url = str(attempt.claimed.details.get("response_url") or "")
    if not url or attempt.claimed.received_at.timestamp() + USABLE < time.time():
        return False
    session = attempt.of.client.session
    assert session is not None
    await attempt.fence()
    try:
        kind = {"response_type": "ephemeral", "replace_original": False}
        async with session.post(url, json={**kind, **body}) as reply:
            if reply.status == 200:
                return True
            log.warning("the command's address did not take the answer (%d)", reply.status)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        log.warning("the command's address cannot be reached: %s", error)
    return False


async def _publishable(attempt: Attempt, passages: Sequence[Passage]) -> bool:
    """Whether everybody in the channel may read all that the answer can have been made of."""
    if attempt.thread.direct:
        return False
    claimed = attempt.claimed
    everybody = listeners(attempt, claimed.room)
    if not all(everybody & passage.readers for passage in passages):
        return False
    asker = await attempt.of.questions.principals(claimed)
    said = [
        await record.history(
            attempt.of.inbox.database, claimed.channel, claimed.key, principals, claimed.turn
        )
        for principals in (everybody, everybody | asker)
    ]
    return len(said[0]) == len(said[1])


def listeners(attempt: Attempt, room: str) -> frozenset[str]:
    """As whom everybody in a channel reads."""
    return frozenset({EVERYONE, f"slack:channel:{attempt.claimed.team}/{room}"})
