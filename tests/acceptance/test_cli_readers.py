"""Who may read what, asked from outside: nothing of a private document reaches anybody else."""

import json

import pytest

WAGE = "What is the wage of a gardener?"
BOARD = "Where does the board meet?"


@pytest.mark.parametrize("asker", ["alice@example.com", "email:ALICE@example.com", "group:hr"])
def test_members_get_the_answer(handbook, asker):
    answer = handbook.json("ask", "--json", "--as", asker, WAGE)
    assert answer["outcome"] == "answered"
    assert "3141" in answer["text"]
    assert answer["citations"][0]["passage"] == "wage-1"


@pytest.mark.parametrize("asker", [[], ["--as", "bob@example.com"], ["--as", "group:sales"]])
def test_nobody_else_gets_a_word_of_it(handbook, asker):
    asked, told, searched, printed = handbook.each(
        ["ask", "--json", *asker, WAGE], ["ask", *asker, WAGE],
        ["search", "--json", "-k", "100", *asker, WAGE], ["search", *asker, WAGE],
    )  # fmt: skip
    chat = handbook.bot("chat", *asker, stdin=WAGE)
    for done in (asked, told, searched, printed, chat):
        assert "3141" not in done.stdout
    assert "wage-1" not in {one["passage"] for one in json.loads(asked.stdout)["citations"]}
    passages = json.loads(searched.stdout)["passages"]
    assert {passage["source"] for passage in passages} == {"office", "facts"}


def test_a_line_of_jsonl_names_its_own_readers(handbook):
    (boss,) = handbook.lines("search", "--json", "--as", "boss@example.com", BOARD)
    assert boss["passages"][0]["id"] == "board-1"
    (alice,) = handbook.lines("search", "--json", "--as", "alice@example.com", BOARD)
    assert "board-1" not in {passage["id"] for passage in alice["passages"]}


def test_two_principals_at_once(handbook):
    both = ["--as", "boss@example.com", "--as", "group:hr"]
    found = handbook.lines("search", "--json", *both, stdin=f"{WAGE}\n{BOARD}\n")
    assert [result["passages"][0]["id"] for result in found] == ["wage-1", "board-1"]


def test_only_its_askers_may_ask_an_assistant(handbook):
    env = {"BOT_ASSISTANTS__DEFAULT__ASKERS": '["group:hr"]'}
    refused = handbook.bot("ask", "printer?", env=env, code=2)
    assert "You may not ask the assistant 'default'" in refused.stderr
    handbook.bot("ask", "--as", "alice@example.com", "printer?", env=env)


def test_narrowing_the_readers_reaches_what_is_indexed(world):
    world.jsonl("a.jsonl", {"_id": "a", "title": "Plan", "text": "The plan is called Zebra."})
    world.write("bot.toml", '[sources.a]\ntype = "jsonl"\npath = "a.jsonl"\n')
    world.bot("reindex")
    assert "Zebra" in world.bot("ask", "What is the plan called?").stdout
    world.write(
        "bot.toml",
        '[sources.a]\ntype = "jsonl"\npath = "a.jsonl"\nreaders = ["group:board"]\n'
        '[groups]\nboard = ["boss@example.com"]\n',
    )
    world.bot("reindex")
    assert "Zebra" not in world.bot("ask", "What is the plan called?").stdout
    assert (
        "Zebra" in world.bot("ask", "--as", "boss@example.com", "What is the plan called?").stdout
    )
