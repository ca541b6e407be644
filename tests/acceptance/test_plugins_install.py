"""Plugins come, break and go in a fresh virtual environment, offline; the bot answers all the time.

The environment sees this one's packages behind its own, so that it needs no index to be made.
"""

import json
import os
import shutil
import subprocess
import sysconfig
import textwrap
import venv
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HEADER = """
import asyncio, os, sys, time
from pathlib import Path
from bot import Passage, hookimpl

def passage(turn, text):
    return [Passage(id=text, text=text, title="Shelf", readers=frozenset({"everyone"}))][: turn.k]
"""

GOOD = """
@hookimpl
async def bot_retrieve(turn):
    return passage(turn, "The red stapler lies in drawer nine.")
"""

HANGS_IN_A_HOOK = """
@hookimpl
async def bot_queries(turn):
    await asyncio.sleep(3600)
"""

MISSPELT = """
@hookimpl
async def bot_retreive(turn):
    return []
"""

MIGRATING = """
@hookimpl
def bot_migrations():
    return Path(__file__).parent / "migrations"
"""

LEAKS = """
FILES = []

@hookimpl
async def bot_retrieve(turn):
    FILES.append(open("/dev/null"))
    return passage(turn, "Umbrellas hang in the hall.")
"""

BAD = {
    "raises": ("raise RuntimeError('no luck')", "no luck"),
    "ends": ("os._exit(7)", "exit code 7"),
    "slow_import": ("time.sleep(3600)", "did not end within"),
    "hangs": (HANGS_IN_A_HOOK, "bot_queries gave no answer"),
    "misspelt": (MISSPELT, "bot_retreive"),
    "migrates": (MIGRATING, 'type "typo" does not exist'),
    "leaks": (LEAKS, "were left open"),
}

FILES = {"migrates": {"migrations/migrates.0001.sql": "create table shelf (a typo);\n"}}


