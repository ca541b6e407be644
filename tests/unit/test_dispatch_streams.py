"""A hook that gives one thing after the other is read as it gives them, and let go."""

import asyncio
import threading

import pytest
from hooking import VARIABLE, Doomed, collect, loader, manager, streamed

from bot import dispatch
from bot.errors import HookFailed


async def _async_items(source):
    for number in range(3):
        yield number


def _plain_items(source):
    yield from range(3)


class _Iterable:
    def __aiter__(self):
        return _async_items(None)


@pytest.mark.parametrize(
    ("function", "items"),
    [
        (_async_items, [0, 1, 2]),
        (_plain_items, [0, 1, 2]),
        (lambda: _Iterable(), [0, 1, 2]),
        (lambda: iter([0, None, 2]), [0, None, 2]),
        (lambda: [0, 1, 2], [0, 1, 2]),
        (lambda: "one", ["one"]),
        (lambda: None, []),
        (lambda: (), []),
    ],
)
async def test_a_stream_may_be_any_kind_of_iterator_or_one_value(function, items):
    assert await streamed(function) == items


async def test_a_coroutine_may_return_the_stream():
    async def later(source):
        return _async_items(source)

    assert await streamed(later) == [0, 1, 2]


async def test_a_stream_that_hangs_fails_after_what_it_gave():
    async def hangs():
        yield "first"
        await asyncio.sleep(600)

    seen = []
    one = dispatch.implementations(manager(slow=loader(hangs)), "bot_load")[0]
    with pytest.raises(HookFailed, match=r"slow: bot_load gave nothing for 0\.05 s"):
        await collect(dispatch.stream(one, 0.05), seen)
    assert seen == ["first"]


@pytest.mark.parametrize("plain", [True, False])
async def test_stopping_early_closes_the_generator(plain):
    closed = threading.Event()

    async def async_endless():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    def plain_endless():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    one = dispatch.implementations(
        manager(one=loader(plain_endless if plain else async_endless)), "bot_load"
    )[0]
    stream = dispatch.stream(one, 5)
    assert await anext(stream) == 1
    await stream.aclose()
    assert await asyncio.to_thread(closed.wait, 5)


async def test_cancelling_the_reader_reaches_the_generator():
    waiting, cancelled = asyncio.Event(), asyncio.Event()

    async def works():
        yield 1
        try:
            waiting.set()
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    task = asyncio.create_task(streamed(works, timeout=None))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


async def test_a_generator_that_swallows_the_cancelling_is_read_no_further():
    waiting, closed = asyncio.Event(), asyncio.Event()

    async def swallows():
        try:
            yield 1
            try:
                waiting.set()
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                pass
            while True:
                yield 2
        finally:
            closed.set()

    task = asyncio.create_task(streamed(swallows, timeout=None))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(closed.wait(), 60)


async def test_a_generator_that_will_not_close_is_left_behind():
    freed = asyncio.Event()

    async def stubborn():
        yield 1
        while not freed.is_set():
            try:
                await freed.wait()
            except asyncio.CancelledError:
                continue

    one = dispatch.implementations(manager(one=loader(stubborn)), "bot_load")[0]
    stream = dispatch.stream(one, 5)
    assert await anext(stream) == 1
    await asyncio.wait_for(stream.aclose(), 30)
    freed.set()


async def test_context_and_timeouts_of_a_generator_hold_between_its_items():
    async def traced():
        token = VARIABLE.set("inner")
        async with asyncio.timeout(60):
            yield VARIABLE.get()
            yield VARIABLE.get()
        VARIABLE.reset(token)
        yield VARIABLE.get()

    assert await streamed(traced) == ["inner", "inner", "unset"]


async def test_a_plain_generator_is_read_on_one_thread():
    def threads():
        for _ in range(3):
            yield threading.get_ident()

    seen = set(await streamed(threads))
    assert len(seen) == 1
    assert threading.get_ident() not in seen


async def test_a_stream_is_read_at_most_a_little_ahead():
    made = []

    async def counting():
        for number in range(1000):
            made.append(number)
            yield number

    one = dispatch.implementations(manager(one=loader(counting)), "bot_load")[0]
    stream = dispatch.stream(one, 5)
    await anext(stream)
    await asyncio.sleep(0.01)
    assert len(made) <= dispatch.AHEAD + 2
    await stream.aclose()


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("error", [SystemExit(3), Doomed("no exception"), TimeoutError("own")])
async def test_nothing_that_a_stream_raises_ends_the_bot(error, plain):
    def plain_stream():
        yield 1
        raise error

    async def async_stream():
        yield 1
        raise error

    seen = []
    one = dispatch.implementations(
        manager(bad=loader(plain_stream if plain else async_stream)), "bot_load"
    )[0]
    with pytest.raises(HookFailed, match=r"bad: bot_load raised"):
        await collect(dispatch.stream(one, 5), seen)
    assert seen == [1]
