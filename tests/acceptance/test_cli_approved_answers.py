"""`bot answers` and `bot report`: what people approve, and what they asked in vain."""

import json


def test_an_approved_answer_is_given_until_it_is_removed(world):
    added = world.bot("answers", "add", "When is payday?", "On the 25th.", "--readers", "a@x.org")
    number = added.stdout.split()[0]
    assert added.stdout == f"{number} added.\n"
    again = world.bot("answers", "add", "When is payday?", "On the 26th.", "--readers", "a@x.org")
    assert again.stdout == f"{number} replaced.\n"
    [listed] = world.json("answers", "list", "--json")
    assert (listed["question"], listed["answer"]) == ("When is payday?", "On the 26th.")
    assert listed["readers"] == ["email:a@x.org"]

    asked = ("ask", "--json", "When's payday?")
    mine, others = (
        json.loads(done.stdout) for done in world.each((*asked, "--as", "a@x.org"), asked)
    )
    assert mine["text"].startswith("On the 26th.\n\nA curated answer, approved for")
    assert (mine["outcome"], mine["generator"], mine["citations"]) == ("answered", "curated", [])
    assert others["outcome"] == "refused"

    assert world.bot("answers", "remove", number).stdout == "1 removed.\n"
    gone = world.bot("answers", "remove", number, code=1)
    assert f"There is no curated answer {number}" in gone.stderr
    assert "No answer is approved" in world.bot("answers", "list").stderr


def test_what_cannot_be_approved_is_told(world):
    empty, nobody = world.each(
        ("answers", "add", "When?", " "),
        ("answers", "add", "When?", "Now.", "--readers", "nobody"),
        code=2,
    )
    assert "needs its question and its answer" in empty.stderr
    assert "'nobody' is nobody" in nobody.stderr


def test_what_was_asked_in_vain_is_listed_by_how_often(world, words):
    world.jsonl("facts.jsonl", {"_id": "1", "text": "The canteen serves soup at noon."})
    world.bot("source", "add", "facts", "facts.jsonl", env=words)
    world.bot("reindex", env=words)
    asked = "Where is the printer?\nWho pays travel?\nWhere's the printer please?\nsoup at noon?\n"
    world.bot("chat", stdin=asked, env=words)
    groups = world.json("report", "unanswered", "--json", env=words)
    assert [(one["times"], one["question"]) for one in groups] == [
        (2, "Where's the printer please?"),
        (1, "Who pays travel?"),
    ]
    assert [one["question"] for one in groups[0]["asked"]] == [
        "Where's the printer please?",
        "Where is the printer?",
    ]
    lines = world.bot("report", "unanswered", "--days", "7", env=words).stdout.splitlines()
    assert lines[0].split("\t") == ["times", "last", "question", "turn"]
    assert len(lines) == 3
