"""Third-party plugins, installed for one test: what is broken is named, and the rest goes on."""

import json

import pytest

RECOVERY = [["plugins", "list"], ["plugins", "doctor"], ["db", "status"], ["config", "check"],
            ["config", "show"], ["doctor"]]  # fmt: skip

HEADER = """
import asyncio, time
from bot import EVERYONE, Component, Passage, hookimpl

def passage(text, readers=(EVERYONE,), **more):
    return [Passage(id=text, text=text, readers=frozenset(readers), title="Shelf", **more)]
"""

WORKING = """
@hookimpl
async def bot_retrieve(turn):
    return passage("The red stapler lies in drawer nine.")
"""

BROKEN = {
    "raises": "raise RuntimeError('no luck')",
    "exits": "raise SystemExit(3)",
    "syntax": "def (",
    "misses": "import a_module_that_is_nowhere",
    "unknown_hook": "@hookimpl\ndef bot_retreive(turn): return []",
    "wrong_argument": "@hookimpl\ndef bot_retrieve(turn, colour): return []",
    "bad_components": "@hookimpl\ndef bot_components(): return [7]",
    "raising_components": "@hookimpl\ndef bot_components(): raise RuntimeError('no luck')",
    "raising_migrations": "@hookimpl\ndef bot_migrations(): raise RuntimeError('no luck')",
    "taken": "@hookimpl\ndef bot_components():\n    from pydantic import BaseModel\n"
    "    return [Component(kind='retriever', type='pgvector', settings=BaseModel, make=print)]",
}


@pytest.fixture(scope="module", autouse=True)
def hanging(handbook, new_site):
    """Two commands among plugins that hang: begun first and looked at last, as they wait long."""
    importing = new_site()("hangs", "import time\ntime.sleep(3600)").environ
    commanding = new_site()("slowpoke", HEADER + SLOWPOKE).environ
    return {
        "doctor": handbook.start("doctor", env=importing),
        "--help": handbook.start("--help", env=commanding),
    }


SLOWPOKE = """
@hookimpl
def bot_commands(cli):
    time.sleep(3600)
"""


@pytest.fixture
def broken(site):
    """Every kind of broken plugin at once, and one that works."""
    for name, code in BROKEN.items():
        site(name, HEADER + code)
    return site("working", HEADER + WORKING)


def test_whatever_is_broken_is_named_and_the_rest_works(handbook, broken):
    rows = handbook.json("plugins", "list", "--json", env=broken.environ)
    states = {row["name"]: row["state"] for row in rows}
    assert {name for name, state in states.items() if state == "broken"} == BROKEN.keys()
    assert states["working"] == states["pgvector"] == "works"
    doctor = handbook.bot("plugins", "doctor", env=broken.environ, code=1).stdout
    told = handbook.bot("doctor", env=broken.environ, code=1).stdout
    for name in BROKEN:
        assert f"  broken  {name} 1.0  {name}: " in doctor
        assert f" bad  plugin {name}: " in told
    assert "no luck" in doctor
    assert "a_module_that_is_nowhere" in doctor
    assert "bot_retreive" in doctor
    assert " ok  search: " in told

    env = {**broken.environ, "BOT_ASSISTANTS__DEFAULT__RETRIEVERS": '["documents", "working"]'}
    answer = handbook.json("ask", "--json", "Where does the red stapler lie?", env=env)
    assert "drawer nine" in answer["text"]
    assert answer["notices"] == []
    warned = handbook.bot("ask", "Where does the printer stand?", env=env)
    assert "second floor" in warned.stdout
    assert "a plugin was left out: raises: " in warned.stderr


@pytest.mark.parametrize("typed", RECOVERY, ids=" ".join)
def test_recovery_commands_work_with_broken_plugins(handbook, broken, typed):
    done = handbook.bot(*typed, env=broken.environ, code=int("doctor" in typed))
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout


def test_no_plugins_at_all(handbook, broken):
    env = {**broken.environ, "BOT_PLUGINS": ""}
    assert handbook.json("plugins", "list", "--json", env=env) == []
    handbook.bot("db", "status", env=env)
    handbook.bot("config", "show", env=env)
    handbook.bot("config", "show", "--schema", env=env)
    handbook.bot("--help", env=env)
    done = handbook.bot("ask", "x", env=env, code=None)
    assert done.returncode in (1, 2)
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr


def test_only_the_plugins_that_are_asked_for(handbook, broken):
    env = {**broken.environ, "BOT_PLUGINS": "working, missing"}
    rows = handbook.json("plugins", "list", "--json", env=env)
    assert {row["name"]: row["state"] for row in rows} == {"working": "works", "missing": "broken"}


