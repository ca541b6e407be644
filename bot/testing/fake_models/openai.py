"""OpenAI's interface, as vLLM, SGLang, llama.cpp and others speak it, too.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import base64
import json
import struct
import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from bot.testing.fake_models.script import Reply, Request
from bot.testing.fake_models.wire import Wire

_ID = "chatcmpl-1"


class _Chat(Wire):
    content_type: ClassVar[str] = "text/event-stream"

    def whole(self, request: Request, reply: Reply) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": reply.whole or None}
        if calls := _calls(reply):
            message["tool_calls"] = calls
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": _reason(reply)}
        if request.body.get("logprobs"):
            pieces = enumerate(reply.streamed)
            choice["logprobs"] = {"content": [_logprob(p, reply.logprob(n)) for n, p in pieces]}
        body = {**_about(request, "chat.completion"), "choices": [choice]}
        return {**body, **_usage(request, reply)}

    def begin(self, request: Request) -> Iterable[bytes]:
        yield self._chunk(request, {"role": "assistant", "content": ""})

    def piece(self, request: Request, text: str, logprob: float) -> bytes:
        return self._chunk(request, {"content": text}, logprob=_logprob(text, logprob))

    def end(self, request: Request, reply: Reply) -> Iterable[bytes]:
        for place, call in enumerate(_calls(reply)):
            yield self._chunk(request, {"tool_calls": [{"index": place, **call}]})
        yield self._chunk(request, {}, reason=_reason(reply))
        options = request.body.get("stream_options") or {}
        if options.get("include_usage") and (usage := _usage(request, reply)):
            about = _about(request, "chat.completion.chunk")
            yield self.line(json.dumps({**about, "choices": [], **usage}))
        yield self.line("[DONE]")

    def line(self, data: str) -> bytes:
        return f"data: {data}\n\n".encode()

    def error(self, status: int, message: str) -> dict[str, Any]:
        kind = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
        type_ = kind.get(status, "server_error" if status >= 500 else "invalid_request_error")
        return {"error": {"message": message, "type": type_, "param": None, "code": None}}

    def failure(self, message: str) -> bytes:
        return self.line(json.dumps(self.error(500, message)))

    def _chunk(
        self, request: Request, delta: dict[str, Any], *, reason: str = "", logprob: Any = None
    ) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": reason or None}
        if request.body.get("logprobs") and logprob is not None:
            choice["logprobs"] = {"content": [logprob]}
        about = _about(request, "chat.completion.chunk")
        return self.line(json.dumps({**about, "choices": [choice]}))


CHAT = _Chat()


def listed(models: Iterable[str]) -> dict[str, Any]:
    """The answer of /v1/models."""
    data = [{"id": one, "object": "model", "created": 0, "owned_by": "test"} for one in models]
    return {"object": "list", "data": data}


def embedded(request: Request, vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
    """The answer of /v1/embeddings; little-endian float32 in base64 where that is asked for."""

    def written(vector: Sequence[float]) -> Any:
        if request.body.get("encoding_format") != "base64":
            return list(vector)
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()

    data = [
        {"object": "embedding", "index": place, "embedding": written(vector)}
        for place, vector in enumerate(vectors)
    ]
    tokens = len(vectors)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": request.model, "usage": usage}


def _about(request: Request, kind: str) -> dict[str, Any]:
    return {"id": _ID, "object": kind, "created": int(time.time()), "model": request.model}


def _calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
        }
        for call in reply.tool_calls
    ]


def _reason(reply: Reply) -> str:
    return "tool_calls" if reply.tool_calls else "stop"


def _logprob(piece: str, logprob: float) -> dict[str, Any]:
    one = {"token": piece, "logprob": logprob, "bytes": list(piece.encode())}
    return {**one, "top_logprobs": [one]}


def _usage(request: Request, reply: Reply) -> dict[str, Any]:
    if (used := reply.usage(request)) is None:
        return {}
    counts = {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)}
    return {"usage": counts}
