"""The golden set and the verdict on index versions, on a real database and small real plugins."""

import json

import pytest
import toys

from bot import Document, Passage, hookimpl
from bot.errors import NotFound, UsageError
from bot.evaluation import compare_indexes, golden, results
from bot.evaluation.formats import read_beir, read_jsonl, write_jsonl
from bot.evaluation.golden import Golden

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
EVERYONE = frozenset({"everyone"})
HR = frozenset({"group:hr"})
DOCUMENTS = [
    Document(key="port", uri="doc:port", text="port 8080", fingerprint="1"),
    Document(key="host", uri="doc:host", text="host beta", fingerprint="1"),
    Document(key="wage", uri="doc:wage", text="wage 3141", fingerprint="1", readers=HR),
    Document(key="line", uri="doc:line", passage_id="line-7", text="line seven", fingerprint="1"),
]


class Versioned(toys.TableIndex):
    """Finds in the version that the turn names; remembers as whom it was asked."""

    def __init__(self, database):
        super().__init__(database)
        self.turns = []
        self.breaks = 0

    @hookimpl
    async def bot_retrieve(self, turn):
        self.turns.append(turn)
        if turn.index.id == self.breaks:
            raise OSError("the disk is gone")
        words = turn.question.lower().split()
        async with self.database.connection() as connection:
            cursor = await connection.execute(
                "select d.uri, d.key, c.ordinal, c.text, c.readers from toy_chunk c"
                " join document d on d.id = c.document_id where c.version = %s",
                (turn.index.id,),
            )
            return [
                Passage(id=f"{key}#{n}", uri=uri, text=text, readers=frozenset(readers))
                for uri, key, n, text, readers in await cursor.fetchall()
                if set(words) & set(text.split())
            ]


class Offered:
    def __init__(self):
        self.loader = toys.Memory(*DOCUMENTS)
        self.retriever = None

    def make_retriever(self, name, settings, context):
        self.retriever = Versioned(context.database)
        return self.retriever

    @hookimpl
    def bot_components(self):
        return [
            toys.component("retriever", "table", self.make_retriever),
            toys.component("generator", "speaker", lambda *_: toys.Speaker("It is 8080 [1].")),
            toys.component("loader", "memory", lambda *_: self.loader),
            toys.component("embedder", "hash", lambda *_: toys.HashEmbedder()),
            toys.component("splitter", "paragraphs", lambda *_: toys.Paragraphs()),
        ]


@pytest.fixture
def offered():
    return Offered()


async def second_version(bot, *, without=()):
    """Make a version beside the live one that lacks some documents."""
    async with bot.database.transaction() as connection:
        await connection.execute(
            "insert into index_version (dimensions, settings)"
            " select dimensions, settings from index_version"
        )
        await connection.execute(
            "insert into toy_chunk select 2, c.document_id, c.source, c.ordinal, c.text, c.start,"
            " c.stop, c.context, c.readers, c.vector from toy_chunk c"
            " join document d on d.id = c.document_id where d.key <> all(%s)",
            (list(without),),
        )


GOLDEN = [
    Golden(question="port", sources={"doc:port": 1}),
    Golden(question="host", sources={"doc:host": 2}, answer="beta"),
]


# -- the golden set -----------------------------------------------------------------------------


async def test_questions_are_kept_replaced_and_removed(database):
    assert await golden.put(database, GOLDEN) == (2, 0)
    changed = Golden(question="port", sources={"a": 3, "b": 1}, draft=True)
    assert await golden.put(database, [changed]) == (0, 1)
    kept = await golden.load(database, drafts=True)
    assert [(g.question, dict(g.sources), g.draft) for g in kept] == [
        ("port", {"a": 3, "b": 1}, True),
        ("host", {"doc:host": 2}, False),
    ]
    assert [g.question for g in await golden.load(database)] == ["host"]
    with pytest.raises(NotFound):
        await golden.remove(database, [kept[0].id, 999])
    assert len(await golden.load(database, drafts=True)) == 2
    await golden.remove(database, [kept[0].id])
    assert [g.question for g in await golden.load(database, drafts=True)] == ["host"]


