"""`bot doctor`: everything that can be wrong, looked at in order."""

from __future__ import annotations

from collections.abc import AsyncIterator

import click

from bot.cli.session import Session, asynchronous

_MARKS = {True: ("  ok  ", "green"), False: (" bad  ", "red"), None: (" note ", "yellow")}


@click.command(epilog="Example: bot doctor")
@asynchronous
async def command(session: Session) -> int:
    """Find what is wrong: configuration, plugins, database, index, and one search.

    It exits with 1 when something is.
    """
    from bot.errors import BotError
    from bot.text import printable

    failed = False
    try:
        async for good, text in _looked_at(session):
            failed = failed or good is False
            mark, colour = _MARKS[good]
            click.secho(mark, fg=colour, nl=False)
            click.echo(printable(text))
    except BotError as error:
        failed = True
        click.secho(" bad  ", fg="red", nl=False)
        click.echo(printable(str(error)))
    return int(failed)


async def _looked_at(session: Session) -> AsyncIterator[tuple[bool | None, str]]:
    """Look at one thing after the other, as far as they depend on each other.

    What is None is neither good nor bad.
    """
    from bot.indexing import versions
    from bot.indexing.drift import drift

    path = session.config_path
    bot = session.bot()
    bot.check()
    bot.plugins.migrations()
    yield True, f"configuration: {path or 'no bot.toml, the defaults hold'}"
    for loaded in bot.plugins.loaded:
        if not loaded.disabled:
            yield not loaded.error, f"plugin {loaded.name}: {loaded.error or loaded.version}"
    async with bot:
        where = f"embedded, in {bot.home}" if bot.database.server else "database_url"
        yield True, f"database: {where}"
        live = await versions.live(bot.database)
        if live is None:
            yield False, "index: nothing is indexed yet; run `bot reindex`"
            return
        yield True, f"index: version {live.id} is live"
        for difference in await drift(bot):
            yield None, f"index: {difference}"
        for name in bot.settings.sources:
            documents = await bot.indexer.count_documents(name)
            told = f"{documents} documents" if documents else "nothing indexed; run `bot reindex`"
            yield documents > 0, f"source {name}: {told}"
        passages, run = await bot.search("How do I start?", k=1)
        problems = "; ".join(run.notices)
        took = sum(run.timings.values())
        yield not problems, f"search: {problems or f'{len(passages)} passages in {took:.0f} ms'}"
