"""What people asked in vain, grouped."""

from datetime import UTC, datetime, timedelta

import numpy as np

from bot import reports
from bot.document import IndexVersion
from bot.errors import EmbeddingError
from bot.reports import Asked, grouped

NOW = datetime.now(UTC)
INDEX = IndexVersion(id=1, state="live", dimensions=2, settings={})


def asked(*questions):
    return [Asked(str(place), text, NOW) for place, text in enumerate(questions)]


def texts(groups):
    return [[one.question for one in group] for group in groups]


def test_questions_with_the_same_words_are_one_group():
    found = asked("Where is the canteen?", "Who pays travel?", "Where's the canteen please?")
    assert texts(grouped(found, None)) == [
        ["Where is the canteen?", "Where's the canteen please?"],
        ["Who pays travel?"],
    ]


def test_near_vectors_join_what_shares_no_word():
    found = asked("Is lunch free?", "Who pays travel?", "Do meals cost anything?")
    vectors = np.array([[1, 0], [0, 1], [0.8, 0.6]], np.float32)
    assert texts(grouped(found, vectors))[0] == ["Is lunch free?", "Do meals cost anything?"]
    assert len(grouped(found, None)) == 3


def test_vectors_join_no_chinese_questions():
    found = asked("食堂在哪里？", "谁付差旅费？", "请问食堂在哪儿")
    vectors = np.ones((3, 1), np.float32)
    assert texts(grouped(found, vectors)) == [["食堂在哪里？", "请问食堂在哪儿"], ["谁付差旅费？"]]


async def put(rows, number, question, outcome="refused", days=0):
    await rows(
        """
        with c as (insert into conversation (channel, key, assistant)
            values ('x', %(n)s, 'd') returning id),
        m as (insert into message (conversation_id, role, text)
            select id, 'user', %(q)s from c returning id, conversation_id)
        insert into turn (id, conversation_id, question_id, outcome, assistant, principals,
            started_at)
        select %(n)s, conversation_id, id, %(o)s, 'd', '{}', %(at)s from m returning id
        """,
        {"n": str(number), "q": question, "o": outcome, "at": NOW - timedelta(days, number)},
    )


async def test_only_what_was_refused_lately_is_told_the_most_frequent_first(database, rows):
    await put(rows, 1, "Who pays travel?")
    await put(rows, 2, "Where is the canteen?")
    await put(rows, 3, "Where is the canteen, please?")
    await put(rows, 4, "Where is the canteen?", outcome="answered")
    await put(rows, 5, "Where is the canteen?", days=40)

    async def embed(texts, purpose, version):
        raise EmbeddingError("no model")

    groups = await reports.unanswered(database, NOW - timedelta(days=30), INDEX, embed)
    assert [[one.turn for one in group] for group in groups] == [["2", "3"], ["1"]]
    assert await reports.unanswered(database, NOW, None, embed) == []
