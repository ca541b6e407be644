"""`bot golden`: questions whose good answers are known."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.session import Session, asynchronous

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.evaluation.golden import Golden
    from bot.turn import Principal


@click.group(epilog="Example: bot golden import questions.jsonl, then bot eval run")
def command() -> None:
    """Keep the golden set: questions with the sources that answer them."""


@command.command(
    epilog='Example: bot golden add "How many days off?" --source https://wiki.example.com/leave'
)
@click.argument("question")
@click.option("--source", "sources", multiple=True, metavar="ID",
              help="A source that answers it: a document's address or a passage's id, as "
              "`bot search --json` shows them. May be given several times.")  # fmt: skip
@click.option("--answer", default="", help="What a good answer says.")
@click.option("--readers", multiple=True, metavar="PRINCIPAL",
              help="Who may read it; who may read the sources, unless told narrower.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def add(
    session: Session,
    question: str,
    sources: tuple[str, ...],
    answer: str,
    readers: tuple[str, ...],
    as_json: bool,
) -> int:
    """Add one question, or replace what was known about it."""
    from bot.cli.output import principals
    from bot.errors import UsageError
    from bot.evaluation.golden import Golden
    from bot.text import storable

    text = storable(question).strip()
    if not text or not (sources or answer):
        raise UsageError("A golden question needs its text, and --source or --answer.")
    one = Golden(
        question=text,
        sources=dict.fromkeys(map(storable, sources), 1),
        answer=storable(answer).strip(),
        readers=principals(readers),
    )
    async with session.bot() as bot:
        await _put(bot, [one], as_json)
    return 0


@command.command(
    epilog="Example: bot golden suggest --source handbook  ·  bot golden suggest --generator model"
)
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only its documents.")
@click.option("--generator", default="", metavar="NAME",
              help="Let this generator of bot.toml write them; else headings and definitions are "
              "turned into questions.")  # fmt: skip
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def suggest(
    session: Session, sources: tuple[str, ...], generator: str, limit: int, as_json: bool
) -> int:
    """Draft questions from the indexed documents.

    Nothing is measured with a draft until `bot golden accept` makes it a golden question.
    """
    from bot.cli.output import print_rows
    from bot.evaluation import golden

    async with session.bot() as bot:
        before = await golden.load(bot.database, drafts=True)
        found = await _drafted(bot, sources, generator, [one.question for one in before], limit)
        await golden.put(bot.database, await golden.inheriting(bot.database, found))
        ids = {one.id for one in before}
        kept = [one for one in await golden.load(bot.database, drafts=True) if one.id not in ids]
    rows = [
        {
            "id": one.id,
            "question": one.question,
            "answer": one.answer,
            "sources": dict(one.sources) if as_json else list(one.sources),
            **({"readers": sorted(one.readers)} if as_json else {}),
        }
        for one in kept
    ]
    empty = "Nothing new to ask was found; `bot reindex` reads the sources."
    print_rows(rows, as_json=as_json, empty=empty)
    if rows:
        click.echo(
            "Keep good ones with `bot golden accept ID…`, the rest go with `remove`.", err=True
        )
    return 0


@command.command(epilog="Example: bot golden accept 3 7")
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID…")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def accept(session: Session, ids: tuple[int, ...], as_json: bool) -> int:
    """Make drafts golden questions; `bot golden list` shows their ids."""
    from bot.cli.output import print_result
    from bot.evaluation import golden

    async with session.bot() as bot:
        await golden.accept(bot.database, ids)
    accepted = sorted(set(ids))
    print_result(f"{len(accepted)} accepted.", as_json=as_json, accepted=accepted)
    return 0


@command.command("import",
                 epilog="Example: bot golden import questions.jsonl  ·  "
                 "bot golden import --feedback")  # fmt: skip
@click.argument("path", required=False, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--feedback", is_flag=True, help="From the answers that people called good.")
@click.option("--readers", multiple=True, metavar="PRINCIPAL",
              help="Who may read the questions that do not say it themselves.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def import_(
    session: Session,
    path: Path | None,
    feedback: bool,
    readers: tuple[str, ...],
    as_json: bool,
) -> int:
    """Import questions, all or none: from a file, a folder, or people's feedback.

    PATH is a file of JSON lines, `-` for standard input, or a BEIR folder (queries.jsonl and
    qrels). A line is {"question": …, "sources": [ID, …] or {ID: GRADE, …}, "answer": …,
    "readers": […]}.
    """
    from bot.cli.output import principals
    from bot.errors import UsageError
    from bot.evaluation import golden

    if (path is None) != feedback:
        raise UsageError("Give a PATH or --feedback, one of the two.")
    async with session.bot() as bot:
        if path is None:
            questions, left_out = await golden.praised(bot.database)
            if left_out:
                click.echo(
                    f"{left_out} answers were left out: nobody is named who may read all that "
                    "they cite.",
                    err=True,
                )
        else:
            questions = _read(path, principals(readers))
        await _put(bot, questions, as_json)
    return 0


@command.command(epilog="Example: bot golden export > golden.jsonl")
@asynchronous
async def export(session: Session) -> int:
    """Print the golden set as JSON lines, drafts too; `bot golden import` reads them."""
    from bot.evaluation import golden
    from bot.evaluation.formats import write_jsonl

    async with session.bot() as bot:
        for line in write_jsonl(await golden.load(bot.database, drafts=True)):
            click.echo(line, nl=False)
    return 0


@command.command("list", epilog="Example: bot golden list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def list_(session: Session, as_json: bool) -> int:
    """List the golden set, drafts too."""
    from bot.cli.output import print_rows
    from bot.evaluation import golden

    async with session.bot() as bot:
        questions = await golden.load(bot.database, drafts=True)
        missing = set(await golden.gone(bot.database, questions))
    rows = [
        {
            "id": one.id,
            "question": one.question,
            "sources": dict(one.sources) if as_json else list(one.sources),
            "missing": sorted(missing & one.sources.keys()),
            "readers": sorted(one.readers),
            "origin": one.origin,
            "draft": one.draft,
            **({"answer": one.answer, "reference": one.reference} if as_json else {}),
        }
        for one in questions
    ]
    print_rows(rows, as_json=as_json, empty="There is no golden question; see bot golden --help.")
    return 0


@command.command(epilog="Example: bot golden remove 3 7")
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID…")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def remove(session: Session, ids: tuple[int, ...], as_json: bool) -> int:
    """Remove questions; `bot golden list` shows their ids."""
    from bot.cli.output import print_result
    from bot.evaluation import golden

    async with session.bot() as bot:
        await golden.remove(bot.database, ids)
    removed = sorted(set(ids))
    print_result(f"{len(removed)} removed.", as_json=as_json, removed=removed)
    return 0


async def _drafted(
    bot: Bot, sources: Sequence[str], generator: str, known: Sequence[str], limit: int
) -> list[Golden]:
    from bot.errors import GenerationError
    from bot.evaluation import drafting, suggesting

    told = await suggesting.documents(bot.database, sources)
    if not generator:
        return suggesting.suggest(told, known, limit)
    asked = await bot.generator(generator)
    drafted = await drafting.suggest(asked, told, known, limit)
    for reason, count in drafted.refused.most_common():
        click.echo(f"{count} left out: {reason}.", err=True)
    if not drafted.found and drafted.refused["not in two lines"]:
        raise GenerationError(
            f"{generator} writes no questions; name a language model of bot.toml."
        )
    return drafted.found


def _read(path: Path, readers: frozenset[Principal]) -> list[Golden]:
    from bot.errors import UsageError
    from bot.evaluation.formats import read_beir, read_jsonl

    try:
        if str(path) == "-":
            return list(read_jsonl(sys.stdin, readers))
        if path.is_dir():
            return list(read_beir(path, readers))
        with path.open(encoding="utf-8") as lines:
            return list(read_jsonl(lines, readers))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); give another file.") from None


async def _put(bot: Bot, questions: Sequence[Golden], as_json: bool) -> None:
    from bot.cli.output import print_result
    from bot.evaluation import golden
    from bot.text import printable

    questions = await golden.inheriting(bot.database, questions)
    new, replaced = await golden.put(bot.database, questions)
    told = f"{new} new, {replaced} replaced."
    print_result(told, as_json=as_json, new=new, replaced=replaced)
    if missing := await golden.gone(bot.database, questions):
        told = f"{printable(missing[0])} is" if len(missing) == 1 else f"{len(missing)} are"
        click.secho(
            f"Note: of the expected sources {told} in no document; `bot golden list` shows which.",
            err=True,
            fg="yellow",
        )
