"""Plain functions of plugins on daemon threads: one that is stuck does not hold up the exit."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

KEPT = 64  # threads that wait for the next function
IDLE = "idle hook"  # the name of a thread that does nothing


async def in_thread(function: Callable[..., Any], **arguments: Any) -> Any:
    """Run a plain function on a daemon thread."""
    return await run_in_thread(function, arguments)


def run_in_thread(function: Callable[..., Any], arguments: dict[str, Any]) -> asyncio.Future[Any]:
    """Let a kept thread call a function, in a copy of the caller's context variables."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    call = partial(contextvars.copy_context().run, partial(function, **arguments))
    _THREADS.submit(_Call(call, future, _Back.to(loop)))
    return future


class _Call(NamedTuple):
    """A function that a thread is to call, and who waits for its result."""

    function: Callable[[], Any]
    future: asyncio.Future[Any]
    back: _Back

    def __call__(self) -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = self.function()
        except Exception as caught:
            # A StopIteration cannot be raised into a future.
            stop = isinstance(caught, StopIteration)
            error = RuntimeError(describe(caught)) if stop else caught
        except BaseException as stop:
            error = RuntimeError(describe(stop))
        self.back.give(self.future, value, error)


class _Back:
    """Results on their way from threads to one loop, which is woken once for all that are there.

    Waking it is a system call, and takes longer than many a function.
    """

    def __init__(self) -> None:
        self._results: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._woken = False

    @classmethod
    def to(cls, loop: asyncio.AbstractEventLoop) -> _Back:
        """The way back to a loop; call it in the loop's own thread."""
        if (back := _BACK.get(loop)) is None:
            back = _BACK[loop] = cls()
        return back

    def give(self, future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
        """Take the result of a function, in the thread that has called it."""
        self._results.append((future, value, error))
        if not self._woken:  # otherwise the loop has not yet begun to look, and finds this, too
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                future.get_loop().call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._woken = False  # first of all: what comes from now on wakes again
        while self._results:
            future, value, error = self._results.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)


_BACK: WeakKeyDictionary[asyncio.AbstractEventLoop, _Back] = WeakKeyDictionary()


class _Threads:
    """Daemon threads that are kept, as many as were ever busy at once, up to `KEPT`.

    A call never waits behind another: whoever submits one has reserved a thread for it, or starts
    one. So what is stuck keeps its own thread and nobody else's.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._lock = threading.Lock()
        self._free = 0

    def submit(self, call: _Call) -> None:
        with self._lock:
            start = self._free == 0
            self._free -= not start
        self._calls.put(call)
        if start:
            threading.Thread(target=self._work, daemon=True, name=IDLE).start()

    def _work(self) -> None:
        thread = threading.current_thread()
        while True:
            call = self._calls.get()
            thread.name = "hook"
            call()
            del call  # what it holds must not live until the next one
            thread.name = IDLE
            with self._lock:
                if self._free >= KEPT:
                    return
                self._free += 1


_THREADS = _Threads()


class OneThread:
    """A daemon thread that does one thing after the other, in one context."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._work: SimpleQueue[_Call | None] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True, name=name).start()

    def call(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._work.put(_Call(partial(self._context.run, function), future, _Back.to(self._loop)))
        return future

    def end(self) -> None:
        """Let the thread end when it has done what it was given."""
        self._work.put(None)

    def _run(self) -> None:
        while (call := self._work.get()) is not None:
            call()


def describe(error: BaseException) -> str:
    """Name an exception for people: its class and its first line."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
