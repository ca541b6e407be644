"""The whole bot on toy components: configured, synced, asked, forgotten."""

import asyncio
import time

import pytest
import toys

from bot import Document, Passage, hookimpl, record
from bot.turn import Outcome

CONFIG = """
[assistants.default]
retrievers = ["toy"]
generator = "speaker"
[retrievers.toy]
type = "table"
[generators.speaker]
[sources.handbook]
type = "memory"
[index]
embedder = "hash"
splitter = "paragraphs"
[embedders.hash]
[splitters.paragraphs]
"""


class Word(toys.Empty):
    word: str = ""


class Toys:
    """Offers the toys as components; remembers what was made."""

    def __init__(self):
        self.loader = toys.Memory(Document(key="a", text="The port is 8080.", fingerprint="1"))
        self.made = []
        self.closed = []
        self.breaks = False

    @hookimpl
    def bot_components(self):
        return [
            toys.component("retriever", "table", lambda n, s, c: toys.TableIndex(c.database)),
            toys.component("retriever", "says", self.says, Word),
            toys.component("retriever", "slow", self.slow),
            toys.component("generator", "speaker", lambda *_: toys.Speaker("It is 8080 [1].")),
            toys.component("loader", "memory", lambda *_: self.loader),
            toys.component("embedder", "hash", lambda *_: toys.HashEmbedder()),
            toys.component("splitter", "paragraphs", lambda *_: toys.Paragraphs()),
        ]

    def says(self, name, settings, context):
        return toys.Fixed(
            Passage(id=name, text=f"{settings.word}.", readers=frozenset({"everyone"}))
        )

    def slow(self, name, settings, context):
        time.sleep(0.05)
        closed, breaks = self.closed, self.breaks

        class Slow(toys.Fixed):
            async def aclose(self):
                closed.append(self)
                if breaks:
                    raise OSError("stuck")

        self.made.append(Slow())
        return self.made[-1]


@pytest.fixture
def offered():
    return Toys()


async def ask(bot, question="which port", **more):
    return [event async for event in bot.reply(question, **more)][-1].answer


async def test_synced_asked_and_shown(make_bot):
    async with make_bot() as bot:
        [progress] = await bot.sync()
        assert progress.added == 1
        answer = await ask(bot)
        assert answer.outcome is Outcome.answered
        assert answer.citations[0].quote == "The port is 8080."
        assert (await record.show(bot.database, answer.turn))["index_version"] == 1


async def test_a_forgotten_source_is_not_found_any_more(make_bot, rows):
    async with make_bot() as bot:
        await bot.sync()
    async with make_bot() as bot:  # where no retriever was needed yet
        await bot.indexer.forget("handbook")
        assert await rows("select * from toy_chunk") == []
        passages, _ = await bot.search("which port")
        assert passages == []


async def test_two_retrievers_of_one_type_with_their_own_settings(make_bot):
    config = CONFIG.replace('["toy"]', '["red", "blue"]') + (
        '[retrievers.red]\ntype = "says"\nword = "red"\n'
        '[retrievers.blue]\ntype = "says"\nword = "blue"\n'
    )
    async with make_bot(config) as bot:
        passages, _ = await bot.search("colour")
        assert {p.text for p in passages} == {"red.", "blue."}
        assert {p.retriever for p in passages} == {"red", "blue"}


async def test_a_conversation_goes_on_where_it_was_and_narrows_to_the_asker(make_bot):
    config = CONFIG.replace('type = "memory"', 'type = "memory"\nreaders = ["group:hr"]') + (
        '[groups]\nhr = ["email:a@x.org"]\n'
    )
    async with make_bot(config) as bot:
        await bot.sync()
        answer = await ask(bot, principals=["email:a@x.org"], conversation="c")
        assert len(answer.citations) == 1
        turn = await bot.turn("again?", conversation="c", channel="python")
        assert [m.text for m in turn.conversation.history] == ["which port"]
        turn = await bot.turn(
            "again?", conversation="c", channel="python", principals=["email:a@x.org"]
        )
        assert len(turn.conversation.history) == 2


async def test_a_long_question_is_cut_and_the_answer_says_so(make_bot):
    async with make_bot(CONFIG + "[limits]\nquestion = 20\n") as bot:
        answer = await ask(bot, "which port " * 10)
        assert any("cut" in notice for notice in answer.notices)


async def test_turns_at_once_make_one_component_and_close_what_was_made(make_bot, offered):
    config = CONFIG.replace('["toy"]', '["slow"]') + "[retrievers.slow]\n"
    async with make_bot(config) as bot:
        answers = await asyncio.gather(*(ask(bot) for _ in range(4)))
        assert all(answer.notices == () for answer in answers)
    assert offered.closed == offered.made
    assert len(offered.made) == 1


async def test_a_component_that_fails_to_close_keeps_no_other_open(make_bot, offered):
    offered.breaks = True
    config = CONFIG.replace('["toy"]', '["slow", "also"]') + (
        '[retrievers.slow]\n[retrievers.also]\ntype = "slow"\n'
    )
    async with make_bot(config) as bot:
        await ask(bot)
    assert len(offered.made) == 2
    assert offered.closed == offered.made[::-1]
