"""`bot reindex`: bring the index in step with the sources."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bot.cli.session import Session, asynchronous
from bot.errors import IndexingError, SourceError

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.indexing.estimate import Estimate
    from bot.indexing.progress import Progress
    from bot.indexing.status import Overview


@click.command(
    epilog="Example: bot reindex  ·  bot reindex --source handbook --dry-run  ·  "
    "bot reindex --rebuild --set splitter.max_tokens=128"
)
@click.option("--source", "sources", multiple=True, metavar="NAME",
              help="Only this source; may be given several times.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Delete however much a source has lost.")
@click.option("--rebuild", is_flag=True, help="Build a new index version beside the live one.")
@click.option("--embedder", default="", metavar="NAME",
              help="With --rebuild: a table of [embedders], or a type.")  # fmt: skip
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE",
              help="With --rebuild: splitter.KEY, embedder.KEY or index.KEY.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@asynchronous
async def command(
    session: Session,
    sources: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    rebuild: bool,
    embedder: str,
    changes: tuple[str, ...],
    as_json: bool,
) -> int:
    """Bring the index in step with the sources.

    Only what has changed is read and embedded. It may be stopped at any time: what was finished
    is kept, and the next run goes on from there.

    With --rebuild the documents' stored texts are cut and embedded anew, as [index] and the
    options say, into a version of its own; the live one answers until `bot index promote`.
    """
    from bot.errors import UsageError

    if (embedder or changes) and not rebuild:
        raise UsageError("--embedder and --set go with --rebuild: the live version keeps its own.")
    if rebuild and (sources or yes):
        raise UsageError("--rebuild takes the stored documents of all sources; leave out --source.")
    async with session.bot() as bot:
        if rebuild:
            return await _rebuild(bot, embedder, _settings(changes), dry_run, as_json)
        if not bot.settings.sources:
            raise UsageError("There is no source yet; add one: bot source add handbook ./docs")
        if dry_run:
            return await _dry_run(bot, sources, as_json)
        return await _sync(bot, sources, yes, as_json)


async def _sync(bot: Bot, sources: tuple[str, ...], yes: bool, as_json: bool) -> int:
    from bot.cli.output import dumps
    from bot.errors import MassDeletion

    begun = time.perf_counter()
    finished: dict[str, Progress] = {}

    def told(progress: Progress) -> None:
        if progress.finished:
            finished[progress.source] = progress

    failure: Exception | None = None
    for name in sources or tuple(bot.settings.sources):
        try:
            with _shown(as_json, told) as changed:
                await bot.indexer.sync([name], changed, may_lose=1.0 if yes else None)
        except MassDeletion as error:
            if not await _lose(name, error):
                failure = failure or error
                continue
            with _shown(as_json, told) as changed:
                await bot.indexer.sync([name], changed, may_lose=1.0)
        except (SourceError, IndexingError) as error:
            failure = failure or error
        if not as_json and name in finished:
            _summary(finished[name])
    if as_json and not failure:
        report = {
            "sources": [_plain(progress) for progress in finished.values()],
            "seconds": round(time.perf_counter() - begun, 3),
        }
        click.echo(dumps(report))
    if failure:
        raise failure
    return 0


async def _lose(name: str, error: Exception) -> bool:
    """Ask, on a terminal, whether a source may lose as much as it has lost."""
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        return False
    from bot.dispatch import in_thread

    click.echo(str(error), err=True)
    return bool(await in_thread(click.confirm, text=f"Delete them from {name}?", err=True))


async def _rebuild(
    bot: Bot, embedder: str, changes: dict[str, Any], dry_run: bool, as_json: bool
) -> int:
    import asyncio

    from bot.cli.output import dumps
    from bot.cli.working import work
    from bot.indexing import rebuild, status

    if dry_run:
        from bot.indexing import estimate

        _print_estimate(await estimate.rebuild(bot, embedder, changes), as_json)
        return 0
    version, new = await rebuild.begin(bot, embedder=embedder, changes=changes)
    if not as_json and version.state == "building":
        how = "is being built" if new else "was begun before"
        click.echo(f"Version {version.id} {how}; the live one answers meanwhile.", err=True)
    try:
        await work(bot, version.id)
    except asyncio.CancelledError:
        click.echo(
            f"What was finished of version {version.id} is kept: the same command goes on with it, "
            f"`bot index cancel {version.id}` removes it.",
            err=True,
        )
        raise
    found = await status.read(bot)
    one = next((each for each in found.versions if each.version == version.id), None)
    if one is None:
        raise IndexingError(f"Version {version.id} was cancelled meanwhile, by another hand.")
    if as_json:
        click.echo(dumps(asdict(one)))
    else:
        _tell_rebuilt(one)
    return int(one.state == "building")


def _tell_rebuilt(one: Overview) -> None:
    if one.paused:
        click.echo(f"Version {one.version} is paused; `bot index resume {one.version}` goes on.")
        return
    if one.state == "building":
        click.echo(
            f"Version {one.version} is not complete: {one.error}. `bot index status` tells more."
        )
        return
    aside = f", {one.quarantined} in quarantine" if one.quarantined else ""
    click.echo(
        f"Version {one.version} is ready: {one.indexed} documents, {one.chunks} chunks{aside}.\n"
        f"Compare it: bot eval run --index {one.version}  ·  "
        f"Let it answer: bot index promote {one.version}"
    )


async def _dry_run(bot: Bot, sources: tuple[str, ...], as_json: bool) -> int:
    from bot.indexing import estimate

    _print_estimate(await estimate.sync(bot, sources), as_json)
    return 0


def _print_estimate(found: Estimate, as_json: bool) -> None:
    from bot.cli.output import dumps

    if as_json:
        click.echo(dumps(asdict(found)))
        return
    for one in found.sources:
        click.echo(
            f"{one.source}: {one.found} documents — {one.added} new, {one.changed} changed, "
            f"{one.unchanged} unchanged, {one.deleted} to delete"
            + (f", {one.lost} gone and kept: `may_lose` allows less" if one.lost else "")
        )
    about = f"about {found.seconds:.0f} s" if found.seconds >= 1 else "less than a second"
    click.echo(f"{found.chunks} chunks to embed, {about} on this machine. Nothing was changed.")


def _settings(changes: tuple[str, ...]) -> dict[str, Any]:
    """Read KEY=VALUE; a value that is JSON means that, any other is text."""
    from bot.errors import UsageError

    found: dict[str, Any] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not key or not equals:
            raise UsageError(f"--set takes KEY=VALUE, not {change!r}.")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


def _summary(progress: Progress) -> None:
    from bot.text import printable

    unreadable = progress.unreadable - progress.duplicates
    click.echo(
        f"{progress.source}: {progress.found} documents — {progress.added} new, "
        f"{progress.changed} changed, {progress.unchanged} unchanged, {progress.deleted} deleted"
        + (f", {unreadable} not readable" if unreadable else "")
    )
    left_out = {
        "documents that say nearly the same as another": progress.duplicates,
        "paragraphs that stand in many documents": progress.told.boilerplate,
        "places of personal data": progress.told.redacted,
    }
    if any(left_out.values()):
        click.echo("  left out: " + ", ".join(f"{n} {what}" for what, n in left_out.items() if n))
    if not progress.found:
        click.secho(
            f"  nothing was found: look at [sources.{progress.source}] in bot.toml; a folder's "
            "`include` names the files to read, by default documents and no source code.",
            err=True,
        )
    for place, reason in progress.problems:
        click.secho(f"  not indexed: {printable(place)}: {printable(reason)}", err=True)


def _plain(progress: Progress) -> dict[str, object]:
    names = (
        "source",
        "found",
        "added",
        "changed",
        "unchanged",
        "deleted",
        "unreadable",
        "duplicates",
        "embedded",
    )
    return {name: getattr(progress, name) for name in names} | {
        "boilerplate": progress.told.boilerplate,
        "redacted": progress.told.redacted,
        "problems": [{"place": place, "reason": reason} for place, reason in progress.problems],
    }


@contextmanager
def _shown(as_json: bool, told: Callable[[Progress], None]) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on a terminal; nothing in a pipe."""
    if as_json or not sys.stderr.isatty():
        yield told
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[chunks]} chunks, {task.fields[speed]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, tuple[object, float]] = {}
    with bar:

        def changed(progress: object) -> None:
            from bot.indexing.progress import Progress as State

            assert isinstance(progress, State)
            told(progress)
            if progress.source not in tasks:
                added = bar.add_task(progress.source, total=None, chunks=0, speed="")
                tasks[progress.source] = added, time.perf_counter()
            task, begun = tasks[progress.source]
            speed = progress.embedded / max(time.perf_counter() - begun, 0.001)
            bar.update(
                task,  # type: ignore[arg-type]  # rich's TaskID
                completed=progress.stored,
                total=progress.found if progress.listed else None,
                chunks=progress.embedded,
                speed=f"{speed:.0f}/s" if progress.embedded else "",
            )

        yield changed
