"""What a workspace holds: people, channels, messages, and what a person sees of them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(kw_only=True)
class User:
    """A person, a guest, somebody of another workspace, or a bot."""

    id: str
    name: str = ""
    email: str = ""
    team: str = ""
    is_bot: bool = False
    is_guest: bool = False
    deleted: bool = False

    def payload(self, team: str) -> Json:
        """The user as `users.info` gives it."""
        name = self.name or self.id.lower()
        return {
            "id": self.id,
            "team_id": self.team or team,
            "name": name,
            "real_name": name,
            "deleted": self.deleted,
            "is_bot": self.is_bot,
            "is_restricted": self.is_guest,
            "is_ultra_restricted": False,
            "is_stranger": bool(self.team) and self.team != team,
            "is_email_confirmed": bool(self.email),
            "profile": {"real_name": name, "display_name": name, "email": self.email},
        }


@dataclass(kw_only=True)
class Channel:
    """A place; `members` always include the bot when `bot_in` is true."""

    id: str
    name: str = ""
    kind: Literal["channel", "group", "im", "mpim"] = "channel"
    members: set[str] = field(default_factory=set)
    bot_in: bool = True
    archived: bool = False
    shared: bool = False
    user: str = ""  # the other one of a direct conversation

    def payload(self, team: str) -> Json:
        """The channel as `conversations.info` gives it."""
        found: Json = {
            "id": self.id,
            "name": self.name or self.id.lower(),
            "context_team_id": team,
            "is_channel": self.kind == "channel",
            "is_group": self.kind == "group",
            "is_im": self.kind == "im",
            "is_mpim": self.kind == "mpim",
            "is_private": self.kind != "channel",
            "is_archived": self.archived,
            "is_member": self.bot_in,
            "is_shared": self.shared,
            "is_ext_shared": self.shared,
            "is_org_shared": False,
        }
        return found | ({"user": self.user} if self.kind == "im" else {})


@dataclass(kw_only=True)
class Message:
    """One message as it stands now.

    Attributes:
        text: what was posted as `text`; mrkdwn.
        markdown: what was posted or streamed as Markdown.
        visible_to: the only person who sees it, for an ephemeral message.
        stream: the stream it is being written by, until that is closed.
        writes: how many calls made and changed it.
    """

    channel: str
    ts: str
    user: str
    text: str = ""
    markdown: str = ""
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str = ""
    by_app: bool = False
    visible_to: str = ""
    metadata: Json | None = None
    subtype: str = ""
    edited: bool = False
    stream: Stream | None = None
    unfurl: bool = True
    reactions: set[str] = field(default_factory=set)
    writes: int = 1

    @property
    def thread(self) -> str:
        """The thread it belongs to: its own ts when it begins one."""
        return self.thread_ts or self.ts

    @property
    def shown(self) -> str:
        """All text that a person sees, blocks included, the blocks' in their order."""
        from bot.testing.fake_slack.visible import block_text

        body = self.markdown or ("" if self.blocks else self.text)
        return "\n".join(filter(None, [body, *map(block_text, self.blocks)]))

    def payload(self, app: Json) -> Json:
        """The message as `conversations.replies` and events give it."""
        found: Json = {"type": "message", "ts": self.ts, "user": self.user}
        found["text"] = self.text or self.markdown
        if self.thread_ts:
            found["thread_ts"] = self.thread_ts
        if self.subtype:
            found["subtype"] = self.subtype
        if self.by_app:
            found |= {"bot_id": app["bot_id"], "app_id": app["app_id"]}
        if self.blocks:
            found["blocks"] = self.blocks
        if self.edited:
            found["edited"] = {"user": self.user, "ts": self.ts}
        if self.metadata:
            found["metadata"] = self.metadata
        return found


@dataclass(kw_only=True)
class Stream:
    """A message that is still being streamed."""

    begun: float
    written: int = 0  # bytes of UTF-8
    recipient: str = ""


class World:
    """The state of one workspace."""

    def __init__(self, team: str, users: Iterable[User], channels: Iterable[Channel]) -> None:
        self.team = team
        self.app: Json = {"app_id": "A0FAKE", "bot_id": "B0BOT", "bot_user_id": "U0BOT"}
        self.users = {user.id: user for user in users}
        self.users["U0BOT"] = User(id="U0BOT", name="bot", is_bot=True)
        self.channels = {channel.id: channel for channel in channels}
        self.messages: dict[tuple[str, str], Message] = {}
        self.ephemerals: list[Message] = []
        self.views: dict[str, Json] = {}  # open modals by id, home tabs by `home:USER`
        self.statuses: dict[tuple[str, str], list[Json]] = {}
        self.groups: dict[str, set[str]] = {}  # user groups and their members
        self._numbers = count(1)
        self._began = int(time.time())

    @property
    def bot_user(self) -> str:
        return str(self.app["bot_user_id"])

    def new_ts(self) -> str:
        """A message's timestamp: unique, and later than all before."""
        number = next(self._numbers)
        return f"{self._began + number // 1_000_000}.{number % 1_000_000:06d}"

    def number(self) -> int:
        return next(self._numbers)

    def add(self, message: Message) -> Message:
        if message.visible_to:
            self.ephemerals.append(message)
        else:
            self.messages[message.channel, message.ts] = message
        return message

    def direct(self, user: str) -> Channel:
        """The direct conversation of a person with the bot, opened on first use."""
        found = Channel(id=f"D{user[1:]}", kind="im", members={user}, user=user)
        return self.channels.setdefault(found.id, found)

    def thread(self, channel: str, thread_ts: str) -> list[Message]:
        """The messages of one thread, the oldest first."""
        found = (m for (place, _), m in self.messages.items() if place == channel)
        return sorted((m for m in found if m.thread == thread_ts), key=lambda m: m.ts)
