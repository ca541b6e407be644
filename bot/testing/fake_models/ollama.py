"""Ollama's own interface. https://github.com/ollama/ollama/blob/main/docs/api.md"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from bot.testing.fake_models.script import Reply, Request
from bot.testing.fake_models.wire import Wire

_AT = "2026-01-01T00:00:00.000000Z"
_TIMES = {
    "total_duration": 4000,
    "load_duration": 1000,
    "prompt_eval_duration": 1000,
    "eval_duration": 2000,
}


class _Chat(Wire):
    content_type: ClassVar[str] = "application/x-ndjson"

    def whole(self, request: Request, reply: Reply) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": reply.whole}
        if calls := _calls(reply):
            message["tool_calls"] = calls
        said = {**_about(request), "message": message}
        if request.body.get("logprobs"):
            pieces = enumerate(reply.streamed)
            said["logprobs"] = [{"token": p, "logprob": reply.logprob(n)} for n, p in pieces]
        return {**said, **_ended(request, reply)}

    def piece(self, request: Request, text: str, logprob: float) -> bytes:
        said: dict[str, Any] = {**_about(request), "done": False}
        said["message"] = {"role": "assistant", "content": text}
        if request.body.get("logprobs"):
            said["logprobs"] = [{"token": text, "logprob": logprob}]
        return self.line(json.dumps(said))

    def end(self, request: Request, reply: Reply) -> Iterable[bytes]:
        if calls := _calls(reply):
            message = {"role": "assistant", "content": "", "tool_calls": calls}
            said = {**_about(request), "message": message, "done": False}
            yield self.line(json.dumps(said))
        said = {**_about(request), "message": {"role": "assistant", "content": ""}}
        yield self.line(json.dumps({**said, **_ended(request, reply)}))

    def line(self, data: str) -> bytes:
        return f"{data}\n".encode()

    def error(self, status: int, message: str) -> dict[str, Any]:
        return {"error": message}

    def failure(self, message: str) -> bytes:
        return self.line(json.dumps(self.error(500, message)))


CHAT = _Chat()


def listed(models: Iterable[str]) -> dict[str, Any]:
    """The answer of /api/tags."""
    details = {"format": "gguf", "family": "llama", "parameter_size": "1B"}
    about = {"modified_at": _AT, "size": 1, "digest": "0" * 64, "details": details}
    return {"models": [{"name": one, "model": one, **about} for one in models]}


def embedded(request: Request, vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
    """The answer of /api/embed."""
    times = {"total_duration": 2000, "load_duration": 1000, "prompt_eval_count": len(vectors)}
    return {"model": request.model, "embeddings": [list(one) for one in vectors], **times}


def _about(request: Request) -> dict[str, Any]:
    return {"model": request.model, "created_at": _AT}


def _calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"function": {"name": call.name, "arguments": dict(call.arguments)}}
        for call in reply.tool_calls
    ]


def _ended(request: Request, reply: Reply) -> dict[str, Any]:
    ended: dict[str, Any] = {"done": True, "done_reason": "stop", **_TIMES}
    if (used := reply.usage(request)) is not None:
        ended |= {"prompt_eval_count": used[0], "eval_count": used[1]}
    return ended
