"""Questions that documents suggest of themselves, and drafts of a model that are no use."""

import pytest

from bot.evaluation import drafting
from bot.evaluation.suggesting import Told, key, suggest

EVERYONE = frozenset({"everyone"})


def told(text, title="", place="doc:1", readers=EVERYONE):
    return Told(place, title, text, readers)


def questions(text, title=""):
    return [one.question for one in suggest([told(text, title)], [], 99)]


@pytest.mark.parametrize(
    ("text", "question", "answer"),
    [
        ("# Keys\n\n## Who has the spare key?\n\nAlice has it. Ask her.", "Who has the spare key?",
         "Alice has it. Ask her."),
        ("## 2. 椅子的钱由谁付？\n\n由团队付。", "椅子的钱由谁付？", "由团队付。"),
        ("# Installing the agent\n\nDownload **it** from [here](https://x.example) and run it.",
         "How do I install the agent?", "Download it from here and run it."),
        ("# How to reset your password\n\nWrite to Ann.\n\n```sh\nx\n```",
         "How do I reset your password?", "Write to Ann."),
        ("# Running tests (optional)\n\n1. Type `make test`.", "How do I run tests?",
         "Type `make test`."),
        ("# The ledger\n\nThe *ledger* is a table of all payments. It is kept for ten years.",
         "What is the ledger?",
         "The ledger is a table of all payments. It is kept for ten years."),
        ("# Reisekosten\n\nReisekosten sind die Kosten einer Reise.", "Was ist Reisekosten?",
         "Reisekosten sind die Kosten einer Reise."),
        ("# 有給休暇\n\n有給休暇とは、賃金が払われる休みです。", "有給休暇とは何ですか？",
         "有給休暇とは、賃金が払われる休みです。"),
    ],
)  # fmt: skip
def test_a_question_with_its_answer(text, question, answer):
    (found,) = suggest([told(text)], [], 9)
    assert (found.question, found.answer) == (question, answer)
    assert found.draft
    assert found.origin == "suggested"
    assert dict(found.sources) == {"doc:1": 1}


@pytest.mark.parametrize(
    "text",
    [
        "# Overview\n\nThis page is an overview of things.",
        "# Request parameters\n\nThey are told in the path.",
        "# Use case\n\nAn example.",
        "# What does it cost?\n\nNothing.",  # means nothing alone
        "# Install our tools\n\nAs we do.",
        "# Install the agent\n\n```sh\nmake\n```",  # no answer in words
        "# Install the agent\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        "# Keys\n\nThe door is a thing of wood.",  # another thing than its heading names
        "```\n# Install the agent\n```\n",
        "",
    ],
)
def test_what_asks_for_nothing(text):
    assert questions(text) == []


def test_documents_take_turns_and_nothing_is_asked_twice():
    many = "\n\n".join(f"## How to open door {n}\n\nWith key {n}." for n in range(9))
    other = told("# Who has the spare key?\n\nAlice has it.", place="doc:2")
    known = ["How can I open door 0?"]
    found = suggest([told(many), other], known, 4)
    assert [one.question for one in found] == [
        "Who has the spare key?",
        "How do I open door 1?",
        "How do I open door 2?",
        "How do I open door 3?",
    ]
    assert key("How do I open door 1?") == key("how to open the door 1")


def test_readers_are_those_of_the_document():
    hr = frozenset({"group:hr"})
    (found,) = suggest([told("# Who is paid in March?\n\nAll are.", readers=hr)], [], 9)
    assert found.readers == hr


TEXT = "The printer stands on the second floor. It prints on both sides of the paper."


@pytest.mark.parametrize(
    ("question", "answer", "why"),
    [
        ("On how many sides does the printer print?", "On both sides of the paper.", ""),
        ("", "", "not in two lines"),
        ("What does the document say about the printer?", "It prints.", "it speaks of its source"),
        ("Where does it stand?", "On the second floor.", "it does not stand alone"),
        ("Who founded the canteen in Berlin?", "On the second floor.",
         "it asks for something else"),
        ("Where does the printer stand?", "On the third floor of the office in Berlin.",
         "its answer is not supported"),
        ("Which floor does our printer stand on?", "The second floor.", "it is asked already"),
    ],
)  # fmt: skip
def test_drafts_of_a_model_are_held_to_their_section(question, answer, why):
    assert drafting.unfit(question, answer, TEXT, ["On which floor stands the printer?"]) == why


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("Question: Why?\nAnswer: So. [1]", ("Why?", "So.")),
        ("**Question:** Why?\n\n**Answer:** So.\nAnd so.", ("Why?", "So. And so.")),
        ("Sure!\n问题：为什么？\n答案：因为。", ("为什么？", "因为。")),
        ("The printer stands on the second floor.", ("", "")),
        ("Question: Why?", ("", "")),
    ],
)
def test_two_lines_are_read(said, read):
    assert drafting._read(said) == read
