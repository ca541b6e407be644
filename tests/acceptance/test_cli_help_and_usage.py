"""The command line explains itself, and names what was probably meant."""

import subprocess
import sys

import click
import pytest

from bot.cli import COMMANDS, Session, bot


def every_command():
    """The words of every command and subcommand, as typed."""
    context = click.Context(bot, obj=Session({"BOT_PLUGINS": ""}))
    for name in COMMANDS:
        command = bot.get_command(context, name)
        yield (name,)
        if isinstance(command, click.Group):
            yield from ((name, sub) for sub in command.list_commands(context))


ALL = sorted(every_command())


@pytest.fixture(scope="module")
def pages(handbook):
    """The help of every command, by its words."""
    wide = {"COLUMNS": "200"}
    told = handbook.each(*([*words, "--help"] for words in ALL), env=wide)
    return dict(zip(ALL, (done.stdout for done in told), strict=True))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_help_page_shows_an_example(pages, words):
    page = pages[words]
    assert f"Usage: bot {' '.join(words)}" in page
    assert f"Example: bot {' '.join(words)}" in page
    for command in ALL:
        if command[:-1] == words:
            assert f"\n  {command[-1]} " in page


# What talks to people, runs until it is stopped, or prints JSON in any case.
WITHOUT_JSON = {"chat", "serve", "worker", "config show", "golden export", "eval pairs"}


def test_every_command_speaks_json(pages):
    groups = {words[:-1] for words in ALL}
    silent = {
        " ".join(words) for words in ALL if words not in groups and "--json" not in pages[words]
    }
    assert silent <= WITHOUT_JSON


def test_the_first_page_lists_every_command(handbook):
    page = handbook.bot("--help").stdout
    listed = page.partition("Commands:\n")[2]
    for name, summary in COMMANDS.items():
        assert f"  {name} " in listed
        assert summary in listed
    assert "bot source add handbook ./docs" in page
    assert handbook.bot("-h").stdout == page


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        (["sources"], "source"),
        (["serch", "x"], "search"),
        (["plugin", "list"], "plugins"),
        (["source", "ad"], "add"),
        (["plugins", "lst"], "list"),
        (["ask", "--jsn", "x"], "--json"),
        (["--hme", "/tmp", "ask", "x"], "--home"),
        (["search", "--assistnt", "x", "y"], "--assistant"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_is_unknown_brings_the_nearest_name(handbook, typed, nearest):
    done = handbook.bot(*typed, code=2)
    assert "Did you mean" in done.stderr
    assert nearest in done.stderr.partition("Did you mean")[2]
    assert done.stdout == ""


def test_what_is_like_nothing_is_still_a_usage_error(handbook):
    assert "No such command 'xyzzy'" in handbook.bot("xyzzy", code=2).stderr


@pytest.mark.parametrize(
    "typed",
    [
        ["ask"],
        ["search"],
        ["search", "-k", "0", "x"],
        ["search", "-k", "many", "x"],
        ["search", "--where", "colour", "x"],
        ["ask", "--as", "grup:hr", "x"],
        ["feedback", "fine", "x"],
        ["feedback", "good"],
        ["source", "add", "a b", "docs"],
        ["source", "add", "office", "docs"],
        ["source", "add", "new", "nowhere"],
        ["turn", "show"],
        ["serve"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_a_sentence(handbook, typed):
    done = handbook.bot(*typed, code=2)
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["turn", "show", "nope"], "No turn is called 'nope'"),
        (["feedback", "good", "nope"], "No turn is called 'nope'"),
        (["ask", "--assistant", "nobody", "x"], "There is no assistant 'nobody'"),
        (["reindex", "--source", "nowhere"], "There is no source 'nowhere'"),
        (["source", "remove", "nowhere", "--yes"], "There is no source 'nowhere'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_exist_exits_with_1_and_a_sentence(handbook, typed, sentence):
    done = handbook.bot(*typed, code=1)
    assert done.stderr.startswith(f"Error: {sentence}")
    assert len(done.stderr.splitlines()) == 1


def test_reindex_without_a_source_says_how_to_add_one(world):
    assert "bot source add handbook ./docs" in world.bot("reindex", code=2).stderr


def test_the_module_is_the_command(handbook):
    done = subprocess.run(
        [sys.executable, "-m", "bot", "--version"],
        cwd=handbook.folder, env=handbook.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == handbook.bot("--version").stdout
    assert done.stdout.startswith("domainbot, version ")
