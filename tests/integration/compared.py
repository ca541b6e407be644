"""Toys to compare: generators that know the answers or do not, and a bot over a real database."""

import asyncio
from contextlib import asynccontextmanager

import toys
from pydantic import BaseModel, ConfigDict

from bot import Bot, Component, Delta, Likelihood, hookimpl
from bot.database import Database
from bot.evaluation import comparing, golden
from bot.evaluation.golden import Golden
from bot.plugins import Plugins
from bot.settings import read
from bot.turn import Passage, Usage

CONFIG = """
[assistants.default]
instructions = "Answer."
retrievers = ["facts"]
generator = "base"
[assistants.hr]
retrievers = []
generator = "base"
askers = ["group:hr"]
[groups]
hr = ["email:a@x.org"]
[retrievers.facts]
[generators.base]
type = "scripted"
[generators.tuned]
type = "scripted"
ladder = "tuned"
[generators.wrapped]
type = "scripted"
ladder = "examples"
generator = "tuned"
[generators.broken]
type = "scripted"
breaks = true
"""
EVERYONE, HR = frozenset({"everyone"}), frozenset({"group:hr"})
GOLDEN = [
    Golden(question="Which port?", answer="It is 8080."),
    Golden(question="Which host?", answer="It is beta."),
    Golden(question="Which wage?", answer="It is 3141.", readers=HR),
    Golden(question="Only a source?", sources={"doc:x": 1}),
]
KNOWN = {one.question: one.answer for one in GOLDEN}


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ladder: str = ""
    generator: str = ""
    breaks: bool = False


class Scripted:
    """Knows the answers when it is tuned, or is given a passage; remembers what it was asked."""

    def __init__(self, name, options, world):
        self.name, self.options, self.world = name, options, world

    @hookimpl
    async def bot_generate(self, turn, prompt):
        self.world.asked.append((self.name, turn.question, turn.principals, len(prompt.passages)))
        self.world.searched.add(turn.index and turn.index.id)
        if self.world.before_answer:
            await self.world.before_answer(len(self.world.asked))
        if self.world.stop_at == len(self.world.asked):
            self.world.stopping.cancel()
            await asyncio.sleep(60)
        if self.options.breaks:
            raise OSError("the disk is gone")
        knows = self.options.ladder == "tuned" or prompt.passages
        mark = " [1]" if prompt.passages else ""
        yield Delta(text=f"{KNOWN[turn.question][:-1]}{mark}." if knows else "I do not know.")
        yield Delta(usage=Usage(input_tokens=10, output_tokens=5, cost=0.01))

    @hookimpl
    def bot_revision(self):
        return f"adapter {self.world.revision}" if self.options.ladder == "tuned" else None

    @hookimpl
    def bot_likelihoods(self, turn, pairs):
        self.world.pairs.append((self.name, turn.principals, len(pairs)))
        if self.options.breaks:
            return None
        better = -1.0 if self.options.ladder == "tuned" else -2.0
        return [Likelihood(logprob=better * len(text), tokens=len(text)) for _, text in pairs]


class World:
    """A plugin with toys; `asked` is what generators were asked."""

    def __init__(self):
        self.asked, self.pairs, self.searched = [], [], set()
        self.revision = 1
        self.before_answer = None
        self.stop_at, self.stopping = 0, None
        self.measure = None

    @hookimpl
    def bot_components(self):
        passage = Passage(id="p", text="It is 8080. It is beta. It is 3141.", readers=EVERYONE)
        return [
            Component(kind="generator", type="scripted", settings=Options,
                      make=lambda name, options, _: Scripted(name, options, self)),
            Component(kind="retriever", type="facts", settings=Options,
                      make=lambda *_: toys.Fixed(passage)),
            Component(kind="loader", type="nothing", settings=Options, make=lambda *_: object()),
            Component(kind="embedder", type="minilm", settings=Options,
                      make=lambda *_: toys.HashEmbedder()),
        ]  # fmt: skip

    @hookimpl
    def bot_measure(self, golden, answer, passages):
        return self.measure(golden, answer, passages) if self.measure else None


@asynccontextmanager
async def opened(folder, conninfo, world, config=CONFIG):
    """A bot with these toys, and with the golden questions."""
    path = folder / "bot.toml"
    path.write_text(config)
    plugins = Plugins()
    plugins.register(world, "world")
    environ = {"BOT_HOME": str(folder / "home")}
    made = Bot(read(path, environ), plugins=plugins, database=Database(conninfo), environ=environ)
    async with made as bot:
        await golden.put(bot.database, GOLDEN)
        yield bot


async def compared(bot, *names, **more):
    return await comparing.compare(bot, names or ["base", "base+rag", "tuned"], **more)
