"""What a new user runs into: each gets a clear message, nothing is lost and nothing doubled."""

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bot.embedded import EmbeddedServer

BOOKS = 300
SHED = "Bicycles are kept in the shed."
WHERE = "Where are bicycles kept?"

PDF_WITHOUT_TEXT = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj
trailer<</Root 1 0 R/Size 4>>
"""


@pytest.fixture
def folder(world):
    """A world whose source `one` is the folder docs, with one good document."""
    world.write("docs/good.md", f"# Shed\n\n{SHED}\n")
    world.bot("source", "add", "one", "docs")
    return world


def indexed(world):
    """The documents and the chunks that the index holds, each as often as it stands there."""
    ((version,),) = world.rows("select id from index_version where state = 'live'")
    chunks = world.rows(
        f"select d.key, c.ordinal from pgvector_{version}.chunk c join document d"
        " on d.id = c.document_id order by 1, 2"
    )
    assert len(set(chunks)) == len(chunks), "something is indexed twice"
    return sorted({key for key, _ in chunks})


def plain(done, *said):
    """One sentence for people: what was said, and no traceback."""
    told = done.stdout + done.stderr
    assert "Traceback" not in told
    for each in said:
        assert each in told
    return done


def test_an_empty_folder(world, words):
    plain(world.bot("ask", WHERE, env=words), "no source yet", "bot source add")
    (world.folder / "docs").mkdir()
    world.bot("source", "add", "one", "docs")
    plain(world.bot("reindex"), "0 new", "nothing was found", "[sources.one]", "`include`")
    plain(world.bot("ask", WHERE, env=words, code=None), "found nothing")


BROKEN = {
    "binary.md": (bytes(range(256)) * 64, "binary file"),
    "picture.md": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary file"),
    "latin.md": ("Die Räder".encode("latin-1"), "not UTF-8 text (byte 5)"),
    "cut.txt": ("Räder".encode()[:2], "not UTF-8 text"),
    "scan.pdf": (PDF_WITHOUT_TEXT, "no text"),
    "torn.pdf": (b"%PDF-1.7\nnothing more", "no PDF"),
    "torn.docx": (b"PK\x03\x04 no archive", "no Word document"),
    "void.md": (b"", "is empty"),
}


def test_files_that_cannot_be_read_are_told_once_and_the_rest_is_indexed(folder, words):
    for name, (content, _) in BROKEN.items():
        (folder.folder / "docs" / name).write_bytes(content)
    with open(folder.folder / "docs/huge.md", "wb") as file:
        file.truncate(200 << 20)
    done = plain(folder.bot("reindex"), "1 new", "9 not readable")
    told = [line for line in done.stderr.splitlines() if "not indexed" in line]
    assert len(told) == 9
    for name, (_, reason) in BROKEN.items():
        ((line),) = [line for line in told if name in line]
        assert reason in line
    ((line),) = [line for line in told if "huge.md" in line]
    assert "more than 50,000,000 bytes; raise `max_bytes`" in line
    again = plain(folder.bot("reindex"), "1 unchanged")
    assert "not indexed" not in again.stderr
    assert indexed(folder) == ["good.md"]
    assert SHED in folder.bot("ask", WHERE, env=words).stdout


def without_roots_rights():
    """Files that their modes forbid are forbidden, for root too."""
    if os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.fixture
def open_server(server):
    """The server's socket, open to a root that has no more rights than its owner's mode gives."""
    socket = Path(conninfo_to_dict(server)["host"])
    paths = [socket / ".s.PGSQL.5432", socket, *socket.parents[:2]]
    modes = [path.stat().st_mode for path in paths]
    for path in paths:
        path.chmod(0o777)
    yield
    for path, mode in zip(paths, modes, strict=True):
        path.chmod(mode)


def forbidden(world, *arguments):
    process = world.start(*arguments, preexec_fn=without_roots_rights)
    out, err = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, out.decode(), err.decode())


def test_no_right_to_read_a_file_or_a_folder(folder, open_server):
    folder.write("docs/secret.md", "The code is 4711.")
    folder.write("docs/rooms/cellar.md", "The cellar is wet.")
    folder.bot("reindex")
    before = indexed(folder)
    (folder.folder / "docs/secret.md").chmod(0)
    os.utime(folder.folder / "docs/secret.md")
    done = plain(forbidden(folder, "reindex"), "not indexed: secret.md", "permission denied")
    assert done.returncode == 0
    assert indexed(folder) == before
    (folder.folder / "docs/rooms").chmod(0)
    done = plain(forbidden(folder, "reindex"), "rooms", "nothing was deleted", "permission denied")
    assert done.returncode == 1
    assert indexed(folder) == before
    (folder.folder / "docs").chmod(0)
    try:
        done = plain(forbidden(folder, "reindex"), "docs", "permission denied")
        assert done.returncode == 1
        assert indexed(folder) == before
    finally:
        for path in ("docs", "docs/rooms", "docs/secret.md"):
            (folder.folder / path).chmod(0o700)
    assert "3 unchanged" in folder.bot("reindex").stdout


def test_no_right_to_the_configuration(folder):
    (folder.folder / "more").mkdir()
    before = (folder.folder / "bot.toml").read_text()
    folder.folder.chmod(0o500)
    try:
        done = plain(forbidden(folder, "source", "add", "two", "more"), "cannot be written")
        assert done.returncode == 2
        assert "make it and its folder writable" in done.stderr
        (folder.folder / "bot.toml").chmod(0)
        done = plain(forbidden(folder, "source", "list"), "bot.toml cannot be read")
        assert done.returncode == 2
        assert "make it readable" in done.stderr
    finally:
        folder.folder.chmod(0o755)
        (folder.folder / "bot.toml").chmod(0o644)
    assert (folder.folder / "bot.toml").read_text() == before
    assert sorted(path.name for path in folder.folder.iterdir()) == ["bot.toml", "docs", "more"]


@pytest.fixture
def small_disk(short_folder):
    """Mount disks of so many megabytes."""
    mounted = []

    def mount(megabytes):
        folder = short_folder()
        options = f"size={megabytes}m,mode=755"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], stderr=subprocess.PIPE
        )
        if done.returncode:
            pytest.skip(f"this account may not mount a disk: {done.stderr.decode()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_no_disk_for_a_first_start(small_disk, tmp_path, new_world):
    home = small_disk(8) / "home"
    world = new_world(tmp_path)
    world.write("docs/good.md", SHED)
    env = {"BOT_DATABASE_URL": "", "BOT_HOME": str(home)}
    world.bot("source", "add", "one", "docs", env=env)
    done = plain(world.bot("reindex", env=env, code=1), str(home), "is full", "--home")
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_disk_fills_while_indexing_and_is_emptied_again(small_disk, tmp_path, new_world, words):
    disk = small_disk(200)
    world = new_world(tmp_path)
    env = {"BOT_DATABASE_URL": "", "BOT_HOME": str(disk / "home")}
    world.jsonl("a.jsonl", {"_id": "shed", "text": SHED})
    world.bot("source", "add", "one", "a.jsonl", env=env)
    world.bot("reindex", env=env)
    texts = {f"b{n}": f"Book {n} stands on shelf {n * 7}. " * 4 for n in range(BOOKS)}
    world.jsonl("b.jsonl", *({"_id": key, "text": text} for key, text in texts.items()))
    world.bot("source", "add", "two", "b.jsonl", env=env)
    free = shutil.disk_usage(disk).free
    (disk / "filler").write_bytes(bytes(free - (64 << 10)))
    done = plain(world.bot("reindex", env=env, code=1), "full")
    assert len(done.stderr.strip().splitlines()) == 1
    (disk / "filler").unlink()
    (first, second) = world.json("reindex", "--json", env=env)["sources"]
    assert (first["unchanged"], first["added"]) == (1, 0)
    assert second["added"] + second["unchanged"] == BOOKS
    assert second["added"] > 0
    (again,) = world.json("reindex", "--json", "--source", "two", env=env)["sources"]
    assert (again["unchanged"], again["embedded"]) == (BOOKS, 0)
    assert SHED in world.bot("ask", WHERE, env={**env, **words}).stdout


@pytest.fixture(scope="session")
def guarded(short_folder):
    """A server that asks `ann` for a password."""
    home = short_folder() / "home"
    server = EmbeddedServer(home)
    conninfo = asyncio.run(server.start())
    with psycopg.connect(conninfo, user="postgres", autocommit=True) as connection:
        connection.execute("create role ann login password 'right' superuser")
        ((rules,),) = connection.execute("show hba_file").fetchall()
        with open(rules) as file:
            old = file.read()
        with open(rules, "w") as file:
            file.write("local all ann scram-sha-256\n" + old)
        connection.execute("select pg_reload_conf()")
    yield conninfo_to_dict(conninfo)
    asyncio.run(server.stop())


def test_a_wrong_password(guarded, folder):
    def url(password):
        parts = {key: value for key, value in guarded.items() if value is not None}
        return "postgresql://?" + urlencode({**parts, "user": "ann", "password": password})

    for typed in (["reindex"], ["ask", WHERE], ["db", "status"]):
        done = folder.bot(*typed, env={"BOT_DATABASE_URL": url("wrongone")}, code=1)
        plain(done, "password", "database_url")
        assert "wrongone" not in done.stdout + done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    folder.bot("db", "upgrade", env={"BOT_DATABASE_URL": url("right")})


def test_no_postgresql_where_database_url_points(folder, short_folder):
    nowhere = f"postgresql://ann@/none?{urlencode({'host': short_folder()})}"
    for url in ("postgresql://ann@127.0.0.1:1/none", nowhere):
        done = folder.bot("reindex", env={"BOT_DATABASE_URL": url}, code=1)
        plain(done, "cannot be reached", "database_url")


EMBEDDER = """
import os, time
import numpy as np
from bot import Component, hookimpl
from pydantic import BaseModel

