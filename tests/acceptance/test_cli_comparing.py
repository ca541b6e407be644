"""`bot eval compare`, `rate`, `pairs`, `show` and `list` as people type them."""

import json
import signal

import pytest

# Answers from a table; waits for ever on the third question while there is a file `wait`.
PLUGIN = """
import asyncio, json, os, pathlib
from pydantic import BaseModel
from bot import Component, Delta, hookimpl

class Settings(BaseModel):
    good: bool = False

class Teller:
    def __init__(self, name, good):
        self.name, self.good = name, good

    @hookimpl
    async def bot_generate(self, turn, prompt):
        with open("asked", "a") as log:
            log.write(f"{self.name} {turn.question}\\n")
        if turn.question == "Q3?" and pathlib.Path("wait").exists():
            await asyncio.sleep(3600)
        yield Delta(text=turn.question.replace("Q", "Answer ").replace("?", "") if self.good
                    else "No \\u202eidea <script>x</script>\\x1b[31m.")

@hookimpl
def bot_components():
    return [Component(kind="generator", type="teller", settings=Settings,
                      make=lambda name, settings, context: Teller(name, settings.good))]
"""
CONFIG = """
[assistants.default]
retrievers = []
generator = "bad"
[generators.bad]
type = "teller"
[generators.good]
type = "teller"
good = true
"""


@pytest.fixture
def compared(world, new_site):
    """A world with two generators and four questions."""
    world.write("bot.toml", CONFIG)
    world.environ |= new_site()("teller", PLUGIN).environ
    world.jsonl(
        "golden.jsonl", *({"question": f"Q{n}?", "answer": f"Answer {n}"} for n in range(1, 5))
    )
    world.bot("golden", "import", "golden.jsonl")
    return world


def asked(world):
    return (world.folder / "asked").read_text().splitlines()


def test_a_comparison_from_question_to_page(compared):
    world = compared
    done = world.bot("eval", "compare", "--variants", "bad,good", "--html", "page.html")
    assert "Choose good." in done.stdout
    page = (world.folder / "page.html").read_text()
    assert "<script>" not in page
    assert page.count("&lt;") == page.count("&gt;") == 8  # of four answers
    assert not {"\u202e", "\x1b"} & set(page + done.stdout)
    again = world.json("eval", "compare", "--variants", "bad,good", "--json", "--by", "exact")
    assert (again["choose"], again["questions"], again["finished"]) == ("good", 4, True)
    assert again["variants"]["good"]["exact"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    listed = world.json("eval", "list", "--json")
    assert [row["evaluation"] for row in listed] == [2, 2, 1, 1]
    assert "exact 1.000" in world.bot("eval", "list").stdout
    assert world.json("eval", "show", "--json")["evaluation"] == 2
    assert world.rows("select count(*) from turn") == [(0,)]


def test_people_rate_blind_and_stop_when_they_like(compared):
    world = compared
    world.bot("eval", "compare", "--variants", "bad,good")
    first = world.bot("eval", "rate", "--author", "ann", stdin="x\nl\n")
    assert "1 ratings kept." in first.stdout
    assert not {"bad", "good"} & set(first.stdout.replace(".", " ").split())
    assert not {"\u202e", "\x1b"} & set(first.stdout)
    rest = world.bot("eval", "rate", "--author", "ann", stdin="n\ns\nr\nq\n")
    assert "2 ratings kept." in rest.stdout
    shown = world.json("eval", "show", "--json")
    means = [one["preferred"]["mean"] for one in shown["variants"].values()]
    assert sum(means) == pytest.approx(1.0)
    lines = world.lines("eval", "pairs", "1")
    assert len(lines) == 2  # of the third one neither is better
    assert {tuple(sorted(line)) for line in lines} == {("chosen", "prompt", "readers", "rejected")}


def test_a_comparison_that_is_killed_asks_nothing_twice(compared):
    world = compared
    (world.folder / "wait").touch()
    process = world.start("eval", "compare", "--variants", "bad,good")
    world.wait("select count(*) = 4 from evaluation_answer", process)
    world.stop(process, signal.SIGKILL)
    assert "not finished" in world.bot("eval", "list").stdout
    assert "stopped before its end" in world.bot("eval", "show").stdout
    (world.folder / "wait").unlink()
    before = asked(world)
    done = world.bot("eval", "compare", "--variants", "bad,good", "--json")
    assert "4 of 8 answers are there" in done.stderr
    assert json.loads(done.stdout)["evaluation"] == 1
    after = asked(world)[len(before) :]
    assert sorted(after) == ["bad Q3?", "bad Q4?", "good Q3?", "good Q4?"]


def test_what_cannot_be_compared_is_said_in_a_sentence(compared):
    world = compared
    world.write("task.yaml", "task: x\n")
    results = world.each(
        ["eval", "compare", "--variants", "goood"],
        ["eval", "compare", "--variants", ","],
        ["eval", "compare", "--variants", "good", "--choices", "task.yaml"],
        ["eval", "compare", "--variants", "good", "--html", "."],
        code=2,
    )
    said = ["no variant 'goood'", "names none", "doc_to_text", "is a directory"]
    assert [text in done.stderr for text, done in zip(said, results, strict=True)] == [True] * 4
    assert "Nothing was measured yet" in world.bot("eval", "show", code=1).stderr
    told = world.bot("eval", "compare", "--variants", "good", "--by", "beauty", code=1)
    assert "Nothing was measured as 'beauty'" in told.stderr
    assert "Choose none." in told.stdout
