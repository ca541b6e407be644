"""Where an answer goes, and what of ours stands there already."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slack_sdk.errors import SlackApiError

from bot_slack.calls import reason

if TYPE_CHECKING:
    from bot_slack.answering import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread in Slack, and whom the answer is for.

    Attributes:
        ts: its first message; empty for an answer that stands in no thread.
        user: who asked.
        after: the question, so that what is older cannot be its answer; empty when it is none.
    """

    team: str
    channel: str
    ts: str
    user: str
    after: str = ""

    @property
    def direct(self) -> bool:
        """Whether it is a direct conversation."""
        return self.channel.startswith("D")


async def adopt(attempt: Attempt, own: Collection[str]) -> str:
    """Find the message that an unclear call may have posted; empty when there is none.

    Slack shows a message a moment after it took it, so a second look is taken.
    """
    for wait in (0.0, 1.0):
        await asyncio.sleep(wait)
        if found := await unknown(attempt, own):
            return found[-1]
    return ""


async def unknown(attempt: Attempt, own: Collection[str]) -> list[str]:
    """List our messages in a thread, newer than the question, that no answer is known by."""
    thread, me = attempt.thread, attempt.of.me
    client, room, after = attempt.of.reading, thread.channel, thread.after or "0"
    try:
        if thread.ts:
            said = await client.conversations_replies(
                channel=room, ts=thread.ts, oldest=after, limit=999
            )
        else:
            said = await client.conversations_history(channel=room, oldest=after, limit=100)
    except SlackApiError as error:
        if reason(error) in ("thread_not_found", "channel_not_found"):
            return []
        raise
    newer = [
        str(one["ts"])
        for one in said["messages"]
        if (one.get("user") == me.user or one.get("bot_id") == me.bot != "")
        and one["ts"] > thread.after
        and one["ts"] not in own
    ]
    if not newer:
        return []
    known = await attempt.of.inbox.ask("answers_in", attempt.claimed)
    return sorted(set(newer) - set(known["found"]))
