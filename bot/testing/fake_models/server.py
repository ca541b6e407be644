"""The server: requests in, scripted replies out, on a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from aiohttp import web

from bot.testing.fake_models import anthropic, ollama, openai
from bot.testing.fake_models.script import Reply, Request, answer_from_sources, embedding
from bot.testing.fake_models.wire import Wire

_WIRES: Mapping[str, Wire] = {
    "/v1/chat/completions": openai.CHAT,
    "/v1/messages": anthropic.CHAT,
    "/api/chat": ollama.CHAT,
}
_LINES_AHEAD = 0.005  # seconds between the pieces of an endless stream


class FakeModels:
    """Models on this machine, for tests and for trying a generator out.

        with FakeModels() as models:
            models.script(Reply(text="It is on floor 2. [1]"), Reply(status=500))
            ...  # `base_url=models.openai_url` or `base_url=models.url` for Ollama
            assert models.requests[0].question == "Where is it?"

    Args:
        models: the names that are served; another one is answered with 404. All, when empty.
        api_key: what clients must send; nothing is checked when empty.
        dimensions: of the vectors that texts are embedded into.

    Attributes:
        requests: every request, in order.
        otherwise: answers when nothing is scripted; `answer_from_sources`, unless given.
    """

    def __init__(
        self,
        *,
        models: Iterable[str] = (),
        api_key: str = "",
        dimensions: int = 64,
        port: int = 0,
    ) -> None:
        self.models = tuple(models)
        self.requests: list[Request] = []
        self.otherwise: Callable[[Request], Reply] = answer_from_sources
        self._api_key = api_key
        self._dimensions = dimensions
        self._port = port
        self._scripts: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake models")
        self._runner: web.AppRunner | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(60)
        return self

    def __exit__(self, *error: object) -> None:
        assert self._runner is not None
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    @property
    def url(self) -> str:
        """The server's address: the `base_url` of Ollama's and Anthropic's clients."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def openai_url(self) -> str:
        """The `base_url` of OpenAI's client."""
        return f"{self.url}/v1"

    def script(self, *replies: Reply, model: str = "") -> None:
        """Say what is answered next, in this order, before `otherwise` is asked.

        Args:
            model: only requests for this model take these replies; any, unless given.
        """
        self._scripts[model].extend(replies)

    def chats(self, model: str = "") -> list[Request]:
        """The requests for an answer, in order; those to one model when it is given."""
        return [one for one in self.requests if one.path in _WIRES and model in ("", one.model)]

    async def until(self, holds: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait until a condition holds, such as `lambda: models.requests[0].ended`.

        Raises:
            TimeoutError: it did not come to hold.
        """
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 -- the server lives on another thread
                await asyncio.sleep(0.01)

    async def _start(self) -> None:
        app = web.Application(client_max_size=64 * 2**20)
        for path in _WIRES:
            app.router.add_post(path, self._chat)
        app.router.add_post("/v1/embeddings", self._embed)
        app.router.add_post("/api/embed", self._embed)
        app.router.add_get("/v1/models", self._list)
        app.router.add_get("/api/tags", self._list)
        # A client that leaves ends its reply, also one that waits.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, backlog=1024)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _list(self, came: web.Request) -> web.StreamResponse:
        self._record(came, {})
        listed = self.models or ("small", "large")
        wire = ollama if came.path == "/api/tags" else openai
        return web.json_response(wire.listed(listed))

    async def _embed(self, came: web.Request) -> web.StreamResponse:
        request, refused = await self._request(came)
        if refused is not None:
            return refused
        given = request.body.get("input")
        texts = [given] if isinstance(given, str) else list(given or ())
        reply = self._scripted(request)
        wire = ollama.CHAT if came.path == "/api/embed" else openai.CHAT
        if reply is not None and (failure := await self._failure(wire, reply)) is not None:
            request.ended = "failed"
            return failure
        if not texts or not all(isinstance(text, str) for text in texts):
            return _error(wire, 400, "input must be a text or a list of texts")
        vectors = [embedding(text, self._dimensions) for text in texts]
        request.ended = "whole"
        module = ollama if came.path == "/api/embed" else openai
        return web.json_response(module.embedded(request, vectors))

    async def _chat(self, came: web.Request) -> web.StreamResponse:
        request, refused = await self._request(came)
        if refused is not None:
            return refused
        wire = _WIRES[came.path]
        if not request.messages or not all("role" in one for one in request.messages):
            return _error(wire, 400, "messages must be a list of messages with a role")
        reply = self._scripted(request) or self.otherwise(request)
        request.ended = ""
        try:
            if (failure := await self._failure(wire, reply)) is not None:
                request.ended = "failed"
                return failure
            if request.streaming:
                return await self._stream(came, wire, request, reply)
            return await self._whole(came, wire, request, reply)
        except (asyncio.CancelledError, ConnectionError):
            request.ended = "left"
            raise

    async def _request(self, came: web.Request) -> tuple[Request, web.Response | None]:
        """Record a request; refuse it as the real servers do when it cannot be."""
        wire = _WIRES.get(came.path, ollama.CHAT if came.path.startswith("/api") else openai.CHAT)
        try:
            body = await came.json()
        except ValueError:
            return self._record(came, {}), _error(wire, 400, "the body is no JSON")
        request = self._record(came, body if isinstance(body, dict) else {})
        sent = (request.headers.get("authorization", ""), request.headers.get("x-api-key", ""))
        if self._api_key and self._api_key not in (sent[0].removeprefix("Bearer "), sent[1]):
            return request, _error(wire, 401, "the API key is wrong")
        if not request.model or (self.models and request.model not in self.models):
            return request, _error(wire, 404, f"model '{request.model}' not found")
        return request, None

    def _record(self, came: web.Request, body: Mapping[str, Any]) -> Request:
        headers = {name.lower(): value for name, value in came.headers.items()}
        request = Request(path=came.path, headers=headers, body=body)
        self.requests.append(request)
        return request

    def _scripted(self, request: Request) -> Reply | None:
        for name in (request.model, ""):
            if self._scripts[name]:
                return self._scripts[name].popleft()
        return None

    async def _failure(self, wire: Wire, reply: Reply) -> web.Response | None:
        await asyncio.sleep(reply.delay)
        while reply.hold is not None and not reply.hold.is_set():  # noqa: ASYNC110 -- see `until`
            await asyncio.sleep(0.01)
        if reply.status == 200:
            return None
        after = {} if reply.retry_after is None else {"Retry-After": f"{reply.retry_after}"}
        return _error(wire, reply.status, reply.error, after)

    async def _whole(
        self, came: web.Request, wire: Wire, request: Request, reply: Reply
    ) -> web.Response:
        text = json.dumps(wire.whole(request, reply))
        if reply.ending in ("silent", "endless"):
            await asyncio.Event().wait()
        if reply.ending == "broken":
            assert came.transport is not None
            came.transport.abort()
        if reply.ending == "error":
            return _error(wire, 500, reply.error)
        request.ended = "whole" if reply.ending == "whole" else "failed"
        body = text if reply.ending == "whole" else text[: len(text) // 2]
        return web.Response(text=body, content_type="application/json")

    async def _stream(
        self, came: web.Request, wire: Wire, request: Request, reply: Reply
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": wire.content_type})
        await response.prepare(came)
        for line in wire.begin(request):
            await response.write(line)
        pieces = reply.streamed
        while True:
            for place, piece in enumerate(pieces):
                await response.write(wire.piece(request, piece, reply.logprob(place)))
                request.sent += 1
                await asyncio.sleep(reply.pause)
            if reply.ending != "endless":
                break
            await asyncio.sleep(_LINES_AHEAD)
        await self._last(came, wire, request, reply, response)
        return response

    async def _last(
        self,
        came: web.Request,
        wire: Wire,
        request: Request,
        reply: Reply,
        response: web.StreamResponse,
    ) -> None:
        """End a stream as it is scripted."""
        request.ended = "failed"
        match reply.ending:
            case "broken":
                assert came.transport is not None
                await asyncio.sleep(0.05)  # what was written must leave before the end
                came.transport.abort()
            case "silent":
                request.ended = ""
                await asyncio.Event().wait()
            case "wrong_json":
                await response.write(wire.line('{"choices": [{"delta": {"con'))
                await response.write_eof()
            case "error":
                await response.write(wire.failure(reply.error))
                await response.write_eof()
            case _:
                for line in wire.end(request, reply):
                    await response.write(line)
                await response.write_eof()
                request.ended = "whole"


def _error(
    wire: Wire, status: int, message: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.json_response(wire.error(status, message), status=status, headers=headers)
