"""Calling Slack to write: fenced, within its limits, and honest about what is not known.

The SDK's own retries are off: after a lost reply they would post again. Here a call that failed is
made again only when Slack has certainly not done it, or when doing it twice is doing it once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import DatabaseError
from bot_slack.limits import Limiter

log = logging.getLogger(__name__)

PATIENCE = 60.0  # seconds that a call waits for its turn, or for a Slack that is out of reach
WAIT = 0.5  # seconds before the first repetition

# Slack has done it, or not, or in part: https://docs.slack.dev/reference/methods
_UNCLEAR = frozenset("internal_error fatal_error request_timeout service_unavailable".split())
# The token opens nothing any more; whoever runs the bot has to set another.
LOST = frozenset("invalid_auth account_inactive token_revoked token_expired not_authed".split())
_TWICE_IS_ONCE = frozenset(
    "chat.update chat.delete agents.sessions.setStatus assistant.threads.setStatus".split()
)
# The token, the app or its rights: nobody but an operator can help.
FIXES = {
    "invalid_auth": "copy the token under OAuth & Permissions of the app into bot_token",
    "not_authed": "copy the token under OAuth & Permissions of the app into bot_token",
    "account_inactive": "install the app again and set its new bot_token",
    "token_revoked": "install the app again and set its new bot_token",
    "token_expired": "install the app again and set its new bot_token",
    "missing_scope": "paste `bot slack manifest` into the app's manifest and install it again",
    "not_in_channel": "invite the bot to the channel",
}


class Unsure(Exception):
    """Slack gave no clear answer: the call may have been made."""


class Busy(Exception):
    """The rate limit leaves no room for the call in time; it was not made."""


class Calls:
    """One workspace's Web API, for one attempt at one message.

    Args:
        fence: called before each call; raises when this attempt may not write any more.
    """

    def __init__(
        self, client: AsyncWebClient, limiter: Limiter, fence: Callable[[], Awaitable[None]]
    ) -> None:
        self.client = client
        self._limiter = limiter
        self._fence = fence

    async def __call__(
        self, method: str, arguments: Mapping[str, Any], *, patience: float = PATIENCE
    ) -> dict[str, Any]:
        """Make a call, as soon as it may be made.

        Raises:
            Busy: not within `patience` seconds.
            Unsure: it may have been made; never raised where making it twice is harmless.
            SlackApiError: Slack refuses it.
            OSError: Slack cannot be reached; the call was not made.
        """
        channel = str(arguments.get("channel", ""))
        clock = asyncio.get_running_loop().time
        until, wait = clock() + patience, WAIT
        while True:
            if not await self._limiter.take(method, channel, max(until - clock(), 0.0)):
                raise Busy(method)
            await self._fence()
            try:
                response = await self.client.api_call(method, json=dict(arguments))
                return dict(response.data)  # type: ignore[arg-type]  # bytes only for files
            except aiohttp.ClientConnectorError:
                if clock() + wait > until:
                    raise
            except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
                said = reason(error)
                if said == "ratelimited":
                    await self._limiter.block(method, channel, retry_after(error))
                    continue
                if said and said not in _UNCLEAR:
                    if said in FIXES:
                        log.error("%s: %s", method, explained(error))
                    raise
                if method not in _TWICE_IS_ONCE or clock() + wait > until:
                    raise Unsure(method) from error
            await asyncio.sleep(wait)
            wait = min(wait * 2, 10.0)


def reason(error: BaseException) -> str:
    """Slack's own name of an error; empty when it gave no answer, or one that is no JSON."""
    data = getattr(getattr(error, "response", None), "data", None)
    return str(data.get("error") or "") if isinstance(data, dict) else ""


def passing(error: BaseException) -> bool:
    """Whether the same may succeed later: Slack or the database is out of reach, or the token."""
    if isinstance(error, SlackApiError):
        return reason(error) in LOST | _UNCLEAR | {"", "ratelimited"}
    return isinstance(
        error, (Unsure, Busy, OSError, aiohttp.ClientError, SlackClientError, DatabaseError)
    )


def retry_after(error: BaseException) -> float:
    """How many seconds Slack wants to be left alone."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    found = next((v for k, v in headers.items() if k.lower() == "retry-after"), "1")
    try:
        return min(max(float(found), 0.1), 600.0)
    except ValueError:
        return 1.0


def explained(error: BaseException) -> str:
    """Say in one sentence what Slack has refused, and what to do about it."""
    said = reason(error)
    if not said:
        return str(error)
    needed = error.response.get("needed", "") if isinstance(error, SlackApiError) else ""
    fix = FIXES.get(said, "run `bot slack doctor`")
    return f"Slack refuses ({said}{f' {needed}' if needed else ''}): {fix}."
