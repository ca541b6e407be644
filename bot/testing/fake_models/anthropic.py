"""Anthropic's interface. https://docs.anthropic.com/en/api/messages"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, ClassVar

from bot.testing.fake_models.script import Reply, Request
from bot.testing.fake_models.wire import Wire

_KINDS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


class _Chat(Wire):
    content_type: ClassVar[str] = "text/event-stream"

    def whole(self, request: Request, reply: Reply) -> dict[str, Any]:
        text = [{"type": "text", "text": reply.whole}] if reply.whole else []
        read, written = reply.usage(request) or (0, 0)
        return {
            **_message(request),
            "content": [*text, *_calls(reply)],
            "stop_reason": _reason(reply),
            "usage": {"input_tokens": read, "output_tokens": written},
        }

    def begin(self, request: Request) -> Iterable[bytes]:
        usage = {"input_tokens": 0, "output_tokens": 0}
        yield _event("message_start", message={**_message(request), "content": [], "usage": usage})
        block = {"type": "text", "text": ""}
        yield _event("content_block_start", index=0, content_block=block)

    def piece(self, request: Request, text: str, logprob: float) -> bytes:
        delta = {"type": "text_delta", "text": text}
        return _event("content_block_delta", index=0, delta=delta)

    def end(self, request: Request, reply: Reply) -> Iterable[bytes]:
        yield _event("content_block_stop", index=0)
        for place, call in enumerate(_calls(reply), 1):
            block = {**call, "input": {}}
            yield _event("content_block_start", index=place, content_block=block)
            delta = {"type": "input_json_delta", "partial_json": json.dumps(call["input"])}
            yield _event("content_block_delta", index=place, delta=delta)
            yield _event("content_block_stop", index=place)
        read, written = reply.usage(request) or (0, 0)
        ended = {"stop_reason": _reason(reply), "stop_sequence": None}
        usage = {"input_tokens": read, "output_tokens": written}
        yield _event("message_delta", delta=ended, usage=usage)
        yield _event("message_stop")

    def line(self, data: str) -> bytes:
        return f"event: content_block_delta\ndata: {data}\n\n".encode()

    def error(self, status: int, message: str) -> dict[str, Any]:
        kind = _KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
        return {"type": "error", "error": {"type": kind, "message": message}}

    def failure(self, message: str) -> bytes:
        return f"event: error\ndata: {json.dumps(self.error(500, message))}\n\n".encode()


CHAT = _Chat()


def _event(name: str, **data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def _message(request: Request) -> dict[str, Any]:
    about = {"id": "msg_1", "type": "message", "role": "assistant", "model": request.model}
    return {**about, "stop_reason": None, "stop_sequence": None}


def _calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}
        for call in reply.tool_calls
    ]


def _reason(reply: Reply) -> str:
    return "tool_use" if reply.tool_calls else "end_turn"
