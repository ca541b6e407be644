"""`bot report routes`: what each way to an answer costs, and how good it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bot.cli.session import Session, asynchronous

if TYPE_CHECKING:
    from bot.reports import RouteFigures


@click.command(epilog="Example: bot report routes --days 7 --json")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1),
              help="How far back to look.")  # fmt: skip
@click.option("--assistant", help="Whose answers; those of all, unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every figure.")
@asynchronous
async def routes(session: Session, days: int, assistant: str | None, as_json: bool) -> int:
    """Compare the routes that answers took: their share, cost, latency and quality.

    A route is the generators that were asked, in their order, and why the last one was. Doubted are
    answers with a claim that its sources do not support, of those that were checked.
    """
    from dataclasses import asdict
    from datetime import UTC, datetime, timedelta

    from bot import reports
    from bot.cli.output import print_rows

    since = datetime.now(UTC) - timedelta(days=days)
    async with session.bot() as bot:
        if assistant is not None:
            bot.assistant(assistant)
        found = await reports.routes(bot.database, since, assistant)
    rows = [asdict(one) if as_json else _row(one) for one in found]
    print_rows(rows, as_json=as_json, empty=f"Nothing was answered in the last {days} days.")
    return 0


def _row(one: RouteFigures) -> dict[str, Any]:
    return {
        "route": one.route + (f" ({one.cause})" if one.cause else ""),
        "turns": one.turns,
        "share": f"{one.share:.0%}",
        "cost": f"{one.cost:.4g}",
        "tokens": one.tokens,
        "first ms": _whole(one.first_text_p50),
        "p50 ms": _whole(one.p50),
        "p95 ms": _whole(one.p95),
        "refused": f"{one.refused / one.turns:.0%}",
        "failed": f"{one.failed / one.turns:.0%}",
        "doubted": f"{one.doubted / one.checked:.0%}" if one.checked else None,
        "good/bad": f"{one.good}/{one.bad}",
    }


def _whole(milliseconds: float | None) -> str | None:
    return None if milliseconds is None else f"{milliseconds:.0f}"
