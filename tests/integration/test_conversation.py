"""The loop against a real server: every turn ends once, is recorded, and survives its plugins."""

import asyncio
import contextvars
from contextlib import asynccontextmanager

import psycopg
import pytest
import toys
from rooms import EVERYBODY, PORT, SECRET

from bot import (
    Delta,
    Document,
    Failed,
    Finished,
    Passage,
    Status,
    TextDelta,
    hookimpl,
    record,
)
from bot.conversation import Limits
from bot.turn import Outcome, Usage

SPAN = contextvars.ContextVar("SPAN", default="none")


async def test_a_turn_asks_the_database_twice(talk, monkeypatch):
    asked = []
    execute = psycopg.AsyncConnection.execute

    async def noted(connection, query, *arguments, **options):
        asked.append(query)
        return await execute(connection, query, *arguments, **options)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", noted)
    await talk.ask()
    assert asked == [record.QUERIES["start"], record.QUERIES["finish"]]


async def test_an_answer_is_recorded_with_all_that_belongs_to_it(talk, database):
    end = await talk.ask("Which port?")
    answer = end.answer
    assert isinstance(end, Finished)
    assert (answer.outcome, answer.text) == (Outcome.answered, "The port is 8080 [1].")
    assert answer.notices == ()
    [citation] = answer.citations
    assert (citation.uri, citation.quote) == ("doc:ports", "The port is 8080.")

    shown = await record.show(database, answer.turn)
    assert shown["question"] == "Which port?"
    assert shown["answer"] == answer.text
    assert shown["outcome"] == "answered"
    assert shown["author"] == "ann"
    assert shown["principals"] == ["everyone"]
    assert shown["queries"] == ["Which port?"]
    assert shown["error"] == ""
    steps = {"queries", "retrieve", "rank", "prompt", "generate", "record", "total"}
    assert steps <= set(shown["timings"])
    [cited] = shown["citations"]
    assert (cited["marker"], cited["passage_id"], cited["readers"]) == (1, "p1", ["everyone"])
    assert cited["retriever"] == citation.retriever == "documents"


async def test_events_come_in_order(talk):
    events = [event async for event in talk.run("Which port?").events()]
    kinds = [type(event) for event in events]
    assert kinds[0] is Status
    assert kinds[-1] is Finished
    assert kinds.count(TextDelta) >= 2


async def test_usage_notices_and_refusal_of_the_generator(room, database):
    room.add("documents", toys.Fixed(PORT))
    room.add("generator", toys.Speaker(
        Delta(text="I do not know.", refusal=True),
        Delta(notice="The model is old."),
        Delta(usage=Usage(input_tokens=3, output_tokens=4)),
    ))  # fmt: skip
    answer = (await room.ask()).answer
    assert answer.outcome is Outcome.refused
    assert answer.notices == ("The model is old.",)
    shown = await record.show(database, answer.turn)
    assert shown["outcome"] == "refused"
    assert shown["usage"] == {"input_tokens": 3, "output_tokens": 4, "cost": 0.0}


@pytest.mark.parametrize("error", [ValueError("no weights"), SystemExit(1), KeyboardInterrupt()])
async def test_a_generator_that_fails_ends_in_an_apology(room, database, error):
    room.add("documents", toys.Fixed(PORT))
    room.add("generator", toys.Speaker("Half an ", error))
    end = await room.ask()
    assert isinstance(end, Failed)
    assert end.reference in end.text
    assert "no weights" not in end.text
    shown = await record.show(database, end.reference)
    assert shown["outcome"] == "failed"
    assert shown["answer"] == "Half an"
    assert "generator: bot_generate raised" in shown["error"]


async def test_a_generator_that_hangs_fails_at_its_timeout(room):
    class Hanging:
        @hookimpl
        async def bot_generate(self, turn, prompt):
            yield "So"
            await asyncio.sleep(600)

    room.add("generator", Hanging())
    end = await room.ask()
    assert isinstance(end, Failed)
    assert "gave nothing for 0.5 s" in end.answer.error


@pytest.mark.parametrize("says", [(), ("",), ("  ",), ([],), (3,)])
async def test_a_generator_that_says_nothing_of_use_fails(room, says):
    class Odd:
        @hookimpl
        def bot_generate(self, turn, prompt):
            yield from says

    room.add("generator", Odd())
    assert isinstance(await room.ask(), Failed)


async def test_a_generator_that_is_not_there_fails(room):
    end = await room.ask()
    assert isinstance(end, Failed)
    assert "There is no generator" in end.answer.error


