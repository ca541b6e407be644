"""The page on tuning: every command of it runs, in order, and what it says of a training holds."""

import multiprocessing
import os
import re
import shlex
import signal
import tomllib
from pathlib import Path

import pytest
import tiny
from bot_tune import recipe
from bot_tune.progress import Shown

PAGE = Path(__file__).parents[3] / "docs" / "users" / "tuning.md"
BLOCK = re.compile(
    r"^(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
BLOCKS = list(BLOCK.finditer(PAGE.read_text(encoding="utf-8")))
COMMANDS = [
    command
    for block in BLOCKS
    if block["language"] == "console"
    for command in re.findall(r"^\$ bot (.+)$", block["text"], re.MULTILINE)
]


@pytest.fixture(scope="module")
def world(home):
    """A folder with the page's files, in which the page's model is a tiny one."""
    os.environ["HF_HUB_CACHE"] = str(home / "hub")  # for processes that are started
    model = home / "hub" / "models--Qwen--Qwen3-0.6B"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("0" * 40)
    (model / "snapshots" / ("0" * 40)).mkdir(parents=True)
    tiny.model(model / "snapshots" / ("0" * 40), "qwen")
    for block in BLOCKS:
        if block["file"]:
            path = home / block["file"]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block["text"], encoding="utf-8")
    yield home
    del os.environ["HF_HUB_CACHE"]


def stopped(bot, command):
    """Leave a training behind that was killed after its third step."""

    def work():
        def end(self, args, state, control, **given):
            if state.global_step == 3:
                os.kill(os.getpid(), signal.SIGKILL)

        Shown.on_step_end = end
        bot(*shlex.split(command), "--yes")

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(600)
    assert process.exitcode == -signal.SIGKILL


def test_every_command_of_the_page_works(world, bot, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(world / "hub"))
    done = {}
    for command in COMMANDS:
        words = shlex.split(command)
        if "--resume" in words:
            stopped(bot, done[words[1]])
        out = bot(*words)
        if words[0] == "tune":
            done[words[1]] = command
            dry = "--dry-run" in words
            assert ("parameters, of which" if dry else "is registered") in out, command
    assert len(done) >= 7


def test_the_page_names_every_method_task_and_key_of_a_recipe():
    page = PAGE.read_text(encoding="utf-8")
    for name in [*recipe.Method.__args__, *recipe.Task.__args__]:
        assert f"`{name}`" in page, name
    options = {one for command in COMMANDS for one in re.findall(r"--([\w-]+)", command)}
    known = {one.replace("_", "-") for one in recipe.Recipe.model_fields} | options
    for key in ("alpha", "accumulate", "patience", "evaluations", "checkpointing", "beta"):
        assert f"`{key}`" in page
        assert key in known


def test_its_configuration_can_be_used(tmp_path):
    from bot import settings as configuration
    from bot.assembly import installed

    (text,) = [block["text"] for block in BLOCKS if block["language"] == "toml"]
    assert tomllib.loads(text)
    path = tmp_path / "bot.toml"
    path.write_text(text, encoding="utf-8")
    found = configuration.read(path, {})
    plugins = installed(found, {})
    names = [one.name for one in plugins.loaded if not one.error]
    checked = configuration.check(found, plugins.component, plugins.types, names)
    assert "lora" in checked.types.values()
