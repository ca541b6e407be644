"""docs/users/langchain.md: each configuration is valid, each command prints what it says."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from bot_langchain import making, models
from bot_langchain.settings import ChatSettings, Part

from bot import settings as configuration
from bot.assembly import installed
from bot.testing.fake_models import FakeModels

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/users/langchain.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"^(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
BLOCKS = list(BLOCK.finditer(PAGE))
EXAMPLES = [block["text"] for block in BLOCKS if block["language"] == "toml"]
README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES += [block["text"] for block in BLOCK.finditer(README) if block["language"] == "toml"]
ENVIRON = {"OPENAI_API_KEY": "sk-none"}
PATIENCE = {"BOT_LIMITS__RETRIEVE": "120", "BOT_LIMITS__HOOK": "120"}  # on a busy machine


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_configuration_can_be_used(tmp_path, text):
    (tmp_path / "bot.toml").write_text(text, encoding="utf-8")
    found = configuration.read(tmp_path / "bot.toml", ENVIRON)
    plugins = installed(found, {})
    names = [one.name for one in plugins.loaded if not one.error]
    checked = configuration.check(found, plugins.component, plugins.types, names)
    assert {"langchain", "langchain-rerank"} & set(checked.types.values())


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_part_can_be_made(tmp_path, fake_models, text):
    (tmp_path / "notes.txt").write_text("The lift is slow. " * 50)
    text = text.replace("http://localhost:8000/v1", fake_models.openai_url)
    text = text.replace("http://localhost:11434", fake_models.url)
    (tmp_path / "bot.toml").write_text(text, encoding="utf-8")
    found = configuration.read(tmp_path / "bot.toml", ENVIRON)
    plugins = installed(found, {})
    names = [one.name for one in plugins.loaded if not one.error]
    checked = configuration.check(found, plugins.component, plugins.types, names)
    for options in checked.options.values():
        if isinstance(options, Part):
            assert making.make(options) is not None
        elif isinstance(options, ChatSettings):
            assert models.make(options) is not None


def test_every_key_of_a_generator_is_described():
    keys = {field.alias or name for name, field in ChatSettings.model_fields.items()}
    rows = " ".join(re.findall(r"^\| (`.*?`) \|", PAGE, re.M))
    assert keys <= set(re.findall(r"`(\w+)`", rows))


def test_every_command_prints_what_it_says(home):
    with FakeModels() as fake:
        address = fake.openai_url
        for block in BLOCKS:
            if block["file"]:
                text = block["text"].replace("http://localhost:8000/v1", address)
                (home / block["file"]).write_text(text, encoding="utf-8")
            elif block["language"] == "console":
                parts = re.split(r"^\$ (.+)\n", block["text"], flags=re.M)
                for command, said in zip(parts[1::2], parts[2::2], strict=True):
                    run(home, command, said.splitlines())
    assert len(fake.chats()) == 3


def run(home, command, said):
    name, *arguments = shlex.split(command)
    program = ["-m", "bot"] if name == "bot" else []
    done = subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=home,
        env={**os.environ, "BOT_HOME": str(home), **PATIENCE},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done
    for line in said:
        assert line in done.stdout, (command, done.stdout, done.stderr)