class Raising:
    @hookimpl
    async def bot_retrieve(self, turn):
        raise ConnectionError("wiki is down")


class Sleeping:
    @hookimpl
    async def bot_retrieve(self, turn):
        await asyncio.sleep(600)


class Exiting:
    @hookimpl
    async def bot_retrieve(self, turn):
        raise SystemExit(1)


def giving(value):
    class Giving:
        @hookimpl
        def bot_retrieve(self, turn):
            return value

    return Giving()


@pytest.mark.parametrize(
    "broken",
    [
        Raising(),
        Sleeping(),
        Exiting(),
        giving(3),
        giving(["text"]),
        giving([PORT, None]),
        giving([Passage(id="x", text="port", readers="everyone")]),
        giving([Passage(id="x", text=None, readers=EVERYBODY)]),
        giving({"passages": []}),
        giving("text"),
    ],
    ids=str,
)
async def test_one_bad_retriever_of_two_is_named_and_the_other_answers(talk, database, broken):
    talk.add("wiki", broken)
    answer = (await talk.ask()).answer
    assert answer.outcome is Outcome.answered
    assert answer.text == "The port is 8080 [1]."
    assert answer.notices == ("wiki did not work and was left out.",)
    assert "wiki: bot_retrieve" in (await record.show(database, answer.turn))["error"]


async def test_a_retriever_that_cannot_be_made_is_named_and_the_other_answers(talk):
    talk.retrievers.append("missing")
    answer = (await talk.ask()).answer
    assert answer.outcome is Outcome.answered
    assert answer.notices == ("retriever:missing did not work and was left out.",)


async def test_no_retriever_at_all_gives_a_failure(room):
    room.add("generator", toys.Speaker("Something."))
    room.add("wiki", Raising())
    end = await room.ask()
    assert isinstance(end, Failed)
    assert room.manager.get_plugin("generator").prompts == []


async def test_a_retriever_that_finds_nothing_or_none_is_no_failure(talk):
    talk.add("empty", giving([]))
    talk.add("none", giving(None))
    assert (await talk.ask()).answer.notices == ()


async def test_what_the_asker_may_not_read_is_dropped_whoever_brought_it(talk):
    leaky = talk.add("leaky", toys.Fixed(SECRET))
    generator = talk.manager.get_plugin("generator")
    await talk.ask()
    assert [p.id for p in generator.prompts[0].passages] == ["p1"]
    assert "salary" not in str(generator.prompts[0].messages)
    assert leaky.asked[0].principals == EVERYBODY
    await talk.ask(principals=["group:hr"])
    assert {p.id for p in generator.prompts[1].passages} == {"p1", "s"}


async def test_a_reranker_cannot_bring_in_what_may_not_be_read(talk):
    class Reranker:
        @hookimpl
        def bot_rerank(self, turn, passages):
            return [SECRET, *passages]

    talk.add("reranker", Reranker())
    await talk.ask()
    assert [p.id for p in talk.manager.get_plugin("generator").prompts[0].passages] == ["p1"]


@pytest.mark.parametrize("value", [[3], "text", 5])
async def test_a_reranker_that_gives_nonsense_keeps_the_order(talk, value):
    class Reranker:
        @hookimpl
        def bot_rerank(self, turn, passages):
            return value

    talk.add("reranker", Reranker())
    answer = (await talk.ask()).answer
    assert answer.outcome is Outcome.answered
    assert len(answer.notices) == 1


async def test_a_follow_up_searches_for_the_subject_too(talk, database):
    retriever = talk.manager.get_plugin("documents")
    await talk.ask("Which port does the printer server use?")
    history = await record.history(database, "test", "talk")
    answer = (await talk.ask("And on Windows?", history=history)).answer
    assert "printer" in retriever.asked[1].queries[0]
    assert (await record.show(database, answer.turn))["queries"] == list(retriever.asked[1].queries)
    prompt = talk.manager.get_plugin("generator").prompts[1]
    assert prompt.messages[1] == ("user", "Which port does the printer server use?")
    assert prompt.question == "And on Windows?"


async def test_queries_of_plugins_are_joined_without_doubles(talk):
    class Queries:
        def __init__(self, *queries):
            self.queries = queries

        @hookimpl
        def bot_queries(self, turn):
            return self.queries

    talk.add("a", Queries("one", "two"))
    talk.add("b", Queries("two", "three"))
    await talk.ask()
    assert talk.manager.get_plugin("documents").asked[0].queries == ("one", "two", "three")


