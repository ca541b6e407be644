"""`bot tune inspect` and `bot tune augment`: data before it is learned. They need no torch."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bot.cli.session import Session, asynchronous

_FILE = click.Path(exists=True, path_type=Path)
_NEW = click.Path(dir_okay=False, path_type=Path)


@click.command(
    epilog="Example: bot tune inspect answers.jsonl  ·  "
    "bot tune inspect answers.jsonl --redact email --output clean.jsonl  ·  "
    "bot tune inspect --source handbook --base Qwen/Qwen3-0.6B"
)
@click.argument("files", nargs=-1, type=_FILE, metavar="[FILE]…")
@click.option("--source", default="", help="The documents of a source, as indexed.")
@click.option("--test", "tests", multiple=True, type=_FILE,
              help="Questions that are measured with, besides the golden set.")  # fmt: skip
@click.option("--redact", multiple=True, metavar="KIND",
              help="Replace what is found of this kind: email, iban, card, phone, ip, secret, or "
              "what a plugin finds.")  # fmt: skip
@click.option("--base", default="", metavar="MODEL", help="Whose tokens are counted.")
@click.option("--length", default=1024, show_default=True, help="Tokens of a training's row.")
@click.option("--output", type=_NEW, help="Write what is left, as JSONL.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@asynchronous
async def inspect(
    session: Session,
    files: tuple[Path, ...],
    source: str,
    tests: tuple[Path, ...],
    redact: tuple[str, ...],
    base: str,
    length: int,
    output: Path | None,
    as_json: bool,
) -> int:
    """Show what is in training data, what would be left out of it, and why.

    Left out are examples that cannot be used, that say the same as another, or that hold a
    question of the golden set. Personal data is told, and replaced only with --redact.
    """
    from bot.cli.output import dumps
    from bot.errors import UsageError
    from bot_tune import examples, inspection

    if not files and not source:
        raise UsageError("Name a FILE or --source; `bot tune inspect --help` shows examples.")
    found = await inspection.inspect(session, files, source, tests, redact, base, _progress)
    _progress(0)
    if output is not None:
        written = examples.write(output, found.examples)
        click.echo(f"{written} examples are in {output}.", err=True)
    if as_json:
        click.echo(dumps(inspection.as_json(found, length, base)))
    else:
        inspection.tell(found, length, base)
    return 0


@click.command(
    epilog="Example: bot tune augment answers.jsonl --output more.jsonl  ·  "
    "bot tune augment answers.jsonl --output more.jsonl --through German --generator model"
)
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE…")
@click.option("--output", required=True, type=_NEW, help="The examples and their variants.")
@click.option("--copies", default=1, show_default=True, type=click.IntRange(1, 20),
              help="Variants of each example, at most.")  # fmt: skip
@click.option("--assistant", default="default", show_default=True,
              help="Whose glossary says what else means the same.")  # fmt: skip
@click.option("--through", default="", metavar="LANGUAGE",
              help="Translate questions into this language and back instead.")  # fmt: skip
@click.option("--generator", default="", metavar="NAME",
              help="Who translates; the assistant's own generator, unless told.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same words.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def augment(
    session: Session,
    files: tuple[Path, ...],
    output: Path,
    copies: int,
    assistant: str,
    through: str,
    generator: str,
    seed: int,
    as_json: bool,
) -> int:
    """Add examples that ask the same in other words.

    Words are replaced by ones that mean the same, or questions go through another language and
    back. Answers, numbers, names, code and quotations stay as they are. Texts have no question
    and are only copied. A training measures with no variant of what it learns.
    """
    from bot.cli.output import print_result
    from bot.errors import UsageError
    from bot_tune import varying

    if generator and not through:
        raise UsageError("--generator translates; say with --through into which language.")
    varying.check(files, output)
    async with session.bot() as bot:
        if through:
            asked = await bot.generator(generator or bot.assistant(assistant).generator)
            work = varying.translated(files, asked, through)
        else:
            work = varying.replaced(files, bot.assistant(assistant).glossary, copies, seed)
        done = await varying.write(work, output, _progress)
    _progress(0)
    for reason, count in done.refused.most_common():
        click.echo(f"{count} without a variant: {reason}.", err=True)
    told = f"{done.examples} examples and {done.variants} variants are in {output}."
    print_result(
        told, as_json=as_json, examples=done.examples, variants=done.variants,
        refused=dict(done.refused), output=str(output),
    )  # fmt: skip
    return 0


def _progress(count: int) -> None:
    """Count on a terminal; 0 takes the line away."""
    if sys.stderr.isatty() and count % 100 == 0:
        click.echo(f"\r\x1b[K{count} examples" if count else "\r\x1b[K", err=True, nl=False)
