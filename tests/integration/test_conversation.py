"""The loop against a real server: every turn ends once, is recorded, and survives its plugins."""

import asyncio
import contextvars
from contextlib import aclosing, asynccontextmanager

import pluggy
import psycopg
import pytest
import toys

from bot import (
    Delta,
    Document,
    Failed,
    Finished,
    Passage,
    Status,
    TextDelta,
    Turn,
    conversation,
    hookimpl,
    hookspecs,
    record,
)
from bot.conversation import Limits, Machinery, Run
from bot.database import Database
from bot.errors import DatabaseUnavailable, PluginError
from bot.turn import Assistant, Conversation, Outcome, Usage

SPAN = contextvars.ContextVar("SPAN", default="none")
EVERYBODY = frozenset({"everyone"})
PORT = Passage(
    id="p1", text="The port is 8080. It can be changed.", readers=EVERYBODY,
    title="Ports", uri="doc:ports", score=2.0, source="handbook",
)  # fmt: skip
SECRET = Passage(id="s", text="The salary is 1.", readers=frozenset({"group:hr"}), score=9.0)


class Room:
    """An assistant of toy plugins; `ask` runs one turn to its end."""

    def __init__(self, database):
        self.database = database
        self.manager = pluggy.PluginManager("bot")
        self.manager.add_hookspecs(hookspecs)
        self.limits = Limits(hook=0.5, retrieve=0.5, token=0.5)
        self.retrievers = []
        self.numbers = iter(range(1, 100))

    def add(self, name, plugin):
        self.manager.register(plugin, name)
        if hasattr(plugin, "bot_retrieve"):
            self.retrievers.append(name)
        return plugin

    async def resolve(self, kind, name):
        if not self.manager.has_plugin(name):
            raise PluginError(f"There is no {kind} {name!r}.")
        return name

    def run(self, question, *, key="talk", history=(), principals=(), assistant=(), **more):
        turn = Turn(
            id=f"turn{next(self.numbers)}",
            question=question,
            queries=(question,),
            assistant=Assistant(
                retrievers=tuple(self.retrievers), generator="generator", **dict(assistant)
            ),
            conversation=Conversation(channel="test", key=key, history=history),
            principals=EVERYBODY | frozenset(principals),
            **more,
        )
        return Run(Machinery(manager=self.manager, database=self.database, resolve=self.resolve,
                             limits=self.limits), turn, "ann")  # fmt: skip

    async def ask(self, question="Which port?", **more):
        events = [event async for event in self.run(question, **more).events()]
        ends = [event for event in events if isinstance(event, Finished | Failed)]
        assert len(ends) == 1
        assert events[-1] is ends[0]
        text = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert text.strip() == ends[0].answer.text
        return ends[0]


@pytest.fixture
def room(database):
    return Room(database)


@pytest.fixture
def talk(room):
    """A room where a retriever and a generator work."""
    room.add("documents", toys.Fixed(PORT))
    room.add("generator", toys.Speaker("The port ", "is 8080 [", "1]."))
    return room


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