@pytest.mark.parametrize("value", [3, [3], "text"])
async def test_queries_that_are_no_texts_are_left_out(talk, value):
    class Queries:
        @hookimpl
        def bot_queries(self, turn):
            return value

    talk.add("odd", Queries())
    answer = (await talk.ask("Which port?")).answer
    assert answer.outcome is Outcome.answered
    assert talk.manager.get_plugin("documents").asked[0].queries == ("Which port?",)
    assert answer.notices == ("odd did not work and was left out.",)


async def test_what_stands_around_the_steps_sees_them_and_may_break(talk):
    seen = []

    class Around:
        @hookimpl
        def bot_around(self, step, turn):
            @asynccontextmanager
            async def around():
                seen.append(f"+{step}")
                try:
                    yield
                finally:
                    seen.append(f"-{step}")

            return around()

    class Broken:
        @hookimpl
        def bot_around(self, step):
            @asynccontextmanager
            async def around():
                if step == "retrieve":
                    raise KeyError("on the way in")
                yield
                if step == "generate":
                    raise KeyError("on the way out")

            return 3 if step == "rank" else around()

    talk.add("around", Around())
    talk.add("broken", Broken())
    answer = (await talk.ask()).answer
    assert answer.outcome is Outcome.answered
    assert answer.notices == ("broken did not work and was left out.",)
    steps = ["queries", "retrieve", "rank", "prompt", "generate", "record"]
    assert seen == [sign + step for step in steps for sign in "+-"]


async def test_context_variables_set_around_a_step_hold_in_it_and_end_with_it(talk):
    seen = {}

    class Tracing:
        @hookimpl
        def bot_around(self, step):
            @asynccontextmanager
            async def around():
                token = SPAN.set(step)
                try:
                    yield
                finally:
                    SPAN.reset(token)

            return around()

    class Looking(toys.Speaker):
        @hookimpl
        def bot_retrieve(self, turn):
            seen["retrieve"] = SPAN.get()
            return [PORT]

        @hookimpl
        async def bot_generate(self, turn, prompt):
            seen["generate"] = SPAN.get()
            yield f"{PORT.text} [1]"

        @hookimpl
        def bot_turn_finished(self, turn):
            seen["finished"] = SPAN.get()

    talk.manager.unregister(talk.manager.get_plugin("generator"))
    talk.add("generator", Looking())
    talk.add("tracing", Tracing())
    answer = (await talk.ask()).answer
    assert answer.notices == ()
    assert seen == {"retrieve": "retrieve", "generate": "generate", "finished": "none"}
    assert SPAN.get() == "none"


async def test_a_component_that_hangs_while_it_is_made_is_left_out(talk):
    resolve = talk.resolve

    async def hanging(kind, name):
        if name == "huge":
            await asyncio.sleep(600)
        return await resolve(kind, name)

    talk.resolve = hanging
    talk.retrievers.append("huge")
    answer = (await talk.ask()).answer
    assert answer.outcome is Outcome.answered
    assert answer.notices == ("retriever:huge did not work and was left out.",)


async def test_plugins_that_listen_may_fail(talk):
    told = []

    class Listener:
        @hookimpl
        def bot_turn_started(self, turn):
            raise OSError("no")

        @hookimpl
        def bot_turn_finished(self, turn, answer):
            told.append(answer)
            raise OSError("no")

    talk.add("listener", Listener())
    answer = (await talk.ask()).answer
    assert answer.outcome is Outcome.answered
    assert answer.notices == ("listener did not work and was left out.",)
    assert [a.text for a in told] == [answer.text]


async def test_a_long_question_is_cut_and_the_answer_says_so(talk):
    talk.limits = Limits(question=20)
    answer = (await talk.ask("Which port? " * 10)).answer
    assert "cut" in answer.notices[0]
    assert len(talk.manager.get_plugin("documents").asked[0].question) == 20


async def test_from_a_document_to_an_answer(room, database):
    """The toys together: synced, found, cited; narrowed readers count at once."""
    index = room.add("table", toys.TableIndex(database))
    room.add("loader", toys.Memory(Document(key="a", text="The port is 8080.\nAnother line.")))
    room.add("embedder", toys.HashEmbedder())
    room.add("splitter", toys.Paragraphs())
    generator = room.add("generator", toys.Speaker("It is 8080 [1]."))
    await toys.sync(database, room.manager)
    assert index.finished == 1
    answer = (await room.ask("which port")).answer
    assert answer.citations[0].quote == "The port is 8080."
    await toys.sync(database, room.manager, readers=["group:hr"])
    answer = (await room.ask("which port")).answer
    assert answer.citations == ()
    assert answer.outcome is Outcome.refused
    assert len(generator.prompts) == 1  # it is not even asked
