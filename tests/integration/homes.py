"""Homes with an embedded PostgreSQL, seen from outside."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.embedded import EmbeddedServer
from bot.embedded.account import Account


@contextmanager
def scratch() -> Iterator[Path]:
    """Lend an empty home; a server that is left in it is killed at the end."""
    # Not pytest's own folder: as root, the server's user could not enter it.
    folder = Path(tempfile.mkdtemp(prefix="bot-", dir="/tmp"))
    yield folder
    for file in folder.glob("postgresql/**/postmaster.pid"):
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(file.read_text().split("\n")[0]), signal.SIGKILL)
    shutil.rmtree(folder)


def postmaster(home: Path) -> int:
    """The id of the server's first process."""
    return int((home / "postgresql/data/postmaster.pid").read_text().split("\n")[0])


async def emptied(home: Path) -> tuple[Path, Account]:
    """Make a home whose data folder is empty; return that folder and whose it is."""
    server = EmbeddedServer(home)
    await server.start()
    await server.stop()
    data = home / "postgresql/data"
    owner = data.stat()
    shutil.rmtree(data)
    data.mkdir(mode=0o700)
    os.chown(data, owner.st_uid, owner.st_gid)
    return data, Account("irrelevant", owner.st_uid, owner.st_gid)
