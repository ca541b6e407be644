"""People rate answers on the Home tab: blind, by buttons, only what they may read."""

import json

import pytest
from slack_world import eventually

from bot.evaluation import golden, journal, ratings
from bot.evaluation.engine import Trial
from bot.evaluation.golden import Golden

VARIANTS = {"variants": [{"name": "base", "means": []}, {"name": "lora", "means": ["tuned"]}],
            "by": "rougeL f1"}  # fmt: skip
QUESTIONS = [
    Golden(question="When *does* <!channel> it open?", answer="At nine."),
    Golden(question="What are the wages?", answer="3141", readers=frozenset({"group:hr"})),
]


async def compared(bot):
    await golden.put(bot.database, QUESTIONS)
    asked = await golden.load(bot.database)
    number, *_ = await journal.begin(bot.database, asked, VARIANTS, fresh=True)
    for one in asked:
        for name in ("base", "lora"):
            trial = Trial(values={}, milliseconds=1.0, answer=f"{name[0]} says <@U1> *nine*")
            await journal.put(bot.database, number, name, one, trial)
    return number


async def opened(slack, user="U1"):
    slack.world.views.pop(f"home:{user}", None)
    await slack.open_home(user)
    return await eventually(lambda: slack.world.views.get(f"home:{user}"))


def buttons(view):
    return {
        element["action_id"]: element["value"]
        for block in view["blocks"]
        for element in block.get("elements", ())
    }


async def test_people_choose_by_buttons_without_knowing_whose_answers_they_read(slack, serving):
    async with serving() as bot:
        number = await compared(bot)
        assert buttons(await opened(slack)) == {}  # nobody is asked unless it is wanted
        await ratings.ask_in_slack(bot.database, number, True)
        view = await opened(slack)
        words = json.dumps(view)
        assert "base" not in words
        assert "lora" not in words
        assert "wages" not in words  # U1 is not of hr
        types = {block["text"]["type"] for block in view["blocks"] if "text" in block}
        assert types == {"plain_text"}  # what a model says is no markup
        first = next(b["text"]["text"] for b in view["blocks"] if "1. " in str(b.get("text")))
        await slack.click_home("rate_left", "U1")
        await eventually(lambda: not buttons(slack.world.views["home:U1"]))
        ((_, one, other, better, author),) = (await journal.load(bot.database, number)).ratings
        assert (one, other, author) == ("base", "lora", "T1/U1")
        assert better == ("one" if "b says" in first else "other")


@pytest.mark.parametrize(
    "change",
    [
        lambda given: "no JSON",
        lambda given: "[1, 2]",
        lambda given: json.dumps([given[0] + 7, *given[1:]]),
        lambda given: json.dumps([*given[:2], 9, 1, "left"]),
        lambda given: json.dumps([*given[:4], "best"]),
        lambda given: json.dumps([given[0], given[1] + 1, *given[2:]]),  # hr's question
    ],
)
async def test_a_button_that_was_tampered_with_keeps_nothing(slack, serving, change):
    async with serving() as bot:
        number = await compared(bot)
        await ratings.ask_in_slack(bot.database, number, True)
        view = await opened(slack)
        for block in view["blocks"]:
            for element in block.get("elements", ()):
                element["value"] = change(json.loads(element["value"]))
        await slack.click_home("rate_left", "U1")
        await slack.settled()
        await slack.open_home("U1")
        await eventually(lambda: len(slack.called("views.publish")) >= 3)
        assert (await journal.load(bot.database, number)).ratings == []


async def test_nobody_is_asked_any_more_when_that_is_ended(slack, serving):
    async with serving() as bot:
        number = await compared(bot)
        await ratings.ask_in_slack(bot.database, number, True)
        assert len(buttons(await opened(slack))) == 3
        await ratings.ask_in_slack(bot.database, number, False)
        await slack.click_home("rate_right", "U1")  # the tab is from before
        await eventually(lambda: not buttons(slack.world.views["home:U1"]))
        assert (await journal.load(bot.database, number)).ratings == []
