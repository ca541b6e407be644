"""`bot eval`: how good searches and answers are, by the golden set."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli import comparing
from bot.cli.session import Session, asynchronous

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.document import IndexVersion
    from bot.evaluation.engine import Sheet
    from bot.evaluation.golden import Golden
    from bot.evaluation.indexes import Verdict

_MARGIN = 0.02  # bot.evaluation.indexes.MARGIN, which --help must not import


@click.group(epilog="Example: bot eval run")
def command() -> None:
    """Measure the bot by its golden set."""


command.add_command(comparing.compare)
command.add_command(comparing.rate)
command.add_command(comparing.pairs)


@command.command(epilog="Example: bot eval run --index 2")
@click.option("--index", "number", type=int, metavar="VERSION",
              help="Compare this index version with the live one.")  # fmt: skip
@click.option("--assistant", default="default", show_default=True, help="Whose retrievers.")
@click.option("--margin", default=_MARGIN, show_default=True, type=click.FloatRange(0, 1),
              help="How much lower recall and nDCG may be on average.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@asynchronous
async def run(
    session: Session, number: int | None, assistant: str, margin: float, as_json: bool
) -> int:
    """Search for every golden question, and measure what is found.

    Recall, nDCG and hit@1 with their 95 % intervals, and how long a search takes. The results are
    kept. With --index it exits with 1 when that version is worse than the live one.
    """
    from bot.cli.output import dumps
    from bot.errors import UsageError
    from bot.evaluation import indexes
    from bot.indexing import versions

    async with session.bot() as bot:
        live = await versions.live(bot.database)
        if live is None:
            raise UsageError("Nothing is indexed yet; run `bot reindex`.")
        questions = await indexes.questions_of(bot)
        if not questions:
            raise UsageError(
                "There is no golden question with sources; add one: bot golden add --help"
            )
        measured = [live]
        if number is not None and number != live.id:
            measured.insert(0, await indexes.version(bot.database, number))
        sheet = await _measured(bot, measured, questions, assistant)
        kept = await indexes.keep(bot, sheet, assistant, margin=margin)
        verdict = None
        if len(measured) == 2:
            verdict = indexes.judge(sheet, measured[0].id, live.id, margin, kept)
        await _notes(bot, sheet)
    if as_json:
        click.echo(dumps(_plain(sheet, verdict, kept)))
    else:
        _print(sheet, verdict)
    return int(verdict is not None and verdict.outcome == "worse")


@command.command("list", epilog="Example: bot eval list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def list_(session: Session, as_json: bool) -> int:
    """List what was measured, the newest first; equal golden sets compare.

    `change` is what has become of a variant's first figure since the same questions were put to it
    before.
    """
    from bot.cli.output import print_rows
    from bot.evaluation import results

    async with session.bot() as bot:
        rows = results.with_changes(await results.listed(bot.database))
    if not as_json:
        rows = [
            {
                **{key: row[key] for key in ("evaluation", "at", "kind", "variant", "questions")},
                "golden": row["golden"][:8],
                "result": _result(row),
                "change": row["change"] and f"{row['change']:+.3f}",
            }
            for row in rows
        ]
    print_rows(rows, as_json=as_json, empty="Nothing was measured yet; run `bot eval run`.")
    return 0


@command.command(epilog="Example: bot eval show 3 --html page.html")
@click.argument("evaluation", type=int, required=False)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the page of a comparison of answers.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def show(session: Session, evaluation: int | None, html: Path | None, as_json: bool) -> int:
    """Show an evaluation, the newest unless another is named.

    Of answers it shows the figures and the choice, of searches each question, the worst first.
    """
    from bot.cli.output import print_rows
    from bot.errors import UsageError
    from bot.evaluation import golden, journal, results

    async with session.bot() as bot:
        evaluation = evaluation or await results.newest(bot.database)
        if await results.kind(bot.database, evaluation) == journal.KIND:
            kept = await journal.load(bot.database, evaluation)
            comparing.show_answers(kept, html, as_json=as_json)
            return 0
        if html is not None:
            raise UsageError("A page is made of a comparison of answers; see bot eval compare.")
        trials = await results.trials_of(bot.database, evaluation)
        asked = {one.id: one.question for one in await golden.load(bot.database, drafts=True)}
    rows = [
        {
            "golden": number,
            "question": asked.get(number, "(removed)"),
            **{
                f"{variant}: {metric}": value
                for variant, found in by_variant.items()
                for metric, value in found.items()
                if metric != "golden"
            },
        }
        for number, by_variant in results.worst_first(trials)
    ]
    print_rows(rows, as_json=as_json, empty="No question was asked in it.")
    return 0


async def _measured(
    bot: Bot, versions: Sequence[IndexVersion], questions: Sequence[Golden], assistant: str
) -> Sheet:
    from bot.evaluation import indexes

    with progress(len(questions), "Searching") as told:
        return await indexes.measure(bot, versions, questions, assistant, told)


async def _notes(bot: Bot, sheet: Sheet) -> None:
    """Tell what makes the figures lower than they should be."""
    from bot.evaluation import golden
    from bot.text import printable

    if missing := await golden.gone(bot.database, sheet.golden):
        click.secho(
            f"Note: {len(missing)} expected sources are in no document and cannot be found, such "
            f"as {printable(missing[0])}; `bot golden list` shows them.",
            err=True,
            fg="yellow",
        )
    for variant in sheet.trials:
        for error in sheet.errors(variant)[:3]:
            click.secho(f"Version {variant}: {printable(error)}", err=True, fg="red")


def _print(sheet: Sheet, verdict: Verdict | None) -> None:
    from bot.cli.output import print_rows
    from bot.evaluation.statistics import bootstrap

    rows: list[dict[str, Any]] = [
        {
            "index": variant,
            **{metric: str(sheet.mean(variant, metric)) for metric in sheet.metrics},
            "mean ms": format(bootstrap(sheet.waits(variant)), ".1f"),
            "p50 ms": f"{sheet.latency(variant, 0.5):.1f}",
            "p95 ms": f"{sheet.latency(variant, 0.95):.1f}",
        }
        for variant in sheet.trials
    ]
    if verdict is not None:
        told = {metric: f"{interval:+}" for metric, interval in verdict.differences.items()}
        name = f"{verdict.candidate} − {verdict.live}"
        took = f"{sheet.slower(str(verdict.candidate), str(verdict.live)):+.1f}"
        rows.append({"index": name, **told, "mean ms": took, "p50 ms": None, "p95 ms": None})
    print_rows(rows, as_json=False, empty="")
    click.echo(verdict.reason if verdict else f"{len(sheet.golden)} golden questions.")


def _plain(sheet: Sheet, verdict: Verdict | None, kept: int) -> dict[str, Any]:
    from dataclasses import asdict

    from bot.evaluation import results

    found: dict[str, Any] = {
        "evaluation": kept,
        "questions": len(sheet.golden),
        "variants": {name: results.summary(sheet, name) for name in sheet.trials},
    }
    if verdict is not None:
        found |= {
            "outcome": verdict.outcome,
            "reason": verdict.reason,
            "margin": verdict.margin,
            "differences": {
                **{m: asdict(d) for m, d in verdict.differences.items()},
                "milliseconds": asdict(sheet.slower(str(verdict.candidate), str(verdict.live))),
            },
        }
    return found


def _result(row: Mapping[str, Any]) -> str:
    """The figures of a variant that fit a line."""
    if row["finished_at"] is None:
        return "not finished"
    summary = row["summary"]
    if (by := row["settings"].get("by")) is not None:  # of answers there are more than fit
        summary = {name: summary[name] for name in (by, "refused", "p50_ms", "errors")
                   if name in summary}  # fmt: skip
    return ", ".join(_short(*item) for item in summary.items() if item[1])


def _short(metric: str, value: Any) -> str:
    return f"{metric} {value['mean']:.3f}" if isinstance(value, dict) else f"{metric} {value}"


@contextmanager
def progress(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield lambda done: bar.update(1)
