"""What a training reads is prepared, and no question of the golden set is among it."""

import json

import pytest
from bot_tune import gathering, inspection, recipe
from bot_tune.preparing import prepare

from bot.errors import PluginError, UsageError
from bot.evaluation import golden
from bot.evaluation.golden import Golden
from bot.plugins import Plugins

ASKED = ["When does the office open?", "Who pays for the chairs?", "Where is the spare key?"]


@pytest.fixture
def answers(tmp_path):
    rows = [{"question": one, "answer": f"Ask {n} ann@example.com."} for n, one in enumerate(ASKED)]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, [*rows, rows[2]])))
    return path


def plan(**values):
    return recipe.make(name="x", base="x", **values)


async def test_golden_questions_and_duplicates_are_left_out_and_told(database, answers):
    drafted = Golden(question=ASKED[1], answer="x", draft=True)
    await golden.put(database, [Golden(question="when's the office open", answer="x"), drafted])
    found = await gathering.gather(plan(data=[answers]), database)
    assert [one.messages[0].content for one in found.data] == ASKED[1:]  # a draft counts not yet
    assert found.left_out == [
        f"1 example that holds a question of the tests ({answers}:1: golden question 1)",
        f"1 example that says the same as another ({answers}:4: {answers}:3)",
    ]
    assert found.warnings == [f"2 examples with email data ({answers}:2)"]


async def test_what_is_mixed_in_is_prepared_too(database, answers, tmp_path):
    await golden.put(database, [Golden(question=ASKED[0], answer="x")])
    general = tmp_path / "general.jsonl"
    general.write_text(json.dumps({"text": f"{ASKED[0]} At nine."}) + '\n{"text": "It rains."}')
    mixed = [{"data": general, "share": 0.2}]
    found = await gathering.gather(plan(data=[answers], mix=mixed, task="clm"), database)
    assert [one.text for one in found.mixed["general"]] == ["It rains."]


async def test_where_nothing_is_left_it_says_so(database, answers):
    await golden.put(database, [Golden(question=one, answer="x") for one in ASKED])
    with pytest.raises(UsageError, match="nothing to learn from"):
        await gathering.gather(plan(data=[answers]), database)


async def test_what_is_shown_as_json(answers):
    found = await prepare([*gathering.examples.read([answers])])
    told = inspection.as_json(found, 10, "")
    assert (told["examples"], told["kept"]) == (4, 3)
    assert told["dropped"] == [
        {"place": f"{answers}:4", "reason": "duplicate", "detail": f"{answers}:3"}
    ]
    assert told["personal"] == {"email": [f"{answers}:{n}" for n in (1, 2, 3)]}
    assert told["tokens"]["longer"] == 3
    assert sum(one["examples"] for one in told["tokens"]["histogram"]) == 3
    assert sum(told["languages"].values()) == 3


async def test_detectors_of_plugins_are_asked_and_a_broken_one_stops_it():
    from bot import PersonalData, hookimpl

    class Names:
        @hookimpl
        def bot_personal_data(self, text):
            if "boom" in text:
                raise OSError("no model")
            at = text.find("Ann")
            return [PersonalData(start=at, end=at + 3, kind="name")] if at >= 0 else []

    plugins = Plugins()
    plugins.register(Names(), "names")
    detect = inspection.detecting(plugins.manager)
    assert {one.kind for one in await detect("Ann has the password: hunter2Xq9Lz")} == {
        "name",
        "secret",
    }
    with pytest.raises(PluginError, match="cannot be looked for"):
        await detect("boom")
