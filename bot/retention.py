"""Looking at conversations, and forgetting them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from bot.database import Database, load_queries
from bot.errors import NotFound, UsageError

QUERIES = load_queries(Path(__file__).parent / "queries" / "conversations.sql")


async def conversations(
    database: Database, *, user: str | None = None, channel: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """List the newest conversations; see `purge` for `user` and `channel`."""
    async with database.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(QUERIES["list"], {"user": user, "channel": channel, "limit": limit})
        return await cursor.fetchall()


async def messages(database: Database, name: str) -> list[dict[str, Any]]:
    """Read what was said in a conversation, by its number or its key.

    Raises:
        NotFound: there is none, or nothing is left of it.
    """
    async with database.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(QUERIES["show"], {"name": name})
        found = await cursor.fetchall()
    if not found:
        raise NotFound(f"There is no conversation {name!r}; see `bot conversations list`.")
    return found


async def purge(
    database: Database,
    *,
    user: str | None = None,
    channel: str | None = None,
    before: datetime | None = None,
) -> int:
    """Delete questions with everything that was made of them; return how many messages went.

    Args:
        user: only what this person asked, and what was answered.
        channel: only in this channel: a table of [channels], or a channel of Slack by its id.
        before: only what was said before.

    Raises:
        UsageError: none of the three is given, which would delete everything.
    """
    if user is None and channel is None and before is None:
        raise UsageError("Say what to delete: --user, --channel or --before.")
    person = user.rpartition("/")[2] if user is not None else None
    arguments = {"user": user, "person": person, "channel": channel, "before": before}
    async with database.transaction() as connection:
        gone = await connection.execute(QUERIES["purge"], arguments)
        await connection.execute(QUERIES["purge_inbox"], arguments)
        await connection.execute(QUERIES["purge_empty"])
        await connection.execute(QUERIES["purge_old"])
        return gone.rowcount
