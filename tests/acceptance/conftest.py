"""The real `bot` command in subprocesses, each world with a folder and a database of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

BOT = Path(sys.executable).with_name("bot")
PATIENCE = 120  # seconds until a command counts as hanging
_numbers = count(1)


class World:
    """One folder, one database, and the command line in it."""

    def __init__(self, folder, environ, conninfo=""):
        self.folder = folder
        self.conninfo = conninfo
        outside = {k: v for k, v in os.environ.items() if not k.startswith("BOT_")}
        for name in ("PYTHONPATH", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            outside.pop(name, None)
        self.environ = {**outside, **environ}

    def start(self, *arguments, env=(), stdin=subprocess.DEVNULL, **options):
        """Start `bot ARGUMENTS` and leave it running."""
        environ = {**self.environ, **dict(env)}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(
            [BOT, *arguments], cwd=self.folder, env=environ, stdin=stdin, **options
        )

    def bot(self, *arguments, stdin="", env=(), code=0):
        """Run `bot ARGUMENTS` to its end, which must be this exit code (None: any)."""
        process = self.start(*arguments, env=env, stdin=subprocess.PIPE)
        try:
            out, err = process.communicate(os.fsencode(stdin), timeout=PATIENCE)
        finally:
            process.kill()
        done = subprocess.CompletedProcess(
            arguments, process.returncode, out.decode(), err.decode()
        )
        assert code is None or done.returncode == code, done
        return done

    def each(self, *commands, **options):
        """Run several commands, two at a time; their results in order."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda command: self.bot(*command, **options), commands))

    def json(self, *arguments, **options):
        """Run a command whose output is one JSON value."""
        return json.loads(self.bot(*arguments, **options).stdout)

    def lines(self, *arguments, **options):
        """Run a command that prints one JSON value a line."""
        out = self.bot(*arguments, **options).stdout
        return [json.loads(line) for line in out.splitlines()]

    def write(self, path, text):
        """Write a file below the folder."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def jsonl(self, path, *documents):
        """Write a JSONL file below the folder."""
        return self.write(path, "".join(json.dumps(one) + "\n" for one in documents))

    def rows(self, query, *arguments):
        """Ask the database itself."""
        with psycopg.connect(self.conninfo) as connection:
            return connection.execute(query, arguments).fetchall()

    def wait(self, query, process):
        """Wait until a query gives something true, while a process runs."""
        deadline = time.monotonic() + PATIENCE
        while not self.rows(query)[0][0]:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, query
            time.sleep(0.01)

    def stop(self, process, by=signal.SIGINT):
        """Send a signal; return the exit code, the output and the errors."""
        process.send_signal(by)
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        return process.returncode, out.decode(), err.decode()


@pytest.fixture(scope="session")
def short_folder():
    """Make folders with short paths (sockets have a limit) that the server's user can enter."""
    made = []

    def make():
        folder = Path(tempfile.mkdtemp(prefix="bot-", dir="/tmp"))
        folder.chmod(0o755)
        made.append(folder)
        return folder

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_world(server, short_folder):
    """Make worlds with an empty database each, on the session's server."""
    home = short_folder() / "home"  # only caches: the database is elsewhere

    def make(folder, like="template1"):
        name = f"bot_world_{next(_numbers)}"
        create = sql.SQL("create database {} template {}")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(like)))
        parts = conninfo_to_dict(server) | {"dbname": name}
        parts = {key: value for key, value in parts.items() if value is not None}
        url = "postgresql://?" + urlencode(parts)
        environ = {"BOT_DATABASE_URL": url, "BOT_HOME": str(home)}
        return World(folder, environ, make_conninfo(server, dbname=name))

    return make


@pytest.fixture(scope="session")
def with_schema(new_world, tmp_path_factory):
    """The name of a database that a command has brought up to date."""
    made = new_world(tmp_path_factory.mktemp("schema"))
    made.bot("source", "list")
    return conninfo_to_dict(made.conninfo)["dbname"]


@pytest.fixture
def world(new_world, tmp_path, with_schema):
    """An empty folder and a database without a document."""
    return new_world(tmp_path, with_schema)


CONFIG = """
[sources.office]
type = "folder"
path = "docs"

[sources.facts]
type = "jsonl"
path = "facts.jsonl"

[sources.wages]
type = "jsonl"
path = "wages.jsonl"
readers = ["group:hr"]

[groups]
hr = ["alice@example.com"]
"""


@pytest.fixture(scope="session")
def handbook(new_world, with_schema, tmp_path_factory):
    """A small company's documents, indexed. Tests that use it change nothing."""
    made = new_world(tmp_path_factory.mktemp("handbook"), with_schema)
    made.write("bot.toml", CONFIG)
    made.write(
        "docs/office.md",
        "# The printer\n\nThe printer stands on the second floor. Its PIN code is 4711.\n",
    )
    made.write(
        "docs/holidays.md",
        "# Holidays\n\nEvery employee has 30 days of holiday a year.\n"
        "Unused holidays expire at the end of March.\n",
    )
    made.write("docs/passwords.md", "# Passwords\n\nPasswords expire after 90 days.\n")
    made.jsonl(
        "facts.jsonl",
        {"_id": "canteen-7", "title": "Canteen", "text": "The canteen serves soup at noon.",
         "url": "https://example.com/canteen", "floor": "1"},
        {"_id": "zh-1", "title": "打印机", "text": "打印机在二楼。密码是4711。"},
        {"_id": "board-1", "title": "Board", "text": "The board meets on the yacht Aurora.",
         "readers": ["boss@example.com"]},
    )  # fmt: skip
    made.jsonl(
        "wages.jsonl",
        {"_id": "wage-1", "title": "Wages", "text": "The wage of a gardener is 3141 euros."},
    )
    made.bot("reindex")
    return made


@pytest.fixture(scope="session")
def words():
    """Search by words alone, which loads no embedder: for tests that are about something else."""
    return {
        "BOT_RETRIEVERS__DOCUMENTS__TYPE": "pgvector",
        "BOT_RETRIEVERS__DOCUMENTS__MODE": "lexical",
    }


@pytest.fixture(scope="session")
def new_site(tmp_path_factory):
    """Make folders to install third-party plugins in."""
    return lambda: Site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def site(new_site):
    """Install third-party plugins for one test: `site(NAME, CODE)`; then use `site.environ`."""
    return new_site()


class Site:
    """A folder of installed distributions, put on the path by an environment."""

    def __init__(self, folder):
        self.folder = folder
        self.environ = {"PYTHONPATH": str(folder)}

    def __call__(self, name, code):
        (self.folder / f"{name}.py").write_text(code, encoding="utf-8")
        about = self.folder / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[bot]\n{name} = {name}\n")
        return self


@pytest.fixture(scope="session")
def embedded_home(short_folder):
    """A home whose server is started and stopped by the commands themselves."""
    return short_folder() / "home"


@pytest.fixture
def newcomer(embedded_home, tmp_path):
    """An empty folder, nothing set but the home."""
    return World(tmp_path, {"BOT_HOME": str(embedded_home)})
