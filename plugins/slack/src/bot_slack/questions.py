"""What a stored message asks, in which context, and whether it may be asked."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from bot import record
from bot.turn import Message, Principal
from bot_slack import access
from bot_slack.access import Directory
from bot_slack.conversations import Identity, question
from bot_slack.settings import SlackSettings

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

    from bot.inbox import Claimed, Inbox

log = logging.getLogger(__name__)

CONTEXT = 30  # messages of a thread that are read when the bot is called into it
BOT_TURNS = 5  # questions of other bots that are answered in a thread, so that no two talk for ever
FILES_ONLY = "I cannot read files yet; please write your question as text."
EMPTY = "What would you like to know? Write your question after my name."


class Gone(Exception):
    """The message is not in Slack any more."""


class Questions:
    """Reads questions: their text, their context, and as whom they are asked."""

    def __init__(
        self, inbox: Inbox, client: AsyncWebClient, me: Identity, settings: SlackSettings
    ) -> None:
        self._inbox = inbox
        self._client = client
        self._me = me
        self._settings = settings
        self.directory = Directory(client, me)

    async def text(self, claimed: Claimed) -> str:
        """Say what is asked; a follow-up that overtook its question is read from Slack now.

        Raises:
            Gone: it was deleted before it was read.
        """
        text = claimed.text
        if not text and not claimed.details.get("files") and claimed.ts is not None:
            found = await self._replies(
                claimed, oldest=_near(claimed.ts, -1), latest=_near(claimed.ts, 1)
            )
            said = next((one for one in found if one["ts"] == claimed.ts), None)
            if said is None:
                raise Gone
            text = said.get("text") or ""
            await self._inbox.told(claimed, text)
        return question(text, self._me)

    async def refusal(self, claimed: Claimed, asked: str) -> tuple[str, bool]:
        """Say why it is not answered; empty when it is. And whether only the asker should know.

        Raises:
            SlackApiError: Slack does not tell who asks, so nobody may.
        """
        person = await self.directory.person(claimed.author)
        room = await self.directory.room(claimed.room)
        refused = access.refusal(person, room, self._settings)
        if not refused and claimed.details.get("foreign") and not self._settings.foreign:
            refused = access.FOREIGN
        if refused:
            return refused, True
        if not asked:
            return FILES_ONLY if claimed.details.get("files") else EMPTY, False
        return await self._too_many(claimed), False

    async def _too_many(self, claimed: Claimed) -> str:
        limits = self._settings
        asked = await self._inbox.ask(
            "asked", claimed, author=claimed.author, at=claimed.received_at
        )
        if asked["minute"] >= limits.per_minute:
            return (
                f"You have asked {limits.per_minute} questions within a minute; "
                "please give me a moment and ask again."
            )
        if asked["day"] >= limits.per_day:
            return f"You have asked {limits.per_day} questions today; please ask again tomorrow."
        if claimed.details.get("bot"):
            turns = await self._inbox.ask("bot_turns", claimed)
            if turns["turns"] >= BOT_TURNS:
                return "I have answered enough bots in this thread; a person may go on."
        return ""

    async def principals(self, claimed: Claimed) -> frozenset[Principal]:
        """Say as whom it is asked, besides `everyone`.

        Raises:
            SlackApiError: Slack does not tell.
        """
        return await access.principals(
            await self.directory.person(claimed.author),
            await self.directory.room(claimed.room),
            self.directory,
            self._me,
            self._settings,
            private=bool(claimed.details.get("private")),
        )

    async def overhear(self, claimed: Claimed, assistant: str) -> None:
        """Read what was said in the thread since the bot was last asked in it."""
        if not claimed.details.get("reply") or claimed.ts is None:
            return
        before = await self._inbox.ask("before", claimed)
        mode = self._settings.room(claimed.room).follow_ups
        if before and (mode != "mention" or claimed.room.startswith("D")):
            return  # everything since was a question itself
        try:
            found = await self._replies(claimed, oldest=before.get("ts", "0"), latest=claimed.ts)
        except Exception as error:  # an answer without the context is better than none
            log.warning("the thread could not be read for turn %s: %s", claimed.turn, error)
            return
        questions = set((await self._inbox.ask("questions_in", claimed))["found"])
        team, room = self._me.team, claimed.room
        said = {
            f"{team}/{room}/{one['ts']}": Message(
                role="user",
                text=question(one["text"], self._me),
                author=f"{team}/{one.get('user') or one.get('bot_id') or ''}",
            )
            for one in found
            if one.get("text")
            and one["ts"] < claimed.ts
            and one["ts"] not in questions
            and one.get("user") != self._me.user
            and one.get("bot_id", "") != (self._me.bot or None)
        }
        newest = dict(list(said.items())[-CONTEXT:])
        if newest:
            await record.overheard(
                self._inbox.database, claimed.channel, claimed.key, assistant, newest
            )

    async def _replies(self, claimed: Claimed, oldest: str, latest: str) -> list[dict[str, Any]]:
        """Read the part of a thread between two messages, and the thread's first one."""
        found = await self._client.conversations_replies(
            channel=claimed.room, ts=claimed.thread, oldest=oldest, latest=latest, limit=999
        )
        messages: list[dict[str, Any]] = found["messages"]
        return messages


def _near(ts: str, microseconds: int) -> str:
    """The time just before or after a message's."""
    seconds, _, fraction = ts.partition(".")
    total = int(seconds) * 1_000_000 + int(fraction or 0) + microseconds
    return f"{total // 1_000_000}.{total % 1_000_000:06d}"
