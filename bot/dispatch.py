"""Calling hooks safely: each implementation alone, under its timeout, named when it fails.

A plain pluggy call is not safe for asynchronous hooks: one implementation that raises aborts the
others and leaves their coroutines un-awaited, `firstresult` stops at a coroutine that later gives
None, and a stuck one holds up all. So pluggy orders and validates, and this module calls.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pluggy

from bot.errors import HookFailed

log = logging.getLogger(__name__)

_END = object()


class _TooLate(TimeoutError):
    """Told apart from a TimeoutError that a plugin raised itself."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one implementation gave: a value, or how it failed."""

    plugin: str
    value: Any = None
    error: HookFailed | None = None


@dataclass(frozen=True, slots=True)
class Implementation:
    """One plugin's implementation of one hook."""

    plugin: str
    hook: str
    function: Callable[..., Any]
    accepts: tuple[str, ...]

    async def call(self, timeout: float | None, **arguments: Any) -> Any:
        """Call it and await what it gives.

        Raises:
            HookFailed: it raised, or did not answer within `timeout` seconds.
        """
        chosen = {name: arguments[name] for name in self.accepts}
        try:
            if _is_async(self.function):
                value = self.function(**chosen)
            else:
                value = await within(in_thread(self.function, **chosen), timeout)
            return await within(value, timeout) if inspect.isawaitable(value) else value
        except _TooLate:
            raise self.failed(f"gave no answer within {timeout:g} s") from None
        except Exception as error:
            raise self.failed(f"raised {describe(error)}") from error

    def failed(self, reason: str) -> HookFailed:
        return HookFailed(self.plugin, self.hook, reason)


def implementations(
    manager: pluggy.PluginManager, hook: str, only: Collection[str] | None = None
) -> list[Implementation]:
    """List a hook's implementations in the order of their registration.

    Args:
        only: names of plugins to keep; None keeps all.
    """
    caller: pluggy.HookCaller = getattr(manager.hook, hook)
    return [
        Implementation(impl.plugin_name, hook, impl.function, impl.argnames)
        for impl in caller.get_hookimpls()
        if only is None or impl.plugin_name in only
    ]


async def gather(
    manager: pluggy.PluginManager,
    hook: str,
    *,
    only: Collection[str] | None = None,
    timeout: float | None,
    **arguments: Any,
) -> list[Result]:
    """Call all implementations at once; one result each, in the order of registration."""
    found = implementations(manager, hook, only)
    if not found:
        return []
    if len(found) == 1:
        return [await _result(found[0], timeout, arguments)]
    return list(await asyncio.gather(*(_result(one, timeout, arguments) for one in found)))


async def first(
    manager: pluggy.PluginManager,
    hook: str,
    *,
    only: Collection[str] | None = None,
    timeout: float | None,
    **arguments: Any,
) -> tuple[Any, list[HookFailed]]:
    """Call one implementation after the other until one gives something other than None.

    Returns:
        The value, or None when nobody gave one, and the failures on the way to it.
    """
    failures: list[HookFailed] = []
    for one in implementations(manager, hook, only):
        result = await _result(one, timeout, arguments)
        if result.error is not None:
            failures.append(result.error)
        elif result.value is not None:
            return result.value, failures
    return None, failures


async def stream(
    one: Implementation, timeout: float | None, **arguments: Any
) -> AsyncGenerator[Any]:
    """Iterate over what an implementation yields; each item must come within `timeout` seconds.

    Takes an asynchronous iterator, a plain one (read on a thread), or one value. The iterator is
    closed when the caller stops early.

    Raises:
        HookFailed: it raised or hung.
    """
    items = await one.call(timeout, **arguments)
    if isinstance(items, Iterator):
        items = _threaded(items)
    if not isinstance(items, AsyncIterator):
        if items is not None:
            yield items
        return
    try:
        while (item := await _next(one, items, timeout)) is not _END:
            yield item
    finally:
        if (close := getattr(items, "aclose", None)) is not None:
            # A generator that will not close must not keep the turn from its end.
            with suppress(Exception):
                await within(close(), 1.0)


async def within(awaitable: Any, timeout: float | None) -> Any:
    """Await something that may refuse to be cancelled; after `timeout` seconds leave it behind.

    Raises:
        TimeoutError: it was not done in time.
        Exception: whatever it raised.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        done, _ = await asyncio.wait({task}, timeout=timeout)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)
        _forget(task)
        raise
    if not done:
        task.cancel()
        _forget(task)
        raise _TooLate
    if task.cancelled():
        raise RuntimeError("it cancelled itself")
    return task.result()


async def in_thread(function: Callable[..., Any], **arguments: Any) -> Any:
    """Run a plain function on a daemon thread: a stuck one does not hold up the exit."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def run() -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = context.run(function, **arguments)
        except StopIteration:
            value = _END  # cannot be raised into a future
        except (SystemExit, KeyboardInterrupt) as stop:
            error = RuntimeError(f"{type(stop).__name__}: {stop}")
        except BaseException as caught:
            error = caught
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, daemon=True, name=f"hook {function}").start()
    return await future


def describe(error: BaseException) -> str:
    """Name an exception for people: its class and its first line."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


async def _result(one: Implementation, timeout: float | None, arguments: dict[str, Any]) -> Result:
    try:
        return Result(one.plugin, await one.call(timeout, **arguments))
    except HookFailed as error:
        log.warning("%s", error, exc_info=error.__cause__)
        return Result(one.plugin, error=error)


async def _next(one: Implementation, items: AsyncIterator[Any], timeout: float | None) -> Any:
    try:
        return await within(_step(items), timeout)
    except _TooLate:
        raise one.failed(f"gave nothing for {timeout:g} s") from None
    except Exception as error:
        raise one.failed(f"raised {describe(error)}") from error


async def _step(items: AsyncIterator[Any]) -> Any:
    return await anext(items, _END)


async def _threaded(items: Iterator[Any]) -> AsyncIterator[Any]:
    while (item := await in_thread(items.__next__)) is not _END:
        yield item


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _forget(task: asyncio.Future[Any]) -> None:
    """Read the outcome of a task that was left behind, so that nobody complains about it."""
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
