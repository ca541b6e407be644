"""The database: a pool of connections, queries by name, and the one place where the driver's
errors become ours."""

from __future__ import annotations

import re
import secrets
import select
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, TypeAlias, cast

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bot.errors import DatabaseError, DatabaseUnavailable, NotFound

if TYPE_CHECKING:
    from bot.embedded import EmbeddedServer

Connection: TypeAlias = psycopg.AsyncConnection[Any]

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def load_queries(path: Path) -> Mapping[str, LiteralString]:
    """Read a .sql file whose queries each begin with `-- name: NAME`.

    Raises:
        ValueError: a name stands twice.
    """
    parts = _NAME.split(path.read_text(encoding="utf-8"))
    names, texts = parts[1::2], parts[2::2]
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: a query's name stands twice")
    # The file is part of the code, so its text is as good as a literal.
    return {
        name: cast(LiteralString, text.strip()) for name, text in zip(names, texts, strict=True)
    }


class Database:
    """A PostgreSQL with pgvector, reached through a pool.

    Connections are autocommit: what belongs together stands in `transaction()`. A server that
    died is reached again by the next call, and the embedded one is started again for it.

    Args:
        server: the embedded server to start and stop with this object, or
        conninfo: how to reach any other, as a URL or as libpq's keywords.

    Attributes:
        name: what `pg_stat_activity` calls its connections.
    """

    def __init__(
        self,
        conninfo: str = "",
        *,
        server: EmbeddedServer | None = None,
        size: int = 8,
        timeout: float = 10.0,
    ) -> None:
        self.server = server
        self.name = f"domainbot {secrets.token_hex(4)}"
        self._conninfo = conninfo
        self._size = size
        self._timeout = timeout
        self._pool: AsyncConnectionPool[Connection] | None = None

    async def open(self) -> None:
        """Start the embedded server when it is ours, and reach the database once.

        Raises:
            DatabaseUnavailable: it cannot be reached; the sentence says why.
        """
        if self.server is not None:
            self._conninfo = await self.server.start()
        with translated():
            # The pool retries for its whole timeout and hides why; one plain try tells at once.
            probe = await psycopg.AsyncConnection.connect(self._conninfo, connect_timeout=5)
            await probe.close()
        self._pool = AsyncConnectionPool(
            self.address,
            min_size=1,
            max_size=self._size,
            timeout=self._timeout,
            # Its pauses double; short rounds keep the longest at two seconds, however long the
            # server was away.
            reconnect_timeout=4,
            reconnect_failed=AsyncConnectionPool.check,
            kwargs={"autocommit": True, "application_name": self.name},
            check=_check,
            open=False,
        )
        await self._pool.open()

    async def close(self) -> None:
        """Close the pool; stop the embedded server when nobody else uses it."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None
        if self.server is not None:
            await self.server.stop()

    @property
    def conninfo(self) -> str:
        """How to reach the database; it may hold a password: never print it."""
        return self._conninfo

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection in autocommit mode."""
        if self._pool is None:
            raise DatabaseUnavailable("The database is not open; use `async with Bot...`.")
        with translated():
            async with self._pool.connection() as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction: all of it is committed, or nothing."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def address(self) -> str:
        """Return how to reach the database. Called before each new connection: the moment to
        revive the embedded server."""
        if self.server is not None:
            await self.server.ensure()
            self._conninfo = self.server.conninfo  # its socket may have moved
        return self._conninfo


async def of_all(
    database: Database, query: LiteralString, ids: Collection[int], missing: str
) -> None:
    """Run a query for `%(ids)s` that returns those it found, for all of them or for none.

    Args:
        missing: what is said of one that is not found, with `{id}` in it.

    Raises:
        NotFound: one of them is not found.
    """
    async with database.transaction() as connection:
        cursor = await connection.execute(query, {"ids": list(ids)})
        found = {row[0] for row in await cursor.fetchall()}
        if others := sorted(set(ids) - found):
            raise NotFound(missing.format(id=others[0]))


async def _check(connection: Connection) -> None:
    """Refuse a connection whose server has gone.

    A quiet socket is a live one; only a readable one (a notice, or the end) is worth a query.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours.

    Raises:
        DatabaseUnavailable: nothing answers, or it is shutting down.
        DatabaseError: the server refused; the sentence says what it said.
    """
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable(
            "The database did not answer in time; check that it runs (`bot db status`)."
        ) from error
    except psycopg.Error as error:
        raise translation(error) from error


def translation(error: psycopg.Error) -> DatabaseError:
    """Say in a sentence what the driver's error means, and what to do."""
    state = error.sqlstate or ""
    said = (error.diag.message_primary or str(error)).strip().rstrip(".")
    for prefix, make in _SENTENCES.items():
        if state.startswith(prefix):
            return make(said)
    if isinstance(error, psycopg.OperationalError) and (not state or state[:2] in ("08", "57")):
        return _unreachable(said)
    return DatabaseError(f"The database refused: {said}. Run `bot db status`.")


def _unreachable(said: str) -> DatabaseError:
    if "assword authentication failed" in said or "no password supplied" in said:
        return DatabaseUnavailable(
            "The database refused the password; check the user and the password that "
            "`database_url` refers to."
        )
    if "does not exist" in said:
        return DatabaseUnavailable(f"{_tail(said)}; create it, or check `database_url`.")
    first = said.partition("\n")[0]
    return DatabaseUnavailable(
        f"The database cannot be reached ({first}); check that it runs and that `database_url` "
        "is right."
    )


def _tail(said: str) -> str:
    """What libpq's long message ends with: the server's own words."""
    return said.rpartition("FATAL:")[2].strip() or said


_SENTENCES: dict[str, Callable[[str], DatabaseError]] = {
    "53100": lambda said: DatabaseError(
        f"The database's disk is full ({said}); free some space and run the command again. "
        "What was finished is kept."
    ),
    "53300": lambda said: DatabaseUnavailable(
        f"The database has no free connection ({said}); try again, or raise max_connections."
    ),
    "28": lambda said: DatabaseUnavailable(
        f"The database refused the login ({said}); check the user and the password that "
        "`database_url` refers to."
    ),
    "3D000": lambda said: DatabaseUnavailable(f"{said}; create it, or check `database_url`."),
    "57014": lambda said: DatabaseError(
        f"The database stopped a query ({said}); try again, or raise its statement_timeout."
    ),
    "42501": lambda said: DatabaseError(
        f"The database user lacks a right ({said}); grant it, or use another user."
    ),
}
