"""How Slack's events reach an app: Socket Mode or signed HTTP, acknowledged or sent again."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
from aiohttp import web

from bot.testing.fake_slack.world import Json

MAX_SOCKETS = 10
PATHS = {"events_api": "events", "interactive": "interactive", "slash_commands": "commands"}


@dataclass(kw_only=True)
class Delivery:
    """One payload on its way to the app.

    Attributes:
        kind: `events_api`, `interactive` or `slash_commands`.
        seconds: from the first frame to the acknowledgement, once there is one.
        response: what the app sent along with the acknowledgement.
    """

    kind: str
    payload: Json
    attempts: int = 0
    acked: bool = False
    seconds: float = 0.0
    response: Json | None = None
    sent_at: float = 0.0


@dataclass(kw_only=True)
class Deliverer:
    """Sends payloads, waits for acknowledgements, and sends again what nobody acknowledged.

    Attributes:
        http: the app's address for signed requests; empty for Socket Mode.
        ack_timeout: seconds until a payload counts as not received.
        retry_delays: seconds before each of the three further attempts of an event. Commands and
            clicks are never sent again.
        jitter: seconds at most by which an event is late at random, and overtaken by others.
    """

    signing_secret: str
    random: random.Random
    http: str = ""
    ack_timeout: float = 3.0
    retry_delays: tuple[float, ...] = (0.0, 60.0, 300.0)
    jitter: float = 0.0
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    sent: list[Delivery] = field(default_factory=list)
    _acks: dict[str, asyncio.Future[Json]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _tickets: set[str] = field(default_factory=set)
    _requests: dict[web.WebSocketResponse, web.Request] = field(default_factory=dict)
    _client: aiohttp.ClientSession | None = None

    def send(self, kind: str, payload: Json) -> Delivery:
        """Begin to deliver a payload; `settled` waits for the end."""
        delivery = Delivery(kind=kind, payload=payload)
        self.sent.append(delivery)
        task = asyncio.create_task(self._deliver(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return delivery

    async def settled(self) -> None:
        """Wait until everything is acknowledged or given up."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in list(self.sockets):
            await socket.close()
        if self._client is not None:
            await self._client.close()

    # -- Socket Mode ----------------------------------------------------------------------------

    def ticket(self) -> str:
        """A secret for one connection, as `apps.connections.open` puts it into the address."""
        ticket = uuid4().hex
        self._tickets.add(ticket)
        return ticket

    async def serve_socket(self, request: web.Request) -> web.StreamResponse:
        """One connection of the app, until either side closes it."""
        if request.query.get("ticket") not in self._tickets:
            raise web.HTTPUnauthorized
        self._tickets.discard(request.query["ticket"])
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        if len(self.sockets) >= MAX_SOCKETS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        self.sockets.append(socket)
        self._requests[socket] = request
        try:
            hello = {"type": "hello", "num_connections": len(self.sockets)}
            hello["debug_info"] = {"host": "fake", "approximate_connection_time": 3600}
            await socket.send_json(hello)
            async for frame in socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._received(frame.data)
        finally:
            del self._requests[socket]
            if socket in self.sockets:
                self.sockets.remove(socket)
        return socket

    async def disconnect(self, reason: str = "refresh_requested", *, one: bool = False) -> int:
        """Ask connections to leave (`refresh_requested`, `warning`), or cut them (`abort`)."""
        concerned = self.sockets[:1] if one else list(self.sockets)
        for socket in concerned:
            if reason != "warning" and socket in self.sockets:
                self.sockets.remove(socket)
            if reason != "abort":
                await socket.send_json({"type": "disconnect", "reason": reason})
            elif (transport := self._requests[socket].transport) is not None:
                transport.abort()
        return len(concerned)

    def _received(self, frame: str) -> None:
        try:
            answer = json.loads(frame)
        except ValueError:
            return
        waiting = self._acks.get(answer.get("envelope_id", ""))
        if waiting is not None and not waiting.done():
            waiting.set_result(answer.get("payload") or {})

    async def _over_socket(self, delivery: Delivery, retry: int, reason: str) -> bool:
        open_ = [socket for socket in self.sockets if not socket.closed]
        if not open_:
            await asyncio.sleep(self.ack_timeout)
            return False
        envelope_id = str(uuid4())
        envelope = {
            "envelope_id": envelope_id,
            "type": delivery.kind,
            "payload": delivery.payload,
            "accepts_response_payload": delivery.kind != "events_api",
        }
        if delivery.kind == "events_api":
            envelope |= {"retry_attempt": retry, "retry_reason": reason}
        waiting: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._acks[envelope_id] = waiting
        try:
            await self.random.choice(open_).send_json(envelope)
            delivery.response = await asyncio.wait_for(waiting, self.ack_timeout)
        except (TimeoutError, ConnectionError, RuntimeError):
            return False
        finally:
            del self._acks[envelope_id]
        return True

    # -- HTTP -----------------------------------------------------------------------------------

    def signed(self, body: str, at: float | None = None) -> dict[str, str]:
        """Headers that prove that a body comes from Slack."""
        stamp = str(int(time.time() if at is None else at))
        digest = hmac.new(
            self.signing_secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256
        )
        return {
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": "v0=" + digest.hexdigest(),
        }

    async def _over_http(self, delivery: Delivery, retry: int, reason: str) -> bool:
        body, type_ = _encoded(delivery)
        headers = {"Content-Type": type_, **self.signed(body)}
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": reason}
        if self._client is None:
            self._client = aiohttp.ClientSession()
        timeout = aiohttp.ClientTimeout(total=self.ack_timeout)
        url = self.http.format(kind=PATHS[delivery.kind])
        try:
            async with self._client.post(url, data=body, headers=headers, timeout=timeout) as reply:
                text = await reply.text()
                if reply.status != 200:
                    return False
        except (aiohttp.ClientError, TimeoutError):
            return False
        delivery.response = json.loads(text) if text.startswith("{") else {"text": text}
        return True

    async def _deliver(self, delivery: Delivery) -> None:
        over = self._over_http if self.http else self._over_socket
        delays = self.retry_delays if delivery.kind == "events_api" else ()
        if self.jitter and delays:
            await asyncio.sleep(self.random.uniform(0.0, self.jitter))
        delivery.sent_at = time.monotonic()
        for retry, delay in enumerate((0.0, *delays)):
            if delay:
                await asyncio.sleep(delay)
            delivery.attempts += 1
            if await over(delivery, retry, "timeout" if retry else ""):
                delivery.acked = True
                delivery.seconds = time.monotonic() - delivery.sent_at
                return


def _encoded(delivery: Delivery) -> tuple[str, str]:
    """The body of a request, and its type, as each kind has them."""
    if delivery.kind == "events_api":
        return json.dumps(delivery.payload), "application/json"
    form = "application/x-www-form-urlencoded"
    if delivery.kind == "interactive":
        return urlencode({"payload": json.dumps(delivery.payload)}), form
    return urlencode(delivery.payload), form
