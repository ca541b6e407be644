"""Hooks are called one by one: what one plugin does never reaches another, or the bot."""

import asyncio
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from hooking import TURN, VARIABLE, Doomed, gathered, manager, queries

from bot import dispatch, hookimpl
from bot.errors import HookFailed


async def test_plain_and_async_functions_answer_alike_and_in_order_of_registration():
    async def slow(turn):
        await asyncio.sleep(0.02)
        return ["slow " + turn.question]

    async def takes_nothing():
        return ["nothing"]

    results = await gathered(
        a=queries(slow), b=queries(lambda turn: ["plain"]), c=queries(takes_nothing)
    )
    assert [(r.plugin, r.value) for r in results] == [
        ("a", ["slow q"]),
        ("b", ["plain"]),
        ("c", ["nothing"]),
    ]


async def test_no_implementation_gives_no_result():
    assert await gathered() == []
    assert await dispatch.first(manager(), "bot_queries", timeout=1, turn=TURN) == (None, [])


async def test_only_the_named_plugins_are_called():
    made = manager(a=queries(lambda: ["a"]), b=queries(lambda: ["b"]))
    results = await dispatch.gather(made, "bot_queries", only={"b"}, timeout=1)
    assert [r.plugin for r in results] == ["b"]


def test_tryfirst_comes_first_and_trylast_last():
    def plugin(**options):
        class Plugin:
            @staticmethod
            @hookimpl(**options)
            def bot_queries(turn):
                return []

        return Plugin()

    made = manager(last=plugin(trylast=True), a=plugin(), first=plugin(tryfirst=True), b=plugin())
    assert [one.plugin for one in dispatch.implementations(made, "bot_queries")] == [
        "first", "a", "b", "last",
    ]  # fmt: skip


async def _raises_async():
    raise ValueError("broken\nin two lines")


def _raises_plain():
    raise ValueError("broken\nin two lines")


@pytest.mark.parametrize("broken", [_raises_async, _raises_plain])
async def test_one_that_raises_is_named_and_the_rest_answers(broken):
    bad, good = await gathered(bad=queries(broken), good=queries(lambda: ["fine"]))
    assert good.value == ["fine"]
    assert isinstance(bad.error, HookFailed)
    assert (bad.error.plugin, bad.error.hook) == ("bad", "bot_queries")
    assert str(bad.error) == "bad: bot_queries raised ValueError: broken"
    assert isinstance(bad.error.__cause__, ValueError)


def _raiser(error, *, plain):
    def raise_plain():
        raise error

    async def raise_async():
        raise error

    return raise_plain if plain else raise_async


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        Doomed("no exception"),
        StopIteration(),
        asyncio.CancelledError(),
        TimeoutError("its own"),
        RuntimeError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_nothing_that_a_plugin_raises_ends_the_bot(error, plain):
    bad, good = await gathered(
        bad=queries(_raiser(error, plain=plain)), good=queries(lambda: ["fine"])
    )
    assert good.value == ["fine"]
    assert bad.error is not None


async def test_a_timeout_error_of_the_plugin_is_not_our_timeout():
    own, ours = await gathered(
        timeout=1,
        own=queries(_raiser(TimeoutError("the model is slow"), plain=False)),
        ours=queries(lambda: time.sleep(3)),
    )
    assert own.error.reason == "raised TimeoutError: the model is slow"
    assert ours.error.reason == "gave no answer within 1 s"


async def test_one_that_swallows_cancellation_is_left_behind():
    freed = asyncio.Event()

    async def stubborn():
        while not freed.is_set():
            try:
                await freed.wait()
            except asyncio.CancelledError:
                continue

    bad, good = await gathered(timeout=1, bad=queries(stubborn), good=queries(lambda: ["fine"]))
    assert "gave no answer" in str(bad.error)
    assert good.value == ["fine"]
    freed.set()


