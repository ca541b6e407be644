"""What `bot plugins new` writes is green at once."""

import os
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

BOT = Path(sys.executable).with_name("bot")
KINDS = ("channel", "retriever", "generator", "loader", "embedder")


def new(*arguments, code=0):
    done = subprocess.run(
        [BOT, "plugins", "new", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done
    return done


def pytest_in(folder):
    """Run its tests as after `pip install -e .`, whose entry point is written here."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    about = folder / "src" / f"{project['name'].replace('-', '_')}-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Name: {project['name']}\nVersion: 0.1.0\n")
    (entry,) = project["entry-points"]["bot"].items()
    (about / "entry_points.txt").write_text("[bot]\n{} = {}\n".format(*entry))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_kind_is_green_and_clean_at_once(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda kind: new(kind, f"my-{kind}", "--directory", str(tmp_path)), KINDS))
        ruff = [
            Path(sys.executable).with_name("ruff"),
            "check",
            "--isolated",
            "--select",
            "E,F,I,B",
        ]
        form = [*ruff[:1], "format", "--isolated", "--check", "--line-length", "100"]
        for command in ([*ruff, "--line-length", "100"], form):
            subprocess.run([*command, tmp_path], check=True, capture_output=True)
        done = pool.map(pytest_in, [tmp_path / f"my-{kind}" for kind in KINDS])
        for kind, result in zip(KINDS, done, strict=True):
            assert result.returncode == 0, f"{kind}:\n{result.stdout}{result.stderr}"
            assert " passed" in result.stdout


def test_what_it_writes_is_told(tmp_path):
    told = new("retriever", "glossary", "--directory", str(tmp_path)).stdout
    assert f"cd {tmp_path}/glossary" in told
    about = tomllib.loads((tmp_path / "glossary/pyproject.toml").read_text())["project"]
    assert about["name"] == "domainbot-glossary"
    assert about["entry-points"]["bot"] == {"glossary": "bot_glossary"}


@pytest.mark.parametrize("name", ["Big", "1st", "a b", "../up", "-x", "a_b", "a--b", ""])
def test_a_name_that_cannot_be_one(tmp_path, name):
    done = new("retriever", "--directory", str(tmp_path), "--", name, code=2)
    assert "cannot be the name of a plugin" in done.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path):
    new("loader", "mine", "--directory", str(tmp_path))
    module = tmp_path / "mine/src/bot_mine/__init__.py"
    module.write_text("# my work")
    assert "exists already" in new("loader", "mine", "--directory", str(tmp_path), code=2).stderr
    assert module.read_text() == "# my work"