def wheel(folder, name, code, *, version="1.0", requires=(), files=()):
    """Write a wheel: a zip with metadata."""
    about = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    parts = {
        f"bot_{name}/__init__.py": HEADER + textwrap.dedent(code),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        f"License-Expression: MIT\nRequires-Dist: domainbot\n{needs}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": f"[bot]\n{name} = bot_{name}\n" if code else "",
        **{f"bot_{name}/{path}": text for path, text in dict(files).items()},
    }
    parts[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in [*parts, f"{about}/RECORD"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in parts.items():
            archive.writestr(each, text)
    return path


class Place:
    """A virtual environment, a folder of wheels, and a bot with one document."""

    def __init__(self, folder, environ):
        self.folder = folder
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        self.python = folder / "venv/bin/python"
        (site,) = (folder / "venv/lib").glob("python*/site-packages")
        self.site = site
        outer = sysconfig.get_path("purelib")
        (site / "outer.pth").write_text(f"import site; site.addsitedir({outer!r})\n")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("BOT_", "PYTHON", "PIP_"))}
        self.environ = {**kept, **environ, "VIRTUAL_ENV": str(folder / "venv")}

    def run(self, *command, code=0, env=()):
        done = subprocess.run(
            [self.python, "-m", *command],
            cwd=self.folder,
            env={**self.environ, **dict(env)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert code is None or done.returncode == code, done
        assert "Traceback" not in done.stdout + done.stderr, done
        return done

    def bot(self, *arguments, **options):
        return self.run("bot", *arguments, **options)

    def install(self, *arguments, code=0):
        return self.bot(
            "plugins", "install", *arguments, "--offline", str(self.wheels), "--yes", code=code
        )

    def unpack(self, name):
        """Install a wheel without a word from the bot."""
        with zipfile.ZipFile(self.wheels / f"{name}-1.0-py3-none-any.whl") as archive:
            archive.extractall(self.site)

    def installed(self):
        """What lies in the environment itself."""
        return sorted(path.name for path in self.site.iterdir() if path.suffix != ".pyc")

    def answers(self):
        done = self.bot("ask", "Where does the printer stand?")
        assert "second floor" in done.stdout, done
        return done


@pytest.fixture(scope="module")
def place(new_world, with_schema, tmp_path_factory, words):
    made = new_world(tmp_path_factory.mktemp("environment"), with_schema)
    own = {k: v for k, v in made.environ.items() if k.startswith("BOT_")}
    own["BOT_HOME"] = str(made.folder / "home")
    place = Place(made.folder, {**own, **words, "BOT_LIMITS__HOOK": "1"})
    (place.folder / "docs").mkdir()
    (place.folder / "docs/office.md").write_text("The printer stands on the second floor.\n")
    (place.folder / "bot.toml").write_text('[sources.office]\ntype = "folder"\npath = "docs"\n')
    place.bot("reindex")
    for name, (code, _) in BAD.items():
        wheel(place.wheels, name, code, files=FILES.get(name, ()))
    wheel(place.wheels, "good", GOOD, requires=["helper"])
    wheel(place.wheels, "helper", "")
    wheel(place.wheels, "conflicting", GOOD, requires=["pluggy<1"])
    return place


def test_a_good_plugin_comes_answers_and_goes(place):
    before = place.installed()
    done = place.install("good")
    assert "good 1.0 (licence: MIT)" in done.stdout
    assert "helper 1.0" in done.stdout
    assert "hooks: bot_retrieve" in done.stdout
    assert "changes to the database: none" in done.stdout
    assert "good: installed and enabled." in done.stdout
    rows = {row["name"]: row for row in json.loads(place.bot("plugins", "list", "--json").stdout)}
    assert rows["good"]["state"] == "works"
    assert rows["good"]["hooks"] == ["bot_retrieve"]
    place.bot("plugins", "doctor")
    toml = place.folder / "bot.toml"
    plain = toml.read_text()
    toml.write_text(plain + '[assistants.default]\nretrievers = ["documents", "good"]\n')
    assert "drawer nine" in place.bot("ask", "Where does the red stapler lie?").stdout
    assert "installed already" in place.install("good", code=2).stderr
    wheel(place.wheels, "good", GOOD.replace("nine", "ten"), version="1.1", requires=["helper"])
    assert "1.1 instead of 1.0" in place.install("good", "--upgrade").stdout
    assert "drawer ten" in place.bot("ask", "Where does the red stapler lie?").stdout
    removed = place.bot("plugins", "uninstall", "good", "--yes").stdout
    assert "bot.toml needs it: retrievers of [assistants.default]." in removed
    toml.write_text(plain)
    place.bot("plugins", "uninstall", "helper", "--yes", code=2)  # no plugin
    place.run("pip", "uninstall", "--yes", "helper")
    assert place.installed() == before
    place.answers()


@pytest.fixture
def without_pip(place):
    """As in an environment that uv has made: no pip, uv on the path, and the bot within."""
    (outer,) = Path(sysconfig.get_path("purelib")).glob("domainbot-*.dist-info")
    known = place.site / outer.name  # uv sees only what lies in the environment itself
    shutil.copytree(outer, known)
    lines = (outer / "METADATA").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("Requires-Dist:")]
    (known / "METADATA").write_text("".join(kept), encoding="utf-8")
    hidden = place.site / "no_pip.pth"
    hidden.write_text("import sys; sys.modules['pip'] = None\n")
    path = place.environ["PATH"]
    place.environ["PATH"] = f"{sysconfig.get_path('scripts')}{os.pathsep}{path}"
    yield place
    place.environ["PATH"] = path
    hidden.unlink()
    shutil.rmtree(known)


def test_uv_does_the_same_where_there_is_no_pip(without_pip):
    place = without_pip
    before = place.installed()
    wheel(place.wheels, "other", GOOD.replace("nine", "two"), requires=["helper"])
    assert "other: installed and enabled." in place.install("other").stdout
    assert "helper-1.0.dist-info" in place.installed()
    rows = {row["name"]: row for row in json.loads(place.bot("plugins", "list", "--json").stdout)}
    assert rows["other"]["state"] == "works"
    assert "nothing was changed" in place.install("conflicting", code=1).stderr
    place.bot("plugins", "uninstall", "other", "--yes")
    uninstall = [uv(), "pip", "uninstall", "--python", place.python, "helper"]
    subprocess.run(uninstall, check=True, capture_output=True)
    assert [name for name in place.installed() if name != ".lock"] == before


def uv():
    return os.path.join(sysconfig.get_path("scripts"), "uv")


def test_a_conflict_is_a_sentence_and_nothing_is_changed(place):
    before = place.installed()
    done = place.install("conflicting", code=1)
    assert "conflicting 1.0 needs pluggy<1, but domainbot and its plugins run with pluggy==" in (
        done.stderr
    )
    assert "nothing was changed" in done.stderr
    assert place.installed() == before
    place.answers()


def test_what_is_no_plugin_is_not_installed(place):
    before = place.installed()
    assert "is no plugin" in place.install("helper", code=1).stderr
    place.install("nowhere", code=1)
    (place.folder / "torn.whl").write_text("no zip")
    place.install("torn.whl", code=2)
    (place.folder / "torn-1.0-py3-none-any.whl").write_text("no zip")
    place.install("torn-1.0-py3-none-any.whl", code=1)
    assert place.installed() == before


def test_bad_plugins_are_tried_and_not_installed(place):
    before = place.installed()
    with ThreadPoolExecutor(2) as pool:
        done = dict(zip(BAD, pool.map(lambda name: place.install(name, code=1), BAD), strict=True))
    for name, (_, said) in BAD.items():
        assert said in done[name].stderr, done[name]
        assert "nothing was changed" in done[name].stderr
    assert place.installed() == before
    place.answers()


def test_what_came_all_the_same_is_named_and_the_bot_answers(place):
    """Somebody has installed them with pip, and the bot has answered a question since."""
    names = BAD.keys() - {"ends"}
    for name in names:
        place.unpack(name)
    place.answers()
    doctor = place.bot("plugins", "doctor", code=1).stdout.splitlines()
    for name in names:
        told = " ".join(line for line in doctor if f"  {name} 1.0" in line)
        assert BAD[name][1] in told, doctor
    assert any("works  pgvector" in line for line in doctor)
    for name in names:
        place.bot("plugins", "disable", name)
    place.bot("plugins", "doctor")
    assert place.answers().stderr == ""
    place.bot("plugins", "enable", "leaks")
    place.bot("plugins", "uninstall", "migrates", "--yes")
    place.run("pip", "uninstall", "--yes", *(names - {"migrates"}))
    assert not list(place.site.glob("bot_*/*.py"))


def test_one_that_ends_every_process_is_named_and_got_rid_of(place):
    place.unpack("ends")
    doctor = place.bot("plugins", "doctor", code=1).stdout
    assert "broken  ends" in doctor
    assert "works  pgvector" in doctor
    assert "ended with exit code 7" in doctor
    place.bot("plugins", "disable", "ends")
    place.answers()
    place.bot("plugins", "enable", "ends")
    place.bot("plugins", "uninstall", "ends", "--yes")
    place.answers()


def test_a_folder_is_built_only_when_that_is_agreed_to(place):
    place.bot("plugins", "new", "loader", "mine")
    asked = place.bot("plugins", "install", "./mine", code=None)
    assert "Building ./mine runs its code" in asked.stderr
    assert asked.returncode
    assert not list(place.site.glob("*mine*"))
