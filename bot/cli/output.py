"""How answers, tables and JSON look: for people on a terminal, plain in a pipe."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TextIO

import click

from bot.errors import UsageError
from bot.text import printable
from bot.turn import (
    EVERYONE,
    Answer,
    Citation,
    Event,
    Failed,
    Finished,
    Principal,
    TextDelta,
)

_INVISIBLE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


async def print_answer(events: AsyncIterator[Event], out: TextIO, *, explain: bool = False) -> int:
    """Print an answer as it comes, then its sources; return the exit code.

    Args:
        explain: how the model came to it, too.
    """
    code = 0
    async for event in events:
        if isinstance(event, TextDelta):
            click.echo(printable(event.text), file=out, nl=False)
            out.flush()
        elif isinstance(event, Finished):
            click.echo(file=out)
            if explain and event.answer.reasoning:
                click.secho("\nReasoning", file=out, bold=True)
                click.echo(printable(event.answer.reasoning), file=out)
            _print_end(event.answer, out)
        elif isinstance(event, Failed):
            if event.answer.text:
                click.echo("…", file=out)
            click.echo(event.text, file=out)
            click.secho(f"Error: {printable(event.answer.error)}", err=True, fg="red")
            code = 1
    return code


def _print_end(answer: Answer, out: TextIO) -> None:
    if answer.citations:
        click.secho("\nSources", file=out, bold=True)
        for citation in answer.citations:
            click.echo(f"  [{citation.marker}] {source_line(citation)}", file=out)
    for notice in answer.notices:
        click.secho(f"Note: {printable(notice)}", file=out, fg="yellow")
    seconds = answer.timings["total"] / 1000
    way = " · " + " → ".join(route.generator for route in answer.routes) if answer.routes else ""
    click.secho(f"\nturn {answer.turn} · {seconds:.2f} s{way}", file=out, dim=True)


def source_line(citation: Citation) -> str:
    """Write a source in one line: title, place, link."""
    # The location begins with the title when it is a path of headings.
    names = citation.location if citation.title in citation.location else ""
    label = names or " › ".join(filter(None, [citation.title, citation.location]))
    return printable(" — ".join(filter(None, [label, citation.uri]))).replace("\n", " ")


def answer_json(answer: Answer, *, explain: bool = False) -> str:
    """Write an answer as one JSON object.

    Args:
        explain: with how the model came to it.
    """
    return dumps(
        {
            **({"reasoning": answer.reasoning} if explain else {}),
            "outcome": answer.outcome.value,
            "text": answer.text,
            "citations": [
                {
                    "marker": citation.marker,
                    "uri": citation.uri,
                    "title": citation.title,
                    "location": citation.location,
                    "quote": citation.quote,
                    "passage": citation.passage_id,
                    "source": citation.source,
                    "retriever": citation.retriever,
                }
                for citation in answer.citations
            ],
            "generator": answer.generator,
            "routes": [asdict(route) for route in answer.routes],
            "notices": list(answer.notices),
            "error": answer.error,
            "timings": dict(answer.timings),
            "turn": answer.turn,
        }
    )


def dumps(value: Any, indent: int | None = None) -> str:
    """Write JSON, in one line unless indented; dates in ISO 8601."""
    return _visible(json.dumps(value, ensure_ascii=False, default=_plain, indent=indent))


def print_result(told: str, *, as_json: bool, **values: Any) -> None:
    """Print what a command has done: a sentence, or one JSON object."""
    click.echo(dumps(values) if as_json else told)


def print_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """Print a listing: a table on a terminal, tab-separated lines in a pipe, or JSON."""
    if as_json:
        click.echo(dumps(list(rows), indent=2))
    elif not rows:
        click.echo(empty, err=True)
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(*rows[0], box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*map(_cell, row.values()))
        Console(markup=False).print(table)
    else:
        click.echo("\t".join(rows[0]))
        for row in rows:
            click.echo("\t".join(_cell(value).replace("\t", " ") for value in row.values()))


def filters(where: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read `--where KEY=VALUE`; a key given twice takes either value.

    Raises:
        UsageError: there is no `=`.
    """
    found: dict[str, tuple[str, ...]] = {}
    for one in where:
        key, equals, value = one.partition("=")
        if not key or not equals:
            raise UsageError(f"--where takes KEY=VALUE, not {one!r}.")
        found[key] = (*found.get(key, ()), value)
    return found


def principals(given: Sequence[str]) -> frozenset[Principal]:
    """Read `--readers`: who may read something, everyone when nobody is named.

    Raises:
        UsageError: one of them is no principal.
    """
    from bot.settings import principal

    try:
        return frozenset(map(principal, given)) or frozenset({EVERYONE})
    except ValueError as error:
        raise UsageError(f"{error}.") from None


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return printable(str(value)).replace("\n", " ")


def _visible(text: str) -> str:
    """Escape what JSON allows in a string and a terminal would obey, or UTF-8 cannot write."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)