async def cancelled(run):
    """Cancel a turn after its first text."""
    said = asyncio.Event()

    async def read():
        async with aclosing(run.events()) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    said.set()

    task = asyncio.create_task(read())
    waiting = asyncio.create_task(said.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Endless:
    """Speaks until it is stopped, and tells."""

    def __init__(self):
        self.stopped = asyncio.Event()

    @hookimpl
    async def bot_generate(self, turn, prompt):
        try:
            yield "The port is 8080 [1]."
            await asyncio.sleep(600)
        finally:
            self.stopped.set()


async def test_cancelling_stops_generation_and_records_what_was_said(room, database):
    room.limits = Limits(token=600)
    room.add("documents", toys.Fixed(PORT))
    endless = room.add("generator", Endless())
    run = room.run("Which port?")
    await cancelled(run)
    assert endless.stopped.is_set()
    shown = await record.show(database, run.turn.id)
    assert shown["answer"] == "The port is 8080 [1]."
    assert shown["outcome"] == "answered"
    assert "stopped" in shown["notices"][0]
    assert len(shown["citations"]) == 1


async def test_closing_the_events_records_too(talk, database):
    run = talk.run("Which port?")
    async with aclosing(run.events()) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    shown = await record.show(database, run.turn.id)
    assert shown["answer"].startswith("The port")
    assert shown["finished_at"] is not None


async def test_closing_before_anything_was_said_is_recorded_as_failed(talk, database):
    run = talk.run("Which port?")
    async with aclosing(run.events()) as events:
        await anext(events)
    assert (await record.show(database, run.turn.id))["outcome"] == "failed"


async def test_cancelling_while_it_is_being_recorded_still_records(talk, database):
    inside = asyncio.Event()

    class Slow:
        @hookimpl
        def bot_around(self, step):
            @asynccontextmanager
            async def around():
                if step == "record":
                    inside.set()
                    await asyncio.sleep(0.05)
                yield

            return around()

    talk.add("slow", Slow())
    run = talk.run("Which port?")

    async def read():
        return [event async for event in run.events()]

    task = asyncio.create_task(read())
    await asyncio.wait_for(inside.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await record.show(database, run.turn.id))["outcome"] == "answered"


async def test_history_is_what_was_said_oldest_first(talk, database):
    await talk.ask("One?")
    await talk.ask("Two?")
    await talk.ask("Elsewhere?", key="other")
    said = [(m.role, m.text) for m in await record.history(database, "test", "talk")]
    answer = ("assistant", "The port is 8080 [1].")
    assert said == [("user", "One?"), answer, ("user", "Two?"), answer]
    assert await record.history(database, "elsewhere", "talk") == ()


async def test_history_leaves_out_answers_from_what_the_asker_may_not_read(room, database):
    room.add("documents", toys.Fixed(SECRET))
    room.add("generator", toys.Speaker("The salary is 1 [1]."))
    await room.ask("What salary?", principals=["group:hr"])

    async def said(*principals):
        return [m.text for m in await record.history(database, "test", "talk", principals)]

    assert await said("everyone", "group:hr") == ["What salary?", "The salary is 1 [1]."]
    assert await said("everyone") == ["What salary?"]
    assert [m.text for m in await record.history(database, "test", "talk")] == ["What salary?"]


async def test_a_failed_turn_leaves_no_empty_message_in_the_history(room, database):
    room.add("generator", toys.Speaker(ValueError("broken")))
    await room.ask("One?")
    said = await record.history(database, "test", "talk")
    assert [(m.role, m.text) for m in said] == [("user", "One?")]


async def test_history_is_bounded(talk, database):
    for n in range(record.HISTORY):
        await talk.ask(f"Question {n}?")
    said = await record.history(database, "test", "talk")
    assert len(said) == record.HISTORY
    assert said[-2].text == f"Question {record.HISTORY - 1}?"


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


async def test_text_that_postgresql_cannot_hold_is_recorded_without_it(room, database):
    odd = Passage(id="\0", text="a\0 \ud800", readers=EVERYBODY, title="t\0", uri="\ud800")
    room.add("documents", toys.Fixed(odd))
    room.add("generator", toys.Speaker("a\0\ud800 [1]", Delta(notice="n\0")))
    answer = (await room.ask("Which\0 port?")).answer
    assert answer.notices == ("n\0",)
    shown = await record.show(database, answer.turn)
    assert shown["answer"] == "a? [1]"
    assert shown["notices"] == ["n"]
    assert len(shown["citations"]) == 1


async def test_two_turns_of_one_conversation_at_once_are_both_recorded(talk, database, rows):
    ends = await asyncio.gather(*(talk.ask(f"Question {n}?") for n in range(6)))
    assert all(end.answer.outcome is Outcome.answered for end in ends)
    assert await rows("select count(*) from conversation") == [(1,)]
    assert await rows("select count(*) from turn where outcome = 'answered'") == [(6,)]


async def test_a_database_that_is_started_again_meanwhile_is_waited_for(talk, database, rows):
    class Away(toys.Speaker):
        @hookimpl
        async def bot_generate(self, turn, prompt):
            await database.close()
            asyncio.get_running_loop().call_later(0.3, lambda: opening.append(reopen()))
            yield "The port is 8080 [1]."

    def reopen():
        return asyncio.ensure_future(database.open())

    opening = []
    talk.manager.unregister(talk.manager.get_plugin("generator"))
    talk.add("generator", Away())
    end = await talk.ask()
    assert opening
    assert end.answer.notices == ()
    assert await rows("select outcome from turn") == [("answered",)]


async def test_what_is_recorded_twice_stands_once(talk, database, rows):
    """As when a commit reached the server, and its reply did not reach us."""
    end = await talk.ask()
    turn = (await record.show(database, end.answer.turn))["id"]
    run = talk.run("Which port?").turn
    for _ in range(2):
        await record.start(database, run, "ann")
    for _ in range(2):
        await record.finish(database, run, end.answer)
    assert run.id != turn
    assert await rows("select role, count(*) from message group by 1 order by 1") == [
        ("assistant", 2), ("user", 2),
    ]  # fmt: skip
    assert await rows("select count(*) from citation where turn_id = %s", (run.id,)) == [(1,)]


@pytest.fixture
async def impatient(conninfo):
    """A database that is not waited for long."""
    database = Database(conninfo, timeout=1)
    await database.open()
    yield database
    await database.close()


async def test_a_database_that_dies_on_the_way_still_gives_the_answer(
    impatient, server, monkeypatch
):
    """Every connection is cut and no new one let in, between the search and the answer."""
    monkeypatch.setattr(conversation, "RECORDING", 0.5)
    room = Room(impatient)
    name = psycopg.conninfo.conninfo_to_dict(impatient.conninfo)["dbname"]

    class Cutting(toys.Speaker):
        @hookimpl
        async def bot_generate(self, turn, prompt):
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f"alter database {name} allow_connections false")
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                    (name,),
                )
            yield "The port is 8080 [1]."

    room.add("documents", toys.Fixed(PORT))
    room.add("generator", Cutting())
    end = await room.ask()
    assert isinstance(end, Finished)
    assert end.answer.text == "The port is 8080 [1]."
    assert end.answer.notices == ("This turn could not be recorded.",)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"alter database {name} allow_connections true")
    again = room.manager.get_plugin("generator")
    room.manager.unregister(again)
    room.add("generator", toys.Speaker("Back [1]."))
    async with asyncio.timeout(60):  # the pool tries again every second or two
        while (await room.ask()).answer.notices:
            pass


