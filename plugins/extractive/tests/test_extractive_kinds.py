"""What a question asks for, and how much of an answer it needs."""

import pytest
from bot_extractive.kinds import is_open, wanted
from bot_extractive.selection import select

from bot import Passage


def quoted(question: str, text: str) -> list[str]:
    passage = Passage(id="1", text=text, title="", readers=frozenset({"everyone"}))
    found = select(question, (), [passage], max_sentences=4, threshold=0)
    return [quote.unit.text for quote in found]


@pytest.mark.parametrize(
    ("question", "says", "other"),
    [
        ("What is a retriever?", "A retriever is a plugin that searches.", "The retriever failed."),
        ("What's up? What is DECnet", "DECnet (1975) is a suite.", "It speaks DECnet to all."),
        ("What is a turn?", "A **turn** is one question.", "A return is free."),
        ("What is a turn?", "Turns, that is, a *turn*, is one.", '"What is a turn?" was asked.'),
        ("What does RRF mean?", "RRF (Cormack, 2009) means fusing ranks.", "RRF with k = 60"),
        ("What was the Saxon Garden?", "The *Saxon Garden* was a park.", "A Saxon Garden, a park"),
        ("备份是什么？", "备份是一份拷贝。", "请运行备份。"),
        ("什么是检索器？", "检索器（retriever）是一种插件。", "检索器失败。"),
    ],
)
def test_what_something_is_tells_a_sentence_that_says_so(
    question: str, says: str, other: str
) -> None:
    kind = wanted(question.rpartition("? ")[2])

    assert kind is not None
    assert not kind.brief
    assert kind.has(says)
    assert not kind.has(other)


def test_a_sentence_that_says_what_something_is_wins_over_mentions_of_it() -> None:
    text = (
        "Learn that a turn begins, and that the turn ends. The turn has an id."
        " Much is kept for a while. A turn is one question being answered."
    )

    assert quoted("What is a turn?", text)[0] == "A turn is one question being answered."


def test_signs_in_a_subject_are_no_pattern() -> None:
    kind = wanted("What is a.b(c?")

    assert kind is not None
    assert kind.has("a.b(c is a call.")
    assert not kind.has("a!b(c is a call.")


@pytest.mark.parametrize(
    "question",
    [
        "How does fusion work?", "Why was it built?", "What are the two ways to start?",
        "What is the port, and how is it set?", "Compare the two modes", "Is it on? Since when?",
        "如何安装？", "为什么失败？", "有哪些颜色？", "兩個有什麼區別？",
    ],
)  # fmt: skip
def test_more_than_one_thing_answers_an_open_question(question: str) -> None:
    assert is_open(question)


@pytest.mark.parametrize(
    "question",
    ["How many ports are there?", "Who wrote it?", "What is the port?", "备份几点运行？"],
)
def test_one_thing_answers_others(question: str) -> None:
    assert not is_open(question)


def test_an_open_question_is_answered_in_more_words() -> None:
    first = "The cache of the server keeps the pages that people ask for most often."
    second = (
        "In the evening the server drops what nobody has asked for all day, and then the cache is"
        " as small as it was in the morning, when the first of the people come in, and it will be"
        " as large again at noon."
    )
    text = f"{first} {second} A lawn surrounds the office. Lunch is at noon. Ada wrote it."

    assert quoted("Is there a cache in the server?", text) == [first]
    assert quoted("How does the cache in the server work?", text) == [first, second]


@pytest.mark.parametrize("mark", ["?", "？", "?**", '?"'])
def test_a_question_answers_nothing(mark: str) -> None:
    text = f"How many images may I send in one request{mark}\n\nUp to 20 images, the API says."

    assert quoted("How many images may one API request have?", text) == [
        "Up to 20 images, the API says."
    ]


def test_text_after_code_that_began_before_the_passage_is_no_code() -> None:
    said = "Backups run at noon. They are kept for a week."

    assert quoted("When do backups run?", f"```\n{said}\n") == ["Backups run at noon."]
    assert quoted("备份何时运行？", "~~~\n备份在中午运行。保存一周。\n") == ["备份在中午运行。"]
    whole = "```\nrun_backups(noon)  # when backups run\n"
    assert quoted("When do backups run?", whole) == [whole.strip()]
