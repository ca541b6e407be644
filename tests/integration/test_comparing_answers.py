"""Comparing answers on a real database: variants by name, resuming, failures, people's ratings."""

import asyncio
import json

import pytest
from compared import EVERYONE, HR, KNOWN, World, compared, opened

from bot.errors import NotFound, UsageError
from bot.evaluation import golden, journal, likelihoods, ratings, results, view
from bot.evaluation.golden import Golden
from bot.evaluation.variants import specs


@pytest.fixture
def world():
    return World()


@pytest.fixture
async def bot(tmp_path, conninfo, world):
    async with opened(tmp_path, conninfo, world) as made:
        yield made


# -- what is compared ---------------------------------------------------------------------------


async def test_a_variant_is_an_assistant_or_a_generator_with_or_without_documents(bot):
    found = specs(bot, ["default", "base", "base+rag", "tuned+rag", "wrapped", "hr"])
    assert [(one.name, one.means, one.base) for one in found] == [
        ("default", ("documents",), "default"),
        ("base", (), "default"),
        ("base+rag", ("documents",), "default"),
        ("tuned+rag", ("tuned", "documents"), "default"),
        ("wrapped", ("tuned", "examples"), "default"),
        ("hr", (), "hr"),
    ]
    assert found[1].assistant.instructions == "Answer."
    with pytest.raises(UsageError, match=r"no variant 'bas'.*base\+rag"):
        specs(bot, ["bas"])
    with pytest.raises(UsageError, match="twice"):
        specs(bot, ["base", "base"])
    with pytest.raises(UsageError, match="has no retrievers"):
        specs(bot, ["base+rag"], "hr")


async def test_each_is_asked_every_question_with_an_answer_and_measured(bot, world, rows):
    kept, notes = await compared(bot)
    assert notes == []
    assert kept.finished
    assert len(world.asked) == 9
    assert {(name, passages) for name, _, _, passages in world.asked} == {
        ("base", 0), ("base", 1), ("tuned", 0),
    }  # fmt: skip
    sheet = kept.sheet
    assert sheet.values("tuned", "exact") == sheet.values("base+rag", "exact") == [1, 1, 1]
    assert sheet.values("base", "rougeL f1") == [0, 0, 0]
    assert sheet.mean("base+rag", "supported").mean == 1.0
    assert sheet.values("base", "supported") == []  # it cites nothing
    assert sheet.values("base", "tokens read") == [10, 10, 10]
    assert sheet.mean("tuned", "similarity").mean == pytest.approx(1.0)
    assert sheet.trials["tuned"][0].answer == "It is 8080."
    shown = view.view(kept)
    assert shown.choice.name == "base+rag"  # the cheaper rung of two that are equal
    plain = json.loads(json.dumps(shown.plain(notes)))
    assert plain["variants"]["tuned"]["cost"]["mean"] == pytest.approx(0.01)
    assert plain["variants"]["base"]["below the best"]["mean"] == -1.0
    # Nothing of it is a conversation of anybody's.
    assert await rows("select count(*) from turn") == [(0,)]


async def test_questions_are_asked_as_those_who_may_read_them(bot, world):
    await compared(bot, "base", "hr")
    asked = {(question, "group:hr" in who) for _, question, who, _ in world.asked}
    assert ("Which wage?", True) in asked
    assert ("Which port?", False) in asked
    assert ("Which port?", True) in asked  # the assistant hr answers its own people alone


async def test_a_limit_takes_questions_from_all_over(bot, world):
    kept, _ = await compared(bot, "base", limit=2)
    assert [one.question for one in kept.sheet.golden] == ["Which port?", "Which host?"]


async def test_without_answers_there_is_nothing_to_compare(bot):
    known = await golden.load(bot.database)
    await golden.remove(bot.database, [one.id for one in known if one.answer])
    with pytest.raises(UsageError, match="no golden question with an answer"):
        await compared(bot)


