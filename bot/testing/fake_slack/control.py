"""A control API, so that another process can be the people and look at what they see.

`POST /_control/NAME` with a JSON object of arguments calls a method of `FakeSlack`;
`GET /_control/messages?channel=C1` and `GET /_control/calls` show the state.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from bot.testing.fake_slack.server import FakeSlack
    from bot.testing.fake_slack.world import Json, Message

ACTIONS = frozenset(
    {
        "post_message", "mention", "edit", "delete", "slash_command", "click", "click_home",
        "shortcut", "submit", "open_home", "stop_session", "uninstall", "settled", "connected",
    }
)  # fmt: skip


def add_routes(app: web.Application, slack: FakeSlack) -> None:
    """Put the control API beside the Web API."""

    async def act(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        arguments: dict[str, Any] = await request.json() if request.can_read_body else {}
        try:
            if name == "fault":
                slack.faults.add(**arguments)
                return web.json_response({"ok": True})
            if name == "disconnect":
                return web.json_response({"ok": await slack.deliverer.disconnect(**arguments)})
            if name not in ACTIONS:
                raise web.HTTPNotFound
            result = await getattr(slack, name)(**arguments)
        except (TypeError, LookupError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.json_response({"ok": True, "ts": result if isinstance(result, str) else ""})

    async def messages(request: web.Request) -> web.Response:
        query = request.query
        found = slack.messages(query["channel"], query.get("thread_ts"), user=query.get("user", ""))
        return web.json_response([as_json(message) for message in found])

    async def calls(request: web.Request) -> web.Response:
        return web.json_response([asdict(call) for call in slack.calls])

    app.router.add_post("/_control/{name}", act)
    app.router.add_get("/_control/messages", messages)
    app.router.add_get("/_control/calls", calls)


def as_json(message: Message) -> Json:
    """A message as a person sees it."""
    return {
        "ts": message.ts,
        "thread_ts": message.thread_ts,
        "user": message.user,
        "text": message.shown,
        "blocks": message.blocks,
        "by_app": message.by_app,
        "edited": message.edited,
        "streaming": message.stream is not None,
        "visible_to": message.visible_to,
    }
