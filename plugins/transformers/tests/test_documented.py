"""What the documentation says about models can be used as it stands; the commands work."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import training

from bot import settings as configuration
from bot.assembly import installed

ROOT = Path(__file__).parents[3]
TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    (page.name, text)
    for page in [ROOT / "docs/users/models.md", ROOT / "plugins/transformers/README.md"]
    for text in TOML.findall(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("page", "text"), EXAMPLES)
def test_every_configuration_can_be_used(tmp_path, page, text):
    path = tmp_path / "bot.toml"
    path.write_text(text, encoding="utf-8")
    found = configuration.read(path, {})
    plugins = installed(found, {})
    names = [one.name for one in plugins.loaded if not one.error]
    checked = configuration.check(found, plugins.component, plugins.types, names)
    assert {"transformers", "lora"} & set(checked.types.values())


@pytest.fixture(scope="module")
def home():
    made = tempfile.mkdtemp(dir="/tmp")  # the server may run as another user
    Path(made).chmod(0o711)
    yield Path(made)
    shutil.rmtree(made)


def bot(home, *arguments, code=0):
    environ = {**os.environ, "BOT_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "bot", *map(str, arguments)],
        env=environ, cwd=home, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == code, done
    return done.stdout if code == 0 else done.stderr


def test_adapters_on_the_command_line(home, llama, shapes, tmp_path):
    folder = training.adapter(tmp_path / "a", llama, "It is lost.")
    add = ["adapters", "add", "finance", folder, "--base", llama]
    assert "finance 1 is registered" in bot(home, *add)
    assert "finance 2" in bot(home, *add, "--readers", "alice@example.com", "--note", "better")
    assert "live" in bot(home, "adapters", "promote", "finance", 2)
    rows = json.loads(bot(home, "adapters", "list", "--json"))
    assert [(row["version"], row["live"], row["readers"]) for row in rows] == [
        (2, True, ["email:alice@example.com"]),
        (1, False, ["everyone"]),
    ]
    assert "finance 1 is live again" in bot(home, "adapters", "rollback", "finance")
    assert "promote another" in bot(home, "adapters", "drop", "finance", 1, "--yes", code=2)
    bot(home, "adapters", "drop", "finance", 2, "--yes")
    assert "no adapter finance 9" in bot(home, "adapters", "promote", "finance", 9, code=1)
    wrong = ["adapters", "add", "x", folder, "--base", shapes["bloom"]]
    assert "made for another base" in bot(home, *wrong, code=1)
    assert "finance" in bot(home, "adapters", "list")


def test_a_person_asks_and_a_model_answers(home, llama, tmp_path):
    """The whole way: bot.toml, index, model, answer; torch is loaded by nobody else."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "keys.md").write_text("# Keys\n\nThe key is under the blue mat.\n")
    (tmp_path / "bot.toml").write_text(
        "[assistants.default]\nretrievers = []\ngenerator = 'writer'\n"
        f"[generators.writer]\ntype = 'transformers'\nmodel = '{llama}'\nmax_tokens = 12\n"
    )
    out = bot(home, "--config", tmp_path / "bot.toml", "ask", "--json", "Where is the key?")
    answer = json.loads(out)
    assert answer["outcome"] == "answered"
    assert answer["text"]
