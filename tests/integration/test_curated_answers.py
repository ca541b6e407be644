"""Approved answers: kept, found for questions that mean the same, and never told to others."""

from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
import toys

from bot import curated
from bot.conversation import Limits, Machinery, Run
from bot.curated import Curated
from bot.database import Database
from bot.document import IndexVersion
from bot.errors import NotFound, PluginError
from bot.plugins import Plugins
from bot.turn import Assistant, Conversation, Finished, Message, Outcome, Passage, TextDelta, Turn

HR = frozenset({"group:hr"})
EVERYBODY = frozenset({"everyone"})
INDEX = IndexVersion(id=1, state="live", dimensions=2, settings={"embedder": {"type": "toy"}})
PAYDAY = Curated(question="When is payday?", answer="On the 25th. [1] is no source.")


class Embedder:
    """Every text is as near to every other as `cosine`; remembers what it embedded."""

    def __init__(self, cosine=1.0):
        self.cosine = cosine
        self.texts = []

    async def __call__(self, texts, purpose, version, *, public):
        assert purpose == "query"
        self.texts += texts
        far = [self.cosine, np.sqrt(1 - self.cosine**2)]
        return np.array([[1.0, 0.0], *([far] * (len(texts) - 1))], np.float32)


def ask(question, principals=EVERYBODY, **more):
    return Turn(id="t", question=question, principals=principals, **more)


async def find(database, question, *, index=INDEX, embed=None, **more):
    found = await curated.find(database, ask(question, index=index, **more), embed or Embedder())
    return found and found.answer


async def test_answers_are_kept_replaced_listed_and_removed(database):
    number, new = await curated.put(database, PAYDAY)
    assert new
    assert await curated.put(database, replace(PAYDAY, answer="On the 26th.")) == (number, False)
    assert await curated.put(database, replace(PAYDAY, readers=HR)) != (number, False)
    assert [one.answer for one in await curated.load(database)] == ["On the 26th.", PAYDAY.answer]
    with pytest.raises(NotFound, match="no curated answer 99"):
        await curated.remove(database, [number, 99])
    assert len(await curated.load(database)) == 2
    await curated.remove(database, [number])
    assert [one.readers for one in await curated.load(database)] == [HR]


async def test_a_question_that_means_the_same_finds_the_answer(database):
    await curated.put(database, PAYDAY)
    assert await find(database, "When's payday?") == PAYDAY.answer
    assert await find(database, "Where is payday?") is None
    assert await find(database, "When is payday in 2026?") is None


async def test_the_same_words_far_apart_do_not(database):
    await curated.put(database, PAYDAY)
    assert await find(database, "Payday is when?", embed=Embedder(0.1)) is None


async def test_without_an_index_the_same_words_find_it(database):
    await curated.put(database, PAYDAY)
    assert await find(database, "when is PAYDAY", index=None) == PAYDAY.answer


async def test_the_nearest_of_several_wins(database):
    for one in (PAYDAY, Curated(question="When is payday for interns?", answer="On the 1st.")):
        await curated.put(database, one)
    assert await find(database, "When is payday for interns?") == "On the 1st."


async def test_who_may_not_read_an_answer_does_not_get_it(database):
    await curated.put(database, replace(PAYDAY, readers=HR))
    embed = Embedder()
    assert await find(database, "When is payday?", embed=embed) is None
    assert embed.texts == []
    assert await find(database, "When is payday?", principals=EVERYBODY | HR) == PAYDAY.answer


async def test_each_question_is_embedded_once_for_each_embedder(database):
    await curated.put(database, PAYDAY)
    embed = Embedder()
    for _ in range(2):
        await find(database, "payday when?", embed=embed)
    assert embed.texts.count(PAYDAY.question) == 1
    other = replace(INDEX, settings={"embedder": {"type": "another"}})
    await find(database, "payday when?", embed=embed, index=other)
    assert embed.texts.count(PAYDAY.question) == 2


@asynccontextmanager
async def opened(conninfo):
    another = Database(conninfo)
    await another.open()
    yield another
    await another.close()


