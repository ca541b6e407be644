"""Asking a chat model over a network: time limits, retries, and errors that say what to do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from bot.errors import GenerationError
from bot_langchain.untraced import untraced

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_FIRST = 0.5  # seconds before the second try; twice as long before each further one
_NETWORK = ("Connect", "Connection", "Timeout", "Network", "Protocol", "Read", "Remote")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a model is waited for, in seconds.

    Attributes:
        token: for the next piece of its answer, the first one included.
        answer: for all of it.
        retries: how often it is asked again while it has said nothing.
        pause: how long it may make us wait before that.
    """

    token: float
    answer: float
    retries: int
    pause: float


async def stream(
    model: Any, messages: Sequence[Any], name: str, patience: Patience
) -> AsyncGenerator[Any]:
    """Stream a model's chunks; one that fails before its first word is asked again.

    Closing it closes the connection.

    Args:
        name: what the model is called in errors.

    Raises:
        GenerationError: it failed for good; the message holds nothing that was sent.
    """
    for attempt in range(patience.retries + 1):
        began = False
        try:
            async with aclosing(_timed(model.astream(list(messages)), patience)) as chunks:
                async for chunk in chunks:
                    began = began or bool(chunk.text or getattr(chunk, "tool_call_chunks", None))
                    yield chunk
            return
        except Exception as error:
            pause = None if began else _pause(error, attempt)
            if pause is None or attempt == patience.retries or pause > patience.pause:
                raise GenerationError(_said(error, name, began, pause)) from _bare(error)
        await asyncio.sleep(pause)


async def _timed(chunks: Any, patience: Patience) -> AsyncGenerator[Any]:
    """Limit the time for each chunk and for all of them."""
    end = asyncio.get_running_loop().time() + patience.answer
    async with aclosing(chunks) as items:
        while True:
            left = end - asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(min(patience.token, max(left, 0))):
                    chunk = await untraced(anext(items))
            except StopAsyncIteration:
                return
            yield chunk


def _pause(error: Exception, attempt: int) -> float | None:
    """Seconds before it makes sense to ask again; None when it makes none."""
    status = _status(error)
    if status is not None:
        if status not in _AGAIN:
            return None
    elif not _is_network(error):
        return None
    asked = _retry_after(error)
    if asked is not None:
        return asked
    return float(_FIRST * 2**attempt * (1 + random.random() / 4))  # noqa: S311 -- only spreads


def _status(error: Exception) -> int | None:
    found = getattr(error, "status_code", None)
    return found if isinstance(found, int) else None


def _is_network(error: Exception) -> bool:
    """Whether the network failed, in the words of whichever client it was."""
    names = [cls.__name__ for cls in type(error).__mro__]
    return isinstance(error, OSError) or any(
        part in name for name in names for part in _NETWORK if name.endswith(("Error", "Timeout"))
    )


def _retry_after(error: Exception) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    given = headers.get("retry-after")
    if given is None:
        return None
    try:
        asked = float(given)
        return max(0.0, asked) if isfinite(asked) else None
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(given)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)  # as with the zone -0000
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _said(error: Exception, name: str, began: bool, pause: float | None) -> str:
    status = _status(error)
    if began:
        return f"{name} broke off in the middle of its answer; ask again."
    if isinstance(error, TimeoutError) and not isinstance(error, ConnectionError):
        return f"{name} gave nothing in time; raise `timeout`, or ask again later."
    if status in (401, 403):
        return f"{name} refuses the key ({status}); check `api_key` in bot.toml."
    if status == 404:
        return f"{name} was not found by its server; check `model` and `base_url` in bot.toml."
    if status == 429:
        again = f" in {pause:.0f} s" if pause else " later"
        return f"{name} is over its provider's rate limit; ask again{again}."
    if status is not None:
        return f"{name} failed with status {status}; ask again later."
    if _is_network(error):
        return f"{name} cannot be reached ({type(error).__name__}); check `base_url`."
    return f"{name} did not answer as it should ({type(error).__name__}); check `base_url`."


def _bare(error: Exception) -> Exception:
    """The error without its text, which may repeat a key or what was sent."""
    return RuntimeError(type(error).__name__)
