"""A scripted model behind the real machinery: it says its lines, and keeps what it was asked."""

from dataclasses import dataclass, field

import bot_icl
import pytest

from bot import Context, Delta, Passage, Turn, asking, hookimpl, prompt
from bot.machinery import Limits, Machinery
from bot.plugins import Plugins
from bot.turn import Assistant, Conversation, Message


class Script:
    """Says one line a call, word by word; counts words as tokens."""

    def __init__(self, *lines, limit=None):
        self.lines = list(lines)
        self.limit = limit
        self.prompts = []
        self.closed = 0

    @hookimpl
    async def bot_generate(self, turn, prompt):
        self.prompts.append(prompt)
        line = self.lines[min(len(self.prompts), len(self.lines)) - 1]
        try:
            if isinstance(line, Delta):
                yield line
                return
            for piece in line.replace(" ", " \0").split("\0"):
                yield piece
        finally:
            self.closed += 1

    @hookimpl
    def bot_context_limit(self):
        return self.limit

    @hookimpl
    def bot_count_tokens(self, text):
        return len(text.split())


def passage(id_, text, *readers):
    return Passage(id=id_, text=text, title=id_, readers=frozenset(readers or {"everyone"}))


@dataclass
class World:
    """A bot's insides around one icl generator."""

    context: Context
    plugins: Plugins
    searches: list = field(default_factory=list)

    async def run(
        self, script, question="Where is the key?", *, passages=(), turn=None, **settings
    ):
        """All deltas of one turn."""
        self.plugins.register(script, "generator:model")
        valid = bot_icl.IclSettings(generator="model", **settings)
        icl = bot_icl.make("careful", valid, self.context)
        turn = turn or Turn(id="t", question=question, assistant=Assistant(instructions="Be kind."))
        limit = await icl.bot_context_limit()
        asked = await prompt.build(turn, passages, limit, icl.bot_count_tokens)
        return [delta async for delta in icl.bot_generate(turn, asked)]


def text(deltas):
    return "".join(delta.text for delta in deltas)


def reasoning(deltas):
    return "".join(delta.reasoning for delta in deltas)


@pytest.fixture
def world(tmp_path):
    return _world(tmp_path, None)


@pytest.fixture
def stored(tmp_path, database):
    """A world with a database."""
    return _world(tmp_path, database)


def _world(home, database):
    plugins = Plugins()
    found, searches = {}, []

    async def resolve(kind, name):
        return f"{kind}:{name}"

    machinery = Machinery(manager=plugins.manager, database=database, resolve=resolve,
                          limits=Limits(token=5.0))  # fmt: skip

    async def generator(name):
        return await asking.generator(machinery, name)

    async def search(turn):
        searches.append(turn)
        return found.get(turn.queries[0], [])

    context = Context(home=home, database=database, embed=None, generator=generator, search=search)
    made = World(context, plugins, searches)
    made.found = found
    return made


def history(*said):
    return Conversation(history=tuple(Message(role=role, text=text) for role, text in said))
