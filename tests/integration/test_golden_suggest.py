"""Drafts are kept apart until a person accepts them; a model drafts from what it may receive."""

import pytest
import toys

from bot import Document, hookimpl
from bot.errors import MayNotReceive, NotFound
from bot.evaluation import drafting, golden, suggesting
from bot.evaluation.indexes import questions_of
from bot.leaving import Remote

CONFIG = """
[assistants.default]
retrievers = []
generator = "writer"
[generators.writer]
[generators.cloud]
may_receive = "public"
[generators.closed]
type = "cloud"
[sources.handbook]
type = "memory"
[index]
embedder = "hash"
splitter = "paragraphs"
[embedders.hash]
[splitters.paragraphs]
"""
ALL = (
    "The office in the old mill opens at nine in the morning and closes at six in the evening. On"
    " Fridays it closes at four, as the building is cleaned then. Write to Ann for a key."
)
SECRET = ALL.replace("nine", "seven").replace("Ann", "Bob")
DOCUMENTS = [
    Document(key="all", uri="doc:all", title="Hours", fingerprint="1",
             text=f"# Hours\n\n## When does the office open?\n\n{ALL}"),
    Document(key="hr", uri="doc:hr", title="Night", fingerprint="1",
             readers=frozenset({"group:hr"}), text=f"# Opening the safe at night\n\n{SECRET}"),
]  # fmt: skip


class Elsewhere(Remote):
    @property
    def elsewhere(self):
        return "cloud.example.com"


class Writer:
    """Asks about what it is shown; remembers the prompts."""

    def __init__(self, prompts):
        self.prompts = prompts

    @hookimpl
    async def bot_generate(self, turn, prompt):
        self.prompts.append(prompt)
        hour = "seven" if "seven" in prompt.passages[0].text else "nine"
        asked = {"nine": "When does the office open?", "seven": "At which hour opens the old mill?"}
        yield f"Question: {asked[hour]}\n"
        yield f"Answer: The office in the old mill opens at {hour} in the morning. [1]"


class Offered:
    def __init__(self):
        self.prompts = []

    @hookimpl
    def bot_components(self):
        return [
            toys.component("generator", "writer", lambda *_: Writer(self.prompts)),
            toys.component("generator", "cloud", lambda *_: Writer(self.prompts), Elsewhere),
            toys.component("loader", "memory", lambda *_: toys.Memory(*DOCUMENTS)),
            toys.component("embedder", "hash", lambda *_: toys.HashEmbedder()),
            toys.component("splitter", "paragraphs", lambda *_: toys.Paragraphs()),
        ]


@pytest.fixture
def offered():
    return Offered()


async def drafted(bot):
    told = await suggesting.documents(bot.database)
    known = [one.question for one in await golden.load(bot.database, drafts=True)]
    found = suggesting.suggest(told, known, 9)
    await golden.put(bot.database, await golden.inheriting(bot.database, found))
    return await golden.load(bot.database, drafts=True)


async def test_nothing_is_measured_with_a_draft_until_it_is_accepted(make_bot):
    async with make_bot() as bot:
        await bot.sync()
        found = await drafted(bot)
        assert {one.question: one.readers for one in found} == {
            "When does the office open?": frozenset({"everyone"}),
            "How do I open the safe at night?": frozenset({"group:hr"}),
        }
        assert all(one.draft for one in found)
        assert await golden.load(bot.database) == []
        assert await questions_of(bot) == []
        with pytest.raises(NotFound, match="Nothing was accepted"):
            await golden.accept(bot.database, [found[0].id, 999])
        assert await questions_of(bot) == []
        await golden.accept(bot.database, [found[0].id])
        assert [one.id for one in await questions_of(bot)] == [found[0].id]
        assert await drafted(bot) == await golden.load(bot.database, drafts=True)
        assert len(await golden.load(bot.database, drafts=True)) == 2


async def test_documents_without_a_golden_question_come_first(make_bot):
    async with make_bot() as bot:
        await bot.sync()
        for place in ("doc:all", "doc:hr"):
            await golden.put(bot.database, [golden.Golden(question=place, sources={place: 1})])
            told = await suggesting.documents(bot.database, ["handbook"])
            assert [one.place for one in told][-1] == place
            await golden.remove(bot.database, [one.id for one in await golden.load(bot.database)])
        assert await suggesting.documents(bot.database, ["nothing"]) == []


async def test_a_generator_drafts_and_is_held_to_what_stands_there(make_bot, offered):
    async with make_bot() as bot:
        await bot.sync()
        told = await suggesting.documents(bot.database)
        made = await drafting.suggest(await bot.generator("writer"), told, [], 9)
        assert {one.answer.split()[8] for one in made.found} == {"nine", "seven"}
        assert {one.readers for one in made.found} == {one.readers for one in told}
        system, user = (text for _, text in offered.prompts[0].messages)
        assert "never follow" in system
        assert user.startswith('<source number="1"')
        again = await drafting.suggest(
            await bot.generator("writer"), told, [one.question for one in made.found], 9
        )
        assert again.found == []
        assert again.refused == {"it is asked already": 2}


async def test_what_may_not_leave_is_drafted_from_by_no_generator_elsewhere(make_bot, offered):
    async with make_bot() as bot:
        await bot.sync()
        told = await suggesting.documents(bot.database)
        made = await drafting.suggest(await bot.generator("cloud"), told, [], 9)
        assert [dict(one.sources) for one in made.found] == [{"doc:all": 1}]
        assert len(offered.prompts) == 1
        with pytest.raises(MayNotReceive):
            await drafting.suggest(await bot.generator("closed"), told, [], 9)
        assert len(offered.prompts) == 1
