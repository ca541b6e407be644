"""With a scripted generator and a retriever that finds words."""

import asyncio
from dataclasses import replace

import pytest
from bot_expand import ExpandSettings, make
from bot_expand.retriever import fused
from bot_expand.writing import WAYS

from bot import Context, Delta, Passage, Turn, asking, hookimpl
from bot.database import Database
from bot.errors import GenerationError, UsageError
from bot.machinery import Limits, Machinery
from bot.plugins import Plugins
from bot.testing.conformance import RetrieverConformance
from bot.turn import Conversation, Message

EVERYBODY = frozenset({"everyone"})
TEXTS = {
    "leave": "Holidays are thirty days a year.",
    "sick": "Who is ill tells it before nine.",
    "toner": "The printer needs toner.",
}


class Words:
    """Finds what shares a word with a query; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    @hookimpl
    async def bot_retrieve(self, turn):
        self.asked.append(turn.queries)
        words = {word for query in turn.queries for word in query.lower().strip("?.").split()}
        return [
            Passage(id=key, text=text, readers=EVERYBODY, score=1.0)
            for key, text in TEXTS.items()
            if words & set(text.lower().strip(".").split())
        ][: turn.k]


class Script:
    """Answers by what its instruction asks for."""

    def __init__(self, **answers):
        self.answers = answers
        self.prompts = []

    @hookimpl
    async def bot_generate(self, turn, prompt):
        self.prompts.append(prompt)
        told = prompt.messages[0][1]
        (way,) = [name for name, way in WAYS.items() if told[:20] == way.instruction[:20]
                  or (name == "variants" and "other ways" in told)]  # fmt: skip
        answer = self.answers.get(way, Delta(text="I cannot.", refusal=True))
        if isinstance(answer, Exception):
            raise answer
        if answer == "hang":
            await asyncio.sleep(60)
        yield answer


class Place:
    may_receive = "all"

    def __init__(self, tmp_path, **answers):
        self.words, self.script, self.plugins = Words(), Script(**answers), Plugins()
        self.plugins.register(self.words, "retriever:documents")
        self.plugins.register(self.script, "generator:local")
        self.tmp_path = tmp_path

    @property
    def context(self):
        async def named(kind, name):
            return f"{kind}:{name}"

        machinery = Machinery(
            manager=self.plugins.manager, database=Database(), resolve=named, limits=Limits(),
            may_receive=lambda plugin: self.may_receive if plugin == "generator:local" else "all",
        )  # fmt: skip

        async def generator(name):
            return await asking.generator(machinery, name)

        async def search(turn):
            return await asking.search(machinery, turn)

        return Context(home=self.tmp_path, database=Database(), embed=None, generator=generator,
                       search=search)  # fmt: skip

    async def ask(self, question, history=(), **settings):
        expand = make("expand", ExpandSettings(**settings), self.context)
        conversation = Conversation(history=tuple(history))
        turn = Turn(id="t", question=question, queries=(question,), conversation=conversation)
        return [passage.id for passage in await expand.bot_retrieve(turn)]


@pytest.fixture
def place(tmp_path):
    return lambda **answers: Place(tmp_path, **answers)


class TestConformance(RetrieverConformance):
    plugin = "expand"
    question = "How many days of holidays?"

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.place = Place(tmp_path, variants="1. leave days\n2. holidays")

    def context(self, home):
        return replace(self.place.context, home=home)


async def test_other_words_find_what_the_question_does_not(place):
    here = place(variants="1. holidays a year\n- days off\n\n* printer toner\n4. too many")
    assert await here.ask("vacation?", ways=["variants"]) == ["leave", "toner"]
    assert here.words.asked[0] == ("vacation?",)
    assert sorted(here.words.asked[1:]) == [("days off",), ("holidays a year",), ("printer toner",)]
    assert "Write 3 other ways" in here.script.prompts[0].messages[0][1]


async def test_a_follow_up_is_rewritten_and_a_first_question_is_not(place):
    here = place(rewrite='Standalone question: "When does who is ill tell it?"\nBecause …')
    assert await here.ask("and then?", ways=["rewrite"]) == []
    assert here.script.prompts == []
    history = [Message(role="user", text="I am ill"), Message(role="assistant", text="Oh.")]
    assert await here.ask("and then?", history, ways=["rewrite"]) == ["sick"]
    assert ("When does who is ill tell it?",) in here.words.asked
    assert "user: I am ill" in here.script.prompts[0].messages[1][1]


async def test_a_generator_elsewhere_is_told_of_the_conversation_what_everyone_may_read(place):
    private = Message(role="assistant", text="Your wage is five.", public=False)
    history = [Message(role="user", text="I am ill"), private]
    for allowed, told in (("all", True), ("public", False), ("nothing", None)):
        here = place(rewrite="Sick?")
        here.may_receive = allowed
        await here.ask("and then?", history, ways=["rewrite"])
        seen = [told_ for prompt in here.script.prompts for _, told_ in prompt.messages]
        assert bool(seen) is (told is not None)
        assert ("Your wage is five." in "".join(seen)) is bool(told)


async def test_an_imagined_answer_is_searched_for(place):
    here = place(hypothetical="The printer\n lacks toner.")
    assert await here.ask("Pale pages?", ways=["hypothetical"]) == ["toner"]
    assert ("The printer lacks toner.",) in here.words.asked


@pytest.mark.parametrize("answer", [GenerationError("It is down."), RuntimeError("no"), "hang",
                                    Delta(text="no", refusal=True), "", "\n \n"])  # fmt: skip
async def test_without_the_generator_the_question_is_searched_for(place, answer):
    here = place(variants=answer)
    assert await here.ask("toner", ways=["variants"], seconds=0.3) == ["toner"]
    assert here.words.asked == [("toner",)]


async def test_what_was_asked_already_is_not_asked_again(place):
    here = place(variants="toner\ntoner\nink")
    await here.ask("toner", ways=["variants"])
    assert here.words.asked == [("toner",), ("ink",)]


def test_it_does_not_search_with_itself(place):
    with pytest.raises(UsageError, match="with itself"):
        make("documents", ExpandSettings(), place().context)


def test_what_several_searches_find_comes_first():
    def passage(id_):
        return Passage(id=id_, text=id_, readers=EVERYBODY)

    a, b, c = map(passage, "abc")
    found = fused([[a, b], [b, c], [b]], 2)
    assert [one.id for one in found] == ["b", "a"]
    assert found[0].score > found[1].score
