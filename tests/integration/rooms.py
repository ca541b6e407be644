"""A room: an assistant of toy plugins that questions can be put to."""

import pluggy

from bot import (
    Failed,
    Finished,
    Passage,
    TextDelta,
    Turn,
    hookspecs,
)
from bot.conversation import Limits, Machinery, Run
from bot.errors import PluginError
from bot.turn import Assistant, Conversation

EVERYBODY = frozenset({"everyone"})


PORT = Passage(
    id="p1", text="The port is 8080. It can be changed.", readers=EVERYBODY,
    title="Ports", uri="doc:ports", score=2.0, source="handbook",
)  # fmt: skip


SECRET = Passage(id="s", text="The salary is 1.", readers=frozenset({"group:hr"}), score=9.0)


class Room:
    """An assistant of toy plugins; `ask` runs one turn to its end."""

    def __init__(self, database):
        self.database = database
        self.manager = pluggy.PluginManager("bot")
        self.manager.add_hookspecs(hookspecs)
        self.limits = Limits(hook=0.5, retrieve=0.5, token=0.5)
        self.retrievers = []
        self.numbers = iter(range(1, 100))

    def add(self, name, plugin):
        self.manager.register(plugin, name)
        if hasattr(plugin, "bot_retrieve"):
            self.retrievers.append(name)
        return plugin

    async def resolve(self, kind, name):
        if not self.manager.has_plugin(name):
            raise PluginError(f"There is no {kind} {name!r}.")
        return name

    def run(self, question, *, key="talk", history=(), principals=(), assistant=(), **more):
        turn = Turn(
            id=f"turn{next(self.numbers)}",
            question=question,
            queries=(question,),
            assistant=Assistant(
                retrievers=tuple(self.retrievers), generator="generator", **dict(assistant)
            ),
            conversation=Conversation(channel="test", key=key, history=history),
            principals=EVERYBODY | frozenset(principals),
            **more,
        )
        return Run(Machinery(manager=self.manager, database=self.database, resolve=self.resolve,
                             limits=self.limits), turn, "ann")  # fmt: skip

    async def ask(self, question="Which port?", **more):
        events = [event async for event in self.run(question, **more).events()]
        ends = [event for event in events if isinstance(event, Finished | Failed)]
        assert len(ends) == 1
        assert events[-1] is ends[0]
        text = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert text.strip() == ends[0].answer.text
        return ends[0]
