"""The Web API's methods that only read: who is there, what was said, which app this is."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bot.testing.fake_slack.checking import ApiError, need
from bot.testing.fake_slack.methods import method, readable
from bot.testing.fake_slack.world import Json, Message, User

if TYPE_CHECKING:
    from bot.testing.fake_slack.server import FakeSlack

Item = TypeVar("Item")


@method("api.test")
async def api_test(slack: FakeSlack, arguments: Json) -> Json:
    return {"args": {k: v for k, v in arguments.items() if k != "token"}}


@method("auth.test")
async def auth_test(slack: FakeSlack, arguments: Json) -> Json:
    app = slack.world.app
    return {
        "url": "https://fake.slack.com/",
        "team": "Fake",
        "team_id": slack.world.team,
        "user": "bot",
        "user_id": app["bot_user_id"],
        "bot_id": app["bot_id"],
        "app_id": app["app_id"],
        "is_enterprise_install": False,
    }


@method("team.info", "team:read")
async def team_info(slack: FakeSlack, arguments: Json) -> Json:
    return {"team": {"id": slack.world.team, "name": "Fake", "domain": "fake"}}


@method("bots.info", "users:read")
async def bots_info(slack: FakeSlack, arguments: Json) -> Json:
    app = slack.world.app
    return {"bot": {"id": app["bot_id"], "app_id": app["app_id"], "user_id": app["bot_user_id"]}}


@method("users.info", "users:read")
async def users_info(slack: FakeSlack, arguments: Json) -> Json:
    return {"user": _user(slack, _known(slack, need(arguments, "user")))}


@method("users.list", "users:read")
async def users_list(slack: FakeSlack, arguments: Json) -> Json:
    return {"members": [_user(slack, user) for user in slack.world.users.values()]}


@method("users.lookupByEmail", "users:read.email")
async def users_by_email(slack: FakeSlack, arguments: Json) -> Json:
    email = need(arguments, "email").lower()
    for user in slack.world.users.values():
        if user.email.lower() == email:
            return {"user": _user(slack, user)}
    raise ApiError("users_not_found")


@method("usergroups.list", "usergroups:read")
async def usergroups(slack: FakeSlack, arguments: Json) -> Json:
    found = [
        {"id": id_, "handle": id_.lower(), "name": id_, "users": sorted(members)}
        for id_, members in slack.world.groups.items()
    ]
    return {"usergroups": found}


@method("usergroups.users.list", "usergroups:read")
async def usergroup_users(slack: FakeSlack, arguments: Json) -> Json:
    group = need(arguments, "usergroup")
    if group not in slack.world.groups:
        raise ApiError("no_such_subteam")
    return {"users": sorted(slack.world.groups[group])}


@method("conversations.info", "channels:read")
async def conversations_info(slack: FakeSlack, arguments: Json) -> Json:
    return {"channel": readable(slack, arguments).payload(slack.world.team)}


@method("conversations.list", "channels:read")
async def conversations_list(slack: FakeSlack, arguments: Json) -> Json:
    found = [c.payload(slack.world.team) for c in slack.world.channels.values()]
    return {"channels": found, "response_metadata": {"next_cursor": ""}}


@method("conversations.members", "channels:read")
async def conversations_members(slack: FakeSlack, arguments: Json) -> Json:
    channel = readable(slack, arguments)
    everyone = channel.members | ({slack.world.bot_user} if channel.bot_in else set())
    found, cursor = _page(sorted(everyone), arguments)
    return {"members": found, "response_metadata": {"next_cursor": cursor}}


@method("conversations.open", "im:write")
async def conversations_open(slack: FakeSlack, arguments: Json) -> Json:
    user = _known(slack, need(arguments, "users"))
    return {"channel": slack.world.direct(user.id).payload(slack.world.team)}


@method("conversations.replies", "channels:history")
async def replies(slack: FakeSlack, arguments: Json) -> Json:
    channel = readable(slack, arguments)
    if not channel.bot_in:
        raise ApiError("not_in_channel")
    thread = slack.world.thread(channel.id, need(arguments, "ts"))
    if not thread:
        raise ApiError("thread_not_found")
    return _history(slack, thread, arguments)


@method("conversations.history", "channels:history")
async def history(slack: FakeSlack, arguments: Json) -> Json:
    channel = readable(slack, arguments)
    if not channel.bot_in:
        raise ApiError("not_in_channel")
    found = [
        message
        for (place, _), message in sorted(slack.world.messages.items(), reverse=True)
        if place == channel.id and message.thread == message.ts
    ]
    return _history(slack, found, arguments)


def _history(slack: FakeSlack, messages: list[Message], arguments: Json) -> Json:
    oldest, latest = str(arguments.get("oldest") or "0"), str(arguments.get("latest") or "9" * 20)
    wanted = [m for m in messages if oldest < m.ts < latest or m.thread == m.ts]
    found, cursor = _page(wanted, arguments)
    payloads = [message.payload(slack.world.app) for message in found]
    if str(arguments.get("include_all_metadata", False)).lower() not in ("true", "1"):
        payloads = [{k: v for k, v in each.items() if k != "metadata"} for each in payloads]
    return {
        "messages": payloads,
        "has_more": bool(cursor),
        "response_metadata": {"next_cursor": cursor},
    }


def _page(items: list[Item], arguments: Json) -> tuple[list[Item], str]:
    start = int(arguments.get("cursor") or 0)
    end = start + min(int(arguments.get("limit") or 100), 1000)
    return items[start:end], str(end) if end < len(items) else ""


def _known(slack: FakeSlack, id_: str) -> User:
    if id_ not in slack.world.users:
        raise ApiError("user_not_found")
    return slack.world.users[id_]


def _user(slack: FakeSlack, user: User) -> Json:
    """A user as this app may see it: the address only with its scope."""
    found = user.payload(slack.world.team)
    if "users:read.email" not in slack.scopes:
        found["profile"].pop("email")
    return found
