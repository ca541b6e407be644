"""`bot slack doctor`: each thing that must be right between the bot and Slack, in one sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot_slack.manifest import EVENTS, SCOPES

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

    from bot import Bot
    from bot_slack.channel import Slack

CALL = 10  # seconds for each of Slack's answers

_TOKEN = {
    "invalid_auth": "copy it from OAuth & Permissions of the app",
    "not_authed": "copy it from OAuth & Permissions of the app",
    "token_revoked": "install the app again and copy the new one",
    "account_inactive": "install the app again and copy the new one",
    "not_allowed_token_type": "it is of another kind: bot_token begins with xoxb-",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: whether it is well, and what is so, or what to do."""

    check: str
    ok: bool
    says: str


async def examine(bot: Bot, name: str) -> list[Finding]:
    """Run every check of one channel; those that need a token stop at a wrong one."""
    from bot_slack.channel import Slack

    channel = await bot.component("channel", name)
    assert isinstance(channel, Slack)
    return [finding async for finding in _findings(channel)]


async def _findings(channel: Slack) -> AsyncIterator[Finding]:
    import aiohttp
    from slack_sdk.web.async_client import AsyncWebClient

    settings = channel.settings
    timeout = aiohttp.ClientTimeout(total=CALL)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as http:
        client = AsyncWebClient(
            token=settings.bot_token.reveal(),
            base_url=settings.base_url,
            session=http,
            retry_handlers=[],
        )
        told, said = await _call(client, "auth.test")
        if said is None:
            fix = _TOKEN.get(told, "check base_url and the network")
            yield Finding("bot_token", False, f"Slack says {told}; {fix}.")
            return
        yield Finding("bot_token", True, f"{said['user']} in {said['team']} ({said['team_id']})")
        yield _scopes(said)
        if settings.mode == "socket":
            yield await _socket(client, channel)
        else:
            yield Finding("http", True, f"expects Slack at {settings.host}:{settings.port}")
        rooms = [*settings.rooms, *filter(None, [settings.handover])]
        for room in dict.fromkeys(rooms):
            yield await _room(client, room)
    yield await _events(channel)


def _scopes(said: Any) -> Finding:
    header = next((v for k, v in said.headers.items() if k.lower() == "x-oauth-scopes"), "")
    granted = {scope.strip() for scope in header.split(",")}
    missing = sorted(SCOPES.keys() - granted)
    if not missing:
        return Finding("scopes", True, f"all {len(SCOPES)} are granted")
    needs = "; ".join(f"{scope} (to {SCOPES[scope]})" for scope in missing)
    return Finding(
        "scopes", False, f"missing {needs}: paste `bot slack manifest` and install the app again."
    )


async def _socket(client: AsyncWebClient, channel: Slack) -> Finding:
    assert channel.settings.app_token is not None
    token = channel.settings.app_token.reveal()
    told, said = await _call(client, "apps.connections.open", token=token)
    if said is None:
        return Finding(
            "app_token",
            False,
            f"Slack says {told}; make one with the scope connections:write under Basic "
            "Information, and switch Socket Mode on.",
        )
    http = client.session
    assert http is not None
    try:
        async with http.ws_connect(said["url"]) as socket:
            hello = await socket.receive_json(timeout=CALL)
    except (OSError, TimeoutError, TypeError, ValueError) as error:
        return Finding(
            "socket", False, f"it cannot be opened ({error}); let wss:// out of the network."
        )
    open_ = hello.get("num_connections", 1) - 1
    return Finding("socket", True, f"it opens; {open_} other connections of this app are open")


async def _room(client: AsyncWebClient, room: str) -> Finding:
    told, said = await _call(client, "conversations.info", channel=room)
    if said is None:
        return Finding(room, False, f"Slack says {told}; invite the bot there, or correct the id.")
    name = said["channel"].get("name", room)
    if not said["channel"].get("is_member"):
        return Finding(room, False, f"the bot is not in #{name}; invite it there.")
    return Finding(room, True, f"the bot is in #{name}")


async def _events(channel: Slack) -> Finding:
    last = await channel.inbox.last()
    if last is None:
        names = ", ".join(EVENTS)
        return Finding(
            "events",
            True,
            f"none has come yet; once `bot serve` runs, write to the bot. It needs: {names}",
        )
    return Finding("events", True, f"the last question came {last:%Y-%m-%d %H:%M} UTC")


async def _call(client: AsyncWebClient, method: str, **arguments: Any) -> tuple[str, Any]:
    """Call Slack: an error's name and None, or its answer."""
    from slack_sdk.errors import SlackApiError, SlackClientError

    token = arguments.pop("token", None)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        return "", await client.api_call(method, params=arguments, headers=headers)
    except SlackApiError as error:
        return str(error.response.get("error", error)), None
    except (SlackClientError, OSError, TimeoutError) as error:
        return f"nothing ({type(error).__name__})", None
