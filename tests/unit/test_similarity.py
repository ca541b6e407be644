"""When two questions mean the same."""

import csv
from pathlib import Path

import pytest

from bot.similarity import same

PAIRS = Path(__file__).parents[2] / "bench" / "data" / "paraphrases.tsv"


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("How do I reset my password?", "how can I reset the password"),
        ("What time does the office open?", "When does the office open?"),
        ("How many holiday days do I get per year?", "How many days of holiday do I have?"),
        ("怎么重置密码", "如何重置密码？"),
        ("Was kostet das?", "was kostet  DAS?"),
    ],
)
def test_other_words_that_questions_are_made_of_change_nothing(question, other):
    assert same(question, other, 0.95)
    assert same(other, question, 0.95)


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("Who founded the office?", "When was the office founded?"),
        ("What was revenue in 2024?", "What was revenue in 2023?"),
        ("How do I install it on macOS?", "How do I install it on Windows?"),
        ("When does the Oslo office open?", "When does the office open?"),
        ("How do I turn notifications off?", "How do I turn notifications on?"),
        ("Why can't I log in?", "Why can I log in?"),
        ("如何断开VPN？", "如何连接VPN？"),
        ("IPCC 现任副主席是谁？", "IPCC 现任主席是谁？"),
        ("Why?", "How?"),
        ("", "How do I log in?"),
    ],
)
def test_what_asks_for_something_else_differs_however_near_it_is(question, other):
    assert not same(question, other, 0.99)
    assert not same(other, question, 0.99)


def test_one_question_may_say_a_little_more_when_the_vectors_agree():
    question, other = "I forgot my password, how do I reset it?", "How do I reset my password?"
    assert same(question, other, 0.85)
    assert not same(question, other, 0.6)
    assert not same(question, other, None)


def test_without_vectors_the_words_must_be_the_same():
    assert same("How can I log in?", "How do I log in?", None)
    assert not same("How do I log in today?", "How do I log in?", None)


def test_the_same_words_far_apart_in_meaning_differ():
    assert not same("Does the dog bite the man?", "The man and the dog, bite?", 0.3)


def test_no_written_pair_that_differs_is_taken_for_the_same():
    with PAIRS.open(encoding="utf-8") as lines:
        pairs = list(csv.DictReader(lines, delimiter="\t"))
    different = [pair for pair in pairs if pair["same"] == "0"]
    assert len(different) > 30
    wrong = [pair for pair in different if same(pair["other"], pair["question"], 0.79)]
    assert wrong == []
