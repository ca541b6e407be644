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
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from bot.errors import BotError, HookFailed
from bot.threads import OneThread, run_in_thread
from bot.threads import describe as describe
from bot.threads import in_thread as in_thread
from bot.waiting import TooLate, ended, forget, outcome, tamed
from bot.waiting import punctual as punctual
from bot.waiting import within as within

if TYPE_CHECKING:
    from bot.quarantine import Quarantine

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_END = object()

AHEAD = 64  # items of a stream: each change of tasks takes longer than many an item


@dataclass(frozen=True, slots=True)
class Result:
    """What one implementation gave: a value, or how it failed."""

    plugin: str
    value: Any = None
    error: HookFailed | None = None


@dataclass(frozen=True, slots=True)
class Implementation:
    """One plugin's implementation of one hook.

    Attributes:
        quarantine: is told how calls end.
    """

    plugin: str
    hook: str
    function: Callable[..., Any]
    accepts: tuple[str, ...]
    quarantine: Quarantine | None = None

    async def call(self, timeout: float | None, **arguments: Any) -> Any:
        """Call it and await what it gives.

        Raises:
            HookFailed: it raised, or did not answer within `timeout` seconds.
        """
        with self.blamed(timeout):
            if _is_async(self.function):
                value = self.function(**self._chosen(arguments))
            else:
                ran = run_in_thread(self.function, self._chosen(arguments))
                value = await punctual(ran, timeout)
            return await within(value, timeout) if inspect.isawaitable(value) else value

    async def unbounded(self, arguments: Mapping[str, Any]) -> Any:
        """Call it and await what it gives, however long that takes and whatever it raises."""
        if _is_async(self.function):
            value = self.function(**self._chosen(arguments))
        else:
            value = await run_in_thread(self.function, self._chosen(arguments))
        return await value if inspect.isawaitable(value) else value

    def _chosen(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {name: arguments[name] for name in self.accepts}

    @contextmanager
    def blamed(self, timeout: float | None) -> Iterator[None]:
        """Name it for what is raised inside.

        Raises:
            HookFailed: something was.
        """
        try:
            yield
        except TooLate:
            raise self.failed(f"gave no answer within {timeout:g} s") from None
        except Exception as error:
            raise self.failed(f"raised {describe(error)}") from error

    def failed(self, reason: str) -> HookFailed:
        return HookFailed(self.plugin, self.hook, reason)


def implementations(
    manager: pluggy.PluginManager, hook: str, only: Collection[str] | None = None
) -> list[Implementation]:
    """List a hook's implementations in the order of their registration, `tryfirst` before the
    others and `trylast` after them.

    What is in quarantine is left out, unless it is all that was asked for: one that fails is
    better than none.

    Args:
        only: names of plugins to keep; None keeps all.
    """
    caller: pluggy.HookCaller = getattr(manager.hook, hook)
    if not (given := caller.get_hookimpls()):  # most hooks, on the way of every turn
        return []
    # pluggy keeps them for calling from the end, so what is to be first stands last.
    ordered = sorted(given, key=lambda impl: impl.trylast - impl.tryfirst)
    quarantine: Quarantine | None = getattr(manager, "quarantine", None)
    found = [
        Implementation(impl.plugin_name, hook, impl.function, impl.argnames, quarantine)
        for impl in ordered
        if only is None or impl.plugin_name in only
    ]
    if quarantine is None:
        return found
    kept = [one for one in found if not quarantine.holds(one.plugin, hook)]
    return kept or (found if only is not None else [])


async def gather(
    manager: pluggy.PluginManager,
    hook: str,
    *,
    only: Collection[str] | None = None,
    timeout: float | None,
    **arguments: Any,
) -> list[Result]:
    """Call all implementations at once; one result each, in the order of registration.

    What `only` names and quarantine holds has a result too: its error says so.
    """
    found = implementations(manager, hook, only)
    if len(found) == 1:
        results = [await _result(found[0], timeout, arguments)]
    else:
        results = await _results(found, timeout, arguments)
    for name in _held(manager, hook, only) - {one.plugin for one in found}:
        results.append(Result(name, error=HookFailed(name, hook, "is in quarantine")))
    return results


async def together(coroutines: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Await all at once; results in their order. One alone needs no task of its own."""
    waiting = list(coroutines)
    if len(waiting) < 2:
        return [await one for one in waiting]
    return await asyncio.gather(*waiting)


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

    Takes an asynchronous iterable, a plain iterator (read on a thread), a list, or one value. It
    is read some items ahead, all in one task, so that the context variables and the timeouts that
    it sets hold from one item to the next; it is closed when the caller stops early.

    Raises:
        HookFailed: it raised or hung.
    """
    items = await one.call(timeout, **arguments)
    if isinstance(items, Iterator):
        items = _threaded(items)
    if not isinstance(items, AsyncIterable):
        for item in items if isinstance(items, list | tuple) else [items]:
            if item is not None:
                yield item
        return
    read = _Ahead()
    reader = asyncio.ensure_future(_read(items, read))
    try:
        while True:
            if not read.items:
                await _arrival(one, read, timeout)
            item = read.take()
            if item is _END:
                return
            if isinstance(item, _Raised):
                raise one.failed(f"raised {describe(item.error)}") from item.error
            yield item
    finally:
        reader.cancel()
        # A generator that will not close must not keep the turn from its end.
        await asyncio.wait({reader}, timeout=1.0)


def adopt(context: contextvars.Context) -> Callable[[], None]:
    """Take over the context variables that were set in `context`; the result puts them back."""
    here = contextvars.copy_context()
    changed = [(var, value) for var, value in context.items() if here.get(var, _END) is not value]
    tokens = [(var, var.set(value)) for var, value in changed]

    def restore() -> None:
        for var, token in reversed(tokens):
            with suppress(ValueError):  # the caller goes on in another context: nothing to undo
                var.reset(token)

    return restore


async def _result(one: Implementation, timeout: float | None, arguments: dict[str, Any]) -> Result:
    try:
        return _worked(one, await one.call(timeout, **arguments))
    except HookFailed as error:
        return _failed(one, error)


async def _results(
    found: Sequence[Implementation], timeout: float | None, arguments: dict[str, Any]
) -> list[Result]:
    """Call several at once, under one clock: a task and a timer less for each."""
    create = asyncio.get_running_loop().create_task
    tasks = [create(tamed(one.unbounded(arguments))) for one in found]
    await ended(tasks, timeout)
    results: list[Result] = []
    for one, task in zip(found, tasks, strict=True):
        try:
            with one.blamed(timeout):
                results.append(_worked(one, outcome(task, timeout)))
        except HookFailed as error:
            results.append(_failed(one, error))
    return results


def _worked(one: Implementation, value: Any) -> Result:
    if one.quarantine is not None:
        one.quarantine.worked(one.plugin, one.hook)
    return Result(one.plugin, value)


def _failed(one: Implementation, error: HookFailed) -> Result:
    log.warning("%s", error, exc_info=error.__cause__)
    note(one.quarantine, error)
    return Result(one.plugin, error=error)


def _held(manager: pluggy.PluginManager, hook: str, only: Collection[str] | None) -> set[str]:
    quarantine: Quarantine | None = getattr(manager, "quarantine", None)
    if only is None or quarantine is None:
        return set()
    return {name for name in only if quarantine.holds(name, hook)}


def note(quarantine: Quarantine | None, error: HookFailed) -> None:
    """Count a failure, unless the plugin says itself that the world outside has failed it."""
    if quarantine is not None and not isinstance(error.__cause__, BotError):
        quarantine.failed(error.plugin, error.hook, error.reason)


@dataclass(frozen=True, slots=True)
class _Raised:
    """The end of an iterator that failed."""

    error: BaseException


class _Ahead:
    """What was read ahead: `asyncio.Queue` takes several times as long an item."""

    def __init__(self) -> None:
        self.items: deque[Any] = deque()
        self.arrived = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, item: Any) -> None:
        """Add an item; while there are enough of them, wait."""
        self.items.append(item)
        self.arrived.set()
        while len(self.items) >= AHEAD:
            self._room.clear()
            await self._room.wait()

    def take(self) -> Any:
        """Take the first item; there must be one."""
        self._room.set()
        item = self.items.popleft()
        if not self.items:
            self.arrived.clear()
        return item


async def _read(items: AsyncIterable[Any], read: _Ahead) -> None:
    end: Any = _END
    task = asyncio.current_task()
    try:
        try:
            async for item in items:
                if task is not None and task.cancelling():
                    return  # the iterator has swallowed it, as asyncio.wait_for may before 3.12
                await read.put(item)
        finally:
            if (close := getattr(items, "aclose", None)) is not None:
                await close()
    except BaseException as error:  # also a SystemExit, which would end the loop
        if task is not None and task.cancelling():
            return  # nobody reads any more
        end = _Raised(error)
    await read.put(end)


async def _arrival(one: Implementation, read: _Ahead, timeout: float | None) -> None:
    try:
        async with asyncio.timeout(timeout):
            await read.arrived.wait()
    except TimeoutError:
        raise one.failed(f"gave nothing for {timeout:g} s") from None


async def _threaded(items: Iterator[Any]) -> AsyncIterator[Any]:
    """Read a plain iterator, all of it on one thread: what it opens may belong to its thread."""
    thread = OneThread(f"stream {items}")
    try:
        while (item := await thread.call(lambda: next(items, _END))) is not _END:
            yield item
    finally:
        if (close := getattr(items, "close", None)) is not None:
            forget(thread.call(close))
        thread.end()


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