async def test_a_question_given_twice_expects_the_sources_of_both(database):
    twice = [Golden(question="q", sources={"a": 1}), Golden(question="q", sources={"b": 2})]
    assert await golden.put(database, twice) == (1, 0)
    assert dict((await golden.load(database))[0].sources) == {"a": 1, "b": 2}


async def test_a_question_may_be_as_long_as_any_question(database):
    assert await golden.put(database, [Golden(question="w " * 4000, sources={"a": 1})]) == (1, 0)


async def test_other_readers_have_a_question_of_their_own(database):
    secret = Golden(question="port", sources={"x": 1}, readers=HR)
    assert await golden.put(database, [GOLDEN[0], secret]) == (2, 0)


async def test_readers_are_narrowed_to_those_of_the_sources(make_bot):
    async with make_bot() as bot:
        await bot.sync()
        wanted = [
            Golden(question="1", sources={"doc:port": 1, "doc:wage": 1}),
            Golden(question="2", sources={"handbook/wage#0": 1}),
            Golden(question="3", sources={"doc:port": 1}),
            Golden(question="4", sources={"line-7": 1, "unknown": 1}),
        ]
        made = await golden.inheriting(bot.database, wanted)
        assert [one.readers for one in made] == [HR, HR, EVERYONE, EVERYONE]
        others = Golden(question="1", sources={"doc:wage": 1}, readers=frozenset({"email:a@x.org"}))
        with pytest.raises(UsageError, match="Nobody is named"):
            await golden.inheriting(bot.database, [others])
        assert await golden.gone(bot.database, wanted) == ["unknown"]


# -- from feedback ------------------------------------------------------------------------------


async def answered(bot, question="port", **more):
    return [event async for event in bot.reply(question, **more)][-1].answer.turn


async def test_the_golden_set_grows_from_answers_that_people_called_good(make_bot):
    async with make_bot() as bot:
        await bot.sync()
        good, mixed, bad, _silent = [await answered(bot) for _ in range(4)]
        await bot.feedback(good, True, author="a")
        await bot.feedback(mixed, True, author="a")
        await bot.feedback(mixed, False, author="b")
        await bot.feedback(bad, False, author="a")
        questions, left_out = await golden.praised(bot.database)
        assert left_out == 0
        [one] = questions
        assert (one.question, dict(one.sources), one.answer) == (
            "port",
            {"doc:port": 1},
            "It is 8080 [1].",
        )
        assert (one.origin, one.reference, one.readers) == ("feedback", good, EVERYONE)
        assert await golden.put(bot.database, questions) == (1, 0)
        assert await golden.put(bot.database, questions) == (0, 1)


async def test_what_cites_a_restricted_document_is_its_readers_alone(make_bot):
    config = CONFIG + '[groups]\nhr = ["email:a@x.org"]\n'
    async with make_bot(config) as bot:
        await bot.sync()
        turn = await answered(bot, "wage", principals=["email:a@x.org"])
        await bot.feedback(turn, True)
        [one] = (await golden.praised(bot.database))[0]
        assert one.readers == HR


async def test_a_follow_up_is_kept_in_the_words_it_was_searched_with(make_bot):
    async with make_bot() as bot:
        await bot.sync()
        await answered(bot, "Which port does gamma have?", conversation="c")
        turn = await answered(bot, "and its host port", conversation="c")
        await bot.feedback(turn, True)
        [one] = (await golden.praised(bot.database))[0]
        assert one.question.startswith("and its host port")
        assert "gamma" in one.question