# -- stopping and failing -----------------------------------------------------------------------


async def test_one_that_was_stopped_goes_on_without_asking_again(bot, world):
    world.stop_at = 5
    world.stopping = asyncio.create_task(compared(bot))
    with pytest.raises(asyncio.CancelledError):
        await world.stopping
    before = [(name, question, n) for name, question, _, n in world.asked[:4]]
    assert [row["finished_at"] for row in await results.listed(bot.database)] == [None]
    stopped = await journal.load(bot.database, 1)
    assert not stopped.finished
    assert len(stopped.sheet.golden) == 1  # what every variant was asked
    told = []
    kept, _ = await compared(bot, began=lambda *numbers: told.append(numbers))
    assert told == [(1, 4, 9)]
    after = [(name, question, n) for name, question, _, n in world.asked[5:]]
    assert len(after) == 5
    assert not set(before) & set(after)
    assert (kept.id, kept.finished) == (1, True)
    assert (await journal.load(bot.database, 1)).finished
    again, _ = await compared(bot)
    assert again.id == 2  # what is finished is not gone on with


async def test_other_variants_or_questions_are_another_comparison(bot, world):
    for change in ({"names": ["base", "tuned"]}, {"limit": 2}, {"fresh": True}):
        world.stop_at = len(world.asked) + 2
        world.stopping = asyncio.create_task(compared(bot))
        with pytest.raises(asyncio.CancelledError):
            await world.stopping
        world.stop_at = 0
        more = dict(change)
        names = more.pop("names", ["base", "base+rag", "tuned"])
        told = []
        await compared(bot, *names, began=lambda *numbers, told=told: told.append(numbers), **more)
        assert told[0][1] == 0


async def test_a_variant_that_fails_loses_nothing_of_the_others(bot, world):
    more = [Golden(question=f"Which port? {n}", answer="It is 8080.") for n in range(3)]
    KNOWN.update({one.question: one.answer for one in more})
    await golden.put(bot.database, more)
    kept, notes = await compared(bot, "broken", "tuned", "base")
    assert sum(name == "broken" for name, *_ in world.asked) == 3  # given up then
    assert kept.sheet.values("broken", "exact") == [0.0] * 6
    assert kept.sheet.mean("tuned", "exact").mean == 1.0
    assert any("the disk is gone" in note for note in notes)
    assert any("not asked: its first 3 questions failed" in note for note in notes)
    assert view.view(kept).choice.name == "tuned"


async def test_what_has_failed_is_asked_again_by_the_next_run(bot, world):
    world.stop_at = 8
    world.stopping = asyncio.create_task(compared(bot, "broken", "base", "tuned"))
    with pytest.raises(asyncio.CancelledError):
        await world.stopping
    begun = len(world.asked)
    await compared(bot, "broken", "base", "tuned")
    asked = [(name, question) for name, question, *_ in world.asked[begun:]]
    assert [question for name, question in asked if name == "broken"] == list(KNOWN)[:3]


# -- a team's own metric ------------------------------------------------------------------------


async def test_a_plugin_measures_in_its_own_way(bot, world):
    world.measure = lambda golden, answer, passages: {"short": 1 / len(answer.text)}
    kept, notes = await compared(bot, "base", "tuned", by="short")
    assert notes == []
    assert kept.sheet.values("tuned", "short")[0] == pytest.approx(1 / len("It is 8080."))
    shown = view.view(kept)
    assert shown.choice.metric == "short"
    assert "short" in shown.shown


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"exact": 1.0}, "measured already"),
        ({"x": float("nan")}, "no number"),
        ({"x": "much"}, "no number"),
        ({"a\nb": 1.0}, "cannot be shown"),
        ([1.0], "metrics by name"),
    ],
)
async def test_a_metric_that_cannot_be_used_is_told_and_left_out(bot, world, value, said):
    world.measure = lambda *_: value
    kept, notes = await compared(bot, "tuned")
    assert kept.sheet.mean("tuned", "exact").mean == 1.0
    assert [said in note for note in notes] == [True]


