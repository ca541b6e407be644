"""Plain functions run on kept threads, and none waits behind another."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot import threads

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


async def test_threads_are_kept():
    names = {await threads.in_thread(threading.get_ident) for _ in range(50)}
    assert len(names) < 25


async def test_what_is_stuck_keeps_nobody_waiting():
    go_on = threading.Event()
    stuck = [asyncio.ensure_future(threads.in_thread(go_on.wait)) for _ in range(threads.KEPT + 9)]
    async with asyncio.timeout(60):
        calls = [threads.in_thread(lambda n=n: n) for n in range(40)]
        assert await asyncio.gather(*calls) == [*range(40)]
        go_on.set()
        assert all(await asyncio.gather(*stuck))

        def idle():
            return [one for one in threading.enumerate() if one.name == threads.IDLE]

        while len(idle()) > threads.KEPT + 1:  # noqa: ASYNC110 -- those too many end by themselves
            await asyncio.sleep(0.01)


async def test_all_of_them_run_at_once():
    together = threading.Barrier(20)
    await asyncio.gather(*(threads.in_thread(together.wait, timeout=60) for _ in range(20)))


async def test_a_call_has_a_context_of_its_own():
    def change():
        VARIABLE.set(VARIABLE.get() + "!")
        return VARIABLE.get()

    VARIABLE.set("mine")
    assert [await threads.in_thread(change) for _ in range(3)] == ["mine!"] * 3
    assert VARIABLE.get() == "mine"


async def test_one_thread_is_one_thread_in_one_context():
    one = threads.OneThread("test")
    idents = {await one.call(threading.get_ident) for _ in range(5)}
    await one.call(lambda: VARIABLE.set("kept"))
    assert await one.call(VARIABLE.get) == "kept"
    assert len(idents) == 1
    one.end()


async def test_whoever_left_is_not_told():
    go_on = threading.Event()
    waiting = asyncio.ensure_future(threads.in_thread(go_on.wait))
    await asyncio.sleep(0)
    waiting.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await threads.in_thread(lambda: "next") == "next"


def test_a_loop_that_is_closed_is_no_failure():
    go_on = threading.Event()

    async def leave():
        asyncio.ensure_future(threads.in_thread(go_on.wait))  # noqa: RUF006 -- left on purpose
        await asyncio.sleep(0)

    asyncio.run(leave())
    go_on.set()
    assert asyncio.run(threads.in_thread(lambda: "again")) == "again"


def test_each_loop_gets_its_own_results():
    async def squares():
        for _ in range(20):
            calls = [threads.in_thread(pow, base=n, exp=2) for n in range(30)]
            assert await asyncio.gather(*calls) == [n * n for n in range(30)]
        return threading.get_ident()

    with ThreadPoolExecutor(4) as loops:
        running = [loops.submit(asyncio.run, squares()) for _ in range(4)]
        assert all(one.result(timeout=60) for one in running)