async def test_citations_without_common_readers_leave_the_answer_out(database, rows):
    await rows(
        """
        with c as (insert into conversation (channel, key, assistant) values ('x', 'x', 'd')
                   returning id),
        m as (insert into message (conversation_id, role, text)
              select id, 'user', 'q' from c returning id, conversation_id),
        a as (insert into message (conversation_id, role, text)
              select id, 'assistant', 'a' from c returning id),
        t as (insert into turn (id, conversation_id, question_id, answer_id, outcome, assistant,
                principals) select 't', m.conversation_id, m.id, a.id, 'answered', 'd', '{}'
              from m, a returning id),
        f as (insert into feedback (turn_id, author, good) select id, 'x', true from t)
        insert into citation (turn_id, marker, uri, title, quote, passage_id, source, readers)
        select t.id, n, 'u' || n, '', '', '', '', array['group:' || n]
        from t, generate_series(1, 2) n returning 1
        """
    )
    assert await golden.praised(database) == ([], 1)


# -- files --------------------------------------------------------------------------------------


def test_json_lines_come_back_as_they_were():
    given = [
        Golden(question="q", sources={"a": 1}, origin="file"),
        Golden(question="中文？", answer="好", readers=HR, origin="feedback", reference="t",
               draft=True),
    ]  # fmt: skip
    assert list(read_jsonl(write_jsonl(given), EVERYONE)) == given


