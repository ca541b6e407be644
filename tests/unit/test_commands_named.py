"""Messages tell people what to run: each command that the code names is one."""

import ast
import re
from pathlib import Path

import click
import pytest

from bot.cli import Session, bot

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`bot ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")
ELSEWHERE = {"adapters"}  # of a plugin that is not in this environment


def named():
    """Each command in a string of the code, with the files where it stands."""
    found = {}
    for path in [*ROOT.glob("bot/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for command in NAMED.findall(written(node)):
                found.setdefault(command, set()).add(path.name)
    return found


def written(node):
    """The text of a string, which may be an f-string; its parts stand in one line."""
    if isinstance(node, ast.JoinedStr):
        return "".join(written(part) or "…" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.fixture(scope="module")
def context():
    return click.Context(bot, obj=Session({"BOT_PLUGINS": "slack,router,tune"}))


@pytest.mark.parametrize(("name", "sub"), sorted(named()), ids=str)
def test_a_command_that_a_message_names_is_one(context, name, sub):
    if name in ELSEWHERE:
        return
    command = bot.get_command(context, name)
    assert command is not None, named()[name, sub]
    if sub and isinstance(command, click.Group):
        assert command.get_command(context, sub), named()[name, sub]
