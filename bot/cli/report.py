"""`bot report`: what can be learned from what people asked."""

from __future__ import annotations

import click

from bot.cli.routes import routes
from bot.cli.session import Session, asynchronous


@click.group(epilog="Example: bot report unanswered --days 7")
def command() -> None:
    """Learn from what people asked."""


command.add_command(routes)


@command.command(epilog="Example: bot report unanswered --days 7 --json")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1),
              help="How far back to look.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every question.")
@asynchronous
async def unanswered(session: Session, days: int, as_json: bool) -> int:
    """List what people asked in vain, similar questions together, the most frequent first.

    It is the backlog of the documentation: what to write, or to approve an answer for.
    """
    from dataclasses import asdict
    from datetime import UTC, datetime, timedelta

    from bot.cli.output import print_rows

    since = datetime.now(UTC) - timedelta(days=days)
    async with session.bot() as bot:
        groups = await bot.unanswered(since)
    rows = [
        {
            "times": len(group),
            "last": group[0].at,
            "question": group[0].question,
            "turn": group[0].turn,
            **({"asked": [asdict(one) for one in group]} if as_json else {}),
        }
        for group in groups
    ]
    print_rows(rows, as_json=as_json, empty=f"Nothing was refused in the last {days} days.")
    return 0


@command.command(epilog="Example: bot report cost --by assistant --days 7")
@click.option("--by", default="person", show_default=True,
              type=click.Choice(["person", "assistant", "generator", "turn", "day"]),
              help="What to add up for.")  # fmt: skip
@click.option("--days", default=30, show_default=True, type=click.IntRange(1),
              help="How far back to look.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@asynchronous
async def cost(session: Session, by: str, days: int, as_json: bool) -> int:
    """List what models have cost, the dearest first.

    Only models that have prices in bot.toml are listed, in the currency of these prices.
    """
    from datetime import UTC, datetime, timedelta

    from bot.cli.output import print_rows

    since = datetime.now(UTC) - timedelta(days=days)
    async with session.bot() as bot:
        rows = await bot.spending.report(since, by)  # type: ignore[arg-type]  # click has checked it
    named = [{**row, "name": row["name"] or "(unnamed)"} for row in rows]
    listed = [{by: row.pop("name"), **row} for row in named]
    print_rows(listed, as_json=as_json, empty=f"Nothing was spent in the last {days} days.")
    return 0
