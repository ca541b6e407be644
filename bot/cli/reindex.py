"""`bot reindex`: bring the index in step with the sources."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from bot.cli.session import Session, asynchronous

if TYPE_CHECKING:
    from bot.indexing.sync import Progress


@click.command(epilog="Example: bot reindex  ·  bot reindex --source handbook")
@click.option("--source", "sources", multiple=True, metavar="NAME",
              help="Only this source; may be given several times.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@asynchronous
async def command(session: Session, sources: tuple[str, ...], as_json: bool) -> int:
    """Bring the index in step with the sources.

    Only what has changed is read and embedded. It may be stopped at any time: what was finished
    is kept, and the next run goes on from there.
    """
    from bot.cli.output import dumps
    from bot.errors import UsageError

    async with session.bot() as bot:
        if not bot.settings.sources:
            raise UsageError("There is no source yet; add one: bot source add handbook ./docs")
        begun = time.perf_counter()
        with _shown(as_json) as changed:
            finished = await bot.sync(sources, changed)
        for progress in finished:
            if not as_json:
                _summary(progress)
        if as_json:
            click.echo(
                dumps(
                    {
                        "sources": [_plain(progress) for progress in finished],
                        "seconds": round(time.perf_counter() - begun, 3),
                    }
                )
            )
    return 0


def _summary(progress: Progress) -> None:
    from bot.text import printable

    click.echo(
        f"{progress.source}: {progress.found} documents — {progress.added} new, "
        f"{progress.changed} changed, {progress.unchanged} unchanged, {progress.deleted} deleted"
        + (f", {progress.unreadable} not readable" if progress.unreadable else "")
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
        "embedded",
    )
    return {name: getattr(progress, name) for name in names} | {
        "problems": [{"place": place, "reason": reason} for place, reason in progress.problems]
    }


@contextmanager
def _shown(as_json: bool) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on a terminal; nothing in a pipe."""
    if as_json or not sys.stderr.isatty():
        yield lambda _: None
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
            from bot.indexing.sync import Progress as State

            assert isinstance(progress, State)
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
