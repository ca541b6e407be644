"""The server: the Web API, the sockets, and the addresses that answer a command."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

from bot.testing.fake_slack import control, directory, methods, visible
from bot.testing.fake_slack.checking import ApiError, checked_blocks
from bot.testing.fake_slack.delivery import Deliverer
from bot.testing.fake_slack.faults import Fault, Faults
from bot.testing.fake_slack.people import People
from bot.testing.fake_slack.world import Channel, Json, Message, User, World

_ = directory  # its methods register themselves

SCOPES = frozenset(
    {m.scope for m in methods.METHODS.values()}
    | {f"{kind}:{what}" for kind in ("groups", "im", "mpim") for what in ("history", "read")}
    | {"app_mentions:read", "assistant:write", "commands", "im:write", "files:read"}
) - {""}
_KINDS = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}
USERS = (
    User(id="U1", name="ada", email="ada@example.com"),
    User(id="U2", name="bob", email="bob@example.com"),
)
CHANNELS = (
    Channel(id="C1", name="general", members={"U1", "U2"}),
    Channel(id="C2", name="random", members={"U1"}),
)


@dataclass(kw_only=True)
class Call:
    """One call of the Web API: what came, what was answered, and when it came."""

    method: str
    arguments: Json
    reply: Json
    at: float
    fault: str = ""


class FakeSlack(People):
    """A Slack on this machine, for tests and for trying a channel out.

        async with FakeSlack() as slack:
            await slack.mention("C1", "U1", "How do I reset my password?")
            await slack.settled()
            print(slack.messages("C1"))

    Attributes:
        base_url: for `AsyncWebClient(base_url=…)`; it ends in `/api/`.
        calls: every call of the Web API, in order.
        faults: what is to go wrong; see `Faults`.
        scopes: what the bot's token may do.
        streams: has the limits of streams, to be lowered by a test.
        deliverer: has the time limits and retries of events, and the open sockets.
    """

    def __init__(
        self,
        *,
        team: str = "T1",
        users: Iterable[User] = USERS,
        channels: Iterable[Channel] = CHANNELS,
        events_url: str = "",
        rate_limits: Mapping[str, int] | None = None,
        ack_timeout: float = 3.0,
        retry_delays: tuple[float, ...] = (0.0, 60.0, 300.0),
        seed: int = 0,
        port: int = 0,
    ) -> None:
        """Make a workspace; `async with` starts its server.

        Args:
            users, channels: copied, so that one list serves many tests.
            events_url: send events there by signed HTTP instead of over sockets; `{kind}` in it
                becomes `events`, `interactive` or `commands`.
            rate_limits: calls a minute by method, such as `faults.TIERS`; none by default.
        """
        copies = [Channel(**{**vars(c), "members": set(c.members)}) for c in channels]
        world = World(team, [User(**vars(user)) for user in users], copies)
        self.bot_token = "xoxb-fake-bot-token"  # noqa: S105 -- opens nothing
        self.app_token = "xapp-fake-app-token"  # noqa: S105
        self.signing_secret = "fake-signing-secret"  # noqa: S105
        deliverer = Deliverer(
            signing_secret=self.signing_secret,
            random=random.Random(seed),  # noqa: S311 -- it chooses a socket
            http=events_url,
            ack_timeout=ack_timeout,
            retry_delays=retry_delays,
        )
        super().__init__(world, deliverer)
        self.scopes = set(SCOPES)
        self.faults = Faults(rate_limits)
        self.calls: list[Call] = []
        self.revoked = False
        self.base_url = ""
        self._port = port
        self._replies: dict[str, tuple[str, str, str]] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/socket", self.deliverer.serve_socket)
        app.router.add_post("/response/{id}", self._respond)
        control.add_routes(app, self)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, backlog=1024)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.base_url = f"http://127.0.0.1:{self._port}/api/"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.deliverer.close()
        assert self._runner is not None
        await self._runner.cleanup()

    # -- what a test looks at ---------------------------------------------------------------------

    def messages(
        self, channel: str, thread_ts: str | None = None, *, user: str = ""
    ) -> list[Message]:
        """The messages of a channel, or of one thread, the oldest first, as people see them now.

        Args:
            user: who looks; ephemeral messages to this person are among them.
        """
        found = [m for (place, _), m in self.world.messages.items() if place == channel]
        found += [m for m in self.world.ephemerals if m.channel == channel and m.visible_to == user]
        for message in found:
            self.streams.expire(message)
        wanted = (m for m in found if thread_ts is None or m.thread == thread_ts)
        return sorted(wanted, key=lambda message: message.ts)

    def answers(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """The bot's own messages among them."""
        return [message for message in self.messages(channel, thread_ts) if message.by_app]

    def notified(self) -> set[str]:
        """Everybody whom any message of the bot has notified; empty is right."""
        names = frozenset(user.name for user in self.world.users.values() if user.name)
        own = [*self.world.ephemerals, *self.world.messages.values()]
        return {who for m in own if m.by_app for who in visible.notified(m, names)}

    def links(self) -> set[str]:
        """Every address that the bot's messages link to, show as an image, or let unfurl."""
        own = [*self.world.ephemerals, *self.world.messages.values()]
        return {link for m in own if m.by_app for link in visible.links(m)}

    def called(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    async def settled(self) -> None:
        """Wait until every event is acknowledged or given up."""
        await self.deliverer.settled()

    async def connected(self, sockets: int = 1, timeout: float = 10.0) -> None:
        """Wait until the app has opened its sockets.

        Raises:
            TimeoutError: it did not.
        """
        async with asyncio.timeout(timeout):
            while len(self.deliverer.sockets) < sockets:  # noqa: ASYNC110 -- for several tasks
                await asyncio.sleep(0.01)

    # -- the Web API ------------------------------------------------------------------------------

    async def _api(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        arguments = await _arguments(request)
        fault = self.faults.next(name)
        call = Call(method=name, arguments=arguments, reply={}, at=time.monotonic())
        call.fault = fault.kind if fault else ""
        self.calls.append(call)
        wait = self.faults.over_limit(name, str(arguments.get("channel", "")))
        if wait or (fault and fault.kind == "rate_limit"):
            call.reply = {"ok": False, "error": "ratelimited"}
            seconds = wait or (fault.seconds if fault else 1)
            headers = {"Retry-After": f"{max(seconds, 0):g}"}
            return web.json_response(call.reply, status=429, headers=headers)
        if fault is not None and (early := await self._faulty(request, fault, call)) is not None:
            return early
        call.reply = await self._answered(name, arguments, _token(request, arguments))
        if fault is not None and fault.kind == "lost_reply":
            return _cut(request)
        headers = {"x-oauth-scopes": ",".join(sorted(self.scopes))}
        return web.json_response(call.reply, headers=headers)

    async def _faulty(
        self, request: web.Request, fault: Fault, call: Call
    ) -> web.StreamResponse | None:
        """What happens instead of the call; None when it is made all the same."""
        if fault.kind == "lost_call":
            return _cut(request)
        if fault.kind == "status":
            return web.Response(status=fault.status, text="upstream error")
        if fault.kind == "error":
            call.reply = {"ok": False, "error": fault.error}
            return web.json_response(call.reply)
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        return None

    async def _answered(self, name: str, arguments: Json, token: str) -> Json:
        try:
            if name == "apps.connections.open":
                self._authorise(token, self.app_token)
                return {"ok": True, "url": self._socket_url()}
            if name not in methods.METHODS:
                raise ApiError("unknown_method", req_method=name)
            self._authorise(token, self.bot_token)
            self._scoped(name, arguments)
            return {"ok": True, **await methods.METHODS[name].run(self, arguments)}
        except ApiError as error:
            return {"ok": False, "error": error.error, **error.details}

    def _authorise(self, token: str, wanted: str) -> None:
        if not token:
            raise ApiError("not_authed")
        if token != wanted:
            kinds = {self.bot_token, self.app_token}
            raise ApiError("not_allowed_token_type" if token in kinds else "invalid_auth")
        if self.revoked:
            raise ApiError("token_revoked")

    def _scoped(self, name: str, arguments: Json) -> None:
        scope = methods.METHODS[name].scope
        family, _, what = scope.partition(":")
        channel = self.world.channels.get(str(arguments.get("channel", "")))
        if family == "channels" and channel is not None:
            scope = f"{_KINDS[channel.kind]}:{what}"
        if scope and scope not in self.scopes:
            raise ApiError("missing_scope", needed=scope, provided=",".join(sorted(self.scopes)))

    def _socket_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/socket?ticket={self.deliverer.ticket()}"

    # -- response_url -----------------------------------------------------------------------------

    def _response_url(self, channel: str, user: str, ts: str = "") -> str:
        id_ = f"R{self.world.number()}"
        self._replies[id_] = (channel, user, ts)
        return f"http://127.0.0.1:{self._port}/response/{id_}"

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        """A message sent to a `response_url`: ephemeral unless it says otherwise."""
        found = self._replies.get(request.match_info["id"])
        if found is None:
            raise web.HTTPNotFound
        channel, user, ts = found
        body = await request.json()
        old = next((m for m in self.world.ephemerals if m.ts == ts), None)
        if body.get("delete_original") or body.get("replace_original"):
            old = old or self.world.messages.get((channel, ts))
            if old is not None and old in self.world.ephemerals:
                self.world.ephemerals.remove(old)
        if not body.get("delete_original"):
            public = body.get("response_type") == "in_channel"
            self.world.add(
                Message(
                    channel=channel,
                    ts=self.world.new_ts(),
                    user=self.world.bot_user,
                    by_app=True,
                    text=str(body.get("text") or ""),
                    blocks=checked_blocks(body.get("blocks")),
                    thread_ts=str(body.get("thread_ts") or ""),
                    visible_to="" if public else user,
                )
            )
        return web.Response(text="ok")


async def _arguments(request: web.Request) -> Json:
    """The arguments of a call, from the query, a form or JSON."""
    found: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        body = await request.text()
        return found | (json.loads(body) if body else {})
    for name, value in (await request.post()).items():
        found[name] = value
        if isinstance(value, str) and value[:1] in ("[", "{"):
            try:
                found[name] = json.loads(value)
            except ValueError:
                continue
    return found


def _token(request: web.Request, arguments: Json) -> str:
    header = request.headers.get("Authorization", "")
    return header.removeprefix("Bearer ").strip() or str(arguments.get("token") or "")


def _cut(request: web.Request) -> web.StreamResponse:
    """Cut the connection instead of answering."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
