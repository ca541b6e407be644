"""Plugins of one function, and calls of their hooks."""

import contextvars

import pluggy

from bot import dispatch, hookimpl, hookspecs
from bot.turn import Turn

TURN = Turn(id="t", question="q")


VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


class Doomed(BaseException):
    """Neither an Exception nor a cancellation."""


def manager(**plugins):
    made = pluggy.PluginManager("bot")
    made.add_hookspecs(hookspecs)
    for name, plugin in plugins.items():
        made.register(plugin, name)
    return made


def queries(function):
    """A plugin whose `bot_queries` is the function."""

    class Plugin:
        bot_queries = staticmethod(hookimpl(specname="bot_queries")(function))

    return Plugin()


def loader(function):
    class Plugin:
        bot_load = staticmethod(hookimpl(specname="bot_load")(function))

    return Plugin()


async def gathered(timeout=5.0, **plugins):
    return await dispatch.gather(manager(**plugins), "bot_queries", timeout=timeout, turn=TURN)


async def streamed(function, timeout=5.0):
    one = dispatch.implementations(manager(one=loader(function)), "bot_load")[0]
    return [item async for item in dispatch.stream(one, timeout, source=None)]


async def collect(stream, into):
    async for item in stream:
        into.append(item)
