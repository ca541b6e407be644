"""Carrying the data of an older PostgreSQL over to the newest one, by a backup and a restore."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bot import schema
from bot.backup import backup, inspect, restore
from bot.database import Database
from bot.embedded import locks
from bot.embedded.binaries import NEWEST
from bot.embedded.cluster import Cluster
from bot.embedded.server import EmbeddedServer, absolute
from bot.embedded.trouble import explained
from bot.errors import EmbeddedServerError


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The two major versions, and the folder in which the old data is kept."""

    old: int
    new: int
    kept: Path


async def upgrade(home: Path, told: Callable[[str], None] = lambda text: None) -> Upgraded | None:
    """Upgrade the embedded server's data; None when it is the newest, or there is none yet.

    Whenever it is killed, the old data is there and in use, or the new data is whole.

    Raises:
        EmbeddedServerError: a process uses the server, or it does not start.
        BackupError: the data cannot be dumped or restored.
    """
    cluster = Cluster(absolute(home))
    if not cluster.folder.is_dir():
        return None
    with explained(home):
        async with AsyncExitStack() as held:
            lock = locks.exclusive(cluster.control)
            control = await asyncio.to_thread(lock.__enter__)
            held.callback(lock.__exit__, None, None, None)
            if (cluster.major() or 0) >= NEWEST:
                return None
            if not locks.unused(cluster.clients):
                raise EmbeddedServerError(
                    "The embedded PostgreSQL is in use; stop the bot's processes and try again."
                )
            cluster.recover()
            old = cluster.major()
            if old is None:
                return None
            return await _carried_over(cluster, control, old, told)


async def _carried_over(
    cluster: Cluster, control: int, old: int, told: Callable[[str], None]
) -> Upgraded:
    work = cluster.folder / "upgrade"
    if work.exists():  # an upgrade was killed
        unfinished = Cluster(work)
        if unfinished.major() is not None:  # its server may still run
            await asyncio.to_thread(unfinished.down)
        await asyncio.to_thread(shutil.rmtree, work)
    work.mkdir(mode=0o700)
    try:
        dump = cluster.folder / "upgrade.dump"
        await asyncio.to_thread(cluster.up, control)
        try:
            await _dumped(cluster, dump, told)
        finally:
            await asyncio.to_thread(cluster.down)
        fresh = EmbeddedServer(work)
        database = Database(server=fresh)
        try:
            await database.open()
            archive, folders = await inspect(dump), [schema.core_migrations()]
            await restore(database, archive, folders, told=lambda table: told(f"load {table}"))
        finally:
            await database.close()
        kept = await asyncio.to_thread(cluster.swap, Cluster(work))
        dump.unlink()
    finally:
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
    return Upgraded(old, NEWEST, kept)


async def _dumped(cluster: Cluster, dump: Path, told: Callable[[str], None]) -> None:
    database = Database(cluster.conninfo())
    try:
        await database.open()
        await backup(database, dump, lambda size: told(f"dump {size / 1e6:.1f} MB"))
    finally:
        await database.close()
