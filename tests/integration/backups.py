"""What tests of backups share: the names of things, and looking at everything."""

import asyncio

from bot import schema

CORE = [schema.core_migrations()]
QUESTION = "Wann öffnet\tdas Büro?\\n — it's 100% \U0001f4a1"


async def ask(database, query):
    async with database.connection() as connection:
        return await (await connection.execute(query)).fetchall()


async def everything(database):
    """Every row of every table, as text."""
    tables = await ask(
        database,
        "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables "
        "where schemaname not in ('pg_catalog', 'information_schema') order by 1",
    )
    return {
        table: sorted(await ask(database, f"select t::text from {table} t")) for (table,) in tables
    }


async def until(database, query):
    """Wait until a query finds a row."""
    async with asyncio.timeout(60):
        while not await ask(database, query):  # noqa: ASYNC110 - it is another process's doing
            await asyncio.sleep(0.02)
