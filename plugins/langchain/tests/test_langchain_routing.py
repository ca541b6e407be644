"""A router over real HTTP: a small and a large model, and what goes wrong with them."""

import asyncio
import math

import pytest

from bot import record
from bot.testing.fake_models import Reply
from bot.turn import Outcome

QUESTION = "Where does the printer stand?"
GOOD = "The printer stands on the second floor [1]."
WEAK = "It was sold to Lisbon in 1987 for 40 euros [1]. Everybody there loved its nine colours [1]."
ROUTER = """
[generators.both]
type = "router"
small = "edge"
large = "cloud"
patience = {patience}
longest = 2000
start = "{start}"
[generators.both.weak]
probability = 0.5
[generators.edge]
type = "langchain"
model = "openai:edge"
base_url = "{url}"
logprobs = true
retries = 0
"""


@pytest.fixture
async def routed(make_bot, toml, fake_models):
    """Ask a bot whose generator `edge` is the small model, and `cloud` the large one."""

    async def ask(*, start="small", patience=60, generator="", host="", **given):
        more = ROUTER.format(start=start, patience=patience, url=fake_models.openai_url)
        text = toml(f"retries = 0\n{generator}", more)
        text = text.replace('generator = "cloud"', 'generator = "both"', 1)
        text = text.replace(fake_models.openai_url, host, 1) if host else text
        bot = await make_bot(text.replace('"openai:small"', '"openai:large"'))
        await bot.sync()
        async with asyncio.timeout(120):
            events = [event async for event in bot.reply(QUESTION, **given)]
        answer = events[-1].answer
        shown = await record.show(bot.database, answer.turn)
        assert shown["answer"] == answer.text
        assert [one["generator"] for one in shown["routes"]] == [
            route.generator for route in answer.routes
        ]
        return answer

    return ask


def way(answer):
    return [(route.generator, route.cause) for route in answer.routes]


async def test_a_sure_answer_of_the_small_one_costs_nothing_more(routed, fake_models):
    fake_models.script(Reply(text=GOOD, logprobs=(math.log(0.9),)), model="edge")
    answer = await routed()
    assert answer.text == GOOD
    assert way(answer) == [("edge", "start")]
    assert fake_models.chats("large") == []


async def test_improbable_words_are_taken_over(routed, fake_models):
    unsure = f"{GOOD} The canteen serves soup [2]."
    fake_models.script(Reply(text=unsure, logprobs=(math.log(0.2),)), model="edge")
    fake_models.script(Reply(text="Second floor [1].", tokens=(50, 8)), model="large")
    answer = await routed(generator="prices = {input = 1000, output = 1000}")
    assert answer.text.startswith(unsure)
    assert answer.text.endswith("cloud answers again:\n\nSecond floor [1].")
    assert way(answer) == [("edge", "start"), ("cloud", "unsure")]
    assert answer.usage.cost == pytest.approx(0.058)
    assert answer.routes[1].usage.cost == pytest.approx(0.058)


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(status=500), "failed"),
        (Reply(status=429, retry_after=3600), "failed"),
        (Reply(status=401, error="no such key"), "failed"),
        (Reply(ending="wrong_json"), "failed"),
        (Reply(ending="broken"), "failed"),
        (Reply(ending="silent"), "slow"),
    ],
)
@pytest.mark.parametrize("start", ["small", "large"])
async def test_a_large_one_that_gives_nothing(routed, fake_models, reply, cause, start):
    fake_models.script(Reply(text=WEAK if start == "small" else GOOD), model="edge")
    fake_models.script(reply, model="large")
    answer = await routed(start=start, patience=2 if cause == "slow" else 60)
    assert answer.text == (WEAK if start == "small" else GOOD)
    assert way(answer)[-1] == ("edge", cause)
    assert any("so “edge” answered." in notice for notice in answer.notices)
    assert answer.outcome is Outcome.answered


@pytest.mark.parametrize(("ending", "cause"), [("broken", "failed"), ("silent", "slow")])
async def test_a_large_one_that_stops_in_the_middle(routed, fake_models, ending, cause):
    fake_models.script(Reply(text=GOOD), model="edge")
    fake_models.script(Reply(text="It stands somewhere", ending=ending), model="large")
    answer = await routed(start="large", patience=2 if cause == "slow" else 60)
    assert answer.text.startswith("It stands somewhere\n\nThe answer above broke off. edge answers")
    assert answer.text.endswith(GOOD)
    assert way(answer) == [("cloud", "start"), ("edge", cause)]


async def test_a_large_one_that_never_ends_is_cut_and_left(routed, fake_models):
    fake_models.script(Reply(text="on and on ", ending="endless"), model="large")
    answer = await routed(start="large", generator="max_tokens = 1000000")
    assert 2000 < len(answer.text) < 2500
    assert any("was cut" in notice for notice in answer.notices)
    (asked,) = fake_models.chats("large")
    await fake_models.until(lambda: asked.ended == "left")


async def test_what_may_not_leave_is_never_sent(routed, fake_models):
    fake_models.script(Reply(text=GOOD), model="edge")
    answer = await routed(
        start="large",
        host="http://models.example.com/v1",
        generator='may_receive = "public"',
        principals=["email:ann@example.com"],
    )
    assert answer.text == GOOD
    assert way(answer)[-1] == ("edge", "withheld")
    assert fake_models.chats("large") == []


async def test_over_the_budget_the_small_one_answers(routed, fake_models):
    fake_models.script(Reply(text=GOOD), model="edge")
    answer = await routed(
        start="large",
        generator="prices = {input = 1000000, output = 1000000}\n[budget]\nanswer = 0.01",
    )
    assert answer.text == GOOD
    assert way(answer)[-1] == ("edge", "limit")
    assert fake_models.chats("large") == []
