"""Awaiting what may not end: plugins hang, and what is cancelled may refuse."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from bot.threads import describe

_T = TypeVar("_T")


class TooLate(TimeoutError):
    """Told apart from a TimeoutError that a plugin raised itself."""


async def within(
    awaitable: Any, timeout: float | None, context: contextvars.Context | None = None
) -> Any:
    """Await something that may refuse to be cancelled; after `timeout` seconds leave it behind.

    Args:
        context: what it runs in; None gives it a copy of the caller's.

    Raises:
        TimeoutError: it was not done in time.
        Exception: whatever it raised.
    """
    task = asyncio.get_running_loop().create_task(tamed(awaitable), context=context)
    await ended([task], timeout)
    return outcome(task, timeout)


async def ended(tasks: Sequence[asyncio.Task[Any]], timeout: float | None) -> None:
    """Wait for tasks of plugins; those that are late, or cancelled with us, are left behind."""
    if not tasks:
        return
    try:
        _, late = await asyncio.wait(tasks, timeout=timeout)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1.0)
        for task in tasks:
            forget(task)
        raise
    for task in late:
        task.cancel()
        forget(task)


def outcome(task: asyncio.Task[Any], timeout: float | None) -> Any:
    """What came of a task that `ended` has just waited for."""
    if not task.done():
        raise TooLate(f"it did not end within {timeout:g} s")
    if task.cancelled():
        raise RuntimeError("it cancelled itself")
    return task.result()


async def tamed(awaitable: Any) -> Any:
    """Await; what is no `Exception` is the plugin's failure, where asyncio would end the loop."""
    try:
        return await awaitable
    except (asyncio.CancelledError, GeneratorExit, Exception):
        raise
    except BaseException as stop:
        raise RuntimeError(describe(stop)) from stop


async def punctual(awaitable: Awaitable[_T], timeout: float | None) -> _T:
    """Await what lets itself be cancelled at once: a thread's future, or code of our own.

    It costs a fraction of what `within` does, which needs a task.

    Raises:
        TimeoutError: it was not done in time.
        Exception: whatever it raised.
    """
    try:
        async with asyncio.timeout(timeout) as limit:
            return await awaitable
    except TimeoutError:
        if limit.expired():
            raise TooLate(f"it did not end within {timeout:g} s") from None
        raise


def forget(task: asyncio.Future[Any]) -> None:
    """Read the outcome of a task that was left behind, so that nobody complains about it."""
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
