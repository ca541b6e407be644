"""Tiny models made on the spot, and trainings of them."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2] / "transformers" / "tests"))  # for tiny.py

import pytest
import tiny
import torch
from bot_tune import folder, gathering, recipe, training
from click.testing import CliRunner

from bot.cli import bot as cli
from bot.embedded import EmbeddedServer

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """A folder with a tiny model of each shape; they know nothing."""
    return {name: tiny.model(tmp_path_factory.mktemp(name), name) for name in tiny.CLASSES}


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Data of each kind."""
    made = tmp_path_factory.mktemp("data")

    def lines(name, rows):
        (made / name).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    lines("answers.jsonl", [
        {"question": f"Where is the key {n}?", "answer": f"The key {n} is under the mat."}
        for n in range(20)
    ])  # fmt: skip
    lines("texts.jsonl", [
        {"text": f"The door code {n} is with Alice. " * (3 + 5 * n)} for n in range(10)
    ])  # fmt: skip
    lines("pairs.jsonl", [
        {"prompt": f"Where is the key {n}?", "chosen": "Under the mat.", "rejected": "4711"}
        for n in range(12)
    ])  # fmt: skip
    (made / "general.txt").write_text("Die Straße nach Zürich, ein Café. " * 300, encoding="utf-8")
    return made


DATA = {"sft": ["answers.jsonl"], "clm": ["texts.jsonl", "answers.jsonl"], "dpo": ["pairs.jsonl"]}


@pytest.fixture(scope="session")
def begin(shapes, files, tmp_path_factory):
    """Lay out a training's folder, as the command does."""

    def make(shape, method="lora", task="sft", **more):
        values = {
            "name": "x", "base": str(shapes[shape]), "method": method, "task": task,
            "data": [files / name for name in DATA[task]], "epochs": 1, "batch": 4, "length": 64,
            "rank": 4, "precision": "float32", "device": "cpu", "evaluations": 2,
            "rate": 1e-3 if method == "full" else 1e-2, **more,
        }  # fmt: skip
        plan = recipe.make(**values)
        place = tmp_path_factory.mktemp("training") / "x"
        folder.lay_out(place, plan, asyncio.run(gathering.gather(plan, None)))
        return place

    return make


@pytest.fixture(scope="session")
def train(begin):
    """Train; return the folder and the metrics."""

    def run(*given, **more):
        place = begin(*given, **more)
        return place, training.run(place)

    return run


@pytest.fixture(scope="module")
def home():
    """A folder with a bot's home that the server's own user can reach, and its server running."""
    made = Path(tempfile.mkdtemp(dir="/tmp"))
    made.chmod(0o711)
    server = EmbeddedServer(made / "home")
    asyncio.run(server.start())
    yield made
    asyncio.run(server.stop())
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def bot(home):
    """Run a command in this process; return what it printed, or its complaint if it is to fail."""

    def run(*arguments, code=0):
        before = Path.cwd()
        os.chdir(home)
        try:
            environ = {"BOT_HOME": str(home / "home")}
            done = CliRunner().invoke(cli, [*map(str, arguments)], env=environ)
        finally:
            os.chdir(before)
        assert done.exit_code == code, done.output
        assert "defect" not in done.stderr
        return done.stdout if code == 0 else done.stderr

    return run