async def test_a_metric_that_raises_is_told(bot, world):
    def fails(golden, answer, passages):
        raise KeyError("x")

    world.measure = fails
    kept, notes = await compared(bot, "tuned")
    assert kept.sheet.mean("tuned", "exact").mean == 1.0
    assert any("bot_measure" in note for note in notes)


# -- likelihoods --------------------------------------------------------------------------------


def tasks(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"q": "Where?", "right": "up", "wrong": "elsewhere"}\n')
    (tmp_path / "task.yaml").write_text(
        "task: toy\ndataset_path: json\ndataset_kwargs: {data_files: rows.jsonl}\n"
        'doc_to_text: "{{q}}"\ndoc_to_choice: ["{{wrong}}", "up"]\ndoc_to_target: 1\n'
    )
    (tmp_path / "news.txt").write_text("Rain is expected tomorrow. " * 100)
    return [likelihoods.choices(tmp_path / "task.yaml"), likelihoods.general(tmp_path / "news.txt")]


async def test_multiple_choice_and_forgetting_are_measured_by_likelihood(bot, world, tmp_path):
    kept, notes = await compared(bot, "base", "tuned", "broken", tasks=tasks(tmp_path))
    shown = view.view(kept)
    assert shown.figures["base"]["accuracy toy"].mean == 1.0  # the shorter one is likelier
    assert shown.figures["base"]["loss news"].mean == 2.0  # nats a token
    assert shown.figures["tuned"]["loss news"].mean == 1.0
    plain = shown.plain()["variants"]["tuned"]
    assert plain["perplexity news"]["mean"] == pytest.approx(2.71828, abs=1e-4)
    assert "loss news" not in shown.figures["broken"]
    assert any("gives no likelihoods" in note for note in notes)
    assert all("group:hr" in who for _, who, _ in world.pairs)


async def test_likelihoods_are_not_asked_for_again(bot, world, tmp_path):
    given = tasks(tmp_path)
    world.stop_at = 4
    world.stopping = asyncio.create_task(compared(bot, "base", "tuned", tasks=given))
    with pytest.raises(asyncio.CancelledError):
        await world.stopping
    await journal.put_reading(bot.database, 1, "base", "loss news", [7.0])
    kept, _ = await compared(bot, "base", "tuned", tasks=given)
    assert kept.readings["loss news"]["base"] == [7.0]
    assert kept.readings["loss news"]["tuned"][0] == 1.0


# -- people -------------------------------------------------------------------------------------


async def test_people_rate_without_knowing_whose_answers_they_read(bot):
    kept, _ = await compared(bot, "base", "tuned")
    seen = []
    while (pair := await ratings.next_pair(bot.database, kept.id, "ann")) is not None:
        assert pair.answers[pair.variants.index("base")] == "I do not know."
        seen.append(pair.variants)
        better = "left" if pair.variants[0] == "tuned" else "right"
        await ratings.rate(bot.database, pair, better, "ann")
    assert len(seen) == 3
    first = await ratings.next_pair(bot.database, kept.id, "bob")
    await ratings.rate(bot.database, first, "neither", "bob")
    found = (await journal.load(bot.database, kept.id)).ratings
    assert len(found) == 4
    assert view.view(await journal.load(bot.database, kept.id)).preferred["tuned"].mean == 3.5 / 4


