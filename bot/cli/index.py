"""`bot index`: index versions, of which one is live."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from bot.cli.session import Session, asynchronous

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.evaluation.indexes import Verdict
    from bot.indexing.status import Overview, Status

SHOWN = 20  # documents in quarantine


@click.group(epilog="Example: bot index status --watch  ·  bot index promote 2")
def command() -> None:
    """Look after index versions: build beside the live one, compare, promote, roll back."""


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_yes = click.option("--yes", is_flag=True, help="Do not ask.")
_version = click.argument("version", type=int)


@command.command("list", epilog="Example: bot index list --json")
@click.option("--all", "dropped", is_flag=True, help="Also those that are dropped.")
@_json
@asynchronous
async def list_(session: Session, dropped: bool, as_json: bool) -> int:
    """List the index versions."""
    from bot.cli.output import print_rows
    from bot.indexing import status as indexing

    async with session.bot() as bot:
        found = await indexing.read(bot, dropped=dropped)
    rows = [
        {
            "version": one.version,
            "state": one.state,
            "embedder": one.embedder,
            "documents": one.indexed,
            "chunks": one.chunks,
            "size": one.bytes if as_json else _size(one.bytes),
            "created": one.created_at,
            "promoted": one.promoted_at,
            "evaluated": (one.verdict or {}).get("outcome"),
        }
        for one in found.versions
    ]
    print_rows(rows, as_json=as_json, empty="There is no index yet; run `bot reindex`.")
    return 0


@command.command(epilog="Example: bot index status --watch")
@click.option("--watch", is_flag=True, help="Look again every second until nothing moves.")
@_json
@asynchronous
async def status(session: Session, watch: bool, as_json: bool) -> int:
    """Tell how far each version is, how fast it goes, and what went wrong.

    It exits with 1 when something went wrong: a document in quarantine, a source that stopped.
    """
    import asyncio

    from bot.cli.output import dumps
    from bot.indexing import status as indexing

    async with session.bot() as bot:
        found = await indexing.read(bot)
        while watch and any(one.moves for one in found.versions):
            _show(found, as_json, dumps)
            await asyncio.sleep(1)
            found = await indexing.read(bot)
            if sys.stdout.isatty() and not as_json:
                click.clear()
    _show(found, as_json, dumps)
    return int(bool(found.quarantined or found.sources or any(v.error for v in found.versions)))


@command.command(epilog="Example: bot index promote 2")
@_version
@click.option("--force", is_flag=True, help="Even when the golden set says that it is worse.")
@_yes
@_json
@asynchronous
async def promote(session: Session, version: int, force: bool, yes: bool, as_json: bool) -> int:
    """Make a version live, when the golden set does not say that it is worse.

    Without a golden set it asks, and records that it was not evaluated. The version that was live
    is kept: `bot index rollback` brings it back.
    """
    from bot.cli.output import dumps
    from bot.indexing import promotion

    async with session.bot() as bot:
        verdict, live = await promotion.evaluate(bot, version)
        if not as_json:
            click.echo(verdict.reason, err=True)
        if verdict.outcome == "worse" and not force:
            click.echo("It stays as it is; --force promotes it all the same.", err=True)
            if as_json:
                click.echo(dumps(_promoted(verdict, done=False)))
            return 1
        if not await _agreed(bot, version, verdict, yes or force):
            return 1
        kept = _promoted(verdict, done=True)
        await promotion.promote(bot, version, instead_of=live, verdict=kept)
    click.echo(dumps(kept) if as_json else f"Version {version} is live; {live} is kept.")
    return 0


@command.command(epilog="Example: bot index rollback")
@_json
@asynchronous
async def rollback(session: Session, as_json: bool) -> int:
    """Go back, at once, to the version that was live before.

    What has changed since is embedded by the workers, or here when there is none; until then it
    is not found.
    """
    from bot.cli.output import dumps
    from bot.cli.working import work
    from bot.indexing import promotion

    async with session.bot() as bot:
        version, lacking = await promotion.rollback(bot)
        if not as_json:
            click.echo(f"Version {version.id} is live again.")
            if lacking:
                click.echo(f"{lacking} documents have changed since; they are embedded now.")
        if lacking:
            await work(bot, version.id)
    if as_json:
        click.echo(dumps({"version": version.id, "changed": lacking}))
    return 0


@command.command(epilog="Example: bot index drop 1 --yes")
@_version
@_yes
@_json
@asynchronous
async def drop(session: Session, version: int, yes: bool, as_json: bool) -> int:
    """Remove a version and give its space back. The live one stays."""
    from bot.cli.confirming import confirmed
    from bot.cli.output import print_result
    from bot.indexing import promotion

    async with session.bot() as bot:
        async with bot.database.connection() as connection:
            await promotion.droppable(connection, version)
        if not await confirmed(f"Remove version {version}?", yes):
            return 1
        await promotion.drop(bot, version)
    told = f"Version {version} is dropped."
    print_result(told, as_json=as_json, version=version, state="dropped")
    return 0


@command.command(epilog="Example: bot index cancel 2 --yes")
@_version
@_yes
@_json
@asynchronous
async def cancel(session: Session, version: int, yes: bool, as_json: bool) -> int:
    """Stop a rebuild, and remove what there is of it."""
    from bot.cli.confirming import confirmed
    from bot.cli.output import print_result
    from bot.indexing import promotion

    async with session.bot() as bot:
        async with bot.database.connection() as connection:
            await promotion.droppable(connection, version, only="building")
        if not await confirmed(f"Stop building version {version} and remove it?", yes):
            return 1
        await promotion.cancel(bot, version)
    told = f"Version {version} is cancelled."
    print_result(told, as_json=as_json, version=version, state="cancelled")
    return 0


@command.command(epilog="Example: bot index pause 2")
@_version
@_json
@asynchronous
async def pause(session: Session, version: int, as_json: bool) -> int:
    """Let a rebuild rest: batches in hand are finished, no other is begun."""
    from bot.cli.output import print_result
    from bot.indexing import promotion

    async with session.bot() as bot:
        works = await promotion.pause(bot, version, True)
    if not works:
        told = f"Version {version} is complete: there is nothing to pause."
        print_result(told, as_json=as_json, version=version, state="complete")
        return 0
    told = f"Version {version} is paused; `bot index resume {version}` goes on."
    print_result(told, as_json=as_json, version=version, state="paused")
    return 0


@command.command(epilog="Example: bot index resume 2")
@_version
@_json
@asynchronous
async def resume(session: Session, version: int, as_json: bool) -> int:
    """Go on with a rebuild that was paused."""
    from bot.cli.output import print_result
    from bot.indexing import promotion

    async with session.bot() as bot:
        works = await promotion.pause(bot, version, False)
    if not works:
        told = f"Version {version} is complete: there is nothing to go on with."
        print_result(told, as_json=as_json, version=version, state="complete")
        return 0
    told = f"Version {version} goes on, in `bot worker` or `bot reindex --rebuild`."
    print_result(told, as_json=as_json, version=version, state="building")
    return 0


@command.command(epilog="Example: bot index retry 2")
@_version
@_json
@asynchronous
async def retry(session: Session, version: int, as_json: bool) -> int:
    """Try again what a version lacks: documents in quarantine, and batches that failed."""
    from bot.cli.output import dumps
    from bot.cli.working import work
    from bot.indexing import promotion
    from bot.indexing import status as indexing

    async with session.bot() as bot:
        lacking = await promotion.retry(bot, version)
        await work(bot, version)
        found = await indexing.read(bot)
    refused = [one for one in found.quarantined if one["version"] == version]
    error = next((one.error for one in found.versions if one.version == version), "")
    if as_json:
        told = {"version": version, "tried": lacking, "quarantined": refused, "error": error}
        click.echo(dumps(told))
    else:
        click.echo(f"{lacking} documents were tried again, {len(refused)} still fail.")
        _show_refused(refused)
        _show_error(error)
    return int(bool(refused or error))


def _promoted(verdict: Verdict, done: bool) -> dict[str, Any]:
    return {
        "version": verdict.candidate,
        "instead_of": verdict.live,
        "promoted": done,
        "outcome": "not evaluated" if verdict.outcome == "no golden set" else verdict.outcome,
        "reason": verdict.reason,
        "evaluation": verdict.evaluation or None,
    }


async def _agreed(bot: Bot, version: int, verdict: Verdict, yes: bool) -> bool:
    """Ask what a person must decide: what was not measured, and what would be missing."""
    from bot.cli.confirming import confirmed
    from bot.indexing import status as indexing

    found = await indexing.read(bot)
    (one,) = (each for each in found.versions if each.version == version)
    if one.quarantined:
        text = f"{one.quarantined} documents could not be indexed in it. Promote it without them?"
        if not await confirmed(text, yes):
            return False
    return verdict.outcome != "no golden set" or await confirmed(
        f"Promote version {version} without an evaluation?", yes
    )


def _show(found: Status, as_json: bool, dumps: Callable[[Any], str]) -> None:
    from dataclasses import asdict

    from bot.text import printable

    if as_json:
        click.echo(dumps(asdict(found)))
        return
    if not found.versions:
        click.echo("There is no index yet; run `bot reindex`.")
    for one in found.versions:
        click.echo(_line(one))
        _show_error(one.error)
    click.echo(f"{found.workers} worker{'' if found.workers == 1 else 's'}")
    _show_refused(found.quarantined)
    _show_unread(found.unreadable)
    for source in found.sources:
        click.secho(f"{source['source']}: {printable(source['error'])}", fg="red")


def _line(one: Overview) -> str:
    parts = [
        f"version {one.version} {one.state}{', paused' if one.paused else ''}",
        f"{one.embedder}, {one.dimensions} dimensions",
        f"{one.indexed} of {one.documents} documents",
        f"{one.chunks} chunks",
        _size(one.bytes),
    ]
    if one.quarantined:
        parts.append(f"{one.quarantined} in quarantine")
    if one.moves:
        parts.append(f"{one.chunks_per_second:.0f} chunks/s")
        if one.seconds_left is not None:
            parts.append(f"{one.seconds_left:.0f} s left")
    return " · ".join(parts)


def _show_error(error: str) -> None:
    from bot.text import printable

    if error:
        click.secho(f"  it does not get on: {printable(error)}", fg="red")


def _show_refused(refused: Any) -> None:
    from bot.text import printable

    for one in refused[:SHOWN]:
        place = f"{one['source']}/{one['document']}"
        click.secho(
            f"  quarantined in version {one['version']}: {printable(place)}: "
            f"{printable(one['error'])}",
            fg="yellow",
        )
    if len(refused) > SHOWN:
        click.secho(f"  and {len(refused) - SHOWN} more; --json tells all of them", fg="yellow")


def _show_unread(unread: Sequence[Mapping[str, Any]]) -> None:
    from bot.text import printable

    for one in unread[:SHOWN]:
        place = f"{one['source']}/{one['document']}"
        click.echo(f"  not indexed: {printable(place)}: {printable(one['error'])}")
    if len(unread) > SHOWN:
        click.echo(f"  and {len(unread) - SHOWN} more; --json tells all of them")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