async def test_that_there_is_none_is_remembered_until_one_is_approved(
    database, conninfo, monkeypatch
):
    monkeypatch.setattr(curated, "FORGOTTEN", 3600)
    assert await find(database, "When is payday?") is None
    async with opened(conninfo) as another:  # as another process has it
        await curated.put(another, PAYDAY)
        assert await find(another, "When is payday?") == PAYDAY.answer
    assert await find(database, "When is payday?") is None
    monkeypatch.setattr(curated, "FORGOTTEN", 0)
    assert await find(database, "When is payday?") == PAYDAY.answer
    monkeypatch.setattr(curated, "FORGOTTEN", 3600)
    assert await find(database, "When are the holidays?") is None
    await curated.put(database, Curated(question="When are the holidays?", answer="In May."))
    assert await find(database, "When are the holidays?") == "In May."


# -- in a turn ----------------------------------------------------------------------------------


@pytest.fixture
def room(database):
    """Run turns with a retriever and a generator that can be seen at work."""
    plugins = Plugins()
    told = Passage(id="1", text="It is generated.", readers=EVERYBODY, source="handbook")
    retriever, speaker = toys.Fixed(told), toys.Speaker("generated [1]")
    plugins.register(retriever, "documents")
    plugins.register(speaker, "generator")

    async def resolve(kind, name):
        if not plugins.manager.has_plugin(name):
            raise PluginError(name)
        return name

    async def run(question, *, embed=None, **more):
        conversation = Conversation(channel="test", key="talk", history=more.pop("history", ()))
        turn = replace(
            ask(question, index=INDEX, conversation=conversation, **more),
            assistant=Assistant(retrievers=("documents",), generator="generator"),
            queries=(question,),
        )
        machinery = Machinery(
            manager=plugins.manager,
            database=database,
            resolve=resolve,
            limits=Limits(hook=1, retrieve=1, token=1),
            embed=embed or Embedder(),
        )
        events = [event async for event in Run(machinery, turn).events()]
        text = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert isinstance(events[-1], Finished)
        assert events[-1].answer.text == text.strip()
        return events[-1].answer

    run.asked = retriever.asked
    return run


async def test_it_is_said_instead_of_a_generated_answer_and_says_so(database, room, rows):
    await curated.put(database, PAYDAY)
    answer = await room("When is payday?")
    assert answer.text == (
        "On the 25th. [1] is no source.\n\nA curated answer, approved for “When is payday?”."
    )
    assert (answer.outcome, answer.generator) == (Outcome.answered, "curated")
    assert answer.citations == ()
    assert room.asked == []
    assert await rows("select generator, outcome from turn") == [("curated", "answered")]


async def test_it_says_so_in_the_language_of_the_question(database, room):
    await curated.put(database, Curated(question="工资什么时候发？", answer="25号。"))
    assert (await room("请问工资什么时候发")).text.endswith(
        "这是经人工审核的答案，对应的问题是：“工资什么时候发？”"
    )


async def test_another_question_is_answered_from_the_sources(database, room):
    await curated.put(database, PAYDAY)
    assert (await room("Who pays?")).text == "generated [1]"
    assert len(room.asked) == 1


async def test_a_question_that_leans_on_the_last_one_means_something_else(database, room):
    await curated.put(database, Curated(question="What about interns?", answer="Ask Ada."))
    history = (Message(role="user", text="When are the holidays?"),)
    assert (await room("What about interns?", history=history)).text == "generated [1]"
    assert (await room("What about interns?")).text.startswith("Ask Ada.")


async def test_a_question_about_some_documents_is_answered_from_them(database, room):
    await curated.put(database, PAYDAY)
    assert (await room("When is payday?", filters={"year": ("2023",)})).text == "generated [1]"


async def test_when_the_comparison_fails_the_sources_still_answer(database, room):
    await curated.put(database, PAYDAY)

    async def broken(texts, purpose, version, *, public):
        raise RuntimeError("no model")

    answer = await room("When is payday?", embed=broken)
    assert answer.text == "generated [1]"
    assert answer.notices == ("The search for curated answers did not work and was left out.",)
    assert "no model" in answer.error
