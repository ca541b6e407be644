"""The schema's version: checked with one query, upgraded with yoyo."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from bot.database import Connection, Database, translated
from bot.errors import SchemaError

_LOCK = 0x626F74  # pg_advisory_lock key: one upgrade at a time ("bot")


SERVER = """
select current_setting('server_version'),
    (select extversion from pg_extension where extname = 'vector'),
    pg_size_pretty(pg_database_size(current_database()))
"""


def core_migrations() -> Path:
    """The folder of the core's migrations: in the package, or beside it in a checkout."""
    package = Path(__file__).parent
    packaged = package / "migrations"
    return packaged if packaged.is_dir() else package.parent / "migrations"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema's history.

    Attributes:
        id: begins with the distribution's name and a dot.
        state: `applied`; `missing` in the database; `unknown` to this code, which is older;
            `foreign` when it is applied and its plugin is not here.
    """

    id: str
    state: Literal["applied", "missing", "unknown", "foreign"]

    @property
    def distribution(self) -> str:
        """Whose it is."""
        return _distribution(self.id)


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Which migrations are missing, and which the database has that this code does not know."""

    missing: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def current(self) -> bool:
        return not self.missing and not self.unknown


def compared(applied: Collection[str], folders: Iterable[Path]) -> list[Migration]:
    """List the migrations of the given folders, in order, then what else has been applied."""
    known = [migration for folder in folders for migration in _ids(folder)]
    ours = {_distribution(migration) for migration in known}
    return [Migration(m, "applied" if m in applied else "missing") for m in known] + [
        Migration(m, "unknown" if _distribution(m) in ours else "foreign")
        for m in sorted(set(applied) - set(known))
    ]


async def history(connection: Connection, folders: Iterable[Path]) -> list[Migration]:
    """Compare the database's migrations with those of the given folders."""
    try:
        cursor = await connection.execute("select migration_id from _yoyo_migration")
    except errors.UndefinedTable:
        return compared((), folders)
    return compared([row[0] for row in await cursor.fetchall()], folders)


async def state(connection: Connection, folders: Iterable[Path]) -> SchemaState:
    """Compare the database's migrations with those of the given folders.

    Migrations of plugins that are not here (another distribution's prefix) are left alone.
    """
    found = await history(connection, folders)
    return SchemaState(
        missing=tuple(one.id for one in found if one.state == "missing"),
        unknown=tuple(one.id for one in found if one.state == "unknown"),
    )


async def ensure(database: Database, folders: Iterable[Path]) -> None:
    """Bring the schema up to date; one query when it is.

    Raises:
        SchemaError: the database is newer than this code, or a migration failed.
    """
    folders = list(folders)
    async with database.connection() as connection:
        found = await state(connection, folders)
    if found.unknown:
        raise SchemaError(
            f"The database was made by a newer version ({found.unknown[-1]} is not known here); "
            "upgrade domainbot and its plugins, or use another database."
        )
    if found.missing:
        await asyncio.to_thread(_upgrade, database.conninfo, folders)


async def ensure_each(database: Database, folders: Iterable[Path]) -> Mapping[Path, SchemaError]:
    """Bring the core's schema up to date, then each plugin's; one query when all are.

    Returns:
        By folder, why a plugin's schema is not up to date. Nothing of its failed migration is
        kept, and the bot works without the plugin.

    Raises:
        SchemaError: the core's own schema is not up to date.
    """
    folders, core = list(folders), core_migrations()
    async with database.connection() as connection:
        if (await state(connection, [core, *folders])).current:
            return {}
    await ensure(database, [core])
    failures: dict[Path, SchemaError] = {}
    for folder in folders:
        try:
            await ensure(database, [core, folder])
        except SchemaError as error:
            failures[folder] = error
    return failures


def _upgrade(conninfo: str, folders: list[Path]) -> None:
    from yoyo import get_backend, read_migrations

    with translated(), psycopg.connect(conninfo, autocommit=True) as lock:
        # yoyo's own lock is a row that a kill -9 leaves behind; this one dies with us.
        lock.execute("select pg_advisory_lock(%s)", (_LOCK,))
        backend = get_backend(_yoyo_uri(conninfo))
        try:
            migrations = read_migrations(*map(str, folders))
            for migration in backend.to_apply(migrations):
                try:
                    backend.apply_one(migration)
                except psycopg.Error as error:
                    said = (error.diag.message_primary or str(error)).strip().rstrip(".")
                    if isinstance(error, errors.InsufficientPrivilege):
                        said += (
                            "; let an administrator run it once (`create extension vector`), or "
                            "grant the right"
                        )
                    raise SchemaError(
                        f"The migration {migration.id} failed: {said}. Nothing of it was kept."
                    ) from error
        finally:
            backend.connection.close()


def _ids(folder: Path) -> list[str]:
    return sorted(
        path.stem
        for path in folder.iterdir()
        if path.suffix in (".sql", ".py") and not path.name.endswith(".rollback.sql")
    )


def _distribution(migration: str) -> str:
    return migration.partition(".")[0]


def _yoyo_uri(conninfo: str) -> str:
    """Write libpq's settings as the URL that yoyo reads."""
    parts: dict[str, Any] = {k: v for k, v in conninfo_to_dict(conninfo).items() if v is not None}
    database = quote(str(parts.pop("dbname", "")), safe="")
    return f"postgresql+psycopg:///{database}?{urlencode(parts)}"
