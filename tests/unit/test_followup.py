"""Follow-ups are made standalone without a language model."""

import pytest

from bot.followup import queries, weighted
from bot.turn import Conversation, Message, Turn


def ask(question, *earlier):
    history = []
    for text in earlier:
        history += [Message(role="user", text=text), Message(role="assistant", text="Answer.")]
    turn = Turn(id="t", question=question, conversation=Conversation(history=tuple(history)))
    [query] = queries(turn)
    return query


@pytest.mark.parametrize(
    "question", ["And it?", "Why?", "How do I reset my password?", "那呢？", ""]
)
def test_a_first_question_stands_as_it_is(question):
    assert ask(question) == question


@pytest.mark.parametrize(
    "question",
    [
        "How do I configure the printer driver on Windows?",
        "How do I take a backup?",
        "What is an index version?",
        "What is RAG?",
        "Who is Marie Curie?",
        "How do I reindex?",
    ],
)
def test_a_question_that_stands_alone_stays(question):
    assert ask(question, "What is the vacation policy for contractors?") == question


@pytest.mark.parametrize(
    "question",
    [
        "And on Windows?",
        "What is the price?",
        "Which version?",
        "How do I install it?",
        "What about that one?",
        "why?",
        "For Windows?",
    ],
)
def test_a_follow_up_carries_the_subject(question):
    query = ask(question, "How do I install the printer driver?")
    assert query.startswith(question)
    assert "printer" in query
    assert "driver" in query


def test_a_chain_of_follow_ups_goes_back_to_the_subject():
    query = ask("And on macOS?", "How do I install the printer driver?", "And on Windows?")
    assert "printer" in query


def test_only_the_last_subject_is_carried():
    query = ask(
        "And on Windows?",
        "What does the vacation policy say about contractors?",
        "How do I install the printer driver?",
    )
    assert "vacation" not in query


def test_no_word_is_carried_twice():
    query = ask("And the driver?", "Which printer driver supports duplex printing?")
    words = query.lower().replace("?", "").split()
    assert words.count("driver") == 1


def test_the_answers_of_the_bot_are_not_the_subject():
    history = (
        Message(role="user", text="How do I install the printer driver?"),
        Message(role="assistant", text="Zebra quokka."),
    )
    turn = Turn(id="t", question="And it?", conversation=Conversation(history=history))
    assert "quokka" not in queries(turn)[0]


@pytest.mark.parametrize(
    ("question", "earlier", "carried"),
    [
        ("那Windows呢？", "如何安装打印机驱动程序？", "打印机"),
        ("それはいつですか、教えてください", "有給休暇の申請方法を教えてください", "有給休暇"),
    ],
)
def test_follow_ups_in_chinese_and_japanese(question, earlier, carried):
    assert carried in ask(question, earlier)


def test_a_chinese_question_that_stands_alone_stays():
    question = "公司的年假政策对合同工有什么规定"
    assert ask(question, "如何安装打印机驱动程序？") == question


def lean(question, *earlier):
    history = tuple(
        Message(role="assistant" if place % 2 else "user", text=text)
        for place, text in enumerate(earlier)
    )
    turn = Turn(id="t", question=question, conversation=Conversation(history=history))
    return weighted(turn)


def test_a_first_question_leans_on_nothing():
    assert lean("Why?") == ()


def test_what_was_said_last_counts_a_little():
    parts = dict(
        lean("How do I configure the printer driver on Windows?", "Old?", "B", "New?", "D")
    )
    assert list(parts) == ["How do I configure the printer driver on Windows?", "New?", "Old?", "D"]
    own, new, old, said = parts.values()
    assert own == 1 > new > old > 0
    assert said < new


def test_the_fewer_words_a_question_has_the_more_it_leans():
    long = "How do I configure the printer driver on Windows?"
    leaning = [lean(question, "Holidays?")[1][1] for question in ("Why?", "And on Windows?", long)]
    assert leaning == sorted(leaning, reverse=True)
    assert leaning[0] == 1 > leaning[2]


def test_an_answer_counts_less_beside_few_words_that_refer_to_nothing():
    def said(question):
        return lean(question, "Holidays?", "Thirty days.")[-1][1]

    few, enough = said("What is a retriever?"), said("retriever plugin search index vectors words?")
    assert few == pytest.approx(enough / 6)
    assert said("What is it?") == said("A whole other question of six own content words?") == enough


def test_few_words_lean_only_where_they_refer_to_something():
    own, referring = (lean(f"How do I {what}?", "Holidays?")[1][1] for what in ("import", "do it"))
    assert own == 0.2 < referring


def test_of_a_long_answer_the_beginning_counts():
    assert len(lean("Why?", "How?", "x" * 5000)[-1][0]) == 600