async def test_a_database_that_was_away_for_long_is_reached_soon_after(server, conninfo):
    """The pauses between tries do not grow with the time that it was away."""
    name = psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]
    database = Database(conninfo, timeout=5)
    await database.open()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"alter database {name} allow_connections false")
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,)
        )
        with pytest.raises(DatabaseUnavailable):
            async with database.connection():
                pass
        await asyncio.sleep(3)  # doubled pauses of 1, 2, 4, 8 seconds would be in their last
        connection.execute(f"alter database {name} allow_connections true")
    async with database.connection() as lent:
        assert await (await lent.execute("select 1")).fetchone() == (1,)
    await database.close()


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


async def test_feedback_is_stored_and_the_last_word_counts(talk, database):
    from bot import Feedback
    from bot.errors import NotFound

    turn = (await talk.ask()).answer.turn
    await record.feedback(database, Feedback(turn=turn, good=True, author="ann"))
    await record.feedback(database, Feedback(turn=turn, good=False, author="ann", comment="no\0"))
    [given] = (await record.show(database, turn))["feedback"]
    assert (given["good"], given["comment"]) == (False, "no")
    with pytest.raises(NotFound, match="nowhere"):
        await record.feedback(database, Feedback(turn="nowhere", good=True))
    with pytest.raises(NotFound, match="nowhere"):
        await record.show(database, "nowhere")


async def test_a_claim_that_its_source_does_not_support_is_noted(room):
    room.add("documents", toys.Fixed(PORT))
    room.add("generator", toys.Speaker("The port is 9090. [1] It can be changed. [1]"))
    answer = (await room.ask()).answer
    (notice,) = answer.notices
    assert "The port is 9090." in notice
    assert "9090" in notice
    assert answer.text == "The port is 9090. [1] It can be changed. [1]"


async def test_an_answer_that_names_no_source_is_noted(room):
    room.add("documents", toys.Fixed(PORT))
    room.add("generator", toys.Speaker("I think that it is 8080."))
    assert (await room.ask()).answer.notices == ("The answer names no source.",)


@pytest.mark.parametrize(
    ("question", "label"),
    [
        ("Which port?", "No source supports this answer."),
        ("端口是什么？", "没有资料支持这个回答。"),
    ],
)
@pytest.mark.parametrize("found", [[PORT], []])
async def test_a_model_s_own_knowledge_is_labelled(room, question, label, found):
    room.add("documents", toys.Fixed(*found))
    room.add("generator", toys.Speaker("It is usually 80."))
    answer = (await room.ask(question, assistant={"without_sources": "answer_labelled"})).answer
    assert answer.text == f"It is usually 80.\n\n{label}"
    assert answer.outcome is Outcome.answered


async def test_without_sources_a_model_is_not_even_asked(room):
    room.add("documents", toys.Fixed())
    generator = room.add("generator", toys.Speaker("It is usually 80."))
    answer = (await room.ask("What is the port?")).answer
    assert answer.outcome is Outcome.refused
    assert answer.text == "I found nothing in the sources that answers this."
    assert generator.prompts == []


async def test_passages_that_a_generator_found_are_cited_and_reasoning_is_kept_apart(room):
    further = Passage(id="f", text="The host is alpha.", readers=EVERYBODY, title="Hosts")

    class Searching:
        @hookimpl
        async def bot_generate(self, turn, prompt):
            yield Delta(reasoning="I look for the host. ", passages=(further,))
            yield Delta(text="The host is alpha. [2] The port is 8080. [1]", reasoning="Done.")

    room.add("documents", toys.Fixed(PORT))
    room.add("generator", Searching())
    answer = (await room.ask()).answer
    assert [(one.marker, one.title) for one in answer.citations] == [(1, "Ports"), (2, "Hosts")]
    assert answer.reasoning == "I look for the host. Done."
    assert "look for" not in answer.text


async def test_a_generator_cannot_bring_what_the_asker_may_not_read(room):
    class Leaking:
        @hookimpl
        async def bot_generate(self, turn, prompt):
            yield Delta(passages=(SECRET,))
            yield Delta(text="The salary is 1. [2]")

    room.add("documents", toys.Fixed(PORT))
    room.add("generator", Leaking())
    end = await room.ask()
    assert isinstance(end, Failed)
    assert "may not read" in end.answer.error
    assert end.answer.text == ""