def test_a_stuck_plain_function_does_not_hold_up_the_exit():
    program = """
        import asyncio, time, sys
        import pluggy
        from bot import dispatch, hookimpl, hookspecs

        class Stuck:
            @hookimpl
            def bot_queries(self, turn):
                time.sleep(600)

        class Stream:
            @hookimpl
            def bot_load(self, source):
                yield 1
                time.sleep(600)

        async def main():
            manager = pluggy.PluginManager("bot")
            manager.add_hookspecs(hookspecs)
            manager.register(Stuck(), "stuck")
            manager.register(Stream(), "stream")
            [result] = await dispatch.gather(manager, "bot_queries", timeout=0.1, turn=None)
            print(result.error.reason)
            one = dispatch.implementations(manager, "bot_load")[0]
            try:
                async for item in dispatch.stream(one, 0.1, source=None):
                    print(item)
            except Exception as error:
                print(error)

        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "gave no answer within 0.1 s",
        "1",
        "stream: bot_load gave nothing for 0.1 s",
    ]


async def test_first_goes_on_past_none_and_past_failures():
    async def gives_none():
        return None

    called = []
    value, failures = await dispatch.first(
        manager(
            none=queries(gives_none),
            bad=queries(_raises_plain),
            good=queries(lambda: ["value"]),
            unasked=queries(lambda: called.append("unasked")),
        ),
        "bot_queries",
        timeout=1,
    )
    assert value == ["value"]
    assert [failure.plugin for failure in failures] == ["bad"]
    assert called == []


async def test_first_takes_a_false_value_that_is_not_none():
    made = manager(empty=queries(lambda: []), other=queries(lambda: ["other"]))
    assert await dispatch.first(made, "bot_queries", timeout=1) == ([], [])


async def test_a_plain_function_may_return_a_coroutine():
    async def later():
        return ["later"]

    [result] = await gathered(one=queries(lambda: later()))
    assert result.value == ["later"]


async def test_of_several_each_that_hangs_is_named_and_the_others_answer():
    go_on = threading.Event()

    async def hang():
        await asyncio.Event().wait()

    async def later():
        return ["later"]

    results = await gathered(
        timeout=3,
        hangs=queries(hang),
        stuck=queries(lambda: go_on.wait()),
        raises=queries(lambda: 1 / 0),
        plain=queries(lambda: later()),
    )
    go_on.set()
    reasons = [one.error.reason if one.error else one.value for one in results]
    late = "gave no answer within 3 s"
    assert reasons == [late, late, "raised ZeroDivisionError: division by zero", ["later"]]
    assert isinstance(results[2].error.__cause__, ZeroDivisionError)


async def test_context_variables_reach_plain_and_async_implementations():
    VARIABLE.set("outer")

    async def ask():
        return [VARIABLE.get()]

    results = await gathered(a=queries(lambda: [VARIABLE.get()]), b=queries(ask))
    assert [r.value for r in results] == [["outer"], ["outer"]]


async def test_what_an_implementation_sets_stays_its_own():
    VARIABLE.set("outer")

    async def change():
        VARIABLE.set("inner")

    await gathered(a=queries(change), b=queries(lambda: VARIABLE.set("thread")))
    assert VARIABLE.get() == "outer"


async def test_cancelling_the_caller_reaches_the_implementation():
    started, stopped = asyncio.Event(), asyncio.Event()

    async def work():
        started.set()
        try:
            await asyncio.sleep(600)
        finally:
            stopped.set()

    task = asyncio.create_task(gathered(timeout=None, a=queries(work), b=queries(work)))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()


async def test_within_gives_the_value_or_the_error():
    async def give(value):
        return value

    assert await dispatch.within(give(3), None) == 3
    with pytest.raises(ZeroDivisionError):
        await dispatch.within(_raiser(ZeroDivisionError(), plain=False)(), 1)
    with pytest.raises(TimeoutError):
        await dispatch.within(asyncio.sleep(600), 0.01)


def test_describe_names_the_class_and_the_first_line():
    assert dispatch.describe(ValueError("a\nb")) == "ValueError: a"
    assert dispatch.describe(ValueError()) == "ValueError"
