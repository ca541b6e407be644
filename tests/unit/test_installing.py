"""What installing a plugin reads, explains and undoes."""

import importlib
import os
import shutil
import sys
import zipfile

import pytest

from bot.errors import PluginError
from bot.installing import environment, wheels
from bot.installing.children import run
from bot.installing.steps import builds
from bot.installing.tools import _PLANNED, _explained

METADATA = """Metadata-Version: 2.1
Name: domainbot-shelf
Version: 1.2
License-Expression: MIT
"""
MODULE = """
import bot
from bot import hookimpl

@hookimpl
async def bot_retrieve(turn): ...

class Shelf:
    @bot.hookimpl(tryfirst=True)
    def bot_generate(self, turn, prompt): ...

def bot_queries(turn): ...  # without a marker it is no hook
"""


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "domainbot_shelf-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        about = "domainbot_shelf-1.2.dist-info"
        archive.writestr(f"{about}/METADATA", METADATA)
        archive.writestr(f"{about}/entry_points.txt", "[bot]\nshelf = bot_shelf\n")
        archive.writestr("bot_shelf/__init__.py", MODULE)
        archive.writestr("bot_shelf/broken.py", "def (")
        archive.writestr("bot_shelf/migrations/shelf.0001.sql", "create table shelf (a int);")
    return path


def test_a_wheel_is_read_without_running_it(wheel):
    found = wheels.read(wheel)
    assert (found.name, found.version, found.licence) == ("domainbot-shelf", "1.2", "MIT")
    assert found.plugins == ("shelf",)
    assert found.hooks == ("bot_generate", "bot_retrieve")
    assert found.migrations == ("shelf.0001.sql",)
    assert "bot_shelf" not in sys.modules


def test_what_is_no_wheel_is_told(tmp_path):
    path = tmp_path / "x-1-py3-none-any.whl"
    with pytest.raises(PluginError, match="no wheel"):
        wheels.read(path)
    path.write_text("no zip")
    with pytest.raises(PluginError, match="no wheel"):
        wheels.read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.py", "")
    with pytest.raises(PluginError, match="no wheel"):
        wheels.read(path)


def test_tables_are_found_in_migrations():
    texts = ["create table a (x int);\nCREATE TABLE IF NOT EXISTS shelf.b ();", "drop table c;"]
    assert wheels.tables(texts) == ["a", "shelf.b"]


PIP = """
INFO: pip is looking at multiple versions of shelf to determine which version is compatible
ERROR: Cannot install shelf==1.0 because these package versions have conflicting dependencies.

The conflict is caused by:
    shelf 1.0 depends on pluggy<1
    The user requested (constraint) pluggy==1.6.0

To fix this you could try to:
"""
TWO = """
The conflict is caused by:
    shelf 1.0 depends on numpy<2
    board 2.0 depends on numpy>=2

ERROR: ResolutionImpossible: for help visit https://example.com
"""
NOTHING = """ERROR: Could not find a version that satisfies the requirement nowhere
ERROR: No matching distribution found for nowhere
"""
UV = """error: No solution found when resolving dependencies
  cause: Because all versions of shelf depend on pluggy<1 and pluggy==1.7.0, we can conclude that
         all versions of shelf cannot be used.
         And because you require shelf, we can conclude that your requirements are unsatisfiable.
"""


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (PIP, "shelf 1.0 needs pluggy<1, but domainbot and its plugins run with pluggy==1.6.0"),
        (TWO, "shelf 1.0 needs numpy<2 and board 2.0 needs numpy>=2, which cannot be both"),
        (NOTHING, "No matching distribution found for nowhere"),
        (
            UV,
            "Because all versions of shelf depend on pluggy<1 and pluggy==1.7.0, we can conclude "
            "that all versions of shelf cannot be used",
        ),
        ("", "it failed"),
    ],
)
def test_a_conflict_is_one_sentence(said, sentence):
    assert _explained(said) == sentence


def test_what_uv_would_install_is_read():
    said = "Would install 2 packages\n + shelf @ file:///a/shelf-1.whl\n + board==2.0\n - old==1\n"
    assert _PLANNED.findall(said) == [("shelf", "", "file:///a/shelf-1.whl"), ("board", "2.0", "")]


def test_only_folders_and_git_urls_are_built(tmp_path, wheel):
    assert builds(str(tmp_path))
    assert builds("git+https://example.com/shelf.git")
    assert builds("https://example.com/shelf.git")
    assert not builds("domainbot-shelf")
    assert not builds(str(wheel))
    assert not builds("https://example.com/shelf-1.0-py3-none-any.whl")


def test_the_pins_are_what_the_core_and_the_plugins_run_with():
    pins = dict(pin.split("==") for pin in environment.pins(()))
    assert {"domainbot", "pluggy", "numpy", "domainbot-pgvector"} <= set(pins)
    assert "pytest" not in pins
    assert "domainbot-echo" not in dict(p.split("==") for p in environment.pins({"domainbot_echo"}))
    assert "domainbot-echo" in environment.needed_by("domainbot")


class Folder:
    """Installs into a folder: what undoing needs of a tool, done with files."""

    def __init__(self, site):
        self.site = site

    def put(self, version):
        self.uninstall(["shelf"])
        about = self.site / f"shelf-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: shelf\nVersion: {version}\n")
        (self.site / "bot_shelf.py").write_text(f"VERSION = {version!r}")
        (about / "RECORD").write_text(
            f"bot_shelf.py,,\nshelf-{version}.dist-info/METADATA,,\n"
            f"shelf-{version}.dist-info/RECORD,,\n"
        )
        importlib.invalidate_caches()

    def uninstall(self, names):
        for about in self.site.glob("shelf-*.dist-info"):
            shutil.rmtree(about)
            (self.site / "bot_shelf.py").unlink()
        importlib.invalidate_caches()


def failing(tool, version, error):
    with environment.undone_on_failure(["shelf", "domainbot-nowhere"], tool):
        tool.put(version)
        raise error


@pytest.mark.parametrize("error", [PluginError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_a_failed_upgrade_is_undone(tmp_path, monkeypatch, error):
    monkeypatch.syspath_prepend(str(tmp_path))
    tool = Folder(tmp_path)
    tool.put("1.0")
    before = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(type(error)):
        failing(tool, "2.0", error)
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == before
    with environment.undone_on_failure(["shelf"], tool):
        tool.put("2.0")
    assert environment.version_of("shelf").version == "2.0"


def test_a_failed_first_install_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    tool = Folder(tmp_path)
    with pytest.raises(PluginError):
        failing(tool, "1.0", PluginError("no"))
    assert not list(tmp_path.iterdir())


CHILDREN = {
    "tells": ("tell(int(sys.argv[1]), a=1); print('noise')", "ended with exit code 0", [{"a": 1}]),
    "ends": ("tell(int(sys.argv[1]), a=1); os._exit(7)", "ended with exit code 7", [{"a": 1}]),
    "crashes": ("os.abort()", "was ended by SIGABRT", []),
    "hangs": ("time.sleep(60)", "did not end in time", []),
    "raises": ("raise RuntimeError('no luck')", "RuntimeError: no luck", []),
}


@pytest.mark.parametrize("name", CHILDREN)
def test_a_child_may_end_in_any_way(tmp_path, name):
    code, how, lines = CHILDREN[name]
    (tmp_path / "child.py").write_text(
        f"import os, sys, time\nfrom bot.installing.children import tell\n{code}\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = run("child", [], environ, 1.5 if name == "hangs" else 60)
    assert how in ended.how
    assert ended.lines == lines
