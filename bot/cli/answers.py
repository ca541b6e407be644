"""`bot answers`: questions with the answers that people have approved."""

from __future__ import annotations

import click

from bot.cli.session import Session, asynchronous


@click.group(epilog='Example: bot answers add "When is payday?" "On the 25th." && bot answers list')
def command() -> None:
    """Keep approved answers, said whenever a question means the same."""


@command.command(
    epilog='Example: bot answers add "Who approves travel?" "Your lead." --readers group:staff'
)
@click.argument("question")
@click.argument("answer")
@click.option("--readers", multiple=True, metavar="PRINCIPAL",
              help="Who may read it; everyone, unless told narrower.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def add(
    session: Session, question: str, answer: str, readers: tuple[str, ...], as_json: bool
) -> int:
    """Approve ANSWER for QUESTION, or replace what was approved for the same readers."""
    from bot import curated
    from bot.cli.output import principals, print_result
    from bot.errors import UsageError
    from bot.text import storable

    asked, said = storable(question).strip(), storable(answer).strip()
    if not asked or not said:
        raise UsageError("A curated answer needs its question and its answer.")
    one = curated.Curated(question=asked, answer=said, readers=principals(readers))
    async with session.bot() as bot:
        number, new = await curated.put(bot.database, one)
    told = f"{number} {'added' if new else 'replaced'}."
    print_result(told, as_json=as_json, id=number, new=new)
    return 0


@command.command("list", epilog="Example: bot answers list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def list_(session: Session, as_json: bool) -> int:
    """List all approved answers."""
    from bot import curated
    from bot.cli.output import print_rows

    async with session.bot() as bot:
        known = await curated.load(bot.database)
    rows = [
        {
            "id": one.id,
            "question": one.question,
            "answer": one.answer,
            "readers": sorted(one.readers),
            "created_at": one.created_at,
        }
        for one in known
    ]
    print_rows(rows, as_json=as_json, empty="No answer is approved; see bot answers --help.")
    return 0


@command.command(epilog="Example: bot answers remove 3 7")
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID…")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def remove(session: Session, ids: tuple[int, ...], as_json: bool) -> int:
    """Remove answers; `bot answers list` shows their ids."""
    from bot import curated
    from bot.cli.output import print_result

    async with session.bot() as bot:
        await curated.remove(bot.database, ids)
    removed = sorted(set(ids))
    print_result(f"{len(removed)} removed.", as_json=as_json, removed=removed)
    return 0
