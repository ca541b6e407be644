"""What a comparison is of stays what it is: adapters, index versions and bot.toml may change."""

import asyncio

import pytest
import toys
from compared import CONFIG, KNOWN, World, compared, opened

from bot.errors import EvaluationError
from bot.evaluation import golden, journal
from bot.evaluation.golden import Golden
from bot.indexing import versions


@pytest.fixture
def world():
    return World()


@pytest.fixture
async def bot(tmp_path, conninfo, world):
    async with opened(tmp_path, conninfo, world) as made:
        yield made


SETTINGS = {**toys.SETTINGS, "embedder": {**toys.SETTINGS["embedder"], "type": "minilm"}}


async def test_what_answers_otherwise_meanwhile_ends_it_and_is_not_mixed_in(bot, world):
    async def promote(asked):
        world.revision = 2 if asked == 5 else world.revision

    world.before_answer = promote
    with pytest.raises(EvaluationError, match=r"adapter 2 now, and did with adapter 1 when eval"):
        await compared(bot, "base", "wrapped")  # its generator is the tuned one
    known = len((await journal.load(bot.database, 1)).sheet.golden)
    assert known == 2  # questions, of both variants; the fifth answer is not there
    world.revision, world.before_answer, told = 1, None, []
    kept, notes = await compared(bot, "base", "wrapped", began=lambda *n: told.append(n))
    assert (kept.id, told, notes) == (1, [(1, 4, 6)], [])


async def test_what_was_stopped_and_is_of_something_else_now_begins_anew_and_says_why(bot, world):
    world.stop_at = 2
    world.stopping = asyncio.create_task(compared(bot, "base", "tuned"))
    with pytest.raises(asyncio.CancelledError):
        await world.stopping
    world.revision, told = 2, []
    await golden.put(bot.database, [Golden(question="Which port now?", answer="It is 8080.")])
    KNOWN["Which port now?"] = "It is 8080."
    kept, notes = await compared(bot, "base", "tuned", began=lambda *n: told.append(n))
    assert told == [(2, 0, 8)]
    assert kept.finished
    assert notes == [
        "Evaluation 1, which was stopped, is not gone on with: the golden questions are others; "
        "tuned answers with adapter 2 and no more with adapter 1. This one has begun anew."
    ]
    assert (await compared(bot, "base", "tuned"))[1] == []  # nothing was stopped now


@pytest.mark.parametrize(
    ("line", "change"),
    [
        ('[generators.base]\ntype = "scripted"', 'ladder = "examples"'),
        ("[retrievers.facts]", 'ladder = "x"'),
        ("[assistants.default]", "k = 3"),
    ],
)
async def test_other_lines_in_bot_toml_are_noticed(bot, world, line, change, tmp_path):
    world.stop_at = 3
    world.stopping = asyncio.create_task(compared(bot, "base+rag"))
    with pytest.raises(asyncio.CancelledError):
        await world.stopping
    changed = CONFIG.replace(line, f"{line}\n{change}", 1)
    async with opened(tmp_path, bot.database.conninfo, world, changed) as other:
        kept, notes = await compared(other, "base+rag")
    assert kept.id == 2
    assert [note.split(": ")[1] for note in notes] == [
        "bot.toml says something else of base+rag. This one has begun anew."
    ]


async def test_the_index_version_it_began_with_is_searched_to_the_end(conninfo, world, tmp_path):
    config = CONFIG + '[sources.wiki]\ntype = "nothing"\n'
    async with opened(tmp_path, conninfo, world, config) as bot:

        async def promote(asked):
            if asked in (0, 2):
                async with bot.database.transaction() as connection:
                    manager = bot.plugins.manager
                    new = await versions.create(connection, manager, SETTINGS, toys.DIMENSIONS)
                    await versions.make_live(connection, manager, new)

        await promote(0)
        first, world.before_answer = await versions.live(bot.database), promote
        await compared(bot, "base+rag")
        assert world.searched == {first.id}
        assert (await versions.live(bot.database)).id > first.id
