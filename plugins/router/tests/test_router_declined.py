"""A large one elsewhere that may not be asked: by the core's own rules, not by the router's."""

import pytest
from routing import KEY, LARGE, SURE, WEAK, Scripted, passage

from bot import Component, hookimpl
from bot.leaving import Remote
from bot.turn import Usage

CONFIG = """
[assistants.default]
retrievers = ["shelf"]
generator = "both"
{lines}
[generators.cloud]
type = "elsewhere"
may_receive = "{may_receive}"
{budget}
[generators.both]
type = "router"
small = "edge"
large = "cloud"
start = "{start}"
"""
STAFF = "group:staff"
GROUPS = "[groups]\nstaff = []"


class Elsewhere(Remote):
    """Settings of a generator that sends text to another host."""

    @property
    def elsewhere(self):
        return "api.example.com"


class Cloud:
    """A generator elsewhere; it spends half a unit an answer, which it reserves."""

    def __init__(self, script, context):
        self.script = script
        self.context = context

    @hookimpl
    async def bot_generate(self, turn, prompt):
        async with self.context.spending.reserved(turn, "cloud", Usage(cost=0.5)) as bill:
            async for delta in self.script.bot_generate(turn, prompt):
                yield delta
            bill.usage = Usage(cost=0.5)


class Offering:
    """A plugin that offers it."""

    def __init__(self):
        self.script = Scripted(*LARGE)

    @hookimpl
    def bot_components(self):
        return [Component(kind="generator", type="elsewhere", settings=Elsewhere, make=self.make)]

    def make(self, name, settings, context):
        return Cloud(self.script, context)


@pytest.fixture
def cloud():
    return Offering()


async def ask(world, cloud, small, may_receive="public", budget="", start="large", **asking):
    config = CONFIG.format(may_receive=may_receive, budget=budget, start=start, lines=GROUPS)
    return await world.ask(small, None, config=config, plugins={"cloud": cloud}, **asking)


async def test_what_everyone_may_read_is_answered_elsewhere(world, cloud):
    taken = await ask(world, cloud, Scripted(SURE))
    assert taken.text == "It hangs beside the door [1]."
    assert taken.routes == [("cloud", "start")]


@pytest.mark.parametrize("may_receive", ["public", "nothing"])
async def test_a_passage_that_may_not_leave_is_answered_for_here(world, cloud, may_receive):
    world.shelf.passages = [passage(KEY, readers=(STAFF,))]
    taken = await ask(world, cloud, Scripted(SURE), may_receive, principals=[STAFF])
    assert taken.text == SURE
    assert taken.answer.notices == ("“cloud” may not receive these sources, so “edge” answered.",)
    assert taken.routes == [("cloud", "start"), ("edge", "withheld")]
    assert cloud.script.prompts == []


async def test_a_weak_answer_about_what_may_not_leave_stands(world, cloud):
    world.shelf.passages = [passage(KEY, readers=(STAFF,))]
    taken = await ask(world, cloud, Scripted(*WEAK[:2]), start="small", principals=[STAFF])
    assert taken.text == "".join(WEAK[:2])
    assert taken.routes == [("edge", "start"), ("cloud", "unsupported"), ("edge", "withheld")]
    assert cloud.script.prompts == []


async def test_one_that_may_receive_all_is_asked(world, cloud):
    world.shelf.passages = [passage(KEY, readers=(STAFF,))]
    taken = await ask(world, cloud, Scripted(SURE), "all", principals=[STAFF])
    assert taken.routes == [("cloud", "start")]


async def test_over_its_limit_the_small_one_answers(world, cloud):
    budget = "[budget]\nanswer = 0.1"
    taken = await ask(world, cloud, Scripted(SURE), budget=budget)
    assert taken.text == SURE
    assert taken.answer.notices == ("“cloud” is over its limit, so “edge” answered.",)
    assert taken.routes == [("cloud", "start"), ("edge", "limit")]
    assert cloud.script.prompts == []
