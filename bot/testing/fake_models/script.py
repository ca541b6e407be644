"""What a test tells the models to do, and what it learns of their requests."""

from __future__ import annotations

import hashlib
import math
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Ending: TypeAlias = Literal["whole", "broken", "endless", "silent", "wrong_json", "error"]
"""How a reply ends: as it should; the connection breaks after the last piece; the pieces come again
and again; nothing more comes and the connection stays; something that is no JSON; an error in the
stream."""

_PIECE = re.compile(r"\s*\S+\s*?(?=\s|$)")
_SOURCE = re.compile(r'<source number="(\d+)"[^>]*>\n(.*?)\n</source>', re.DOTALL)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool that the model wants called."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str = "call_1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model answers to one request.

    Attributes:
        text: what it says.
        pieces: how the text is streamed; a word each, unless given.
        tool_calls: what it wants called, after the text.
        status, error: an HTTP status other than 200 is answered with this message.
        retry_after: the value of the header Retry-After, seconds or a date.
        delay: seconds until the first byte: a slow first token, a busy server.
        hold: nothing comes before this is set, for a test without clocks.
        pause: seconds between pieces.
        ending: see `Ending`; "broken", "silent" and "wrong_json" need at least one piece to have
            a beginning, without one they come at once.
        tokens: how many were read and written; words are counted, unless given. None as a count
            leaves the usage out, as some servers do.
        logprobs: natural logarithms of the pieces' probabilities, sent when they are asked for;
            0, unless given. The last one stands for what is missing.
    """

    text: str = ""
    pieces: Sequence[str] = ()
    tool_calls: Sequence[ToolCall] = ()
    status: int = 200
    error: str = "the model is scripted to fail"
    retry_after: float | str | None = None
    delay: float = 0.0
    hold: threading.Event | None = None
    pause: float = 0.0
    ending: Ending = "whole"
    tokens: tuple[int, int] | None = (-1, -1)
    logprobs: Sequence[float] = ()

    @property
    def streamed(self) -> list[str]:
        """The text in the pieces that it comes in."""
        return list(self.pieces) or _PIECE.findall(self.text)

    @property
    def whole(self) -> str:
        """All of the text."""
        return "".join(self.streamed)

    def usage(self, request: Request) -> tuple[int, int] | None:
        """Tokens read and written; words where the test gave no numbers."""
        if self.tokens is None:
            return None
        read, written = self.tokens
        return (
            read if read >= 0 else len(" ".join(m["content"] for m in request.messages).split()),
            written if written >= 0 else len(self.streamed),
        )

    def logprob(self, place: int) -> float:
        """The logarithm of one piece's probability."""
        return self.logprobs[min(place, len(self.logprobs) - 1)] if self.logprobs else 0.0


@dataclass(slots=True, kw_only=True)
class Request:
    """A request that came.

    Attributes:
        path, headers, body: as they came; names of headers in small letters.
        ended: how the reply ended: "" while it goes on, "whole", "failed", or "left" when the
            client closed the connection before.
        sent: pieces that were streamed so far.
    """

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    ended: Literal["", "whole", "failed", "left"] = ""
    sent: int = 0

    @property
    def model(self) -> str:
        """Which model is asked."""
        return str(self.body.get("model", ""))

    @property
    def streaming(self) -> bool:
        """Whether the answer is to come in pieces."""
        return bool(self.body.get("stream", self.path == "/api/chat"))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of a chat; content that came in parts is joined."""
        system = self.body.get("system")
        asked = [{"role": "system", "content": system}] if system else []
        return [
            {**one, "content": _text(one.get("content"))}
            for one in [*asked, *self.body.get("messages", [])]
        ]

    @property
    def text(self) -> str:
        """Everything that was sent, as one text: for a test that nothing private is in it."""
        return f"{self.body}"

    @property
    def question(self) -> str:
        """The last message of the person who asks."""
        said = [one["content"] for one in self.messages if one["role"] == "user"]
        return str(said[-1]) if said else ""


def answer_from_sources(request: Request) -> Reply:
    """Answer like a model that reads the bot's prompt: the source most like the question, cited.

    Without sources it repeats the question.
    """
    question = request.question.rpartition("Question: ")[2]
    asked = set(_WORD.findall(question.lower()))
    sources = _SOURCE.findall(request.question)
    if not sources:
        return Reply(text=f"You asked: {question}")
    number, text = max(sources, key=lambda one: len(asked & set(_WORD.findall(one[1].lower()))))
    sentence = re.split(r"(?<=[.!?])\s", text.strip())[0]
    return Reply(text=f"{sentence} [{number}]")


def embedding(text: str, dimensions: int) -> list[float]:
    """Embed a text by its words: the same words are near each other; unit length."""
    vector = [0.0] * dimensions
    for word in _WORD.findall(text.lower()):
        digest = hashlib.sha256(word.encode()).digest()
        vector[int.from_bytes(digest[:4], "big") % dimensions] += 1.0
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else [1.0] + [0.0] * (dimensions - 1)


def _text(content: Any) -> str:
    if isinstance(content, str) or content is None:
        return content or ""
    return "".join(part.get("text", "") for part in content if isinstance(part, Mapping))