async def test_what_people_prefer_becomes_pairs_to_tune_on(bot):
    kept, _ = await compared(bot, "base", "tuned")
    said = {"Which port?": ("one", "other"), "Which host?": ("other",), "Which wage?": ("other",)}
    for author in ("ann", "bob"):
        while pair := await ratings.next_pair(bot.database, kept.id, author):
            votes = said[pair.question]
            better = votes[0 if author == "ann" else -1]
            wanted = {"one": "base", "other": "tuned"}[better]
            side = "left" if pair.variants[0] == wanted else "right"
            await ratings.rate(bot.database, pair, side, author)
    found = list(ratings.pairs(await journal.load(bot.database, kept.id)))
    assert found == [  # about the port the two disagree
        {"prompt": "Which host?", "chosen": "It is beta.", "rejected": "I do not know.",
         "readers": ["everyone"]},
        {"prompt": "Which wage?", "chosen": "It is 3141.", "rejected": "I do not know.",
         "readers": ["group:hr"]},
    ]  # fmt: skip


async def test_the_order_is_by_chance_and_the_same_again(bot):
    kept, _ = await compared(bot, "base", "tuned")
    orders = {
        (await ratings.next_pair(bot.database, kept.id, f"person {n}")).variants for n in range(30)
    }
    assert orders == {("base", "tuned"), ("tuned", "base")}
    again = [await ratings.next_pair(bot.database, kept.id, "x") for _ in range(2)]
    assert again[0] == again[1]


async def test_what_is_passed_over_or_the_same_is_not_shown(bot):
    kept, _ = await compared(bot, "base", "tuned", "wrapped")
    passed = set()
    while (pair := await ratings.next_pair(bot.database, kept.id, "a", passed=passed)) is not None:
        assert pair.key not in passed
        assert len(set(pair.answers)) == 2
        passed.add(pair.key)
    assert {key.partition("/")[2] for key in passed} == {"base/tuned", "tuned/wrapped"}


async def test_nobody_rates_what_they_may_not_read(bot):
    kept, _ = await compared(bot, "base", "tuned")
    seen = []
    while (
        pair := await ratings.next_pair(bot.database, kept.id, "a", principals=EVERYONE)
    ) is not None:
        seen.append(pair.question)
        await ratings.rate(bot.database, pair, "neither", "a", principals=EVERYONE)
    assert sorted(seen) == ["Which host?", "Which port?"]
    secret = await ratings.next_pair(bot.database, kept.id, "a")
    assert secret.question == "Which wage?"
    with pytest.raises(NotFound):
        await ratings.rate(bot.database, secret, "left", "a", principals=EVERYONE)


# -- kept ---------------------------------------------------------------------------------------


async def test_results_compare_over_time(bot, world):
    await compared(bot, "base", "tuned")
    KNOWN["Which port?"], before = "It is 9.", KNOWN["Which port?"]
    await compared(bot, "base", "tuned", by="exact")
    KNOWN["Which port?"] = before
    await compared(bot, "base", "tuned", by="exact")
    rows = results.with_changes(await results.listed(bot.database))
    changes = [(row["evaluation"], row["variant"], row["change"]) for row in rows]
    assert changes == [
        (3, "base", 0.0), (3, "tuned", pytest.approx(1 / 3)),
        (2, "base", None), (2, "tuned", None),
        (1, "base", None), (1, "tuned", None),
    ]  # fmt: skip


async def test_a_removed_question_takes_its_answers_along(bot, rows):
    kept, _ = await compared(bot, "base", "tuned")
    gone = next(one for one in kept.sheet.golden if one.readers == HR)
    await golden.remove(bot.database, [gone.id])
    left = await journal.load(bot.database, kept.id)
    assert [one.question for one in left.sheet.golden] == ["Which port?", "Which host?"]
    assert await rows("select count(*) from evaluation_answer where answer like '%3141%'") == [(0,)]
    assert [row["summary"]["exact"]["mean"] for row in await results.listed(bot.database)] == [0, 1]


async def test_an_evaluation_of_searches_is_none_of_answers(bot):
    with pytest.raises(NotFound):
        await journal.load(bot.database, 99)
    with pytest.raises(NotFound):
        await results.kind(bot.database, 99)
    with pytest.raises(NotFound):
        await ratings.ask_in_slack(bot.database, 99, True)
