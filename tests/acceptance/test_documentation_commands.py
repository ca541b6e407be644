"""Every command in the documentation runs in order, succeeds, and prints what stands below it.

The convention: in a ```console block a line that begins with `$ ` is a command, and the lines
below it are among what it prints, but for numbers, ids and folders; in a ```sh block each line
that begins with `bot ` is a command. A block of any language after `<!-- file: PATH -->` is
written to that file first. Each page starts in a folder of its own, without a bot.toml; all pages
share one home. Those about Slack have a Slack on this machine, where `bot serve` runs until a
question is answered.
"""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from bot import settings as configuration
from bot.assembly import installed
from bot.embedded import EmbeddedServer

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
READMES = sorted(ROOT.glob("plugins/*/README.md"))
BLOCK = re.compile(
    r"^(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
TURN = re.compile(r"\b(?=\w*\d)[0-9a-hjkmnp-tv-z]{12}\b")
TIMEOUT = 60

# What cannot run here, by its beginning, and why.
ELSEWHERE = {
    ". .venv/bin/activate": "the tests run in an environment that is active already",
    "docker ": "needs a container runtime",
    "pip install": "needs a network; an entry point is written instead",
    "bot serve": "runs until it is stopped",
    "bot worker": "runs until it is stopped",
    "curl ": "asks a process that runs elsewhere",
    "pg_dump": "needs a server of one's own",
    "python -m build": "needs a network",
    "bot plugins install": "tests/acceptance/test_plugins_install.py does it",
    "bot plugins uninstall": "it would change this environment",
    "twine ": "needs an account",
    "hf ": "needs a network",
    "bot source add manual https": "a network; tests/unit/test_settings_commands.py does it",
    "bot source add product https": "a network; tests/unit/test_settings_commands.py does it",
    "bot adapters": "needs the model plugins; plugins/transformers/tests does it",
    "bot tune augment clean.jsonl --output more.jsonl --through": "needs a language model;"
    " plugins/tune/data/tests/test_training_variants.py does it",
    "bot golden suggest --generator": "needs a language model;"
    " tests/integration/test_golden_suggest.py does it",
    "bot tune": "needs the model plugins; plugins/tune/tests does it",
    "bot eval compare --variants base": "the same; plugins/transformers/tests does it",
}

# What runs here although a shorter beginning does not.
HERE = ("bot tune inspect", "bot tune augment")


def blocks(page, *languages):
    return [
        found
        for found in BLOCK.finditer(page.read_text(encoding="utf-8"))
        if found["language"] in languages
    ]


def commands(block):
    """Each command of a block, with the lines that it is said to print."""
    if block["language"] == "console":
        parts = re.split(r"^\$ (.+)\n", block["text"], flags=re.MULTILINE)
        return list(zip(parts[1::2], map(str.splitlines, parts[2::2]), strict=True))
    return [(command, []) for command in re.findall(r"^bot .+$", block["text"], re.MULTILINE)]


def comparable(line):
    """A line without what differs from run to run."""
    line = re.sub(r"file://\S*/", "file:///", TURN.sub("ID", line))
    return re.sub(r"\d+(?:\.\d+)?( [kMG]B\b)?", "0", line).strip()


def elsewhere(command):
    """The longest beginning decides: `bot tune inspect` runs, and `bot tune NAME` does not."""
    known = [beginning for beginning in [*ELSEWHERE, *HERE] if command.startswith(beginning)]
    return max(known, key=len, default="") in ELSEWHERE


class Shell:
    """A folder in which commands run, with a bot's home and the turns that were asked."""

    def __init__(self, folder, home):
        self.folder = folder
        self.turn = ""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("BOT_")} | {
            "BOT_HOME": str(home),
            "PATH": path,
            "PYTHONPATH": "",
        }

    def write(self, block):
        path = self.folder / block["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block["text"], encoding="utf-8")
        if path.name == "pyproject.toml":
            self.install(path.parent)

    def install(self, folder):
        """What `pip install -e` would do, without a network: name the entry points."""
        if str(folder / "src") in self.environ["PYTHONPATH"]:
            return
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        name, version = project["name"].replace("-", "_"), project["version"]
        about = folder / "src" / f"{name}-{version}.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Name: {project['name']}\nVersion: {version}\n")
        points = "".join(f"{k} = {v}\n" for k, v in project["entry-points"]["bot"].items())
        (about / "entry_points.txt").write_text(f"[bot]\n{points}")
        self.environ["PYTHONPATH"] += f"{folder / 'src'}{os.pathsep}"

    def run(self, command, shown):
        done = subprocess.run(
            ["bash", "-c", TURN.sub(self.turn, command) if self.turn else command],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        told = f"$ {command}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, told
        assert "Traceback" not in told, told
        assert "Warning:" not in done.stderr.split(), told
        printed = {comparable(line) for line in done.stdout.splitlines()}
        assert [line for line in shown if comparable(line) not in printed | {""}] == [], told
        if turns := re.findall(r'^turn (\w{12})|"turn": "(\w{12})"', done.stdout, re.MULTILINE):
            self.turn = "".join(turns[-1])

    def serve(self, command, slack):
        """Let it run until a question in Slack is answered."""
        with subprocess.Popen(shlex.split(command), cwd=self.folder, env=self.environ) as serving:
            try:
                answer = slack.ask("When does the office open?")
            finally:
                serving.terminate()
        assert "nine" in answer
        assert serving.returncode == 130


class Slack:
    """A Slack in a process of its own, as a page's commands reach it."""

    def __init__(self):
        command = [sys.executable, "-m", "bot.testing.fake_slack", "--fast-retries"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        about = json.loads(self.process.stdout.readline())
        self.control = about["control_url"]
        self.variables = {
            "SLACK_BOT_TOKEN": about["bot_token"],
            "SLACK_APP_TOKEN": about["app_token"],
            "SLACK_SIGNING_SECRET": about["signing_secret"],
            "BOT_CHANNELS__SLACK__BASE_URL": about["base_url"],
        }

    def ask(self, question):
        """Mention the bot, and wait for what people see of its answer."""
        self.call("connected", timeout=TIMEOUT)
        thread = self.call("mention", channel="C1", user="U1", text=question)["ts"]
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            query = urlencode({"channel": "C1", "thread_ts": thread})
            with urlopen(f"{self.control}messages?{query}", timeout=TIMEOUT) as reply:
                said = json.load(reply)
            if done := [one for one in said if one["by_app"] and not one["streaming"]]:
                return done[0]["text"]
            time.sleep(0.1)
        pytest.fail("nobody answers in Slack")

    def call(self, name, **arguments):
        headers = {"Content-Type": "application/json"}
        request = Request(self.control + name, json.dumps(arguments).encode(), headers)
        with urlopen(request, timeout=2 * TIMEOUT) as reply:
            return json.load(reply)


@pytest.fixture
def home():
    """A home that the server's own user can reach, with its server running all the time."""
    folder = Path(tempfile.mkdtemp(prefix="docs-", dir="/tmp"))
    folder.chmod(0o711)
    server = EmbeddedServer(folder / "home")
    asyncio.run(server.start())
    yield folder / "home"
    asyncio.run(server.stop())
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def slack():
    running = Slack()
    yield running
    running.process.terminate()
    running.process.wait()


@pytest.fixture
def shell(home, tmp_path):
    """A folder as a reader of any page may have it: two documents and nothing else."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "start.md").write_text("# Start\n\nThe office opens at nine.\n")
    (tmp_path / "wages.jsonl").write_text('{"_id": "1", "text": "Wages are paid in March."}\n')
    return Shell(tmp_path, home)


@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGES
        # The plugin's own tests run that page: it is not in this environment.
        if page.name != "langchain.md" and any(map(commands, blocks(page, "console", "sh")))
    ],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_command_of_the_page_works(page, shell, request):
    slack = None
    if page.name == "slack.md":
        slack = request.getfixturevalue("slack")
        shell.environ |= slack.variables
    ran = 0
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["file"]:
            shell.write(block)
        elif block["language"] in ("console", "sh"):
            for command, shown in commands(block):
                if made := re.match(r"pip install --editable \./(\w+)", command):
                    shell.install(shell.folder / made[1])
                if slack is not None and command == "bot serve":
                    shell.serve(command, slack)
                elif not elsewhere(command) and not command.startswith("make "):
                    shell.run(command, shown)
                    ran += 1
    assert ran or page.name == "CONTRIBUTING.md"  # which has make targets alone


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_exists(page):
    targets = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:^\$ |`)make ([\w-]+)", text, re.MULTILINE)
    assert set(named) <= set(targets)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_is_code_that_the_commands_run(page):
    if page.name != "hooks.md":  # signatures, which have a test of their own
        assert [b["text"] for b in blocks(page, "python") if not b["file"]] == []


TOML = [
    (page, number, block["text"])
    for page in [*PAGES, *READMES]
    if page.name != "configuration.md"  # whose examples have a test of their own
    for number, block in enumerate(blocks(page, "toml"))
    if not block["file"]
]


@pytest.mark.parametrize(
    ("page", "text"),
    [(page, text) for page, _, text in TOML],
    ids=[f"{page.relative_to(ROOT)}-{number}" for page, number, _ in TOML],
)
def test_every_configuration_can_be_used(page, text, tmp_path):
    if "[project" in text:  # a plugin's pyproject.toml
        assert tomllib.loads(text)
        return
    path = tmp_path / "bot.toml"
    path.write_text(text, encoding="utf-8")
    named = dict.fromkeys(re.findall(r'env = "(\w+)"', text), "secret")
    found = configuration.read(path, {**named, "DATABASE_URL": "postgresql://bot@db/bot"})
    plugins = installed(found, {})
    names = [one.name for one in plugins.loaded if not one.error]
    models = {"transformers", "lora", "rerank", "langchain", "langchain-rerank"}
    # Those are checked by `make test-models`.
    left_out = models - set(plugins.types("generator"))
    configuration.check(found, plugins.component, plugins.types, names, left_out)
    assert found.warnings == []


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if not target.startswith(("https://", "http://", "mailto:")):
            name, _, anchor = target.partition("#")
            path = (page.parent / name).resolve() if name else page
            assert path.exists(), target
            assert not anchor or anchor in anchors(path), target


def test_every_decision_is_in_the_index():
    index = ROOT / "docs" / "decisions" / "README.md"
    listed = re.findall(r"^\| \[.+?\]\((\S+?)\) \|", index.read_text(encoding="utf-8"), re.M)
    assert sorted(["README.md", *listed]) == sorted(p.name for p in index.parent.glob("*.md"))


@pytest.mark.parametrize("folder", ["users", "operators", "plugin-authors"])
def test_every_page_is_linked_from_its_index(folder):
    index = ROOT / "docs" / folder / "index.md"
    linked = re.findall(r"\]\(([\w-]+\.md)", index.read_text(encoding="utf-8"))
    pages = {page.name for page in index.parent.glob("*.md")}
    assert pages - {"index.md", *linked} == set()


def anchors(path):
    """The names that a forge gives to headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings]
