from dataclasses import replace

import bot_extractive

from bot import asking
from bot.database import Database
from bot.errors import PluginError
from bot.machinery import Machinery
from bot.plugins import Plugins
from bot.testing.conformance import GeneratorConformance


class TestRouter(GeneratorConformance):
    """The core's own suite, over two generators that quote."""

    plugin = "router"
    settings = {"small": "small", "large": "large"}
    missing = ()

    def context(self, home):
        context = super().context(home)
        plugins = Plugins()
        for name in ("small", "large"):
            made = bot_extractive.make(name, bot_extractive.ExtractiveSettings(), context)
            plugins.register(made, f"generator:{name}")

        async def resolve(kind, name):
            if name in self.missing:
                raise PluginError(f"{name} cannot be made.")
            return f"{kind}:{name}"

        machinery = Machinery(manager=plugins.manager, database=Database(), resolve=resolve)

        async def generator(name):
            return await asking.generator(machinery, name)

        return replace(context, generator=generator)


class TestRouterThatJudgesFirst(TestRouter):
    settings = {"small": "small", "large": "large", "show": "when_sure"}


class TestRouterWithoutItsLargeOne(TestRouter):
    settings = {"small": "small", "large": "large", "start": "large"}
    missing = ("large",)


class TestRouterWithoutItsSmallOne(TestRouter):
    settings = {"small": "small", "large": "large"}
    missing = ("small",)
