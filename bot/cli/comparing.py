"""`bot eval compare` and `bot eval rate`: answers of several variants, and what people prefer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.session import Session, asynchronous

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.evaluation.journal import Kept
    from bot.evaluation.likelihoods import Task
    from bot.evaluation.ratings import Pair

_BY = "rougeL f1"  # bot.evaluation.measures.DEFAULT, which --help must not import
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(epilog="Example: bot eval compare --variants base,base+rag,lora --html page.html")
@click.option("--variants", required=True, metavar="NAME,NAME…",
              help="Assistants, generators, or GENERATOR+rag: with documents.")  # fmt: skip
@click.option("--assistant", default="default", show_default=True,
              help="Whose instructions and documents a generator has.")  # fmt: skip
@click.option("--by", default=_BY, show_default=True, metavar="METRIC", help="What decides.")
@click.option("--limit", type=click.IntRange(1), help="At most so many questions, spread evenly.")
@click.option("--choices", multiple=True, type=_FILE, metavar="TASK.yaml",
              help="Multiple choice by likelihood: lm-eval's YAML, local data.")  # fmt: skip
@click.option("--general", multiple=True, type=_FILE, metavar="FILE",
              help="Text whose loss shows what was forgotten.")  # fmt: skip
@click.option("--new", is_flag=True, help="Do not go on with one that was stopped.")
@click.option("--html", type=_FILE, metavar="FILE", help="Write a page with answers and plots.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@asynchronous
async def compare(
    session: Session,
    variants: str,
    assistant: str,
    by: str,
    limit: int | None,
    choices: tuple[Path, ...],
    general: tuple[Path, ...],
    new: bool,
    html: Path | None,
    as_json: bool,
) -> int:
    """Put the golden questions that have an answer to several variants, and compare.

    Stopped, it goes on where it was when it is called again. It says which variant it would
    choose: the cheapest on the ladder that is not below the best.
    """
    from bot.cli.eval import progress
    from bot.evaluation import comparing
    from bot.evaluation.view import view

    names = [name.strip() for name in variants.split(",") if name.strip()]
    if not names:
        raise click.UsageError("--variants names none; give some, as in base,base+rag.")
    tasks = _tasks(choices, general)
    async with session.bot() as bot:
        questions = await comparing.questions_of(bot, limit)
        with progress(len(questions), "Asking") as told:
            kept, notes = await comparing.compare(
                bot, names, assistant=assistant, by=by, tasks=tasks, limit=limit, fresh=new,
                began=_began, told=told,
            )  # fmt: skip
    for note in notes:
        _say(note)
    show_answers(kept, html, as_json=as_json, notes=notes)
    return int(not view(kept).choice.name)


@click.command(epilog="Example: bot eval rate 3")
@click.argument("evaluation", type=int, required=False)
@click.option("--author", default="", help="Whose ratings these are; the user's of this machine.")
@click.option("--slack/--no-slack", "in_slack", default=None,
              help="Ask people in Slack, on the app's Home tab; or ask no more.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON at the end.")
@asynchronous
async def rate(
    session: Session, evaluation: int | None, author: str, in_slack: bool | None, as_json: bool
) -> int:
    """Say which of two answers is better, of the newest comparison or another.

    Nobody is told whose they are. For each pair: `l` for the left one, `r` for the right one, `n`
    for neither, `s` to pass it over, `q` to stop. What was said is kept at once.
    """
    import getpass

    from bot.cli.output import print_result
    from bot.evaluation import journal, ratings, results

    async with session.bot() as bot:
        evaluation = evaluation or await results.newest(bot.database, journal.KIND)
        if in_slack is not None:
            await ratings.ask_in_slack(bot.database, evaluation, in_slack)
            told = "People are asked on the Home tab." if in_slack else "Nobody is asked any more."
            print_result(told, as_json=as_json, evaluation=evaluation, slack=in_slack)
            return 0
        await journal.load(bot.database, evaluation)  # whether there is one
        count, left = await _rated(bot, evaluation, author or f"terminal:{getpass.getuser()}")
    told = f"{count} ratings kept." + ("" if left else " There is nothing more to rate.")
    print_result(told, as_json=as_json, evaluation=evaluation, ratings=count)
    return 0


@click.command(epilog="Example: bot eval pairs > pairs.jsonl")
@click.argument("evaluation", type=int, required=False)
@asynchronous
async def pairs(session: Session, evaluation: int | None) -> int:
    """Print what people preferred as JSON lines, which `bot tune --task dpo` reads."""
    from bot.cli.output import dumps
    from bot.evaluation import journal, ratings, results

    async with session.bot() as bot:
        evaluation = evaluation or await results.newest(bot.database, journal.KIND)
        kept = await journal.load(bot.database, evaluation)
    for pair in ratings.pairs(kept):
        click.echo(dumps(pair))
    return 0


def show_answers(
    kept: Kept, html: Path | None, *, as_json: bool, notes: list[str] | None = None
) -> None:
    """Print a comparison of answers, and write its page."""
    from bot.cli.output import dumps, print_rows
    from bot.evaluation.view import view

    found = view(kept)
    if found.mixed:
        _say(found.mixed)
    if html is not None:
        from bot.evaluation import page

        page.write(html, found, notes or ())
    if as_json:
        click.echo(dumps(found.plain(notes or ())))
        return
    print_rows(found.table(), as_json=False, empty="")
    if not kept.finished and notes is None:
        click.echo("It was stopped before its end; the same `bot eval compare` goes on with it.")
    told = f"Choose {found.choice.name}" if found.choice.name else "Choose none"
    click.echo(f"{told}. {found.choice.reason}")
    click.echo(f"evaluation {kept.id}")
    if html is not None:
        click.echo(f"{html} shows the answers.")


def _tasks(choices: tuple[Path, ...], general: tuple[Path, ...]) -> list[Task]:
    from bot.errors import UsageError
    from bot.evaluation import likelihoods

    tasks = [*map(likelihoods.choices, choices), *map(likelihoods.general, general)]
    if len({task.name for task in tasks}) < len(tasks):
        raise UsageError("Two tasks have the same name; rename one of the files.")
    return tasks


async def _rated(bot: Bot, evaluation: int, author: str) -> tuple[int, bool]:
    """Ask for one pair after the other; say how many were rated, and whether some are left."""
    from bot.evaluation import ratings

    count = 0
    passed: set[str] = set()
    while True:
        pair = await ratings.next_pair(bot.database, evaluation, author, passed=passed)
        if pair is None:
            return count, bool(passed)
        match _choice(pair):
            case "q":
                return count, True
            case "s":
                passed.add(pair.key)
            case said:
                await ratings.rate(bot.database, pair, ratings.BETTER[said], author)
                count += 1


def _choice(pair: Pair) -> str:
    """Show a pair and read a letter; the end of the input is `q`."""
    from bot.text import printable

    click.secho(f"\n{printable(pair.question)}", bold=True)
    click.secho(f"Reference: {printable(pair.reference)}", dim=True)
    for letter, side, answer in zip("lr", ("left", "right"), pair.answers, strict=True):
        click.secho(f"\n[{letter}] {side}", bold=True)
        click.echo(printable(answer))
    while True:
        click.echo("\nWhich is better? [l]eft, [r]ight, [n]either, [s]kip, [q]uit: ", nl=False)
        line = sys.stdin.readline()
        if not line:
            click.echo()
            return "q"
        if (letter := line.strip().lower()[:1]) and letter in "lrnsq":
            return letter


def _began(evaluation: int, known: int, asked: int) -> None:
    if known:
        click.echo(f"Going on with evaluation {evaluation}: {known} of {asked} answers are there.",
                   err=True)  # fmt: skip


def _say(note: str) -> None:
    from bot.text import printable

    click.secho(f"Note: {printable(note)}", err=True, fg="yellow")
