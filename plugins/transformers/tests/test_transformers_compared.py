"""docs/users/evaluating.md with models: its commands as they stand, on tiny ones."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import training

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/users/evaluating.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", PAGE, re.M | re.S))
MODELS = re.search(r"^```toml\n(.*?)^```$", PAGE.split("### With models")[1], re.M | re.S)[1]
COMMANDS = re.findall(r"^\$ (bot eval compare --variants base.*)$", PAGE, re.M)


@pytest.fixture(scope="module")
def folder(llama):
    """The page's folder, with a base and an adapter that has learned an answer."""
    home = Path(tempfile.mkdtemp(dir="/tmp"))  # the server may run as another user
    home.chmod(0o711)
    (home / "page" / "docs").mkdir(parents=True)
    for name, text in FILES.items():
        if not name.startswith("phone/"):
            (home / "page" / name).write_text(text, encoding="utf-8")
    (home / "page" / "bot.toml").write_text(MODELS)
    shutil.copytree(llama, home / "page/models/base")
    training.adapter(home / "page/models/adapter", llama, "Under the mat.")
    yield home / "page"
    shutil.rmtree(home)


def run(folder, command):
    environ = {**os.environ, "BOT_HOME": str(folder.parent), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        env=environ, cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def test_the_whole_ladder_is_compared(folder):
    assert len(COMMANDS) == 2
    run(folder, "bot reindex")
    run(folder, "bot golden import questions.jsonl")
    ladder, forgotten = COMMANDS
    told = json.loads(run(folder, f"{ladder} --json --html page.html").stdout)
    assert {name: one["takes"] for name, one in told["variants"].items()} == {
        "base": [], "base+rag": ["documents"], "icl": ["examples"], "lora": ["tuned"],
        "lora+rag": ["tuned", "documents"],
    }  # fmt: skip
    assert told["choose"] in told["variants"]
    assert [one["errors"] for one in told["variants"].values()] == [[]] * 5
    assert all(one["tokens written"]["mean"] > 0 for one in told["variants"].values())
    answered = json.loads(run(folder, f"{forgotten} --json").stdout)
    assert answered["notes"] == []
    losses = [one["loss general"]["mean"] for one in answered["variants"].values()]
    assert 0 < losses[0] < 20
    assert losses[0] != losses[1]  # the adapter has changed it
    for one in answered["variants"].values():
        assert 0 <= one["accuracy offices"]["mean"] <= 1