class Settings(BaseModel):
    pass

class Toy:
    @hookimpl
    def bot_embedder_identity(self):
        return {"name": "toy", "sha256": "SHA", "dimensions": 4, "max_tokens": 100}

    @hookimpl
    def bot_token_spans(self, texts):
        return [[(i, i + 1) for i in range(len(text))] for text in texts]

    calls = 0

    @hookimpl
    def bot_embed(self, texts, purpose):
        self.calls += 1
        if self.calls > int(os.environ.get("TOY_CALLS", 1_000_000)):
            time.sleep(600)
        return np.eye(4, dtype=np.float32)[[len(text) % 4 for text in texts]]

@hookimpl
def bot_components():
    return [Component(kind="embedder", type="toy", settings=Settings, make=lambda *_: Toy())]
"""


def test_an_index_that_another_embedder_built(folder, new_site, words):
    old = new_site()("toy", EMBEDDER.replace("SHA", "old")).environ
    new = new_site()("toy", EMBEDDER.replace("SHA", "new")).environ
    chosen = {"BOT_INDEX__EMBEDDER": "toy"}
    folder.bot("reindex", env={**old, **chosen})
    folder.write("docs/more.md", "The canteen serves soup.")
    done = folder.bot("reindex", env={**new, **chosen}, code=1)
    plain(done, "another embedder", "[index]")
    assert indexed(folder) == ["good.md"]
    gone = folder.bot("reindex", code=1)
    plain(gone, "'toy'", "not installed", "bot plugins list")
    assert indexed(folder) == ["good.md"]
    folder.bot("reindex", env={**old, **chosen})
    assert indexed(folder) == ["good.md", "more.md"]
    assert SHED in folder.bot("ask", WHERE, env={**old, **words}).stdout


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL], ids=lambda by: by.name)
def test_stopped_in_the_middle_twice(world, new_site, by):
    count = 900
    toy = {**new_site()("toy", EMBEDDER).environ, "BOT_INDEX__EMBEDDER": "toy"}
    world.jsonl(
        "books.jsonl",
        *({"_id": f"b{n:03}", "text": f"Book {n} stands on shelf {n * 7}. " * 4}
          for n in range(count)),
    )  # fmt: skip
    world.bot("source", "add", "books", "books.jsonl")
    kept = 0
    for _ in range(2):
        process = world.start("reindex", env={**toy, "TOY_CALLS": "1"})  # stuck in the second
        world.wait(f"select count(*) > {kept} from document", process)
        code, out, err = world.stop(process, by)
        assert "Traceback" not in out + err
        assert code == (130 if by == signal.SIGINT else -signal.SIGKILL)
        ((now,),) = world.rows("select count(*) from document")
        assert kept < now < count
        assert len(indexed(world)) == now
        kept = now
    (told,) = world.json("reindex", "--json", env=toy)["sources"]
    assert (told["unchanged"], told["added"]) == (kept, count - kept)
    assert indexed(world) == sorted(f"b{n:03}" for n in range(count))