def test_a_disabled_plugin_is_not_imported(handbook, site):
    site("noisy", "raise RuntimeError('imported')")
    env = {**site.environ, "BOT_PLUGINS__DISABLED": '["noisy"]'}
    rows = handbook.json("plugins", "list", "--json", env=env)
    assert {row["name"]: row["state"] for row in rows}["noisy"] == "disabled"
    handbook.bot("plugins", "doctor", env=env)


def test_two_retrievers_of_one_type_with_different_settings(handbook):
    handbook.write(
        "two.toml",
        (handbook.folder / "bot.toml").read_text()
        + """
[assistants.default]
retrievers = ["meaning", "words"]
[retrievers.meaning]
type = "pgvector"
mode = "vector"
candidates = 5
[retrievers.words]
type = "pgvector"
mode = "lexical"
""",
    )
    asked = "Where can I get something to eat?\nsecond floor\n"
    eat, floor = handbook.lines("--config", "two.toml", "search", "--json", stdin=asked)
    assert {passage["retriever"] for passage in eat["passages"]} == {"meaning"}, "no word is shared"
    assert eat["passages"][0]["id"] == "canteen-7"
    assert floor["passages"][0]["title"] == "The printer"
    assert len({passage["id"] for passage in floor["passages"]}) == len(floor["passages"])
    only = {"BOT_ASSISTANTS__DEFAULT__RETRIEVERS": '["words"]'}
    (words,) = handbook.lines("--config", "two.toml", "search", "--json", "floor", env=only)
    assert [passage["retriever"] for passage in words["passages"]] == ["words"]


FAILING = {
    "raising": "@hookimpl\nasync def bot_retrieve(turn): raise RuntimeError('no luck')",
    "slow": "@hookimpl\nasync def bot_retrieve(turn): await asyncio.sleep(3600)",
    "stuck": "@hookimpl\ndef bot_retrieve(turn): time.sleep(3600)",
    "careless": "@hookimpl\ndef bot_retrieve(turn): return ['text']",
}


def test_dead_retrievers_beside_one_that_works_and_the_turn_still_answers(handbook, site):
    for name, code in FAILING.items():
        site(name, HEADER + code)
    names = ["documents", *FAILING]
    env = {
        **site.environ,
        "BOT_ASSISTANTS__DEFAULT__RETRIEVERS": json.dumps(names),
        "BOT_LIMITS__RETRIEVE": "3",
    }
    done = handbook.bot("ask", "Where does the printer stand?", env=env)
    assert "The printer stands on the second floor. [1]" in done.stdout
    for name in FAILING:
        assert f"Note: {name} did not work and was left out." in done.stdout


def test_passages_that_the_asker_may_not_read_are_dropped(handbook, site):
    code = """
@hookimpl
async def bot_retrieve(turn):
    return [
        *passage("The safe opens with 8155.", readers=["email:boss@example.com"]),
        *passage("The safe stands in the cellar."),
    ]
"""
    site("leaky", HEADER + code)
    env = {**site.environ, "BOT_ASSISTANTS__DEFAULT__RETRIEVERS": '["leaky"]'}
    question = "With what does the safe open?"
    for typed in (["ask"], ["ask", "--json"], ["search"], ["search", "--json"],
                  ["ask", "--as", "bob@example.com"]):  # fmt: skip
        assert "8155" not in handbook.bot(*typed, question, env=env).stdout
    assert "8155" in handbook.bot("ask", "--as", "boss@example.com", question, env=env).stdout


def test_a_plugin_adds_a_command(handbook, site):
    code = """
import click

@hookimpl
def bot_commands(cli):
    @cli.command(epilog="Example: bot greet")
    @click.pass_obj
    def greet(session):
        '''Say hello.'''
        click.echo("hello")

    @cli.command("ask")
    def ask():
        click.echo("not the core's")
"""
    site("greeter", HEADER + code)
    page = handbook.bot("--help", env=site.environ).stdout
    assert "greet " in page
    assert "Say hello." in page
    assert handbook.bot("greet", env=site.environ).stdout == "hello\n"
    assert "'greet'" in handbook.bot("gret", env=site.environ, code=2).stderr
    assert "not the core's" not in handbook.bot("ask", "printer", env=site.environ).stdout


def test_what_hangs_is_left_behind_and_named(hanging):
    ended = {
        name: (*process.communicate(), process.returncode) for name, process in hanging.items()
    }
    out, _, code = ended["doctor"]
    assert code == 1
    assert b" bad  plugin hangs: hangs: its import did not end within" in out
    assert b" ok  search: " in out
    out, err, code = ended["--help"]
    assert code == 0
    assert b"slowpoke: bot_commands did not end within" in err
    assert b"reindex" in out