def test_a_plain_line_takes_what_is_given_for_all():
    [one] = read_jsonl(["\n", '{"question": " q ", "sources": ["a", "b"]}\n'], HR)
    assert one == Golden(question="q", sources={"a": 1, "b": 1}, readers=HR, origin="file")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "Line 2"),
        ("[]", "Line 2"),
        ('{"question": ""}', "question"),
        ('{"question": "q"}', "neither sources nor an answer"),
        ('{"question": "q", "sources": {"a": 0}}', "sources"),
        ('{"question": "q", "sources": 3}', "sources"),
        ('{"question": "q", "answer": "a", "readers": ["nobody at all"]}', "nobody"),
        ('{"question": "q", "answer": "a", "reader": ["everyone"]}', "reader"),
        ("[" * 100_000, "Line 2"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(line, said):
    with pytest.raises(UsageError, match=said) as caught:
        list(read_jsonl(['{"question": "q", "answer": "a"}', line], EVERYONE))
    assert "Nothing was imported" in str(caught.value)


def test_a_beir_folder_is_read(tmp_path):
    (tmp_path / "qrels").mkdir()
    (tmp_path / "queries.jsonl").write_text(
        '{"_id": "1", "text": "q one"}\n{"_id": "2", "text": "q two", "answers": ["two", "2"]}\n'
        '{"_id": "3", "text": "nothing is relevant"}\n'
    )
    (tmp_path / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n1\td1\t2\n1\td2\t0\n3\td3\t0\n"
    )
    (tmp_path / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n2\td4\t1\n")
    assert list(read_beir(tmp_path, EVERYONE)) == [
        Golden(question="q one", sources={"d1": 2}, origin="file", reference="1"),
        Golden(question="q two", sources={"d4": 1}, answer="two", origin="file", reference="2"),
    ]
    (tmp_path / "qrels" / "dev.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(UsageError, match=r"dev\.tsv"):
        list(read_beir(tmp_path, EVERYONE))
    with pytest.raises(UsageError, match="no BEIR folder"):
        list(read_beir(tmp_path / "qrels", EVERYONE))


# -- the verdict --------------------------------------------------------------------------------


async def test_a_version_that_finds_less_is_worse(make_bot):
    async with make_bot() as bot:
        await bot.sync()
        await second_version(bot, without=["host"])
        await golden.put(bot.database, GOLDEN)
        verdict = await compare_indexes(bot, 2, 1, margin=0.02)
        assert verdict.outcome == "worse"
        assert verdict.differences["recall@8"].mean == -0.5
        assert "recall@8 -0.500" in verdict.reason
        assert verdict.sheet.values("1", "hit@1") == [1.0, 1.0]
        assert verdict.sheet.latency("2", 0.95) > 0
        back = await compare_indexes(bot, 1, 2, margin=0.02)
        assert back.outcome == "not worse"
        assert (await compare_indexes(bot, 2, 1, margin=0.5)).outcome == "not worse"


async def test_an_equal_version_is_not_worse_and_the_results_are_kept(make_bot):
    async with make_bot() as bot:
        await bot.sync()
        await second_version(bot)
        await golden.put(bot.database, GOLDEN)
        verdict = await compare_indexes(bot, 2, 1, margin=0.0)
        assert verdict.outcome == "not worse"
        kept = await results.listed(bot.database)
        assert [(row["evaluation"], row["variant"]) for row in kept] == [
            (verdict.evaluation, "1"),
            (verdict.evaluation, "2"),
        ]
        assert list(kept[0]["summary"])[:3] == ["recall@8", "nDCG@10", "hit@1"]
        trials = await results.trials_of(bot.database, verdict.evaluation)
        assert [row["recall@8"] for row in trials["2"]] == [1.0, 1.0]
        assert "port" not in json.dumps(trials)  # the questions may be restricted


async def test_without_questions_there_is_no_verdict(make_bot):
    async with make_bot() as bot:
        await bot.sync()
        await second_version(bot)
        await golden.put(
            bot.database,
            [Golden(question="port", sources={"doc:port": 1}, draft=True),
             Golden(question="host", answer="beta")],
        )  # fmt: skip
        verdict = await compare_indexes(bot, 2, 1, margin=0.02)
        assert verdict.outcome == "no golden set"
        assert await results.listed(bot.database) == []


async def test_a_version_that_fails_is_worse_and_says_why(make_bot, offered):
    async with make_bot() as bot:
        await bot.sync()
        await second_version(bot)
        await golden.put(bot.database, GOLDEN)
        await bot.search("port")
        offered.retriever.breaks = 2
        verdict = await compare_indexes(bot, 2, 1, margin=0.02)
        assert verdict.outcome == "worse"
        assert "None of the assistant's retrievers" in " ".join(verdict.sheet.errors("2"))


async def test_each_question_is_asked_as_its_readers_and_nobody_else(make_bot, offered):
    config = CONFIG + '[groups]\nhr = ["email:a@x.org"]\n'
    async with make_bot(config) as bot:
        await bot.sync()
        await second_version(bot)
        secret = Golden(question="wage", sources={"doc:wage": 1}, readers=HR)
        await golden.put(bot.database, [secret, GOLDEN[0]])
        verdict = await compare_indexes(bot, 2, 1, margin=0.02)
        assert verdict.sheet.values("2", "recall@8") == [1.0, 1.0]
        asked = {turn.question: turn.principals for turn in offered.retriever.turns}
        assert asked == {"wage": EVERYONE | HR, "port": EVERYONE}


async def test_an_assistant_that_few_may_ask_is_asked_as_one_of_them(make_bot):
    config = CONFIG.replace('generator = "speaker"', 'generator = "speaker"\naskers = ["a@x.org"]')
    async with make_bot(config) as bot:
        await bot.sync()
        await second_version(bot)
        await golden.put(bot.database, GOLDEN)
        verdict = await compare_indexes(bot, 2, 1, margin=0.02)
        assert verdict.sheet.errors("2") == []
        assert verdict.outcome == "not worse"


@pytest.mark.parametrize("state", ["missing", "dropped"])
async def test_only_a_version_that_is_there_can_be_compared(make_bot, rows, state):
    async with make_bot() as bot:
        await bot.sync()
        if state == "dropped":
            await second_version(bot)
            await rows("update index_version set state = 'dropped' where id = 2 returning 1")
        with pytest.raises(NotFound, match="index version 2"):
            await compare_indexes(bot, 2, 1, margin=0.02)
