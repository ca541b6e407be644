"""The registry of adapters in the database. Imports no torch.

Files lie in the database beside what is known of them, so that every worker can read them, a backup
has them, and dropping a version drops all of it. Each machine keeps a copy in its home, checked by
its hash.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from bot.database import Database, load_queries
from bot.errors import GenerationError, NotFound, UsageError
from bot.turn import EVERYONE, Principal
from bot_transformers import weights

QUERIES = load_queries(Path(__file__).parent / "queries" / "adapters.sql")

FILES = ("adapter_config.json", "adapter_model.safetensors")
_PIECE = 8 << 20  # bytes; PostgreSQL holds a value in memory several times


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """One version of an adapter, as the registry knows it."""

    id: int
    name: str
    version: int
    kind: str
    base: str
    base_sha256: str
    sha256: str
    bytes: int
    readers: list[Principal]
    note: str
    data_sha256: str
    metrics: dict[str, Any]
    live: bool
    created_at: datetime
    promoted_at: datetime | None


async def add(
    database: Database,
    name: str,
    folder: Path,
    base: str,
    *,
    readers: Iterable[Principal] = (EVERYONE,),
    note: str = "",
    data_sha256: str = "",
    metrics: Mapping[str, Any] | None = None,
) -> int:
    """Register a folder in PEFT's format; return its version. The first one of a name is live.

    Args:
        base: the folder or the name of the model that it was trained over.
        readers: who may read what it was trained on; nobody else is answered with it.
        data_sha256: of what it was trained on.
        metrics: what was measured of it.

    Raises:
        GenerationError: it cannot be served, or was made for another base.
    """
    from bot_transformers.checking import check_fits, described

    kind = str(described(folder)["peft_type"])
    home = weights.locate(base)
    check_fits(folder, home)
    told = {
        "name": name,
        "kind": kind,
        "base": home.name if Path(base).is_absolute() else base,
        "base_sha256": weights.identity(home),
        "sha256": digest(folder),
        "bytes": sum((folder / file).stat().st_size for file in FILES),
        "readers": sorted(readers),
        "note": note,
        "data_sha256": data_sha256,
        "metrics": Jsonb(dict(metrics or {})),
    }
    async with database.transaction() as connection:
        await connection.execute(QUERIES["lock"], told)
        row = await (await connection.execute(QUERIES["add"], told)).fetchone()
        assert row is not None
        for file in FILES:
            with (folder / file).open("rb") as opened:
                for ordinal, data in enumerate(iter(lambda: opened.read(_PIECE), b"")):
                    piece = {"id": row[0], "file": file, "ordinal": ordinal, "data": data}
                    await connection.execute(QUERIES["add_piece"], piece)
    return int(row[1])


async def listed(database: Database) -> list[Registered]:
    """List all versions of all adapters."""
    async with database.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Registered))
        return await (await cursor.execute(QUERIES["list"])).fetchall()


async def live(database: Database, name: str) -> Registered:
    """Find the version of an adapter that answers.

    Raises:
        NotFound: there is none by that name.
    """
    async with database.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Registered))
        found = await (await cursor.execute(QUERIES["live"], {"name": name})).fetchone()
    if found is None:
        raise NotFound(f"There is no adapter {name!r}; `bot adapters list` shows them.")
    return found


async def promote(database: Database, name: str, version: int) -> None:
    """Let one version answer from the next turn on, in every process.

    Raises:
        NotFound: there is no such version.
    """
    wanted = {"name": name, "version": version}
    async with database.transaction() as connection:
        await connection.execute(QUERIES["lock"], wanted)
        await connection.execute(QUERIES["retire"], wanted)
        if await (await connection.execute(QUERIES["promote"], wanted)).fetchone() is None:
            raise _missing(name, version)


async def rollback(database: Database, name: str) -> int:
    """Go back to the version that was live before; return it.

    Raises:
        UsageError: there was none.
    """
    await live(database, name)
    async with database.connection() as connection:
        row = await (await connection.execute(QUERIES["before"], {"name": name})).fetchone()
    if row is None:
        raise UsageError(f"The adapter {name!r} had no live version before; promote one by number.")
    await promote(database, name, row[0])
    return int(row[0])


async def drop(database: Database, name: str, version: int) -> None:
    """Delete a version with its files.

    Raises:
        NotFound: there is no such version.
        UsageError: it is live, and another could be.
    """
    wanted = {"name": name, "version": version}
    async with database.transaction() as connection:
        if await (await connection.execute(QUERIES["exists"], wanted)).fetchone() is None:
            raise _missing(name, version)
        if await (await connection.execute(QUERIES["drop"], wanted)).fetchone() is None:
            raise UsageError(f"{name} {version} is live; promote another version before.")


async def fetched(database: Database, one: Registered, cache: Path) -> Path:
    """Bring a version's files into a folder of this machine, unless they are there.

    Raises:
        GenerationError: what the database holds is not what was registered.
    """
    folder = cache / one.sha256
    if await asyncio.to_thread(digest, folder) == one.sha256:
        return folder
    building = await asyncio.to_thread(_folder_in, cache)
    try:
        async with database.connection() as connection:
            cursor = await connection.execute(QUERIES["pieces"], {"id": one.id}, binary=True)
            async for file, data in cursor:
                await asyncio.to_thread(_append, building / Path(file).name, data)
        if await asyncio.to_thread(digest, building) != one.sha256:
            raise GenerationError(
                f"The files of the adapter {one.name} {one.version} are damaged; add it again."
            )
        await asyncio.to_thread(_moved, building, folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, building, ignore_errors=True)
    return folder


def _folder_in(cache: Path) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=cache, prefix="."))


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as opened:
        opened.write(data)


def _moved(building: Path, folder: Path) -> None:
    """Put the finished copy into place; another process may have been faster."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        os.replace(building, folder)


def digest(folder: Path) -> str:
    """Hash an adapter's files; a missing one counts as empty."""
    total = hashlib.sha256()
    for file in FILES:
        path = folder / file
        own = hashlib.sha256()
        if path.is_file():
            with path.open("rb") as opened:
                own = hashlib.file_digest(opened, "sha256")
        total.update(f"{file} {own.hexdigest()}\n".encode())
    return total.hexdigest()


def as_json(one: Registered) -> Mapping[str, object]:
    """A registry's row for `--json` and for tables."""
    return {
        "name": one.name,
        "version": one.version,
        "live": one.live,
        "kind": one.kind,
        "base": one.base,
        "MiB": round(one.bytes / (1 << 20), 1),
        "readers": one.readers,
        "created": one.created_at,
        "sha256": one.sha256,
        "note": one.note,
        "base_sha256": one.base_sha256,
        "data_sha256": one.data_sha256,
        "metrics": one.metrics,
    }


def _missing(name: str, version: int) -> NotFound:
    return NotFound(f"There is no adapter {name} {version}; `bot adapters list` shows them.")
