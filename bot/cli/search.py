"""`bot search`: what the retrievers find."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from bot.cli.session import Session, asynchronous
from bot.text import printable

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.conversation import Run
    from bot.turn import Message, Passage


@click.command(
    epilog='Example: bot search -k 3 "reset password"  ·  bot search --explain --where lang=en "…"'
)
@click.argument("question", nargs=-1)
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000),
              help="How many passages.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True,
              help="One JSON line a question; without a QUESTION they are read from standard "
              'input, one a line, plain or {"question": …, "history": […]}.')  # fmt: skip
@click.option("--as", "principals", multiple=True, metavar="PRINCIPAL",
              help="Search as somebody: an e-mail address, group:NAME, …")  # fmt: skip
@click.option("--assistant", default="default", show_default=True, help="Whose retrievers.")
@click.option("--where", multiple=True, metavar="KEY=VALUE", help="Only documents with this.")
@click.option("--explain", is_flag=True,
              help="Why each passage: its place and score in each ranking, the terms that "
              "matched, and what each step took.")  # fmt: skip
@asynchronous
async def command(
    session: Session,
    question: tuple[str, ...],
    k: int,
    as_json: bool,
    principals: tuple[str, ...],
    assistant: str,
    where: tuple[str, ...],
    explain: bool,
) -> int:
    """Find passages, without an answer."""
    from bot.cli.output import filters
    from bot.errors import UsageError

    if not question and not as_json:
        raise UsageError("Give a question, or --json to read questions from standard input.")
    options: dict[str, Any] = {
        "k": k,
        "principals": principals,
        "assistant": assistant,
        "filters": filters(where),
        "explain": explain,
    }
    async with session.bot() as bot:
        if as_json:
            lines = [" ".join(question)] if question else sys.stdin
            return await _print_lines(bot, lines, options)
        passages, run = await bot.search(" ".join(question), **options)
        _print(passages, explain)
        if explain:
            _print_times(run)
        for notice in run.notices:
            click.secho(f"Note: {notice}", err=True, fg="yellow")
    return 0


async def _print_lines(bot: Bot, lines: Any, options: dict[str, Any]) -> int:
    """Answer each line with one line; a bad one is told and the rest goes on."""
    from bot.cli.output import dumps
    from bot.errors import BotError

    code = 0
    for line in filter(str.strip, lines):
        result: dict[str, Any] = {"question": line.strip(), "passages": []}
        try:
            result["question"], history = _parse(line)
            passages, run = await bot.search(result["question"], history=history, **options)
            result["passages"] = [_plain(passage, options["explain"]) for passage in passages]
            if options["explain"]:
                result |= {"queries": run.turn.queries, "timings": _times(run)}
            if run.notices:
                result["notices"] = run.notices
        except BotError as error:
            result["error"] = str(error)
            code = 1
        click.echo(dumps(result))
        sys.stdout.flush()
    return code


def _parse(line: str) -> tuple[str, list[Message]]:
    from bot.errors import UsageError

    if not line.lstrip().startswith("{"):
        return line.strip(), []
    try:
        given = json.loads(line)
        return str(given["question"]), list(_history(given.get("history") or []))
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            'A line that begins with { must be {"question": …, "history": [{"role": "user", '
            f'"text": …}}, …]}}; this one is not ({error!r}).'
        ) from error


def _history(given: list[Any]) -> Iterator[Message]:
    """Read earlier messages: objects with role and text (or content), or texts in turn."""
    from bot.turn import Message

    for position, one in enumerate(given):
        if isinstance(one, str):
            yield Message(role="assistant" if position % 2 else "user", text=one)
        else:
            text = one["text"] if "text" in one else one["content"]
            role = one.get("role") or one.get("speaker") or "user"
            yield Message(role="user" if role == "user" else "assistant", text=str(text))


def _plain(passage: Passage, explain: bool) -> dict[str, Any]:
    plain = {
        "id": passage.id,
        "uri": passage.uri,
        "title": passage.title,
        "location": passage.location,
        "text": passage.text,
        "score": round(passage.score, 6),
        "source": passage.source,
        "retriever": passage.retriever,
    }
    return {**plain, "evidence": dict(passage.evidence)} if explain else plain


def _times(run: Run) -> dict[str, float]:
    """Milliseconds by step; a retriever's own steps are within `retrieve`."""
    own = run.turn.trace.timings if run.turn.trace else {}
    return {**run.timings, **{f"retrieve.{name}": took for name, took in own.items()}}


def _print_times(run: Run) -> None:
    for query in run.turn.queries:
        click.echo(f"Searched for: {printable(query)}")
    told = ", ".join(f"{name} {took:.1f}" for name, took in _times(run).items())
    click.echo(f"Milliseconds: {told}")


def _evidence(passage: Passage) -> str:
    """Write down why a passage was found, whatever its retriever tells."""
    told = []
    for name, value in passage.evidence.items():
        if isinstance(value, list | tuple):
            value = " ".join(map(str, value)) or "none"
        shown = f"{value:.3f}" if isinstance(value, float) else value
        told.append(f"{name.replace('_', ' ')} {shown}")
    return printable(" · ".join(told))


def _print(passages: list[Passage], explain: bool) -> None:
    if not passages:
        click.echo("Nothing was found.", err=True)
    for number, passage in enumerate(passages, 1):
        place = passage.location or passage.title or passage.id
        click.secho(f"{number}. {printable(place)}", bold=True, nl=False)
        click.secho(f"  {passage.score:.3f}  {printable(passage.uri)}", dim=True)
        if explain and passage.evidence:
            click.secho(f"   {_evidence(passage)}", fg="cyan")
        click.echo(printable(passage.text).strip() + "\n")
