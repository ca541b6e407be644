"""Who asks and where: what Slack says of people and channels, and what follows for reading.

What is answered where many listen may use only what all of them may read. Whenever Slack cannot be
asked, the question fails: access is never guessed.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from bot.turn import Principal
from bot_slack.conversations import Identity
from bot_slack.settings import SlackSettings

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

KEPT = 300.0  # seconds until Slack is asked again; how long a change of rights may go unnoticed
MOST = 5_000  # people, channels and groups that are remembered at once

FOREIGN = "I only answer people of the workspace that I belong to."

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What Slack says of somebody; `email` only where the workspace vouches for it."""

    id: str
    name: str = ""
    email: str = ""
    guest: bool = False
    foreign: bool = False
    bot: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What Slack says of a channel or a direct conversation."""

    id: str
    direct: bool = False
    shared: bool = False


class Directory:
    """People, channels and user groups, each asked of Slack at most once in five minutes."""

    def __init__(self, client: AsyncWebClient, me: Identity) -> None:
        self._client = client
        self._me = me
        self._known: dict[tuple[str, str], tuple[float, Any]] = {}

    async def person(self, user: str) -> Person:
        """Look up a person, or a bot by its bot id.

        Raises:
            SlackApiError: Slack refused, so nothing is known.
        """
        if user.startswith("B"):
            return Person(id=user, bot=True)
        return await self._remembered("user", user, self._person)

    async def room(self, room: str) -> Room:
        """Look up a channel.

        Raises:
            SlackApiError: Slack refused, so nothing is known.
        """
        if room.startswith("D"):
            return Room(id=room, direct=True)
        return await self._remembered("room", room, self._room)

    async def members(self, group: str) -> frozenset[str]:
        """List the people of a Slack user group.

        Raises:
            SlackApiError: Slack refused, so nothing is known.
        """
        return await self._remembered("group", group, self._members)

    async def _person(self, user: str) -> Person:
        found: dict[str, Any] = (await self._client.users_info(user=user))["user"]
        foreign = bool(found.get("is_stranger")) or found.get("team_id", "") != self._me.team
        guest = bool(found.get("is_restricted") or found.get("is_ultra_restricted"))
        vouched = found.get("is_email_confirmed") and not (foreign or guest)
        return Person(
            id=user,
            name=found.get("real_name") or found.get("name") or "",
            email=(found.get("profile") or {}).get("email") or "" if vouched else "",
            guest=guest,
            foreign=foreign,
            bot=bool(found.get("is_bot")),
            gone=bool(found.get("deleted")),
        )

    async def _room(self, room: str) -> Room:
        found: dict[str, Any] = (await self._client.conversations_info(channel=room))["channel"]
        shared = any(found.get(f"is_{how}") for how in ("ext_shared", "pending_ext_shared"))
        return Room(id=room, direct=bool(found.get("is_im")), shared=shared)

    async def _members(self, group: str) -> frozenset[str]:
        found = await self._client.usergroups_users_list(usergroup=group)
        return frozenset(found["users"])

    async def _remembered(self, kind: str, id_: str, ask: Callable[[str], Awaitable[T]]) -> T:
        until, value = self._known.get((kind, id_), (0.0, None))
        if until < time.monotonic():
            value = await ask(id_)
            while len(self._known) >= MOST:
                del self._known[next(iter(self._known))]
            self._known[kind, id_] = time.monotonic() + KEPT, value
        found: T = value
        return found


def refusal(person: Person, room: Room, settings: SlackSettings) -> str:
    """Say why somebody is not answered here; empty when they are."""
    if person.gone:
        return "This account is deactivated, so I cannot answer it."
    if person.bot and not settings.bots:
        return "I do not answer other bots here."
    if person.foreign and not settings.foreign:
        return FOREIGN
    if person.guest and not settings.guests:
        return "I do not answer guests of this workspace; ask a member to ask me."
    if room.shared and not settings.shared:
        return (
            "I do not answer in channels that are shared with other organisations; "
            "ask me in a direct message."
        )
    return ""


async def principals(
    person: Person, room: Room, directory: Directory, me: Identity, settings: SlackSettings,
    *, private: bool,
) -> frozenset[Principal]:  # fmt: skip
    """Say as whom a question is asked, besides `everyone`.

    Where others listen that is the channel alone. Where only the asker does, it is their verified
    address and their groups, and the channel too if the question was asked in one.

    Raises:
        SlackApiError: Slack does not tell who belongs to a group.
    """
    found = set() if room.direct else {f"slack:channel:{me.team}/{room.id}"}
    if (private or room.direct) and person.email:
        found.add(f"email:{person.email}")
        for group, name in settings.user_groups.items():
            if person.id in await directory.members(group):
                found.add(f"group:{name}")
    return frozenset(found)
