"""Two scripted generators behind a whole bot with a database of its own."""

import asyncio
import os
from itertools import count

import bot_router
import pytest

from bot import Bot, Delta, Passage, hookimpl, record
from bot.database import Database
from bot.plugins import Plugins
from bot.settings import read
from bot.testing.postgres import created
from bot.turn import Failed, Finished, Status, TextDelta

KEY = "The key hangs beside the door."
DOOR = "The door is green and never locked."
SURE = "The key hangs beside the door [1]."
WEAK = ["The key lies ", "under the mat in Paris [1]. ", "Nobody has ever seen it there [2]."]
LARGE = ["It hangs ", "beside the door [1]."]
PATIENCE = 60

BOT = """
[assistants.default]
retrievers = ["shelf"]
generator = "both"
[generators.both]
type = "router"
small = "edge"
large = "cloud"
"""


class Forever:
    """A step of a script: nothing comes any more."""


class Scripted:
    """Says its steps one by one: texts, deltas, errors to raise, `Forever`, or a callable.

    Attributes:
        prompts: what it was asked.
        closed: how often an answer of its has ended, in whatever way.
        stuck: set when it has come to `Forever`.
    """

    def __init__(self, *steps, limit=None):
        self.steps = steps
        self.limit = limit
        self.prompts = []
        self.closed = 0
        self.stuck = asyncio.Event()

    @hookimpl
    async def bot_generate(self, turn, prompt):
        self.prompts.append(prompt)
        try:
            for step in self.steps:
                if isinstance(step, Exception):
                    raise step
                if step is Forever:
                    self.stuck.set()
                    await asyncio.Event().wait()
                elif callable(step):
                    while True:
                        yield step()
                        await asyncio.sleep(0)
                else:
                    yield Delta(text=step) if isinstance(step, str) else step
        finally:
            self.closed += 1

    @hookimpl
    def bot_context_limit(self):
        return self.limit

    @hookimpl
    def bot_count_tokens(self, text):
        return len(text.split())


class Shelf:
    """Finds the same passages for everybody."""

    def __init__(self, *passages):
        self.passages = list(passages)

    @hookimpl
    def bot_retrieve(self, turn):
        return self.passages


def passage(text, score=0.5, readers=("everyone",)):
    return Passage(
        id=text[:8], text=text, title="Guide", uri=f"https://example.com/{len(text)}",
        readers=frozenset(readers), score=score,
    )  # fmt: skip


class Taken:
    """One turn: its events, and what became of it."""

    def __init__(self, events):
        self.events = events
        self.last = events[-1]
        self.answer = events[-1].answer

    @property
    def text(self):
        """All that a channel was given to show."""
        return "".join(one.text for one in self.events if isinstance(one, TextDelta))

    @property
    def routes(self):
        return [(route.generator, route.cause) for route in self.answer.routes]

    @property
    def statuses(self):
        return [one.text for one in self.events if isinstance(one, Status)]


class World:
    """Bots over one database, each with generators of its own."""

    def __init__(self, conninfo, folder):
        self.conninfo = conninfo
        self.folder = folder
        self.shelf = Shelf(passage(KEY), passage(DOOR))

    def bot(self, small, large, lines="", config=BOT, plugins=None, environ=None):
        """A bot whose table [generators.both] ends with these lines."""
        offered = {"router": bot_router, "edge": small, "cloud": large, "shelf": self.shelf}
        path = self.folder / "bot.toml"
        path.write_text(config + lines, encoding="utf-8")
        loaded = Plugins()
        for name, plugin in {**offered, **(plugins or {})}.items():
            if plugin is not None:
                loaded.register(plugin, name)
        environ = {"BOT_HOME": str(self.folder / "home"), **(environ or {})}
        return Bot(
            read(path, environ), plugins=loaded, database=Database(self.conninfo), environ=environ
        )

    async def ask(
        self, small, large, lines="", question="Where is the key?", *, config=BOT, plugins=None,
        **asking,
    ):  # fmt: skip
        """Answer one question; the turn as it was, and as it is recorded."""
        made = self.bot(small, large, lines, config, plugins)
        async with made as bot, asyncio.timeout(PATIENCE):
            taken = Taken([event async for event in bot.reply(question, **asking)])
            assert isinstance(taken.last, Finished | Failed)
            taken.shown = await record.show(bot.database, taken.answer.turn)
        assert taken.answer.text == taken.text.strip()  # what was streamed is what is kept
        assert taken.shown["answer"] == taken.answer.text
        assert [(one["generator"], one["cause"]) for one in taken.shown["routes"]] == taken.routes
        return taken


_numbers = count(1)


@pytest.fixture(scope="module")
def shared(server, template):
    """One database for the turns of a module: each has an id of its own."""
    with created(server, f"bot_router_{os.getpid()}_{next(_numbers)}", template) as conninfo:
        yield conninfo


@pytest.fixture
def world(shared, tmp_path):
    return World(shared, tmp_path)
