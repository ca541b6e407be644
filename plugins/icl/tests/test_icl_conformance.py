from dataclasses import replace

import bot_extractive

from bot import Delta, asking, hookimpl
from bot.database import Database
from bot.machinery import Machinery
from bot.plugins import Plugins
from bot.testing.conformance import GeneratorConformance


class Thinking:
    """Thinks aloud, and quotes the first passage word by word."""

    @hookimpl
    async def bot_generate(self, turn, prompt):
        yield "Thought: the first source\n"
        yield "will do.\nAnswer: "
        if not prompt.passages:
            yield "No source "
            yield "says it."
            return
        for word in prompt.passages[0].text.split():
            yield Delta(text=f"{word} ", verbatim=True)
        yield "[1]"


class Around(GeneratorConformance):
    """The core's own suite, over a generator of its own."""

    plugin = "icl"

    def inner(self, context):
        return Thinking()

    def context(self, home):
        context = super().context(home)
        plugins = Plugins()
        plugins.register(self.inner(context), "generator:writer")

        async def resolve(kind, name):
            return f"{kind}:{name}"

        machinery = Machinery(manager=plugins.manager, database=Database(), resolve=resolve)

        async def generator(name):
            return await asking.generator(machinery, name)

        return replace(context, generator=generator)


class TestZeroShot(Around):
    settings = {"generator": "writer", "technique": "zero_shot"}


class TestFewShotAroundQuotes(Around):
    settings = {"generator": "writer", "technique": "few_shot"}

    def inner(self, context):
        return bot_extractive.make("writer", bot_extractive.ExtractiveSettings(), context)


class TestChainOfThought(Around):
    settings = {"generator": "writer", "technique": "chain_of_thought"}


class TestPlanAndReflect(Around):
    settings = {"generator": "writer", "technique": "plan_and_reflect"}


class TestReact(Around):
    settings = {"generator": "writer", "technique": "react"}


del Around, GeneratorConformance  # pytest would collect them
